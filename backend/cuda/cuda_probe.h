/* The device side of the probe, probe.cu: for cuda_probe.c. */
#ifndef MS_BACKEND_CUDA_CUDA_PROBE_H
#define MS_BACKEND_CUDA_CUDA_PROBE_H

#include "backend/cuda/cuda_kernel.h"

/* For each triple (x, y, z): x + y, x - y, x y, x y + z, (x + y) - x, exp x, log y, 1 / z, 1 / sqrt y, and a smallest
   normal number halved and doubled again. */
enum { MS_CUDA_PROBE_RESULTS = 10 };

/* Queues the kernel on `stream`: triples [count,3], results [count,MS_CUDA_PROBE_RESULTS], device addresses.  Errors of
   the launch.  Thread-safe on distinct streams. */
ms_status ms_cuda_probe_launch(const float *triples, float *results, int count, cudaStream_t stream);

#endif
