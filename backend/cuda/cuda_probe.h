/* The device side of the probe, probe.cu: for cuda_probe.c. */
#ifndef MS_BACKEND_CUDA_CUDA_PROBE_H
#define MS_BACKEND_CUDA_CUDA_PROBE_H

#include "backend/cuda/cuda_kernel.h"

/* Queues the kernel on `stream`: triples [count,3], results [count,MS_PROBE_RESULTS] (backend/probe.h), device
   addresses. Errors of the launch.  Thread-safe on distinct streams. */
ms_status ms_cuda_probe_launch(const float *triples, float *results, int count, cudaStream_t stream);

#endif
