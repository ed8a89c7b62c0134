/* Streams run late and in the order that hurts; events, graphs and captures keep CUDA's rules. */
#include "tests/cuda_host/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/child.h"
#include "tests/cuda_host/support.h"
#include "tests/support/suite.h"

enum { N = 1000, BYTES = N * (int)sizeof(float) };

#define CK(call) ck_assert_int_eq(call, cudaSuccess)

static cudaStream_t new_stream(void) {
    cudaStream_t stream;
    CK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

static cudaEvent_t new_event(void) {
    cudaEvent_t event;
    CK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
}

static float *new_pinned(float value) {
    float *pinned;
    CK(cudaMallocHost((void **)&pinned, BYTES));
    for (int i = 0; i < N; i++) pinned[i] = value;
    return pinned;
}

static bool all_equal(const float *x, float value) {
    for (int i = 0; i < N; i++)
        if (x[i] != value) return false;
    return true;
}

START_TEST(work_runs_when_somebody_waits) {
    test_set_order(_i);
    cudaStream_t stream = new_stream();
    float *from = new_pinned(3.0f), *to = new_pinned(0.0f), *x = test_device(BYTES);
    CK(cudaMemcpyAsync(x, from, BYTES, cudaMemcpyHostToDevice, stream));
    test_scale(x, 2.0f, N, stream);
    CK(cudaMemcpyAsync(to, x, BYTES, cudaMemcpyDeviceToHost, stream));
    ck_assert(all_equal(to, 0.0f));
    for (int i = 0; i < N; i++) from[i] = 4.0f; /* a copy reads its source when it runs */
    CK(cudaStreamSynchronize(stream));
    ck_assert(all_equal(to, 8.0f));
    CK(cudaFreeHost(from));
    CK(cudaFreeHost(to));
    CK(cudaStreamDestroy(stream));
    test_free_all();
}
END_TEST

START_TEST(polls_make_progress) {
    cudaStream_t stream = new_stream();
    cudaEvent_t event = new_event();
    float *x = test_device(BYTES);
    CK(cudaEventQuery(event)); /* never recorded: done */
    for (int i = 0; i < 3; i++) CK(cudaMemsetAsync(x, 0, BYTES, stream));
    CK(cudaEventRecord(event, stream));
    int n_polls = 0;
    while (cudaEventQuery(event) == cudaErrorNotReady) n_polls++;
    ck_assert_int_eq(n_polls, 4);
    CK(cudaStreamQuery(stream));
    CK(cudaMemsetAsync(x, 0, BYTES, stream));
    ck_assert_int_eq(cudaStreamQuery(stream), cudaErrorNotReady);
    CK(cudaStreamQuery(stream));
    CK(cudaGetLastError());
    CK(cudaEventDestroy(event));
    CK(cudaStreamDestroy(stream));
    test_free_all();
}
END_TEST

/* One stream fills x, another doubles it; without the wait, doubling comes first somewhere. */
static bool doubles_rightly(bool waits, bool whole_device) {
    cudaStream_t first = new_stream(), second = new_stream();
    cudaEvent_t filled = new_event();
    float *from = new_pinned(3.0f), *to = new_pinned(0.0f), *x = test_device(BYTES);
    CK(cudaMemcpyAsync(x, from, BYTES, cudaMemcpyHostToDevice, first));
    CK(cudaEventRecord(filled, first));
    if (waits) CK(cudaStreamWaitEvent(second, filled, cudaEventWaitDefault));
    test_scale(x, 2.0f, N, second);
    CK(cudaMemcpyAsync(to, x, BYTES, cudaMemcpyDeviceToHost, second));
    CK(whole_device ? cudaDeviceSynchronize() : cudaStreamSynchronize(second));
    bool right = all_equal(to, 6.0f);
    CK(cudaEventDestroy(filled));
    CK(cudaStreamDestroy(first));
    CK(cudaStreamDestroy(second));
    CK(cudaDeviceSynchronize());
    CK(cudaFreeHost(from));
    CK(cudaFreeHost(to));
    test_free_all();
    return right;
}

START_TEST(waits_are_kept) {
    test_set_order(_i);
    ck_assert(doubles_rightly(true, false));
    ck_assert(doubles_rightly(true, true));
}
END_TEST

START_TEST(missing_wait_shows) {
    test_set_order(_i);
    ck_assert(!doubles_rightly(false, false));
    /* Where the host waits for everything, only an order in which the later stream comes first shows it. */
    ck_assert(doubles_rightly(false, true) == (_i == 0));
}
END_TEST

START_TEST(random_order_shows_missing_wait) {
    setenv("CUDAHOST_STREAMS", "7", 1);
    int n_right = 0;
    for (int i = 0; i < 20; i++) n_right += doubles_rightly(false, true);
    ck_assert_int_gt(n_right, 0);
    ck_assert_int_lt(n_right, 20);
    for (int i = 0; i < 20; i++) ck_assert(doubles_rightly(true, true));
}
END_TEST

/* CUDA's legacy default stream: blocking streams wait for it and it for them. */
START_TEST(default_stream_waits) {
    test_set_order(_i);
    cudaStream_t blocking;
    CK(cudaStreamCreateWithFlags(&blocking, cudaStreamDefault));
    float *from = new_pinned(1.0f), *to = new_pinned(0.0f), *x = test_device(BYTES);
    CK(cudaMemcpyAsync(x, from, BYTES, cudaMemcpyHostToDevice, blocking));
    test_scale(x, 3.0f, N, NULL);
    test_scale(x, 5.0f, N, blocking);
    CK(cudaMemcpyAsync(to, x, BYTES, cudaMemcpyDeviceToHost, blocking));
    CK(cudaDeviceSynchronize());
    ck_assert(all_equal(to, 15.0f));
    CK(cudaFreeHost(from));
    CK(cudaFreeHost(to));
    CK(cudaStreamDestroy(blocking));
    test_free_all();
}
END_TEST

START_TEST(events_measure_time) {
    cudaStream_t stream = new_stream();
    cudaEvent_t begin, end, untimed = new_event();
    CK(cudaEventCreateWithFlags(&begin, cudaEventDefault));
    CK(cudaEventCreateWithFlags(&end, cudaEventDefault));
    float *x = test_device(BYTES), ms = -1.0f;
    ck_assert_int_eq(cudaEventElapsedTime(&ms, begin, end), cudaErrorInvalidResourceHandle);
    CK(cudaEventRecord(begin, stream));
    CK(cudaMemsetAsync(x, 0, BYTES, stream));
    CK(cudaEventRecord(end, stream));
    ck_assert_int_eq(cudaEventElapsedTime(&ms, begin, end), cudaErrorNotReady);
    CK(cudaEventSynchronize(end));
    CK(cudaEventElapsedTime(&ms, begin, end));
    ck_assert(ms > 0.0f && ms < 1000.0f);
    CK(cudaEventRecord(untimed, stream));
    CK(cudaStreamSynchronize(stream));
    ck_assert_int_eq(cudaEventElapsedTime(&ms, begin, untimed), cudaErrorInvalidResourceHandle);
    CK(cudaEventDestroy(begin));
    CK(cudaEventDestroy(end));
    CK(cudaEventDestroy(untimed));
    CK(cudaStreamDestroy(stream));
    test_free_all();
}
END_TEST

static void note_call(void *data) { *(cudaError_t *)data = cudaDeviceSynchronize(); }

START_TEST(host_functions) {
    cudaStream_t stream = new_stream();
    cudaError_t inside = cudaSuccess;
    CK(cudaLaunchHostFunc(stream, note_call, &inside));
    CK(inside); /* not yet */
    CK(cudaStreamSynchronize(stream));
    ck_assert_int_eq(inside, cudaErrorNotPermitted);
    ck_assert_int_eq(cudaGetLastError(), cudaErrorNotPermitted);
    CK(cudaGetLastError());
    CK(cudaStreamDestroy(stream));
}
END_TEST

static cudaGraphExec_t end_capture(cudaStream_t stream) {
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    CK(cudaStreamEndCapture(stream, &graph));
    CK(cudaGraphInstantiate(&executable, graph, 0));
    CK(cudaGraphDestroy(graph));
    return executable;
}

START_TEST(graphs_replay) {
    test_set_order(_i);
    cudaStream_t stream = new_stream();
    float *from = new_pinned(3.0f), *to = new_pinned(0.0f), *x = test_device(BYTES);
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CK(cudaMemcpyAsync(x, from, BYTES, cudaMemcpyHostToDevice, stream));
    test_scale(x, 2.0f, N, stream);
    CK(cudaMemcpyAsync(to, x, BYTES, cudaMemcpyDeviceToHost, stream));
    cudaGraphExec_t executable = end_capture(stream);
    CK(cudaDeviceSynchronize());
    ck_assert(all_equal(to, 0.0f)); /* captured, not run */
    for (int replay = 0; replay < 3; replay++) {
        for (int i = 0; i < N; i++) from[i] = (float)replay;
        CK(cudaGraphLaunch(executable, stream));
        CK(cudaStreamSynchronize(stream));
        ck_assert(all_equal(to, (float)replay * 2.0f));
    }
    CK(cudaGraphLaunch(executable, stream));
    CK(cudaGraphExecDestroy(executable)); /* legal before it has run */
    CK(cudaStreamSynchronize(stream));
    CK(cudaFreeHost(from));
    CK(cudaFreeHost(to));
    CK(cudaStreamDestroy(stream));
    test_free_all();
}
END_TEST

/* CUDAHOST_LAZY: what was not used before may not be captured, and what was may. */
START_TEST(first_uses_are_not_captured) {
    setenv("CUDAHOST_LAZY", "1", 1);
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    float *x = test_device(BYTES);
    CK(cudaMemsetAsync(x, 0, BYTES, stream));
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    test_scale(x, 2.0f, N, stream);
    ck_assert_int_eq(cudaGetLastError(), cudaErrorStreamCaptureUnsupported);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    cudaGetLastError();
    test_scale(x, 2.0f, N, stream);
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    test_scale(x, 2.0f, N, stream);
    CK(cudaGraphExecDestroy(end_capture(stream)));
    CK(cudaStreamSynchronize(stream));
    CK(cudaStreamDestroy(stream));
    test_free_all();
}
END_TEST

/* x = 3 in one branch; y = 5 and (where it waits for x) y += x in the other. */
static bool branches_add_rightly(bool waits) {
    cudaStream_t stream = new_stream(), branch = new_stream();
    cudaEvent_t begun = new_event(), filled = new_event(), ended = new_event();
    float *three = new_pinned(3.0f), *five = new_pinned(5.0f), *to = new_pinned(0.0f);
    float *x = test_device(BYTES), *y = test_device(BYTES);
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CK(cudaEventRecord(begun, stream));
    CK(cudaStreamWaitEvent(branch, begun, cudaEventWaitDefault));
    CK(cudaMemcpyAsync(x, three, BYTES, cudaMemcpyHostToDevice, stream));
    CK(cudaEventRecord(filled, stream));
    CK(cudaMemcpyAsync(y, five, BYTES, cudaMemcpyHostToDevice, branch));
    if (waits) CK(cudaStreamWaitEvent(branch, filled, cudaEventWaitDefault));
    test_add(x, y, y, N, branch);
    CK(cudaEventRecord(ended, branch));
    CK(cudaStreamWaitEvent(stream, ended, cudaEventWaitDefault));
    CK(cudaMemcpyAsync(to, y, BYTES, cudaMemcpyDeviceToHost, stream));
    cudaGraphExec_t executable = end_capture(stream);
    CK(cudaGraphLaunch(executable, stream));
    CK(cudaStreamSynchronize(stream));
    bool right = all_equal(to, 8.0f);
    CK(cudaGraphExecDestroy(executable));
    float *const pinned[] = {three, five, to};
    for (int i = 0; i < 3; i++) CK(cudaFreeHost(pinned[i]));
    cudaEvent_t events[] = {begun, filled, ended};
    for (int i = 0; i < 3; i++) CK(cudaEventDestroy(events[i]));
    CK(cudaStreamDestroy(stream));
    CK(cudaStreamDestroy(branch));
    test_free_all();
    return right;
}

START_TEST(branches_of_a_graph) {
    test_set_order(_i);
    ck_assert(branches_add_rightly(true));
    if (_i == 0) ck_assert(branches_add_rightly(false)); /* captured in a lucky order */
    if (_i == 1) ck_assert(!branches_add_rightly(false));
}
END_TEST

START_TEST(captures_keep_rules) {
    cudaStream_t stream = new_stream(), other = new_stream();
    cudaEvent_t event = new_event();
    cudaGraph_t graph;
    float *x = test_device(BYTES), *y;
    ck_assert_int_eq(cudaStreamBeginCapture(NULL, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorIllegalState);
    /* Waiting and allocating break a capture. */
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(cudaMalloc((void **)&y, 4), cudaErrorStreamCaptureUnsupported);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    CK(cudaMalloc((void **)&y, 4));
    CK(cudaEventRecord(event, stream));
    ck_assert_int_eq(cudaEventSynchronize(event), cudaErrorCapturedEvent);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CK(cudaFree(y));
    /* A branch that does not come back. */
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CK(cudaEventRecord(event, stream));
    CK(cudaStreamWaitEvent(other, event, cudaEventWaitDefault));
    CK(cudaMemsetAsync(x, 0, BYTES, other));
    ck_assert_int_eq(cudaStreamEndCapture(other, &graph), cudaErrorStreamCaptureUnmatched);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnjoined);
    /* Work outside the capture. */
    CK(cudaEventRecord(event, other));
    CK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(cudaStreamWaitEvent(stream, event, cudaEventWaitDefault), cudaErrorStreamCaptureIsolation);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    cudaGetLastError();
    CK(cudaEventDestroy(event));
    CK(cudaStreamDestroy(stream));
    CK(cudaStreamDestroy(other));
    test_free_all();
}
END_TEST

START_TEST(handles_are_checked) {
    cudaStream_t stream = new_stream();
    cudaEvent_t event = new_event();
    CK(cudaStreamDestroy(stream));
    CK(cudaEventDestroy(event));
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
    ck_assert_int_eq(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
    ck_assert_int_eq(cudaEventRecord(event, NULL), cudaErrorInvalidResourceHandle);
    ck_assert_int_eq(cudaEventSynchronize(event), cudaErrorInvalidResourceHandle);
    ck_assert_int_eq(cudaGraphLaunch((cudaGraphExec_t)event, NULL), cudaErrorInvalidValue);
    ck_assert_int_eq(cudaPeekAtLastError(), cudaErrorInvalidValue);
    ck_assert_str_eq(cudaGetErrorName(cudaGetLastError()), "cudaErrorInvalidValue");
    CK(cudaGetLastError());
}
END_TEST

static void run_freed_source(int unused) {
    (void)unused;
    cudaStream_t stream = new_stream();
    float *from = new_pinned(1.0f), *x = test_device(BYTES);
    cudaMemcpyAsync(x, from, BYTES, cudaMemcpyHostToDevice, stream);
    cudaFreeHost(from);
    cudaStreamSynchronize(stream);
}

START_TEST(freed_source_of_copy_is_stopped) {
    test_must_abort(run_freed_source, 0, "copy of 4000 bytes: read, use after free: byte ");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cuda_host streams");
    TCase *tests = tcase_create("streams");
    tcase_add_loop_test(tests, work_runs_when_somebody_waits, 0, TEST_N_ORDERS);
    tcase_add_test(tests, polls_make_progress);
    tcase_add_loop_test(tests, waits_are_kept, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, missing_wait_shows, 0, 2);
    tcase_add_test(tests, random_order_shows_missing_wait);
    tcase_add_loop_test(tests, default_stream_waits, 0, TEST_N_ORDERS);
    tcase_add_test(tests, events_measure_time);
    tcase_add_test(tests, host_functions);
    tcase_add_test(tests, first_uses_are_not_captured);
    tcase_add_loop_test(tests, graphs_replay, 0, TEST_N_ORDERS);
    tcase_add_loop_test(tests, branches_of_a_graph, 0, TEST_N_ORDERS);
    tcase_add_test(tests, captures_keep_rules);
    tcase_add_test(tests, handles_are_checked);
    tcase_add_test(tests, freed_source_of_copy_is_stopped);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
