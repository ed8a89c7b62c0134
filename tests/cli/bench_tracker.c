/* `muonscope bench tracker`: to its end on one layer; and a signal ends it before its next matrix. */
#define _POSIX_C_SOURCE 200809L
#include "cli/bench/tracker.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/probe.h"
#include "cli/bench/tracker_matrices.h"

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

/* The number behind a line's beginning; the test fails where there is no such line. */
static double figure(const char *report, const char *line) {
    const char *at = strstr(report, line);
    char *end;
    ck_assert_msg(at != NULL, "no '%s' in:\n%s", line, report);
    double value = strtod(at + strlen(line), &end);
    ck_assert_msg(end > at + strlen(line), "no number in '%.80s'", at);
    return value;
}

/* Every figure is there and possible; whether every metric costs more than is allowed is the machine's affair. */
START_TEST(it_runs_to_its_end) {
    static const char *const seconds[] = {
        "\n  reference (4 SGESDD each) ",
        "\n  tracker, W0, W and dW ",
        "\n  tracker, with u and O ",
        "\n  all of these ",
        "\n  plain: values and ten vectors of W, five of dW ",
        "\n  beside it, probes.jsonl: attention, activations ",
#define COST(key, text) "\n  " text " ",
#include "tracker/costs.def"
    };
    char *report = NULL;
    size_t size;
    FILE *stream = open_memstream(&report, &size);
    ms_status status = ms_bench_tracker(1, 1, 1, stream);
    ck_assert_int_eq(fclose(stream), 0);
    if (status != MS_OK) ms_expect(status, MS_MISMATCH, "bench tracker: every metric takes ");
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        double value = figure(report, seconds[i]);
        ck_assert_msg(value >= 0 && value < 600, "%s%g", seconds[i], value);
    }
    ck_assert_double_gt(figure(report, seconds[0]), 0);
    ck_assert_double_gt(figure(report, "\n  ratio "), 0);
    ck_assert_double_le(figure(report, "\n  sigma_max differs by "), 1e-5); /* the reference is in f32 */
    ck_assert_double_gt(figure(report, "\n  cost "), 0);
    ck_assert_double_gt(figure(report, seconds[5]), 0);
    ck_assert_ptr_nonnull(strstr(report, "snapshot of 6 matrices of blueberry-88m, 1 thread, best of 1"));
    free(report);
}
END_TEST

START_TEST(more_layers_than_there_are) {
    ms_expect(ms_bench_tracker(MS_BENCH_TRACKER_LAYERS + 1, 1, 1, stdout), MS_INVALID,
              "bench tracker: 23 layers (1 to 22)");
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("bench_tracker");
    tcase_add_test(tests, it_runs_to_its_end);
    tcase_add_test(tests, more_layers_than_there_are);
    tcase_add_test(tests, a_signal_ends_it);
    tcase_set_timeout(tests, 120);
    Suite *suite = suite_create("cli/bench_tracker");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
