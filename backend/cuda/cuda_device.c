/* Opening and closing a CUDA device. */
#include "backend/cuda/cuda_device.h"

#include <stdlib.h>

/* Each part gets the parts below it. */
static ms_status set_up(int index, ms_backend_device *device) {
    device->memory = (ms_cuda_memory){.context = &device->context};
    ms_cuda_arena_init(&device->memory, &device->report, &device->arena);
    MS_TRY(ms_cuda_context_init(index, &device->context));
    MS_TRY(ms_cuda_report_init(&device->context, &device->report));
    MS_TRY(ms_cuda_transfer_init(&device->context, &device->report, &device->transfer));
    if (device->numerics == MS_NUMERICS_FAST)
        MS_TRY(ms_cuda_blas_create(&device->context.limits, &device->memory, &device->blas));
    return MS_OK;
}

ms_status ms_cuda_device_open(int index, const ms_device_options *options, ms_backend_device **out) {
    *out = NULL;
    if (options->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "cuda:%d: the f64 oracle runs on device cpu only", index);
    ms_backend_device *device = calloc(1, sizeof *device);
    if (!device) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory");
    device->numerics = options->numerics;
    ms_status status = set_up(index, device);
    if (status != MS_OK) {
        ms_cuda_device_close(device);
        return status;
    }
    *out = device;
    return MS_OK;
}

void ms_cuda_device_close(ms_backend_device *device) {
    if (!device) return;
    const ms_cuda_context *context = &device->context;
    /* Errors at the end have no one left to hear them. */
    (void)cudaSetDevice(context->index);
    if (context->stream) (void)cudaStreamSynchronize(context->stream);
    if (context->copy_stream) (void)cudaStreamSynchronize(context->copy_stream);
    ms_cuda_blas_destroy(&device->memory, device->blas);
    ms_cuda_arena_finish(&device->arena);
    ms_cuda_transfer_finish(&device->transfer);
    ms_cuda_report_finish(&device->report);
    ms_cuda_context_finish(&device->context);
    free(device);
}
