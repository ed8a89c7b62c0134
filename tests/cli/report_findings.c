/* The rules of the findings of `muonscope report`: each on data that support it, and on data that do not. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/report/findings.h"
#include "platform/random.h"
#include "tests/cli/report_run.h"
#include "tests/support/suite.h"

static json_t *findings_of(const struct report_plan *plan) {
    report_run_begin();
    report_run_make(plan);
    json_t *data = report_run_data();
    report_run_end();
    return data;
}

START_TEST(no_rule_speaks_of_chance) {
    static const char *const rules[] = {"rise",    "size",      "depth",   "alignment",
                                        "entropy", "attention", "changes", "correlation"};
    struct report_plan plan = report_null_plan;
    plan.n_steps = 300;
    json_t *data = findings_of(&plan);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        ck_assert_msg(report_count_said(data, rules[i], "") == 0, "%s says something", rules[i]);
        ck_assert_msg(report_is_silent(data, rules[i]), "%s does not say why it is silent", rules[i]);
    }
    json_decref(data);
}
END_TEST

START_TEST(rules_speak_of_what_is_there) {
    struct report_plan plan = {300, 8, 20, 15, 4, 1.3, 0.05, 0.05, 0.3, 4.0, 7.0, false, false};
    json_t *data = findings_of(&plan);
    ck_assert_int_eq(
        report_count_said(
            data, "alignment",
            "Alignment of the momentum with the weights of v in layers 4 to 7 exceeds the 95th percentile of "
            "chance in 60 of 80 snapshots (by chance 4; as alike as neighbours are, the 80 count as 75 independent "
            "ones), in the other layers in 0 of 80."),
        1);
    ck_assert_int_eq(
        report_count_said(
            data, "size",
            "At step 300 the largest singular value of v is above its noise null in 8 of 8 layers: median 1.50 "
            "times it (1.30 to 1.65)."),
        1);
    ck_assert_int_eq(
        report_count_said(data, "depth",
                          "of v over its noise null rises with depth: from 1.30 in layer 0 to 1.65 in layer 7 "
                          "(rank correlation 1.00"),
        1);
    ck_assert_int_eq(
        report_count_said(
            data, "entropy",
            "The spectral entropy of v is below that of a random matrix in 8 of 8 layers at step 300: 0.9009"),
        1);
    ck_assert_int_eq(
        report_count_said(data, "attention",
                          "of 1 of 16 heads fell below half of what it began at, most in layer 3 (1 of 2)"),
        1);
    ck_assert_int_eq(
        report_count_said(data, "loss",
                          "The validation loss fell from 8 to 4 nats per token in 300 steps (0.3 million tokens)."),
        1);
    ck_assert_int_eq(report_count_said(data, "frequency", "fell by 7 nats, that of the rarest by 1.01"), 1);
    ck_assert(report_is_silent(data, "rise")); /* .01 of 4 is less than 1 % */
    json_decref(data);

    plan.ratio = 0.5;
    plan.slope = 0;
    plan.validation_end = 0.5; /* .49 before */
    data = findings_of(&plan);
    ck_assert_int_eq(report_count_said(data, "size", "is below its noise null in 8 of 8 layers"), 1);
    ck_assert_int_eq(report_count_said(data, "depth", ""), 0);
    ck_assert_int_eq(
        report_count_said(data, "rise", "has risen by 2 %: from 0.49 nats at step 150 to 0.5 at step 300."), 1);
    json_decref(data);

    plan.n_steps = 60; /* before step 100 the null is up to 20 % off */
    data = findings_of(&plan);
    ck_assert_int_eq(report_count_said(data, "size", ""), 0);
    json_decref(data);
}
END_TEST

/* Matrices of one projection, of which some change at step 50 or go with the loss. */
static json_t *findings_of_series(int n_changed, int n_low, int n_values) {
    enum { N = 24 };
    static int64_t step = 50;
    ms_phase_series series[1 + MS_PHASE_N_KEYS * N] = {{.key = "loss"}};
    for (int k = 0; k < MS_PHASE_N_KEYS; k++)
        for (int i = 0; i < N; i++) {
            bool is_entropy = k == MS_PHASE_spectral_entropy;
            series[1 + k * N + i] = (ms_phase_series){.key = is_entropy ? "spectral_entropy" : "gap",
                                                      .rates = is_entropy,
                                                      .layer = i,
                                                      .projection = "v",
                                                      .n = n_values,
                                                      .n_changes = i < n_changed,
                                                      .changes = &step,
                                                      .correlation = -0.5,
                                                      .p = is_entropy && i < n_low ? 0.01 : 0.5};
        }
    ms_phases phases = {.n_series = 1 + MS_PHASE_N_KEYS * N, .series = series};
    ms_report_run run = {.folder = report_folder};
    json_t *data = json_object();
    ms_findings findings = {&run, &phases, json_array(), json_array()};
    ms_must(ms_finding_changes(&findings));
    ms_must(ms_finding_correlation(&findings));
    ck_assert_int_eq(json_object_set_new(data, "findings", findings.said), 0);
    ck_assert_int_eq(json_object_set_new(data, "silent", findings.silent), 0);
    return data;
}

START_TEST(rules_of_series_know_their_noise) {
    json_t *data = findings_of_series(12, 9, 30);
    ck_assert_int_eq(
        report_count_said(
            data, "changes",
            "The slope of spectral_entropy changes in 12 of 24 matrices, most often at step 50 (12 of them)."),
        1);
    ck_assert_int_eq(
        report_count_said(
            data, "correlation",
            "Differences of spectral_entropy from snapshot to snapshot go with those of the training loss in 9 "
            "of 24 matrices (p at most .05): median r -0.50."),
        1);
    json_decref(data);
    data = findings_of_series(4, 4, 30); /* 17 % change: less than twice the noise; 4 of 24: below 1.2 + 3.2 */
    ck_assert(report_is_silent(data, "changes") && report_is_silent(data, "correlation"));
    json_decref(data);
    data = findings_of_series(12, 9, 20); /* series too short for the known share of noise */
    ck_assert(report_is_silent(data, "changes") && !report_is_silent(data, "correlation"));
    json_decref(data);
}
END_TEST

START_TEST(figures_of_rules) {
    static const int layers[] = {0, 3, 5, 6, 7};
    char text[128];
    double p, rising[] = {1, 2, 3, 4, 5, 6, 7}, mixed[] = {4, 1, 6, 3, 7, 2, 5}, flat[] = {2, 2, 2, 2, 2, 2},
              ties[] = {1, 1, 2, 2};
    ck_assert_str_eq(ms_findings_layers(layers, 5, text, sizeof text), "layers 0, 3 and 5 to 7");
    ck_assert_str_eq(ms_findings_layers(layers, 1, text, sizeof text), "layer 0");
    ck_assert_str_eq(ms_findings_layers(layers + 2, 3, text, sizeof text), "layers 5 to 7");
    ck_assert_double_eq_tol(ms_findings_rank_correlation(rising, 7), 1, 1e-12);
    ck_assert_double_eq_tol(ms_findings_rank_correlation(mixed, 7), 0.2142857142857143,
                            1e-12); /* scipy.stats.spearmanr */
    ck_assert_double_eq_tol(ms_findings_rank_correlation(ties, 4), 0.8944271909999159, 1e-12);
    ck_assert_double_nan(ms_findings_rank_correlation(flat, 6));
    ms_must(ms_findings_shuffle_p(rising, 7, &p)); /* 2 of 7! orders are as extreme: .0004 */
    ck_assert(p >= 1e-4 && p < 1.5e-3);
    ms_must(ms_findings_shuffle_p(mixed, 7, &p)); /* exact: .6615 */
    ck_assert_double_eq_tol(p, 0.6615, 0.02);
    ms_must(ms_findings_shuffle_p(flat, 6, &p));
    ck_assert_double_nan(p);
}
END_TEST

/* Half of the snapshots above the percentile, in one stretch: what moves once is no 20 observations. */
START_TEST(snapshots_that_drift_count_less) {
    struct report_plan plan = {300, 8, 20, 10, 4, 1, 0, 0, 0.8, 8.0, 1.0, false, false};
    json_t *data = findings_of(&plan);
    ck_assert_int_eq(report_count_said(data, "alignment", "of v in layers 4 to 7 exceeds"), 1);
    json_decref(data);
    plan.drifts = true;
    data = findings_of(&plan);
    ck_assert_int_eq(report_count_said(data, "alignment", ""), 0);
    ck_assert(report_is_silent(data, "alignment"));
    json_decref(data);
    /* AR(1) with .8: (1 - .8) / (1 + .8) of 4,000; white noise: nearly all of them. */
    enum { N = 4000 };
    static double series[N];
    uint64_t state = 7;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N; i++)
            series[i] = (i > 0 && k ? 0.8 * series[i - 1] : 0) + ms_split_mix_uniform(&state) - 0.5;
        double share = ms_findings_effective_number(series, N) / N;
        ck_assert_double_eq_tol(share, k ? 0.111 : 1, k ? 0.03 : 0.12);
    }
    ck_assert_double_eq(ms_findings_effective_number((double[]){2, 2, 2}, 3), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("report_findings");
    TCase *tests = tcase_create("report_findings");
    tcase_add_test(tests, no_rule_speaks_of_chance);
    tcase_add_test(tests, rules_speak_of_what_is_there);
    tcase_add_test(tests, rules_of_series_know_their_noise);
    tcase_add_test(tests, figures_of_rules);
    tcase_add_test(tests, snapshots_that_drift_count_less);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
