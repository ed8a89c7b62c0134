/* Uploads and downloads through pinned slots. */
#ifndef MS_BACKEND_CUDA_CUDA_TRANSFER_H
#define MS_BACKEND_CUDA_CUDA_TRANSFER_H

#include "backend/backend_impl.h"
#include "backend/cuda/cuda_buffer.h"
#include "backend/cuda/cuda_report.h"

enum { MS_CUDA_SLOTS = 8, MS_CUDA_SLOT_BYTES = 2 << 20 };

/* A piece of pinned host memory on its way to or from the device. */
typedef struct ms_cuda_slot {
    void *memory;     /* MS_CUDA_SLOT_BYTES, pinned */
    cudaEvent_t done; /* recorded behind the copy */
    bool busy;
} ms_cuda_slot;

typedef struct ms_cuda_transfer {
    ms_cuda_context *context; /* borrowed */
    ms_cuda_report *report;   /* borrowed */
    ms_cuda_slot uploads[MS_CUDA_SLOTS], downloads[2];
    int next_upload;
} ms_cuda_transfer;

/* After an error: finish. */
ms_status ms_cuda_transfer_init(ms_cuda_context *context, ms_cuda_report *report, ms_cuda_transfer *out);
/* Nothing is at work any more; a zeroed one is fine. */
void ms_cuda_transfer_finish(ms_cuda_transfer *transfer);
/* Queued behind everything before; waits only when every slot is in use. */
ms_status ms_cuda_upload(ms_cuda_transfer *transfer, ms_cuda_buffer *to, size_t offset_bytes, const void *data,
                         size_t size_bytes);
/* The buffers of the parts are ms_cuda_buffer.  Waits for the last writes to them; programs queued since go on
   meanwhile.  Then looks for a fault. */
ms_status ms_cuda_download(ms_cuda_transfer *transfer, const ms_backend_part *parts, int n_parts,
                           void *const *out_data);

#endif
