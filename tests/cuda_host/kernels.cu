/* Right kernels: what the runtime must execute as a device does. */
#include "tests/cuda_host/kernels.h"

#include "backend/cuda/cuda_kernel.cuh"

namespace {

__global__ void add_kernel(const float *x, const float *y, float *sum, int n) {
    int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) sum[i] = __fadd_rn(x[i], y[i]);
}

__global__ void scale_kernel(float *x, float factor, int n) {
    int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) x[i] *= factor;
}

__global__ void block_sum_kernel(const float *x, float *sums) {
    MS_SHARED(float, partial, [256]);
    unsigned i = threadIdx.x;
    partial[i] = x[blockIdx.x * 256 + i];
    __syncthreads();
    for (unsigned half = 128; half > 0; half /= 2) {
        if (i < half) partial[i] += partial[i + half];
        __syncthreads();
    }
    if (i == 0) sums[blockIdx.x] = partial[0];
}

__device__ float warp_sum(float value) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

__global__ void shuffle_sum_kernel(const float *x, float *sums) {
    MS_DYNAMIC_SHARED(float, of_warp);
    unsigned i = threadIdx.x;
    float sum = warp_sum(x[blockIdx.x * 256 + i]);
    if (i % 32 == 0) of_warp[i / 32] = sum;
    __syncthreads();
    if (i >= 32) return;
    sum = warp_sum(i < 8 ? of_warp[i] : 0.0f);
    if (i == 0) sums[blockIdx.x] = sum;
}

__global__ void votes_kernel(const int *x, int *counts) {
    int positive = x[threadIdx.x] > 0;
    int count = __syncthreads_count(positive);
    int all = __syncthreads_and(positive);
    int any = __syncthreads_or(positive);
    unsigned ballot = __ballot_sync(0xffffffffu, positive);
    int warp_votes = __any_sync(0xffffffffu, positive) + 2 * __all_sync(0xffffffffu, positive);
    if (threadIdx.x != 0) return;
    counts[0] = count;
    counts[1] = all;
    counts[2] = any;
    counts[3] = __popc(ballot);
    counts[4] = warp_votes;
}

__global__ void shuffles_kernel(int *out) {
    int lane = static_cast<int>(threadIdx.x);
    int *row = out + lane * 6;
    row[0] = __shfl_up_sync(0xffffffffu, lane, 3);
    row[1] = __shfl_down_sync(0xffffffffu, lane, 5);
    row[2] = __shfl_xor_sync(0xffffffffu, lane, 9);
    row[3] = __shfl_sync(0xffffffffu, lane, 3);
    row[4] = __shfl_down_sync(0xffffffffu, lane, 2, 8);
    row[5] = __shfl_sync(0xffffffffu, lane, 11, 8);
}

__global__ void histogram_kernel(const int *x, int *bins, int n) {
    int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) atomicAdd(&bins[x[i] & 15], 1);
}

/* One warp for each 16 x 8 tile of c; grid (4, 4). */
__global__ void matmul_bf16_kernel(const unsigned short *a, const unsigned short *b, float *c) {
    const int n_k = 48;
    MS_SHARED(unsigned short, a_tile, [16][48]);
    MS_SHARED(unsigned short, b_tile, [8][48]);
    int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.y) * 16,
        column = static_cast<int>(blockIdx.x) * 8;
    for (int i = lane; i < 16 * n_k; i += 32) a_tile[i / n_k][i % n_k] = a[(row + i / n_k) * n_k + i % n_k];
    for (int i = lane; i < 8 * n_k; i += 32) b_tile[i / n_k][i % n_k] = b[(column + i / n_k) * n_k + i % n_k];
    __syncwarp();
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int k = 0; k < n_k; k += 16) {
        unsigned a_registers[4], b_registers[2];
        ms_ldmatrix_x4(a_registers, &a_tile[lane % 16][k + lane / 16 * 8]);
        ms_ldmatrix_x2(b_registers, &b_tile[lane % 8][k + lane / 8 % 2 * 8]);
        ms_mma_bf16_16x8x16(d, a_registers, b_registers);
    }
    float *tile = c + row * 32 + column;
    for (int i = 0; i < 4; i++) tile[(lane / 4 + i / 2 * 8) * 32 + lane % 4 * 2 + i % 2] = d[i];
}

__global__ void matmul_tf32_kernel(const float *a, const float *b, float *c) {
    int lane = static_cast<int>(threadIdx.x), group = lane / 4, i_thread = lane % 4;
    unsigned a_registers[4], b_registers[2];
    for (int i = 0; i < 4; i++) a_registers[i] = ms_tf32_of(a[(group + i % 2 * 8) * 8 + i_thread + i / 2 * 4]);
    for (int i = 0; i < 2; i++) b_registers[i] = ms_tf32_of(b[(i_thread + i * 4) * 8 + group]);
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    ms_mma_tf32_16x8x8(d, a_registers, b_registers);
    for (int i = 0; i < 4; i++) c[(group + i / 2 * 8) * 8 + i_thread * 2 + i % 2] = d[i];
}

__global__ void arithmetic_kernel(const float *x, unsigned *out) {
    float a = x[0], b = x[1], c = x[2];
    unsigned u = __float_as_uint(a), v = __float_as_uint(b);
    float4 four = make_float4(a, b, c, 0.0f);
    uint4 words = make_uint4(u, v, 3, 4);
    out[0] = __float_as_uint(__fadd_rn(__fmul_rn(a, b), c));
    out[1] = __float_as_uint(__fmaf_rn(a, b, c));
    out[2] = __float_as_uint(__fsub_rn(four.x, four.z));
    out[3] = __float_as_uint(__frcp_rn(c));
    out[4] = __umulhi(words.x, words.y);
    out[5] = __bfloat16_as_ushort(__float2bfloat16(a));
    out[6] = __float_as_uint(__bfloat162float(__ushort_as_bfloat16(0x4049)));
    out[7] = static_cast<unsigned>(__clz(1 << 20)) + static_cast<unsigned>(max(3, 4)) + __brev(1);
}

} // namespace

extern "C" {

void test_add(const float *x, const float *y, float *sum, int n, cudaStream_t stream) {
    MS_LAUNCH(add_kernel, (n + 255) / 256, 256, 0, stream, x, y, sum, n);
}

void test_add_sized(const float *x, float *sum, int n, dim3 n_blocks, dim3 n_threads, size_t shared_bytes) {
    MS_LAUNCH(add_kernel, n_blocks, n_threads, shared_bytes, nullptr, x, x, sum, n);
}

cudaError_t test_add_allow_shared(int bytes) {
    return cudaFuncSetAttribute(add_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

int test_scale_allow_shared(size_t bytes) { return ms_allow_shared_bytes(scale_kernel, bytes); }

int test_scale_shared(void) {
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, scale_kernel) == cudaSuccess ? attributes.maxDynamicSharedSizeBytes : -1;
}

void test_scale(float *x, float factor, int n, cudaStream_t stream) {
    void *arguments[] = {&x, &factor, &n};
    cudaLaunchKernel(scale_kernel, static_cast<unsigned>(n + 127) / 128, 128, arguments, 0, stream);
}

void test_block_sum(const float *x, float *sums, int n_blocks, cudaStream_t stream) {
    MS_LAUNCH(block_sum_kernel, n_blocks, 256, 0, stream, x, sums);
}

void test_shuffle_sum(const float *x, float *sums, int n_blocks, cudaStream_t stream) {
    MS_LAUNCH(shuffle_sum_kernel, n_blocks, 256, 8 * sizeof(float), stream, x, sums);
}

void test_votes(const int *x, int *counts, cudaStream_t stream) {
    MS_LAUNCH(votes_kernel, 1, 96, 0, stream, x, counts);
}

void test_shuffles(int *out, cudaStream_t stream) { MS_LAUNCH(shuffles_kernel, 1, 32, 0, stream, out); }

void test_histogram(const int *x, int *bins, int n, cudaStream_t stream) {
    MS_LAUNCH(histogram_kernel, (n + 255) / 256, 256, 0, stream, x, bins, n);
}

void test_matmul_bf16(const unsigned short *a, const unsigned short *b, float *c, cudaStream_t stream) {
    MS_LAUNCH(matmul_bf16_kernel, dim3(4, 4), 32, 0, stream, a, b, c);
}

void test_matmul_tf32(const float *a, const float *b, float *c, cudaStream_t stream) {
    MS_LAUNCH(matmul_tf32_kernel, 1, 32, 0, stream, a, b, c);
}

void test_arithmetic(const float *x, unsigned *out, cudaStream_t stream) {
    MS_LAUNCH(arithmetic_kernel, 1, 1, 0, stream, x, out);
}
}
