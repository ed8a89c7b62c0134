/* The probe: host side and kernel. */
#ifndef MS_BACKEND_CUDA_CUDA_PROBE_H
#define MS_BACKEND_CUDA_CUDA_PROBE_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "backend/backend_impl.h"

/* Runs probe.cu over the triples of backend/probe.h. */
ms_status ms_cuda_probe(ms_backend_device *device, const float *triples, float *out_results);

/* In probe.cu: queues the kernel on `stream`: triples [count,3], results [count,MS_PROBE_RESULTS] (backend/probe.h),
   device addresses.  Errors of the launch.  Thread-safe on distinct streams. */
ms_status ms_cuda_probe_launch(const float *triples, float *results, int count, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
