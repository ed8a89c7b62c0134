/* Memory, launch limits, errors on demand: faults of host code are stopped, CUDA's errors come back where CUDA has
   one. */
#include "tests/cuda_host/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/child.h"
#include "tests/cuda_host/support.h"
#include "tests/support/suite.h"

#define CK(call) ck_assert_int_eq(call, cudaSuccess)

static volatile float sink;

static void run_host_read(int unused) {
    (void)unused;
    float *x = test_device(256);
    sink = x[3];
}

static void run_host_write(int unused) {
    (void)unused;
    float *x = test_device(256);
    x[3] = 1.0f;
}

static void read_device(void *data) { sink = *(float *)data; }

static void run_read_in_host_function(int unused) {
    (void)unused;
    float *x = test_device(256);
    cudaLaunchHostFunc(NULL, read_device, x);
    cudaDeviceSynchronize();
}

static void run_pinned_overrun(int unused) {
    (void)unused;
    float *x;
    cudaMallocHost((void **)&x, 256);
    x[64] = 1.0f;
}

/* 4 bytes of the 20 lie behind the last multiple of 16: no page ends there, but the margin is checked. */
static void run_pinned_margin(int unused) {
    (void)unused;
    char *x;
    cudaMallocHost((void **)&x, 20);
    x[20] = 1;
    cudaMemcpyAsync(test_device(4), x, 4, cudaMemcpyHostToDevice, NULL);
    cudaDeviceSynchronize();
}

static void run_pinned_after_free(int unused) {
    (void)unused;
    float *x;
    cudaMallocHost((void **)&x, 256);
    cudaFreeHost(x);
    sink = x[0];
}

static void run_double_free(int unused) {
    (void)unused;
    float *x = test_device(256);
    cudaFreeAsync(x, NULL);
    cudaFreeAsync(x, NULL);
    cudaDeviceSynchronize();
}

START_TEST(faults_of_the_host_are_stopped) {
    test_must_abort(run_host_read, 0, "device memory read by host code at 0x");
    test_must_abort(run_host_write, 0, "device memory written by host code at 0x");
    test_must_abort(run_read_in_host_function, 0, "device memory read by host code at 0x");
    test_must_abort(run_pinned_overrun, 0, "write by host code, overrun: byte 256 of the allocation");
    test_must_abort(run_pinned_margin, 0, "overrun: bytes behind the allocation");
    test_must_abort(run_pinned_after_free, 0, "read by host code, use after free: byte 0");
    test_must_abort(run_double_free, 0, "double free of the allocation");
}
END_TEST

START_TEST(new_memory_is_poison) {
    uint32_t words[8];
    test_download(words, test_device(sizeof words), sizeof words);
    for (int i = 0; i < 8; i++) {
        float value;
        memcpy(&value, &words[i], sizeof value);
        ck_assert(value != value);
        ck_assert_int_lt((int32_t)words[i], -1000);
    }
    test_free_all();
}
END_TEST

START_TEST(bases_are_aligned) {
    if (_i == 1) setenv("CUDAHOST_ALIGN", "start", 1);
    for (size_t size = 1; size < 600; size += 13) {
        void *x = test_device(size);
        ck_assert_uint_eq((uintptr_t)x % 16, 0);
        test_free_all();
    }
    ck_assert_uint_eq((uintptr_t)test_device(512) % 256, 0);
    test_free_all();
}
END_TEST

START_TEST(copies_are_checked) {
    float host[8] = {0}, *x = test_device(sizeof host);
    ck_assert_int_eq(cudaMemcpy(host, x, sizeof host, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaMemcpy(x, host, sizeof host, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaMemcpy(x + 1, host, sizeof host, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaMemsetAsync(x, 0, sizeof host + 1, NULL), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaMemcpy(x, NULL, sizeof host, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    CK(cudaMemcpy(x, NULL, 0, cudaMemcpyHostToDevice));
    ck_assert_int_eq(cudaFree(x + 1), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaFree(host), cudaErrorInvalidValue);
    CK(cudaFree(NULL));
    cudaGetLastError();
    test_free_all();
}
END_TEST

START_TEST(memory_ends) {
    setenv("CUDAHOST_MEMORY", "1", 1);
    void *x, *y;
    size_t free_bytes, total_bytes;
    ck_assert_int_eq(cudaMalloc(&x, (1 << 20) + 1), cudaErrorMemoryAllocation);
    ck_assert_int_eq(cudaGetLastError(), cudaErrorMemoryAllocation);
    CK(cudaMallocAsync(&x, 1 << 20, NULL));
    CK(cudaMemGetInfo(&free_bytes, &total_bytes));
    ck_assert_uint_eq(free_bytes, 0);
    ck_assert_uint_eq(total_bytes, 1 << 20);
    ck_assert_int_eq(cudaMallocAsync(&y, 1, NULL), cudaErrorMemoryAllocation);
    ck_assert_ptr_null(y);
    CK(cudaFreeAsync(x, NULL));
    CK(cudaMallocAsync(&y, 1 << 20, NULL)); /* what is being freed can be had again */
    CK(cudaFree(y));
}
END_TEST

START_TEST(pinned_memory_is_mapped) {
    void *pinned, *on_device;
    float local = 0.0f, *sum;
    CK(cudaHostAlloc(&pinned, 64, cudaHostAllocMapped));
    CK(cudaHostGetDevicePointer(&on_device, pinned, 0));
    ck_assert_int_eq(cudaHostGetDevicePointer(&on_device, &local, 0), cudaErrorInvalidValue);
    sum = pinned;
    for (int i = 0; i < 16; i++) sum[i] = 1.0f;
    test_scale(on_device, 3.0f, 16, NULL);
    ck_assert(sum[15] == 1.0f);
    cudaGetLastError();
    CK(cudaDeviceSynchronize());
    ck_assert(sum[15] == 3.0f);
    CK(cudaFreeHost(pinned));
}
END_TEST

START_TEST(limits_of_launches) {
    float *x = test_device(64 * sizeof *x);
    const struct {
        dim3 grid, block;
        size_t shared_bytes;
        cudaError_t error;
    } cases[] = {
        {{1, 1, 1}, {1024, 1, 1}, 0, cudaSuccess},
        {{1, 1, 1}, {1025, 1, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 1, 1}, {32, 33, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 1, 1}, {1, 1, 65}, 0, cudaErrorInvalidConfiguration},
        {{0, 1, 1}, {32, 1, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 1, 1}, {0, 1, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 65536, 1}, {32, 1, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 1, 65536}, {32, 1, 1}, 0, cudaErrorInvalidConfiguration},
        {{1, 1, 1}, {32, 1, 1}, 48 * 1024, cudaSuccess},
        {{1, 1, 1}, {32, 1, 1}, 48 * 1024 + 1, cudaErrorInvalidValue},
    };
    CK(cudaMemsetAsync(x, 0, 64 * sizeof *x, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_add_sized(x, x, 64, cases[i].grid, cases[i].block, cases[i].shared_bytes);
        ck_assert_msg(cudaGetLastError() == cases[i].error, "case %zu", i);
    }
    dim3 one = {1, 1, 1};
    ck_assert_int_eq(test_add_allow_shared(227 * 1024 + 1), cudaErrorInvalidValue);
    CK(test_add_allow_shared(227 * 1024));
    cudaGetLastError();
    test_add_sized(x, x, 64, one, one, 227 * 1024);
    CK(cudaGetLastError());
    test_free_all();
}
END_TEST

/* A graph may hold a launch that needs what was asked for first. */
START_TEST(shared_memory_is_never_asked_down) {
    const int asked[] = {100 * 1024, 60 * 1024, 1024, 100 * 1024, 120 * 1024};
    const int then[] = {100 * 1024, 100 * 1024, 100 * 1024, 100 * 1024, 120 * 1024};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        ck_assert_int_eq(test_scale_allow_shared((size_t)asked[i]), 0);
        ck_assert_int_eq(test_scale_shared(), then[i]);
    }
    ck_assert_int_ne(test_scale_allow_shared(228 * 1024), 0);
    cudaGetLastError();
}
END_TEST

START_TEST(without_pools_calls_are_refused) {
    setenv("CUDAHOST_POOLS", "0", 1);
    void *x;
    cudaMemPool_t pool;
    struct cudaDeviceProp properties;
    CK(cudaGetDeviceProperties(&properties, 0));
    ck_assert_int_eq(properties.memoryPoolsSupported, 0);
    ck_assert_int_eq(cudaMallocAsync(&x, 4, NULL), cudaErrorNotSupported);
    ck_assert_int_eq(cudaDeviceGetDefaultMemPool(&pool, 0), cudaErrorNotSupported);
    cudaGetLastError();
    CK(cudaMalloc(&x, 4));
    CK(cudaFree(x));
}
END_TEST

START_TEST(calls_fail_on_demand) {
    setenv("CUDAHOST_FAIL", "malloc:2,launch:3,sync:1", 1);
    float *x = test_device(64 * sizeof *x);
    void *y;
    ck_assert_int_eq(cudaMallocAsync(&y, 4, NULL), cudaErrorMemoryAllocation);
    CK(cudaMallocAsync(&y, 4, NULL));
    cudaGetLastError();
    for (int i = 1; i <= 4; i++) {
        test_scale(x, 1.0f, 64, NULL);
        ck_assert_int_eq(cudaGetLastError(), i == 3 ? cudaErrorLaunchFailure : cudaSuccess);
    }
    ck_assert_int_eq(cudaStreamSynchronize(NULL), cudaErrorDevicesUnavailable);
    CK(cudaStreamSynchronize(NULL));
    CK(cudaFree(y));
    cudaGetLastError();
    test_free_all();
}
END_TEST

/* The second wait finds the device gone: every call says so from then on. */
START_TEST(device_is_lost_on_demand) {
    setenv("CUDAHOST_FAIL", "lost:2", 1);
    float *x = test_device(64 * sizeof *x);
    size_t free_bytes, total_bytes;
    CK(cudaStreamSynchronize(NULL));
    test_scale(x, 1.0f, 64, NULL);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    ck_assert_int_eq(cudaStreamSynchronize(NULL), cudaErrorLaunchFailure);
    ck_assert_int_eq(cudaFree(x), cudaErrorLaunchFailure);
    ck_assert_int_eq(cudaMemGetInfo(&free_bytes, &total_bytes), cudaErrorLaunchFailure);
    ck_assert_int_eq(cudaGetLastError(), cudaErrorLaunchFailure);
}
END_TEST

/* 0: no driver, 1: one of an older CUDA, 2: an older one of the same, which serves. */
START_TEST(drivers) {
    const int versions[] = {0, CUDART_VERSION / 1000 * 1000 - 1000 + 80, CUDART_VERSION / 1000 * 1000};
    char text[16];
    int n_devices, driver;
    snprintf(text, sizeof text, "%d", versions[_i]);
    setenv("CUDAHOST_DRIVER", text, 1);
    ck_assert_int_eq(cudaGetDeviceCount(&n_devices), _i < 2 ? cudaErrorInsufficientDriver : cudaSuccess);
    ck_assert_int_eq(n_devices, _i < 2 ? 0 : 1);
    ck_assert_int_eq(cudaSetDevice(0), _i < 2 ? cudaErrorInsufficientDriver : cudaSuccess);
    CK(cudaDriverGetVersion(&driver));
    ck_assert_int_eq(driver, versions[_i]);
}
END_TEST

static void run_bad_switch(int unused) {
    (void)unused;
    int n_devices;
    setenv("CUDAHOST_FAIL", "malloc:none", 1);
    cudaGetDeviceCount(&n_devices);
}

START_TEST(bad_switches_are_refused) { test_must_abort(run_bad_switch, 0, "CUDAHOST_FAIL=none: not a number"); }
END_TEST

START_TEST(the_device) {
    int n_devices, driver, runtime;
    struct cudaDeviceProp properties;
    if (_i == 1) setenv("CUDAHOST_DEVICES", "0", 1);
    ck_assert_int_eq(cudaGetDeviceCount(&n_devices), _i ? cudaErrorNoDevice : cudaSuccess);
    ck_assert_int_eq(n_devices, _i ? 0 : 1);
    ck_assert_int_eq(cudaSetDevice(0), _i ? cudaErrorNoDevice : cudaSuccess);
    if (_i) return;
    CK(cudaGetDeviceProperties(&properties, 0));
    ck_assert_int_eq(properties.warpSize, 32);
    ck_assert_uint_eq(properties.sharedMemPerBlockOptin, 227 * 1024);
    ck_assert_int_eq(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
    ck_assert_str_eq(cudaGetErrorString(cudaGetLastError()), "invalid device ordinal");
    CK(cudaDriverGetVersion(&driver));
    CK(cudaRuntimeGetVersion(&runtime));
    ck_assert_int_ge(driver, runtime);
    cudaMemPool_t pool;
    uint64_t threshold = UINT64_MAX;
    CK(cudaDeviceGetDefaultMemPool(&pool, 0));
    CK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
    CK(cudaMemPoolTrimTo(pool, 0));
    ck_assert_int_eq(cudaMemPoolTrimTo(NULL, 0), cudaErrorInvalidValue);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cuda_host errors");
    TCase *tests = tcase_create("errors");
    tcase_add_test(tests, faults_of_the_host_are_stopped);
    tcase_add_test(tests, new_memory_is_poison);
    tcase_add_loop_test(tests, bases_are_aligned, 0, 2);
    tcase_add_test(tests, copies_are_checked);
    tcase_add_test(tests, memory_ends);
    tcase_add_test(tests, pinned_memory_is_mapped);
    tcase_add_test(tests, limits_of_launches);
    tcase_add_test(tests, shared_memory_is_never_asked_down);
    tcase_add_test(tests, without_pools_calls_are_refused);
    tcase_add_test(tests, calls_fail_on_demand);
    tcase_add_test(tests, device_is_lost_on_demand);
    tcase_add_loop_test(tests, drivers, 0, 3);
    tcase_add_test(tests, bad_switches_are_refused);
    tcase_add_loop_test(tests, the_device, 0, 2);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
