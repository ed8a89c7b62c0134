/* The results of a study of synthetic runs against SciPy: tests/golden/study/make_study.py. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/study/comparison.h"
#include "cli/study/results.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

static char folder[64];
static json_t *golden;

static const char file_text[] =
    "study: golden\n"
    "preset: micro\n"
    "base: {train.steps: 10, tracker.every: 2, validation.every: 5}\n"
    "arms:\n"
    "  a: {seeds: 1-7}\n"
    "  b: {seeds: 2-8, set: {muon.split: per_projection}}\n"
    "  c: {seeds: 1-3, set: {muon.momentum: 0.9}}\n"
    "  n: {seeds: 1, control: true, set: {train.control: noise}}\n"
    "hypotheses:\n"
    "  depth: {statement: s, measure: depth_slope, of: log_over_null, arm: a}\n"
    "  q_against_v: {statement: s, measure: projection_difference, of: log_over_null, projections: [q, v], arm: a}\n"
    "  alignment: {statement: s, measure: last, of: alignment_excess, arm: a, against: b}\n"
    "  entropy: {statement: s, measure: difference_correlation, of: spectral_entropy, with: relative_growth, from: 2,\n"
    "    arm: a, expected: -0.3}\n"
    "  attention: {statement: s, measure: depth_slope, of: attention_entropy, arm: a}\n"
    "  loss: {statement: s, measure: last, of: validation_loss, arm: a, against: b}\n"
    "comparisons: {arms: [c], against: a}\n";

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void write_lines(const json_t *run, const char *key, const char *path, const char *name) {
    char file[256];
    size_t i;
    json_t *line;
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *stream = fopen(file, "w");
    ck_assert_ptr_nonnull(stream);
    json_array_foreach(json_object_get(run, key), i, line) {
        ck_assert_int_eq(json_dumpf(line, stream, JSON_COMPACT), 0);
        fputc('\n', stream);
    }
    ck_assert_int_eq(fclose(stream), 0);
}

static void write_config(const ms_study_plan *plan, const ms_study_run *run, const char *path) {
    char file[256], seed[24], *text;
    ms_config_request request;
    ms_config config;
    ms_must(ms_study_run_config(plan, run, seed, &request, &config));
    ms_must(ms_config_text(&config, &text));
    snprintf(file, sizeof file, "%s/config.yaml", path);
    ms_must(ms_file_write(file, text, strlen(text)));
    free(text);
}

/* Run folders as the trainer leaves them, but without checkpoints. */
static void write_runs(const ms_study_plan *plan) {
    size_t i, n = 0;
    json_t *run;
    json_array_foreach(json_object_get(golden, "runs"), i, run) {
        char name[64], path[128];
        snprintf(name, sizeof name, "%s-%lld", json_string_value(json_object_get(run, "arm")),
                 (long long)number(run, "seed"));
        snprintf(path, sizeof path, "%s/%s", folder, name);
        ms_must(ms_directory_create(path));
        for (size_t k = 0; k < plan->n; k++) {
            if (strcmp(plan->runs[k].name, name) != 0) continue;
            write_config(plan, &plan->runs[k], path);
            n++;
        }
        write_lines(run, "metrics", path, "metrics.jsonl");
        write_lines(run, "spectra", path, "spectra.jsonl");
        write_lines(run, "probes", path, "probes.jsonl");
    }
    ck_assert_uint_eq(n, plan->n);
}

/* What is given to the results. */
struct given {
    ms_study *study;
    ms_study_plan plan;
    ms_study_budget budget;
    ms_study_declared declared;
    ms_study_results results;
};

static void begin(struct given *given) {
    json_error_t error;
    memset(given, 0, sizeof *given);
    golden = json_load_file("tests/golden/study/study.json", 0, &error);
    ck_assert_msg(golden != NULL, "%s", error.text);
    snprintf(folder, sizeof folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ms_must(ms_study_load_text("golden.yaml", file_text, strlen(file_text), &given->study));
    ms_must(ms_study_plan_init(given->study, folder, &given->plan));
    write_runs(&given->plan);
    ms_must(ms_study_plan_look(&given->plan));
    ms_must(ms_study_budget_make(&given->plan, -1, &given->budget));
}

static void make_results(struct given *given) {
    ms_study_results_request request = {&given->plan,  &given->budget,    &given->declared,
                                        "golden.yaml", "muonscope study", "1"};
    ms_must(ms_study_results_init(&request, &given->results));
}

static void end(struct given *given) {
    ms_study_results_finish(&given->results);
    ms_study_declared_finish(&given->declared);
    ms_study_plan_finish(&given->plan);
    ms_study_destroy(given->study);
    json_decref(golden);
    ms_must(ms_directory_remove(folder));
}

static void must_agree(double found, double expected, const char *name, const char *what) {
    if (isnan(found) && isnan(expected)) return;
    ck_assert_msg(fabs(found - expected) <= 1e-9 * fmax(fabs(expected), 1e-3), "%s, %s: %.17g, not %.17g", name, what,
                  found, expected);
}

static void must_agree_in(const ms_study_numbers *found, const json_t *expected, const char *name) {
    const json_t *values = json_object_get(expected, "values");
    ck_assert_uint_eq(found->n, json_array_size(values));
    for (size_t i = 0; i < found->n; i++)
        must_agree(found->values[i], json_number_value(json_array_get(values, i)), name, "value");
    must_agree(found->statistic.mean, number(expected, "mean"), name, "mean");
    must_agree(found->statistic.deviation, number(expected, "deviation"), name, "deviation");
    must_agree(found->statistic.low, number(expected, "low"), name, "low");
    must_agree(found->statistic.high, number(expected, "high"), name, "high");
}

START_TEST(test_scipy) {
    struct given given;
    begin(&given);
    make_results(&given);
    ck_assert(given.results.finished);
    for (int i = 0; i < given.study->n_hypotheses; i++) {
        const char *name = given.study->hypotheses[i].name;
        const json_t *expected = json_object_get(json_object_get(golden, "hypotheses"), name);
        const ms_study_test *test = &given.results.hypotheses[i];
        must_agree_in(&test->numbers, expected, name);
        must_agree(test->numbers.statistic.p, number(expected, "p"), name, "p");
        must_agree(test->p_holm, number(expected, "p_holm"), name, "p (Holm)");
        ck_assert(!test->changed && test->why_no_p[0] == '\0');
        for (int k = 0; k < given.study->n_arms; k++)
            must_agree_in(&ms_study_results_group(&given.results, i, k)->numbers,
                          json_object_get(json_object_get(expected, "groups"), given.study->arms[k].name), name);
    }
    ck_assert_uint_eq(given.results.n_comparisons, 6);
    for (size_t i = 0; i < 6; i++) {
        const char *name = given.study->hypotheses[i].name;
        must_agree_in(&given.results.comparisons[i].numbers,
                      json_object_get(json_object_get(golden, "comparisons"), name), name);
        ck_assert(isnan(given.results.comparisons[i].numbers.statistic.p));
    }
    end(&given);
}
END_TEST

/* A run without a number says why; fewer than six pairs have no p, and count in Holm's correction all the same. */
START_TEST(test_missing) {
    struct given given;
    begin(&given);
    for (size_t i = 0; i < given.plan.n; i++) {
        ms_study_run *run = &given.plan.runs[i];
        if (strcmp(run->name, "a-3") == 0) run->record.state = MS_STUDY_UNFINISHED;
        if (strcmp(run->name, "b-4") == 0) run->record.state = MS_STUDY_DIVERGED;
    }
    char path[128], *text;
    size_t size;
    snprintf(path, sizeof path, "%s/a-5/spectra.jsonl", folder);
    ms_must(ms_file_read(path, &text, &size));
    memcpy(strstr(strstr(text, "\"step\":10,"), "noise_null"), "other_null", 10); /* the line has none */
    ms_must(ms_file_write(path, text, size));
    free(text);
    make_results(&given);
    ck_assert(!given.results.finished);
    const ms_study_group *depth = ms_study_results_group(&given.results, 0, 0);
    ck_assert_uint_eq(depth->numbers.n, 5);
    ck_assert_uint_eq(depth->n_without, 2);
    ck_assert_str_eq(depth->without[0].why, "not finished");
    ck_assert_str_eq(depth->without[1].why, "log_over_null is null at step 10, layer 0 q");
    ck_assert(isnan(given.results.hypotheses[0].numbers.statistic.p));
    ck_assert_ptr_nonnull(strstr(given.results.hypotheses[0].why_no_p, "5 seeds: fewer than 6"));
    ck_assert_uint_eq(given.results.hypotheses[2].numbers.n, 4); /* seeds 2, 5, 6, 7 */
    double p = given.results.hypotheses[4].numbers.statistic.p;  /* attention, of 6 runs: the only one with a p ... */
    ck_assert_double_eq_tol(p, 0x1p-5, 1e-12);
    ck_assert_double_eq_tol(given.results.hypotheses[4].p_holm, 6 * p, 1e-12); /* ... and one of six all the same */
    end(&given);
}
END_TEST

/* All files are written; results.json holds what was computed. */
START_TEST(test_files) {
    struct given given;
    char path[128], *text;
    size_t size;
    json_error_t error;
    begin(&given);
    make_results(&given);
    snprintf(path, sizeof path, "%s/results.json", folder);
    ms_must(ms_study_results_write_json(&given.results, path));
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    const json_t *depth = json_array_get(json_object_get(root, "hypotheses"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(root, "format")), "muonscope-study");
    ck_assert_double_eq(number(depth, "p"), given.results.hypotheses[0].numbers.statistic.p);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "plan")), 18);
    ck_assert_uint_eq(json_array_size(json_object_get(depth, "controls")), 1);
    ck_assert(json_is_null(json_object_get(depth, "against")));
    json_decref(root);
    snprintf(path, sizeof path, "%s/results.csv", folder);
    ms_must(ms_study_results_write_csv(&given.results, path));
    ms_must(ms_file_read(path, &text, &size));
    size_t n_lines = 0;
    for (const char *at = text; *at; at++) n_lines += *at == '\n';
    ck_assert_uint_eq(n_lines, 1 + 6 + 6 + 7 * (4 + 18));
    free(text);
    snprintf(path, sizeof path, "%s/results.md", folder);
    ms_must(ms_study_results_write_markdown(&given.results, path));
    ms_must(ms_study_compare(&given.plan));
    snprintf(path, sizeof path, "%s/comparison.txt", folder);
    ms_must(ms_file_read(path, &text, &size));
    ck_assert_ptr_nonnull(strstr(text, "18 runs"));
    free(text);
    end(&given);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cli/study_results");
    TCase *tests = tcase_create("results");
    tcase_add_test(tests, test_scipy);
    tcase_add_test(tests, test_missing);
    tcase_add_test(tests, test_files);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
