/* Runs that follow every step: their files do not depend on resumptions and say what the tracker found; ceilings. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static ms_run_options following(int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.tracking.every_step = MS_EVERY_STEP_SIGMA_MAX;
    options.checkpoint_every = 3;
    options.trainer.optimizer.muon.decay_mode = MS_DECAY_DECOUPLED;
    options.trainer.optimizer.muon.decay = 0.5f;
    return options;
}

static char *text_of(const char *path) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    return text;
}

static void expect_same_file(const char *a, const char *b) {
    char *first = text_of(a), *second = text_of(b);
    ck_assert_msg(strcmp(first, second) == 0, "%s and %s differ", a, b);
    free(first);
    free(second);
}

/* Calls check(line, context) for each line of spectra.jsonl after step 0. */
static void each_line(const ms_run *run, void (*check)(const json_t *line, const void *context), const void *context) {
    char *text = text_of(run->folder.spectra);
    int n = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
        ck_assert_ptr_nonnull(object);
        bool has_update = json_integer_value(json_object_get(object, "step")) > 0;
        if (has_update) check(object, context);
        n += has_update;
        json_decref(object);
    }
    ck_assert_int_gt(n, 0);
    free(text);
}

static double value(const json_t *line, const char *key) {
    const json_t *number = json_object_get(line, key);
    ck_assert_msg(number != NULL, "no %s", key);
    return json_is_null(number) ? NAN : json_number_value(number);
}

/* s1 and growth are below what bounds them, and the measured bound is below that of the rates alone. */
static void check_bounds(const json_t *line, const void *context) {
    (void)context;
    double bound = value(line, "growth_bound"), growth = value(line, "growth"), s1 = value(line, "sigma_max");
    ck_assert_double_le(growth, bound * (1 + 1e-12));
    ck_assert_double_eq_tol(value(line, "growth_efficiency"), growth / bound, 1e-14);
    ck_assert_double_eq_tol(value(line, "growth_efficiency_null"), fmin(1, value(line, "growth_null") / bound), 1e-14);
    ck_assert_double_le(s1, value(line, "ceiling_measured"));
    ck_assert_double_le(value(line, "ceiling_measured"), value(line, "ceiling") * (1 + 1e-4));
    ck_assert_double_lt(s1, value(line, "ceiling_decay"));
    ck_assert_double_eq_tol(value(line, "sigma_max_peak") / s1, 1, 0.05);
    ck_assert_double_lt(value(line, "sigma_residual_peak"), 0.2);
    ck_assert_double_le(value(line, "update_sigma_max_peak"), bound * (1 + 1e-12));
}

START_TEST(a_resumed_run_has_the_lines_of_a_whole_one) {
    ms_run_options whole_options = following(6), half_options = following(3);
    whole_options.tracker_every = half_options.tracker_every = 3; /* steps 0, 1, 3, 6 */
    ms_run *whole = runs_new(&whole_options, "whole"), *half;
    ms_run_close(runs_new(&half_options, "half"));
    half = runs_resume(&whole_options, "half");
    expect_same_file(whole->folder.sigma_max, half->folder.sigma_max);
    expect_same_file(whole->folder.spectra, half->folder.spectra);
    ck_assert_int_eq(runs_count(whole->folder.sigma_max, "\n"), 7);
    ck_assert_int_eq(runs_count(whole->folder.sigma_max, "{\"step\":6,\"tokens\":192,\"sigma_max\":{\"q\":["), 1);
    each_line(whole, check_bounds, NULL);
    /* It changes no weight; without it there is no file, and no line lacks the ceilings of the rates. */
    ms_run_options plain = whole_options;
    plain.tracking.every_step = MS_EVERY_STEP_NONE;
    ms_run *without = runs_new(&plain, "without");
    ck_assert_str_eq(without->weights_sha256, whole->weights_sha256);
    ck_assert(!ms_file_exists(without->folder.sigma_max));
    ck_assert_int_eq(runs_count(without->folder.spectra, "\"growth_bound\":null,\"growth_efficiency\":null"),
                     4 * 2 * 6);
    ck_assert_int_eq(runs_count(without->folder.spectra, "\"ceiling\":null"), 2 * 6); /* of step 0 */
    ms_run_close(without);
    ms_run_close(half);
    ms_run_close(whole);
}
END_TEST

/* The bound of an interval that was begun without it is null, and that of the whole run stays so. */
static void check_begun_late(const json_t *line, const void *context) {
    (void)context;
    bool is_known = json_integer_value(json_object_get(line, "step")) > 4;
    ck_assert(isnan(value(line, "growth_bound")) == !is_known);
    ck_assert(isnan(value(line, "growth_efficiency")) == !is_known);
    ck_assert(isnan(value(line, "sigma_max_peak")) == !is_known);
    ck_assert(isnan(value(line, "ceiling_measured")) && isfinite(value(line, "ceiling")));
}

START_TEST(switched_on_in_mid_run) {
    ms_run_options options = following(3);
    options.tracking.every_step = MS_EVERY_STEP_NONE;
    ms_run_close(runs_new(&options, "run"));
    options = following(8);
    ms_run *run = runs_resume(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.sigma_max, "\n"), 5); /* of steps 4 to 8 */
    each_line(run, check_begun_late, NULL);
    ms_run_close(run);
}
END_TEST

static void check_ceilings(const json_t *line, const void *context) {
    const bool *has = context; /* ceiling, ceiling_decay */
    ck_assert(isfinite(value(line, "ceiling")) == has[0]);
    ck_assert(isfinite(value(line, "ceiling_decay")) == has[1]);
    ck_assert_double_le(value(line, "growth"), value(line, "growth_bound") * (1 + 1e-12));
    ck_assert_double_le(value(line, "sigma_max"), value(line, "ceiling_measured"));
}

/* AdamW and interventions have no bound by the rates; no decay has no equilibrium.  All have the measured bound. */
START_TEST(ceilings_of_other_rules) {
    static const bool has[4][2] = {{false, false}, {true, false}, {false, false}, {false, false}};
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "run%d", i);
        ms_run_options options = following(4);
        ms_optimizer_config *optimizer = &options.trainer.optimizer;
        if (i == 0) optimizer->kind = MS_OPTIMIZER_ADAMW;
        if (i == 1) optimizer->muon.decay_mode = MS_DECAY_NONE;
        if (i == 2) optimizer->interventions.cautious_decay = true;
        if (i == 3) optimizer->muon.exponent = MS_EXPONENT_HALF;
        ms_run *run = runs_new(&options, name);
        each_line(run, check_ceilings, has[i]);
        ms_run_close(run);
    }
}
END_TEST

START_TEST(its_memory_is_planned) {
    ms_run_options options = following(1);
    ms_run *run;
    ms_must(ms_run_open(runs_device, &options, &run));
    size_t with = ms_tracking_planned_bytes(run->trainer, &options.tracking);
    options.tracking.every_step = MS_EVERY_STEP_NONE;
    size_t without = ms_tracking_planned_bytes(run->trainer, &options.tracking), weights = 0;
    weights = 2 * (3 * 32 * 32 + 32 * 32 + 2 * 32 * 32 - 2 * 16 * 32) * sizeof(float); /* q, k, v, o, up, down; twice */
    ck_assert_uint_gt(with, without + 2 * weights);
    ms_run_close(run);
}
END_TEST

START_TEST(lines_that_are_lost_are_counted) {
    ms_run_options options = following(6);
    options.settings_text = "a=b\n";
    ms_run_close(runs_new(&options, "run"));
    static char text[65536];
    FILE *file = fopen(data_path("run/sigma_max.jsonl"), "r+");
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 1000);
    char *line = strstr(text, "{\"step\":2,"), *next = strstr(text, "{\"step\":3,");
    memset(line, ' ', (size_t)(next - line - 1)); /* no line */
    rewind(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    options.n_steps = 7;
    ms_run *run = runs_resume(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "sigma_max.jsonl: 1 of the 6 steps up to the checkpoint have no line "
                                                 "(the first: step 2)"),
                     1);
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("every_step");
    TCase *tests = tcase_create("every_step");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_resumed_run_has_the_lines_of_a_whole_one);
    tcase_add_test(tests, switched_on_in_mid_run);
    tcase_add_test(tests, ceilings_of_other_rules);
    tcase_add_test(tests, its_memory_is_planned);
    tcase_add_test(tests, lines_that_are_lost_are_counted);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
