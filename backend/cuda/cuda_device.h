/* The CUDA device as its own files see it. */
#ifndef MS_BACKEND_CUDA_CUDA_DEVICE_H
#define MS_BACKEND_CUDA_CUDA_DEVICE_H

#include "backend/backend_impl.h"
#include "backend/cuda/cuda_kernel.h"

enum { MS_CUDA_SLOTS = 8, MS_CUDA_SLOT_BYTES = 2 << 20 };

/* A piece of pinned host memory on its way to or from the device. */
typedef struct ms_cuda_slot {
    void *memory;     /* MS_CUDA_SLOT_BYTES, pinned */
    cudaEvent_t done; /* recorded behind the copy */
    bool busy;
} ms_cuda_slot;

/* A variable's storage. */
typedef struct ms_cuda_buffer {
    void *memory; /* device address */
    size_t size_bytes;
    cudaEvent_t written; /* recorded on the device's stream behind the last write */
} ms_cuda_buffer;

struct ms_backend_device {
    int index;
    ms_numerics numerics;
    char name[64]; /* of the product, for messages */
    ms_cuda_limits limits;
    cudaStream_t stream;      /* programs and uploads, in order */
    cudaStream_t copy_stream; /* downloads, which wait for the last write to their buffer and for nothing else */
    ms_cuda_slot uploads[MS_CUDA_SLOTS], downloads[2];
    int next_upload;
    size_t held_bytes;       /* device memory given out, workspace of cuBLASLt included */
    void *arena, *workspace; /* shared by all programs: one runs at a time */
    size_t arena_bytes, workspace_bytes;
    uint64_t generation;  /* counts moves of arena or workspace: captured programs are stale then */
    ms_cuda_fault *fault; /* pinned, host address */
    ms_cuda_fault *fault_on_device;
    ms_cuda_blas *blas;           /* NULL in `exact` */
    ms_backend_program *programs; /* list, to name the op of a fault */
    unsigned int next_node;
    bool lost;
};

ms_status ms_cuda_device_open(int index, const ms_device_options *options, ms_backend_device **out);
void ms_cuda_device_close(ms_backend_device *device);

/* Device memory in stream order.  MS_OUT_OF_MEMORY names the bytes asked for, held and free. */
ms_status ms_cuda_allocate(ms_backend_device *device, size_t size_bytes, void **out);
void ms_cuda_release(ms_backend_device *device, void *memory, size_t size_bytes);
/* Makes arena and workspace at least this large; waits for running programs when it must move them. */
ms_status ms_cuda_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes);

/* Memory that is zero.  *out is NULL unless MS_OK; the caller destroys it.  destroy(NULL) is fine. */
ms_status ms_cuda_buffer_create(ms_backend_device *device, size_t size_bytes, ms_cuda_buffer **out);
void ms_cuda_buffer_destroy(ms_backend_device *device, ms_cuda_buffer *buffer);
/* To be called when a write to the buffer was queued on the device's stream. */
ms_status ms_cuda_note_write(ms_backend_device *device, ms_cuda_buffer *buffer);
/* Queued behind everything before; waits only when every slot is in use (cuda_transfer.c). */
ms_status ms_cuda_upload(ms_backend_device *device, ms_cuda_buffer *to, size_t offset_bytes, const void *data,
                         size_t size_bytes);
/* Waits for the last writes to the buffers; programs queued since go on meanwhile. */
ms_status ms_cuda_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts, void *const *out_data);
ms_status ms_cuda_transfer_init(ms_backend_device *device);
void ms_cuda_transfer_finish(ms_backend_device *device);

/* Waits for both streams, then looks for a fault that a kernel has reported (MS_INVALID). */
ms_status ms_cuda_wait(ms_backend_device *device);
ms_status ms_cuda_check_fault(ms_backend_device *device);
/* Makes the device the calling thread's: launches, events and graphs belong to the current one, which another device's
   calls may have changed.  MS_DEVICE_LOST. */
ms_status ms_cuda_use(ms_backend_device *device);
/* As ms_cuda_status, and remembers a lost device. */
ms_status ms_cuda_check(ms_backend_device *device, cudaError_t error, const char *what);

/* Runs probe.cu over the triples of backend/probe.h. */
ms_status ms_cuda_probe(ms_backend_device *device, const float *triples, float *out_results);

/* Compute of cuBLASLt (cuda_blas.c). */
ms_status ms_cuda_blas_create(ms_backend_device *device, ms_cuda_blas **out);
void ms_cuda_blas_destroy(ms_backend_device *device, ms_cuda_blas *blas);

/* Programs (cuda_program.c). */
ms_status ms_cuda_program_create(ms_backend_device *device, const ms_compile_request *request,
                                 ms_backend_program **out);
void ms_cuda_program_destroy(ms_backend_program *program);
ms_status ms_cuda_program_run(ms_backend_program *program);
size_t ms_cuda_program_workspace_bytes(const ms_backend_program *program);
void ms_cuda_program_counts(const ms_backend_program *program, ms_program_counts *out);
void ms_cuda_program_set_timing(ms_backend_program *program, bool on);
void ms_cuda_program_get_times(const ms_backend_program *program, ms_op_time *out);
/* Describes a node number of this device: "embed (node 3, block 0)"; *out_limit: what its values are held against. */
void ms_cuda_describe_node(const ms_backend_device *device, unsigned int node, char *out, size_t size,
                           int64_t *out_limit);

#endif
