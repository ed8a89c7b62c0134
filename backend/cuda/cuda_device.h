/* The CUDA device: puts its parts together. */
#ifndef MS_BACKEND_CUDA_CUDA_DEVICE_H
#define MS_BACKEND_CUDA_CUDA_DEVICE_H

#include "backend/cuda/cuda_arena.h"
#include "backend/cuda/cuda_blas.h"
#include "backend/cuda/cuda_transfer.h"

struct ms_backend_device {
    ms_numerics numerics;
    ms_cuda_context context;
    ms_cuda_memory memory;
    ms_cuda_report report;
    ms_cuda_transfer transfer;
    ms_cuda_arena arena;
    ms_cuda_blas *blas; /* NULL in `exact` */
};

ms_status ms_cuda_device_open(int index, const ms_device_options *options, ms_backend_device **out);
void ms_cuda_device_close(ms_backend_device *device);

#endif
