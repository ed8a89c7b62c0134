/* Tensor-core instructions and the loads that feed them, for kernels on the CPU, with the register layouts of the PTX
   ISA
   ("Matrix fragments").  backend/cuda/cuda_kernel.cuh has functions of the same names and arguments made of inline
   PTX. All 32 lanes of a warp call them together; products are exact and added in f32 from k = 0 up, which a device
   does in an order of its own. */
#ifndef MS_TESTS_CUDA_HOST_TENSOR_CORE_H
#define MS_TESTS_CUDA_HOST_TENSOR_CORE_H

#include "tests/cuda_host/block.h"

/* mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: d += a b, a [16,16] and b [16,8] in bf16 pairs (low half first),
   d [16,8]. */
void ms_mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2],
                         ms_cuda_host::Site site = ms_cuda_host::Site::here());

/* mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: d += a b, a [16,8] and b [8,8] as f32 bits of which 13 are
   ignored, d [16,8]. */
void ms_mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2],
                        ms_cuda_host::Site site = ms_cuda_host::Site::here());

/* cvt.rna.tf32.f32: f32 rounded to the 10 fraction bits of TF32, ties away from zero, as f32 bits. */
unsigned ms_tf32_of(float x);

/* ldmatrix.sync.aligned.m8n8.x4/.x2[.trans].shared.b16: r[i] gets the lane's pair of the i-th 8 x 8 matrix of 16-bit
   elements, whose rows lanes 8 i to 8 i + 7 name.  `row`: 16 bytes in shared memory, aligned; aborts for any other
   address. */
void ms_ldmatrix_x4(unsigned r[4], const void *row, ms_cuda_host::Site site = ms_cuda_host::Site::here());
void ms_ldmatrix_x4_trans(unsigned r[4], const void *row, ms_cuda_host::Site site = ms_cuda_host::Site::here());
void ms_ldmatrix_x2(unsigned r[2], const void *row, ms_cuda_host::Site site = ms_cuda_host::Site::here());
void ms_ldmatrix_x2_trans(unsigned r[2], const void *row, ms_cuda_host::Site site = ms_cuda_host::Site::here());

/* cp.async of 16 bytes, or of a word of 4, zeros unless they exist: they arrive when the thread waits; until then
   poison stands there.  Aborts for addresses that are no multiples of as many, or not shared.  cp.async.wait_all. */
void ms_copy_async(void *shared, const void *global, bool exists, ms_cuda_host::Site site = ms_cuda_host::Site::here());
void ms_copy_async_word(void *shared, const void *global, bool exists,
                        ms_cuda_host::Site site = ms_cuda_host::Site::here());
void ms_wait_for_copies();

/* ex2.approx.ftz.f32, by the C library. */
float ms_fast_exp2(float x);

#endif
