/* Kernels of the runtime's own tests, right ones and ones with a planted bug.  Each call queues one launch on the
   stream; errors are for cudaGetLastError.  Pointers are to device memory. */
#ifndef MS_TESTS_CUDA_HOST_KERNELS_H
#define MS_TESTS_CUDA_HOST_KERNELS_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* sum[i] = x[i] + y[i], i < n. */
void test_add(const float *x, const float *y, float *sum, int n, cudaStream_t stream);
/* sum[i] = 2 x[i], i < n, with as many thread blocks of as many threads as asked: for launch limits. */
void test_add_sized(const float *x, float *sum, int n, dim3 n_blocks, dim3 n_threads, size_t shared_bytes);
/* Allows test_add_sized `bytes` of dynamic shared memory. */
cudaError_t test_add_allow_shared(int bytes);
/* As kernels of ops ask for it (backend/cuda/cuda_kernel.cuh): test_scale's dynamic shared memory; 0: allowed. */
int test_scale_allow_shared(size_t bytes);
/* What it may use now. */
int test_scale_shared(void);
/* x[i] *= factor. */
void test_scale(float *x, float factor, int n, cudaStream_t stream);
/* sums[b] = sum of the b-th 256 elements of x [256 n_blocks], by a tree in shared memory. */
void test_block_sum(const float *x, float *sums, int n_blocks, cudaStream_t stream);
/* The same by shuffles, and dynamic shared memory between warps. */
void test_shuffle_sum(const float *x, float *sums, int n_blocks, cudaStream_t stream);
/* counts[0..4] = __syncthreads_count, _and, _or, and popcount of a ballot, any + 2 all, of x[i] > 0, i < 96, one
   block. */
void test_votes(const int *x, int *counts, cudaStream_t stream);
/* out[lane of 32][0..5] = shuffles up, down, xor, from lane 3, in subsections of 8, of the lane's number. */
void test_shuffles(int *out, cudaStream_t stream);
/* bins[x[i] & 15] += 1, atomically. */
void test_histogram(const int *x, int *bins, int n, cudaStream_t stream);
/* c [64,32] = a [64,48] b^T [32,48]^T in bf16 bits, by ldmatrix and mma. */
void test_matmul_bf16(const unsigned short *a, const unsigned short *b, float *c, cudaStream_t stream);
/* c [16,8] = a [16,8] b [8,8] in TF32, one warp. */
void test_matmul_tf32(const float *a, const float *b, float *c, cudaStream_t stream);
/* out[i] = bits of operation i of a list: see arithmetic_kernel. */
void test_arithmetic(const float *x, unsigned *out, cudaStream_t stream);

/* Planted bugs; with `fixed` the bug is not there. */

/* x[i] = 63 - i through shared memory, i < 64; the barrier is missing. */
void bug_missing_barrier(float *x, int fixed, cudaStream_t stream);
/* The same through an asynchronous copy; the wait for it is missing. */
void bug_missing_copy_wait(float *x, int fixed, cudaStream_t stream);
/* x[i] = i - 1 through shared memory within one warp, i < 32; __syncwarp is missing. */
void bug_missing_warp_barrier(float *x, int fixed, cudaStream_t stream);
/* A matmul of two 16 x 16 matrices in 2 steps; the barrier behind each step is missing. */
void bug_missing_second_barrier(const float *a, float *x, int fixed, cudaStream_t stream);
/* Half of the threads do not reach the barrier. */
void bug_divergent_barrier(float *x, int fixed, cudaStream_t stream);
/* Two halves wait at different barriers. */
void bug_two_barriers(float *x, int fixed, cudaStream_t stream);
/* 16 lanes shuffle with the mask of all. */
void bug_partial_shuffle(float *x, int fixed, cudaStream_t stream);
/* Reads a lane that is not in the mask. */
void bug_shuffle_outside(float *x, int fixed, cudaStream_t stream);
/* x[i] for one i too many or (before != 0) too few. */
void bug_overrun(float *x, int n, int before, cudaStream_t stream);
/* The same in static shared memory. */
void bug_shared_overrun(float *x, int fixed, cudaStream_t stream);
/* The same in dynamic shared memory. */
void bug_dynamic_shared_overrun(float *x, int fixed, cudaStream_t stream);
/* x[i] = i through shared memory, i < 64; the second block does not write what it reads. */
void bug_shared_unwritten(float *x, int fixed, cudaStream_t stream);
/* Hands the kernel the pointer inside a struct. */
void bug_pointer_in_struct(const float *x, float *out, cudaStream_t stream);
/* A thread's local variables are larger than its stack. */
void bug_stack_overflow(float *x, int depth, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
