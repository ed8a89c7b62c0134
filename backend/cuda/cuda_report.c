#include "backend/cuda/cuda_report.h"

#include <string.h>

ms_status ms_cuda_report_init(ms_cuda_context *context, ms_cuda_report *out) {
    *out = (ms_cuda_report){.context = context};
    MS_CUDA_TRY(cudaHostAlloc((void **)&out->fault, sizeof *out->fault, cudaHostAllocMapped), "pinning memory");
    memset(out->fault, 0, sizeof *out->fault);
    MS_CUDA_TRY(cudaHostGetDevicePointer((void **)&out->fault_on_device, out->fault, 0), "mapping memory");
    return MS_OK;
}

void ms_cuda_report_finish(ms_cuda_report *report) {
    if (report->fault) (void)cudaFreeHost(report->fault);
}

ms_status ms_cuda_check_fault(ms_cuda_report *report) {
    volatile ms_cuda_fault *fault = report->fault;
    if (fault->node == 0) return MS_OK;
    /* The kernel writes the node first, and may be at work beside a download: the value is there when all is over. */
    MS_TRY(ms_cuda_check(report->context, cudaStreamSynchronize(report->context->stream), "waiting for the device"));
    unsigned int node = fault->node - 1;
    int value = fault->value;
    fault->node = 0;
    char text[96];
    ms_node_tables_describe(&report->nodes, node, text, sizeof text);
    return MS_FAIL(MS_INVALID, "%s: value %d is outside of [0, %lld)", text, value,
                   (long long)ms_node_tables_fault_limit(&report->nodes, node));
}

ms_status ms_cuda_wait(ms_cuda_report *report) {
    MS_TRY(ms_cuda_use(report->context));
    MS_TRY(ms_cuda_check(report->context, cudaStreamSynchronize(report->context->stream), "waiting for the device"));
    MS_TRY(ms_cuda_check(report->context, cudaStreamSynchronize(report->context->copy_stream), "waiting for copies"));
    return ms_cuda_check_fault(report);
}
