/* Bad data that kernels report, told by whoever waits. */
#ifndef MS_BACKEND_CUDA_CUDA_REPORT_H
#define MS_BACKEND_CUDA_CUDA_REPORT_H

#include "backend/cuda/cuda_context.h"
#include "backend/cuda/cuda_kernel.h"
#include "backend/node_table.h"

typedef struct ms_cuda_report {
    ms_cuda_context *context; /* borrowed */
    ms_cuda_fault *fault;     /* pinned, host address */
    ms_cuda_fault *fault_on_device;
    ms_node_tables nodes; /* of the device's programs */
} ms_cuda_report;

/* After an error: finish. */
ms_status ms_cuda_report_init(ms_cuda_context *context, ms_cuda_report *out);
/* A zeroed one is fine. */
void ms_cuda_report_finish(ms_cuda_report *report);
/* MS_INVALID, once, for a fault that a kernel has reported: names op, node, value and limit. */
ms_status ms_cuda_check_fault(ms_cuda_report *report);
/* Waits for both streams, then looks for a fault. */
ms_status ms_cuda_wait(ms_cuda_report *report);

#endif
