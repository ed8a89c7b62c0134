// What `exact` needs of a device, tried on it: each thread writes the results of one triple of numbers, for
// cuda_probe.c to compare with the processor's.
#include "backend/cuda/cuda_kernel.cuh"

extern "C" {
#include "backend/cuda/cuda_probe.h"
#include "backend/probe.h"
}

enum { THREADS = 128 };

static __global__ void __launch_bounds__(THREADS)
    probe_kernel(const float *triples, float *results, unsigned int count) {
    unsigned int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= count) return;
    float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2],
          *result = results + MS_PROBE_RESULTS * i;
    result[0] = ms_add(x, y);
    result[1] = ms_sub(x, y);
    result[2] = ms_mul(x, y);
    result[3] = ms_add(ms_mul(x, y), z);
    result[4] = ms_sub(ms_add(x, y), x);
    result[5] = ms_exp(x);
    result[6] = ms_log(y);
    result[7] = ms_reciprocal(z);
    result[8] = ms_rsqrt(y);
    // A smallest normal number, halved and doubled again: 0 where subnormals are flushed.
    result[9] = ms_mul(ms_mul(__uint_as_float(0x00800000u + (i & 0xffu)), 0.5f), 2.0f);
}

extern "C" ms_status ms_cuda_probe_launch(const float *triples, float *results, int count, cudaStream_t stream) {
    MS_LAUNCH(probe_kernel, ms_thread_blocks(count, THREADS), THREADS, 0, stream, triples, results, (unsigned int)count);
    return ms_cuda_status(cudaGetLastError(), "launching the probe");
}
