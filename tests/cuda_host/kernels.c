/* Kernels run as on a device: arithmetic, shared memory, barriers, warp functions, atomics, tensor cores; under each
   thread order. */
#include "tests/cuda_host/kernels.h"

#include <math.h>
#include <stdlib.h>

#include "tests/cuda_host/support.h"
#include "tests/support/suite.h"

enum { N = 100000, N_BLOCKS = 37 };

START_TEST(adds) {
    test_set_order(_i);
    float *x = test_random(N, 1), *y = test_random(N, 2), *sum = malloc(N * sizeof *sum);
    float *device_x = test_upload(x, N * sizeof *x), *device_y = test_upload(y, N * sizeof *y);
    float *device_sum = test_device(N * sizeof *sum);
    test_add(device_x, device_y, device_sum, N, NULL);
    test_scale(device_sum, 2.0f, N, NULL);
    test_download(sum, device_sum, N * sizeof *sum);
    int n_wrong = 0;
    for (int i = 0; i < N; i++) n_wrong += sum[i] != (x[i] + y[i]) * 2.0f;
    ck_assert_int_eq(n_wrong, 0);
    test_free_all();
    free(x);
    free(y);
    free(sum);
}
END_TEST

/* `sum` of blocks of 256, by either kernel. */
static void check_sums(void (*sum)(const float *, float *, int, cudaStream_t)) {
    float *x = test_random(N_BLOCKS * 256, 3), sums[N_BLOCKS];
    float *device_x = test_upload(x, N_BLOCKS * 256 * sizeof *x), *device_sums = test_device(sizeof sums);
    sum(device_x, device_sums, N_BLOCKS, NULL);
    test_download(sums, device_sums, sizeof sums);
    for (int b = 0; b < N_BLOCKS; b++) {
        double expected = 0.0;
        for (int i = 0; i < 256; i++) expected += (double)x[b * 256 + i];
        ck_assert_msg(fabs(sums[b] - expected) < 1e-4, "block %d: %g, not %g", b, (double)sums[b], expected);
    }
    test_free_all();
    free(x);
}

START_TEST(sums_by_shared_memory) {
    test_set_order(_i);
    check_sums(test_block_sum);
}
END_TEST

START_TEST(sums_by_shuffles) {
    test_set_order(_i);
    check_sums(test_shuffle_sum);
}
END_TEST

START_TEST(votes) {
    test_set_order(_i);
    int x[96], counts[5];
    for (int i = 0; i < 96; i++) x[i] = i % 3 - 1; /* positive: 2, 5, ..., 95 */
    int *device_x = test_upload(x, sizeof x), *device_counts = test_device(sizeof counts);
    test_votes(device_x, device_counts, NULL);
    test_download(counts, device_counts, sizeof counts);
    ck_assert_int_eq(counts[0], 32);
    ck_assert_int_eq(counts[1], 0);
    ck_assert_int_eq(counts[2], 1);
    ck_assert_int_eq(counts[3], 10);
    ck_assert_int_eq(counts[4], 1);
    test_free_all();
}
END_TEST

START_TEST(shuffles) {
    test_set_order(_i);
    int out[32][6];
    int *device_out = test_device(sizeof out);
    test_shuffles(device_out, NULL);
    test_download(out, device_out, sizeof out);
    for (int lane = 0; lane < 32; lane++) {
        ck_assert_int_eq(out[lane][0], lane < 3 ? lane : lane - 3);
        ck_assert_int_eq(out[lane][1], lane + 5 > 31 ? lane : lane + 5);
        ck_assert_int_eq(out[lane][2], lane ^ 9);
        ck_assert_int_eq(out[lane][3], 3);
        ck_assert_int_eq(out[lane][4], lane % 8 + 2 > 7 ? lane : lane + 2);
        ck_assert_int_eq(out[lane][5], lane / 8 * 8 + 3);
    }
    test_free_all();
}
END_TEST

START_TEST(atomics) {
    test_set_order(_i);
    int *x = malloc(N * sizeof *x), bins[16], expected[16] = {0};
    for (int i = 0; i < N; i++) {
        x[i] = i * 7919 >> 3;
        expected[x[i] & 15]++;
    }
    int *device_x = test_upload(x, N * sizeof *x), *device_bins = test_device(sizeof bins);
    ck_assert_int_eq(cudaMemsetAsync(device_bins, 0, sizeof bins, NULL), cudaSuccess);
    test_histogram(device_x, device_bins, N, NULL);
    test_download(bins, device_bins, sizeof bins);
    for (int i = 0; i < 16; i++) ck_assert_int_eq(bins[i], expected[i]);
    test_free_all();
    free(x);
}
END_TEST

START_TEST(bf16_tensor_cores) {
    test_set_order(_i);
    enum { M = 64, COLUMNS = 32, K = 48 };
    unsigned short a[M * K], b[COLUMNS * K];
    float c[M * COLUMNS];
    for (int i = 0; i < M * K; i++) a[i] = test_bf16((float)(i * 37 % 31 - 15));
    for (int i = 0; i < COLUMNS * K; i++) b[i] = test_bf16((float)(i * 53 % 29 - 14));
    void *device_a = test_upload(a, sizeof a), *device_b = test_upload(b, sizeof b), *device_c = test_device(sizeof c);
    test_matmul_bf16(device_a, device_b, device_c, NULL);
    test_download(c, device_c, sizeof c);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < COLUMNS; j++) {
            float expected = 0.0f; /* of integers: exact */
            for (int k = 0; k < K; k++) expected += test_f32(a[i * K + k]) * test_f32(b[j * K + k]);
            ck_assert(c[i * COLUMNS + j] == expected);
        }
    test_free_all();
}
END_TEST

START_TEST(tf32_tensor_cores) {
    test_set_order(_i);
    float a[16 * 8], b[8 * 8], c[16 * 8];
    for (int i = 0; i < 16 * 8; i++) a[i] = (float)(i * 37 % 31 - 15);
    for (int i = 0; i < 8 * 8; i++) b[i] = (float)(i * 53 % 29 - 14);
    a[5] = 1.0f + 0x1p-12f; /* rounds to 1 */
    float *device_a = test_upload(a, sizeof a), *device_b = test_upload(b, sizeof b), *device_c = test_device(sizeof c);
    test_matmul_tf32(device_a, device_b, device_c, NULL);
    test_download(c, device_c, sizeof c);
    a[5] = 1.0f;
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            float expected = 0.0f;
            for (int k = 0; k < 8; k++) expected += a[i * 8 + k] * b[k * 8 + j];
            ck_assert(c[i * 8 + j] == expected);
        }
    test_free_all();
}
END_TEST

START_TEST(arithmetic) {
    float x[3] = {1.0f + 0x1p-12f, 1.0f - 0x1p-12f, 3.0f};
    unsigned out[8];
    float *device_x = test_upload(x, sizeof x);
    unsigned *device_out = test_device(sizeof out);
    test_arithmetic(device_x, device_out, NULL);
    test_download(out, device_out, sizeof out);
    volatile float product = x[0] * x[1]; /* kept apart from the sum: no contraction */
    ck_assert_uint_eq(out[0], test_bits(product + x[2]));
    ck_assert_uint_eq(out[1], test_bits(fmaf(x[0], x[1], x[2])));
    ck_assert_uint_eq(out[2], test_bits(x[0] - x[2]));
    ck_assert_uint_eq(out[3], test_bits(1.0f / 3.0f));
    ck_assert_uint_eq(out[4], (unsigned)((unsigned long long)test_bits(x[0]) * test_bits(x[1]) >> 32));
    ck_assert_uint_eq(out[5], 0x3f80);
    ck_assert_uint_eq(out[6], 0x40490000);
    ck_assert_uint_eq(out[7], 0x80000000u + 11 + 4);
    test_free_all();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cuda_host kernels");
    TCase *tests = tcase_create("kernels");
    tcase_add_loop_test(tests, adds, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, sums_by_shared_memory, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, sums_by_shuffles, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, votes, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, shuffles, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, atomics, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, bf16_tensor_cores, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, tf32_tensor_cores, 0, TEST_N_ORDERS);
    tcase_add_test(tests, arithmetic);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
