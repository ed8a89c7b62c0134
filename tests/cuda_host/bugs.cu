/* Kernels with a planted bug each, and beside it the same kernel without. */
#include "tests/cuda_host/kernels.h"

namespace {

__global__ void missing_barrier_kernel(float *x, int fixed) {
    MS_SHARED(float, shared, [64]);
    unsigned i = threadIdx.x;
    shared[i] = static_cast<float>(i);
    if (fixed) __syncthreads();
    x[i] = shared[63 - i];
}

__global__ void missing_copy_wait_kernel(float *x, int fixed) {
    MS_SHARED(float4, shared, [16]);
    unsigned i = threadIdx.x;
    x[i] = static_cast<float>(i);
    __syncthreads();
    if (i % 4 == 0) ms_copy_async(&shared[i / 4], x + i, true);
    if (fixed) ms_wait_for_copies();
    __syncthreads();
    x[i] = reinterpret_cast<const float *>(shared)[63 - i];
}

__global__ void missing_warp_barrier_kernel(float *x, int fixed) {
    MS_SHARED(float, shared, [33]);
    unsigned i = threadIdx.x;
    shared[i + 1] = static_cast<float>(i);
    if (i == 0) shared[0] = -1.0f;
    if (fixed) __syncwarp();
    x[i] = shared[i] + 0.0f * shared[32 - i];
}

/* x [16,16] = a [16,32] a^T [32,16], with a tile of 16 columns at a time. */
__global__ void missing_second_barrier_kernel(const float *a, float *x, int fixed) {
    MS_SHARED(float, tile, [16][16]);
    unsigned row = threadIdx.y, column = threadIdx.x;
    float sum = 0.0f;
    for (unsigned k = 0; k < 32; k += 16) {
        tile[row][column] = a[row * 32 + k + column];
        __syncthreads();
        for (unsigned i = 0; i < 16; i++) sum += tile[row][i] * tile[column][i];
        if (fixed) __syncthreads();
    }
    x[row * 16 + column] = sum;
}

__global__ void divergent_barrier_kernel(float *x, int fixed) {
    if (fixed || threadIdx.x < 32) __syncthreads();
    x[threadIdx.x] = 1.0f;
}

__global__ void two_barriers_kernel(float *x, int fixed) {
    if (fixed || threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    x[threadIdx.x] = 1.0f;
}

__global__ void partial_shuffle_kernel(float *x, int fixed) {
    float value = static_cast<float>(threadIdx.x);
    if (fixed || threadIdx.x < 16) value = __shfl_xor_sync(0xffffffffu, value, 1);
    __syncthreads();
    x[threadIdx.x] = value;
}

__global__ void shuffle_outside_kernel(float *x, int fixed) {
    float value = static_cast<float>(threadIdx.x);
    if (threadIdx.x < 16) value = __shfl_sync(0x0000ffffu, value, fixed ? 3 : 20);
    x[threadIdx.x] = value;
}

__global__ void overrun_kernel(float *x, int n, int before) {
    int i = static_cast<int>(threadIdx.x);
    if (i <= n) x[before ? i - 1 : i] = 1.0f;
}

__global__ void shared_overrun_kernel(float *x, int fixed) {
    MS_SHARED(float, shared, [32]);
    float *unbounded = shared; /* of an array, the undefined-behaviour sanitizer would know the end */
    unsigned i = threadIdx.x;
    unbounded[fixed ? i : i + 1] = 1.0f;
    __syncwarp();
    x[i] = shared[i];
}

__global__ void dynamic_shared_overrun_kernel(float *x, int fixed) {
    MS_DYNAMIC_SHARED(float, shared);
    unsigned i = threadIdx.x;
    shared[fixed ? i : i + 1] = 1.0f;
    __syncwarp();
    x[i] = shared[i];
}

__global__ void shared_unwritten_kernel(float *x, int fixed) {
    MS_SHARED(float, shared, [32]);
    unsigned i = threadIdx.x;
    if (fixed || blockIdx.x == 0) shared[i] = static_cast<float>(blockIdx.x * 32 + i);
    __syncwarp();
    x[blockIdx.x * 32 + i] = shared[i];
}

struct Pointers {
    int n;
    const float *x;
};

__global__ void pointer_in_struct_kernel(Pointers pointers, float *out) {
    if (threadIdx.x == 0) *out = pointers.x[0];
}

__device__ __noinline__ float use_stack(int depth) {
    volatile float local[512];
    for (int i = 0; i < 512; i++) local[i] = static_cast<float>(i);
    return depth == 0 ? local[7] : local[depth % 512] + use_stack(depth - 1);
}

__global__ void stack_overflow_kernel(float *x, int depth) { x[0] = use_stack(depth); }

} // namespace

extern "C" {

void bug_missing_barrier(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(missing_barrier_kernel, 1, 64, 0, stream, x, fixed);
}

void bug_missing_copy_wait(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(missing_copy_wait_kernel, 1, 64, 0, stream, x, fixed);
}

void bug_missing_warp_barrier(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(missing_warp_barrier_kernel, 1, 32, 0, stream, x, fixed);
}

void bug_missing_second_barrier(const float *a, float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(missing_second_barrier_kernel, 1, dim3(16, 16), 0, stream, a, x, fixed);
}

void bug_divergent_barrier(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(divergent_barrier_kernel, 1, 64, 0, stream, x, fixed);
}

void bug_two_barriers(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(two_barriers_kernel, 1, 64, 0, stream, x, fixed);
}

void bug_partial_shuffle(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(partial_shuffle_kernel, 1, 32, 0, stream, x, fixed);
}

void bug_shuffle_outside(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(shuffle_outside_kernel, 1, 32, 0, stream, x, fixed);
}

void bug_overrun(float *x, int n, int before, cudaStream_t stream) {
    MS_LAUNCH(overrun_kernel, 1, n + 32, 0, stream, x, n, before);
}

void bug_shared_overrun(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(shared_overrun_kernel, 1, 32, 0, stream, x, fixed);
}

void bug_dynamic_shared_overrun(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(dynamic_shared_overrun_kernel, 1, 32, 32 * sizeof(float), stream, x, fixed);
}

void bug_shared_unwritten(float *x, int fixed, cudaStream_t stream) {
    MS_LAUNCH(shared_unwritten_kernel, 2, 32, 0, stream, x, fixed);
}

void bug_pointer_in_struct(const float *x, float *out, cudaStream_t stream) {
    MS_LAUNCH(pointer_in_struct_kernel, 1, 32, 0, stream, Pointers{1, x}, out);
}

void bug_stack_overflow(float *x, int depth, cudaStream_t stream) {
    MS_LAUNCH(stack_overflow_kernel, 1, 1, 0, stream, x, depth);
}
}
