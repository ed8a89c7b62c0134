/* How programs are timed, on a clock that the test moves: enough work for each wait, whatever a launch and a wait cost;
   and what a peak is measured in. */
#include <check.h>
#include <math.h>

#include "tests/support/suite.h"
#include "train/peak.h"

static double now;                   /* of the clock */
static double run_costs, wait_costs; /* seconds of a run, beyond those of a wait */
static double busy;                  /* work since the last wait */
static double least_busy;            /* of the last waits that count */
static int n_runs, n_waits;
static bool has_peak;

double __wrap_ms_clock_seconds(void);
ms_status __wrap_ms_program_run(ms_program *program);
ms_status __wrap_ms_device_wait(ms_device *device);
bool __wrap_ms_device_has_peak(const ms_device *device);

double __wrap_ms_clock_seconds(void) { return now; }

ms_status __wrap_ms_program_run(ms_program *program) {
    (void)program;
    busy += run_costs;
    n_runs++;
    return MS_OK;
}

ms_status __wrap_ms_device_wait(ms_device *device) {
    (void)device;
    now += busy + wait_costs;
    least_busy = busy;
    busy = 0;
    n_waits++;
    return MS_OK;
}

bool __wrap_ms_device_has_peak(const ms_device *device) {
    (void)device;
    return has_peak;
}

static double time_program(double seconds, double queued) {
    double found = 0;
    now = busy = 0;
    n_runs = n_waits = 0;
    run_costs = seconds;
    wait_costs = 20e-6;
    ms_must(ms_program_time(NULL, NULL, queued, &found));
    return found;
}

/* An op of 2 microseconds took 22 by the clock. */
START_TEST(small_programs_are_queued) {
    static const double costs[] = {2e-6, 10e-6, 1e-3, 0.04};
    for (int i = 0; i < 4; i++) {
        double found = time_program(costs[i], MS_QUEUED_SECONDS);
        ck_assert(fabs(found / costs[i] - 1) < 1e-3);
        ck_assert(least_busy + wait_costs >= MS_QUEUED_SECONDS);
        ck_assert(n_waits <= 16);
    }
}
END_TEST

/* A step of seconds is not run more often for it: a warm-up and three samples. */
START_TEST(long_programs_are_awaited_one_by_one) {
    double found = time_program(2, MS_QUEUED_SECONDS);
    ck_assert(fabs(found / 2 - 1) < 1e-3);
    ck_assert_int_eq(n_runs, 4);
    ck_assert_int_eq(n_waits, 4);
}
END_TEST

START_TEST(programs_without_work_end) {
    time_program(0, MS_QUEUED_SECONDS);
    ck_assert_int_le(n_waits, 16);
}
END_TEST

/* On a device without a library of its own the matmul has the dtype that was asked for. */
START_TEST(a_peak_has_a_dtype) {
    static const ms_dtype dtypes[] = {MS_DTYPE_F32, MS_DTYPE_BF16};
    const ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_FAST, .n_threads = 1};
    ms_device *device;
    has_peak = false;
    run_costs = 1e-2; /* a slow one: the smallest matmul */
    ms_must(ms_device_open(&cpu, &device));
    for (int i = 0; i < 2; i++) {
        const ms_peak_options options = {.quick = true, .dtype = dtypes[i]};
        ms_peak peak;
        double flops;
        ms_must(ms_peak_init(device, &options, &peak));
        for (int v = 0; v < ms_variables_count(peak.variables); v++)
            ck_assert_int_eq(ms_variables_get(peak.variables, v)->dtype, dtypes[i]);
        ck_assert_str_eq(peak.name, i == 0 ? "the device's matmul" : "the device's bf16 matmul");
        ms_must(ms_peak_measure(&peak, &flops));
        ck_assert(flops > 0);
        ms_peak_finish(&peak);
    }
    has_peak = true; /* the CPU's is sgemm's, in both */
    const ms_peak_options options = {.dtype = MS_DTYPE_BF16};
    ms_peak peak;
    ms_must(ms_peak_init(device, &options, &peak));
    ck_assert_str_eq(peak.name, "sgemm peak");
    ms_peak_finish(&peak);
    ms_device_close(device);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/peak");
    TCase *tests = tcase_create("peak");
    tcase_add_test(tests, small_programs_are_queued);
    tcase_add_test(tests, long_programs_are_awaited_one_by_one);
    tcase_add_test(tests, programs_without_work_end);
    tcase_add_test(tests, a_peak_has_a_dtype);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
