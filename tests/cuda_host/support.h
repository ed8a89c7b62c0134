/* What the tests of the host runtime share.  Failures fail the running Check test. */
#ifndef MS_TESTS_CUDA_HOST_SUPPORT_H
#define MS_TESTS_CUDA_HOST_SUPPORT_H

#include <stddef.h>

/* Thread orders that each test runs under: forward, backward, random. */
#define TEST_N_ORDERS 3

/* Sets CUDAHOST_ORDER and CUDAHOST_STREAMS: 0 forward, 1 backward, 2 a fixed seed.  Before the first CUDA call of the
   process. */
void test_set_order(int i_order);

/* Device memory, to be freed by test_free_all, which also finds that nothing else is left. */
void *test_device(size_t size_bytes);
void *test_upload(const void *bytes, size_t size_bytes);
void test_free_all(void);
/* Waits for the default stream. */
void test_download(void *out, const void *device, size_t size_bytes);

/* n numbers in [-1, 1), the same for the same seed; the caller frees. */
float *test_random(int n, unsigned seed);

/* bf16 bits of a number that bf16 can hold, and back; bits of f32. */
unsigned short test_bf16(float x);
float test_f32(unsigned short bits);
unsigned test_bits(float x);

#endif
