/* Planted bugs in kernels: each is caught under every thread order, and the same kernel without the bug runs. */
#include "tests/cuda_host/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/cuda_host/child.h"
#include "tests/cuda_host/support.h"
#include "tests/support/suite.h"

enum { N = 64 };

typedef void (*kernel_call)(float *x, int fixed, cudaStream_t stream);

/* Bugs that the runtime stops, with the message. */
static const struct {
    kernel_call call;
    const char *message;
} stopped[] = {
    {bug_divergent_barrier, "divergent barrier: 32 of 64 threads wait at __syncthreads"},
    {bug_two_barriers, "divergent barrier: this thread waits at __syncthreads in"},
    {bug_partial_shuffle, "divergent barrier: 16 of 32 threads wait at __syncthreads"},
    {bug_shuffle_outside, "shuffle: lane 0 reads lane 20, which is not in the mask 0000ffff"},
    {bug_shared_overrun, "write, overrun: byte 128 of shared variable shared of 128 bytes"},
    {bug_dynamic_shared_overrun, "write, overrun: byte 128 of shared variable (dynamic) of 128 bytes"},
};
enum { N_STOPPED = sizeof stopped / sizeof *stopped };

static void run_stopped(int i_bug) {
    float *x = test_device(N * sizeof *x);
    stopped[i_bug].call(x, 0, NULL);
    cudaDeviceSynchronize();
}

START_TEST(bugs_are_stopped) {
    test_set_order(_i % TEST_N_ORDERS);
    int i_bug = _i / TEST_N_ORDERS;
    test_must_abort(run_stopped, i_bug, stopped[i_bug].message);
    float *x = test_device(N * sizeof *x);
    stopped[i_bug].call(x, 1, NULL);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaSuccess);
    test_free_all();
}
END_TEST

/* Bugs that show as wrong values, under every order. */
static void call_second_barrier(float *x, int fixed, cudaStream_t stream) {
    float *a = test_random(16 * 32, 5), *device_a = test_upload(a, 16 * 32 * sizeof *a);
    free(a);
    bug_missing_second_barrier(device_a, x, fixed, stream);
}

static float expect_reversed(int i) { return (float)(63 - i); }
static float expect_previous(int i) { return (float)(i - 1); }
static float expect_index(int i) { return (float)i; }
static float expect_product(int i) {
    float *a = test_random(16 * 32, 5), sum = 0.0f;
    for (int k = 0; k < 32; k++) sum += a[i / 16 * 32 + k] * a[i % 16 * 32 + k];
    free(a);
    return sum;
}

static const struct {
    kernel_call call;
    int n_values;
    float (*expected)(int i);
} shown[] = {
    {bug_missing_barrier, 64, expect_reversed},      {bug_missing_copy_wait, 64, expect_reversed},
    {bug_missing_warp_barrier, 32, expect_previous}, {call_second_barrier, 256, expect_product},
    {bug_shared_unwritten, 64, expect_index},
};
enum { N_SHOWN = sizeof shown / sizeof *shown };

/* True when the kernel's values are right. */
static bool is_right(int i_bug, int fixed) {
    float x[256];
    int n = shown[i_bug].n_values;
    float *device_x = test_device((size_t)n * sizeof *x);
    shown[i_bug].call(device_x, fixed, NULL);
    test_download(x, device_x, (size_t)n * sizeof *x);
    test_free_all();
    bool right = true;
    for (int i = 0; i < n; i++) right = right && x[i] == shown[i_bug].expected(i);
    return right;
}

START_TEST(bugs_are_shown) {
    test_set_order(_i % TEST_N_ORDERS);
    ck_assert(!is_right(_i / TEST_N_ORDERS, 0));
    ck_assert(is_right(_i / TEST_N_ORDERS, 1));
}
END_TEST

static void run_overrun(int before) {
    float *x = test_device(N * sizeof *x);
    bug_overrun(x, N, before, NULL);
    cudaDeviceSynchronize();
}

START_TEST(overrun_is_stopped) {
    test_set_order(_i);
    test_must_abort(run_overrun, 0, "write, overrun: byte 256 of the allocation");
    setenv("CUDAHOST_ALIGN", "start", 1);
    test_must_abort(run_overrun, 1, "write, overrun: byte -4 of the allocation");
    /* The other side has no guard page; the margin shows it afterwards. */
    test_must_abort(run_overrun, 0, "overrun: bytes behind the allocation");
    setenv("CUDAHOST_ALIGN", "end", 1);
    test_must_abort(run_overrun, 1, "overrun: bytes before the allocation");
}
END_TEST

static void run_host_pointer(int in_struct) {
    static float host[4];
    float *x = test_device(sizeof host);
    if (in_struct)
        bug_pointer_in_struct(host, x, NULL);
    else
        test_add(host, x, x, 4, NULL);
    cudaDeviceSynchronize();
}

START_TEST(host_pointer_is_stopped) {
    test_must_abort(run_host_pointer, 0, "kernel add_kernel: argument 0 is 0x");
    test_must_abort(run_host_pointer, 1, "kernel pointer_in_struct_kernel: byte 8 of argument 0 is 0x");
}
END_TEST

static void run_use_after_free(int asynchronous) {
    float *x = NULL;
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaMallocAsync((void **)&x, 256, stream);
    if (asynchronous) {
        cudaFreeAsync(x, stream);
    } else {
        cudaDeviceSynchronize();
        cudaFree(x);
    }
    test_scale(x, 2.0f, 64, stream);
    cudaStreamSynchronize(stream);
}

static void run_before_allocation(int unused) {
    (void)unused;
    float *x = NULL;
    cudaStream_t stream, other;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
    cudaMallocAsync((void **)&x, 256, stream);
    test_scale(x, 2.0f, 64, other);
    cudaStreamSynchronize(other);
}

START_TEST(freed_memory_is_stopped) {
    test_must_abort(run_use_after_free, 0, "read, use after free: byte 0 of the allocation");
    test_must_abort(run_use_after_free, 1, "read, use after free: byte 0 of the allocation");
    test_must_abort(run_before_allocation, 0, "read, use before the stream has allocated it: byte 0");
}
END_TEST

static void run_stack_overflow(int depth) {
    float *x = test_device(sizeof *x);
    bug_stack_overflow(x, depth, NULL);
    cudaDeviceSynchronize();
}

START_TEST(full_stack_is_stopped) {
    test_must_abort(run_stack_overflow, 1000, "the thread's stack is full");
    run_stack_overflow(2);
    test_free_all();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cuda_host bugs");
    TCase *tests = tcase_create("bugs");
    tcase_add_loop_test(tests, bugs_are_stopped, 0, N_STOPPED * TEST_N_ORDERS);
    tcase_add_loop_test(tests, bugs_are_shown, 0, N_SHOWN * TEST_N_ORDERS);
    tcase_add_loop_test(tests, overrun_is_stopped, 0, TEST_N_ORDERS);
    tcase_add_test(tests, host_pointer_is_stopped);
    tcase_add_test(tests, freed_memory_is_stopped);
    tcase_add_test(tests, full_stack_is_stopped);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
