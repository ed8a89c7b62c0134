/* A signal ends what `muonscope bench tracker` does before its next matrix. */
#include "cli/bench/probe.h"
#include "cli/bench/tracker_matrices.h"

#include <check.h>
#include <signal.h>
#include <string.h>

#include "platform/signals.h"
#include "tests/support/suite.h"

START_TEST(a_signal_ends_it) {
    ms_bench_matrices matrices, others;
    double seconds;
    ck_assert_int_eq(ms_bench_matrices_init(1, &matrices), MS_OK);
    ck_assert_int_eq(ms_signals_catch(), MS_OK);
    ck_assert_int_eq(raise(SIGTERM), 0);
    ck_assert_int_eq(ms_bench_matrices_init(1, &others), MS_INTERRUPTED);
    ck_assert_str_eq(ms_status_message(), "SIGTERM: bench tracker was stopped");
    ms_bench_matrices_finish(&others);
    ck_assert_int_eq(ms_bench_probe(&matrices, &seconds), MS_INTERRUPTED);
    ms_signals_release();
    ms_bench_matrices_finish(&matrices);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("bench_tracker");
    tcase_add_test(tests, a_signal_ends_it);
    Suite *suite = suite_create("cli/bench_tracker");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
