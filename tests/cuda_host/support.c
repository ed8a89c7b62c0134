#include "tests/cuda_host/support.h"

#include <check.h>
#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>

static void *allocations[64];
static int n_allocations;

void test_set_order(int i_order) {
    static const char *const orders[TEST_N_ORDERS] = {"0", "1", "20250101"};
    setenv("CUDAHOST_ORDER", orders[i_order], 1);
    setenv("CUDAHOST_STREAMS", orders[i_order], 1);
}

void *test_device(size_t size_bytes) {
    ck_assert_int_lt(n_allocations, 64);
    void **out = &allocations[n_allocations++];
    ck_assert_int_eq(cudaMalloc(out, size_bytes), cudaSuccess);
    return *out;
}

void *test_upload(const void *bytes, size_t size_bytes) {
    void *device = test_device(size_bytes);
    ck_assert_int_eq(cudaMemcpy(device, bytes, size_bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return device;
}

void test_free_all(void) {
    size_t free_bytes, total_bytes;
    while (n_allocations > 0) ck_assert_int_eq(cudaFree(allocations[--n_allocations]), cudaSuccess);
    ck_assert_int_eq(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
    ck_assert_uint_eq(free_bytes, total_bytes);
}

void test_download(void *out, const void *device, size_t size_bytes) {
    ck_assert_int_eq(cudaGetLastError(), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(out, device, size_bytes, cudaMemcpyDeviceToHost), cudaSuccess);
}

float *test_random(int n, unsigned seed) {
    float *values = malloc((size_t)n * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u; /* Numerical Recipes */
        values[i] = (float)(int)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return values;
}

unsigned test_bits(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

unsigned short test_bf16(float x) {
    unsigned bits = test_bits(x);
    ck_assert_uint_eq(bits & 0xffff, 0);
    return (unsigned short)(bits >> 16);
}

float test_f32(unsigned short bits) {
    unsigned wide = (unsigned)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}
