/* What an optimizer shows of its update: it is the update, showing it changes no bit, and AdamW has nothing to show. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"

enum { N_STEPS = 3 };

static job micro_job(ms_optimizer_kind kind, ms_muon_split split, bool captures) {
    static ms_config config; /* the trainer borrows its device's name */
    ms_config_defaults(&config);
    ms_must(ms_config_load_preset(&config, "micro"));
    ms_trainer_options options = ms_trainer_options_from_config(&config, 0);
    options.optimizer.kind = kind;
    options.optimizer.captures = captures;
    options.optimizer.muon.split = split;
    options.optimizer.muon.decay_mode = MS_DECAY_DECOUPLED;
    options.optimizer.muon.decay = 0.5f;
    return job_start(&options);
}

static float *download(const job *j, int32_t variable) {
    int64_t n = ms_shape_count(&ms_variables_get(j->trainer->variables, variable)->shape);
    float *out = malloc(sizeof(float) * (size_t)n);
    ms_must(ms_store_download(j->trainer->store, variable, 0, n, out));
    return out;
}

static void step(job *j, bool capture) {
    ms_step_result result;
    j->trainer->capture_next = capture;
    ms_must(ms_trainer_step(j->trainer, ms_dataset_source(j->data), NULL, &result));
    ck_assert(!j->trainer->capture_next);
}

static void expect_same_bits(ms_optimizer_kind kind, ms_muon_split split) {
    char weights[2][65], state[2][65];
    for (int i = 0; i < 2; i++) {
        job j = micro_job(kind, split, i == 1);
        ck_assert(i == 0 || j.trainer->captured_graph);
        for (int k = 0; k < N_STEPS; k++) step(&j, k != 1);
        ms_must(ms_trainer_hashes(j.trainer, weights[i], state[i]));
        job_close(&j);
    }
    ck_assert_str_eq(weights[0], weights[1]);
    ck_assert_str_eq(state[0], state[1]);
}

START_TEST(showing_changes_no_bit) {
    for (int split = MS_SPLIT_MERGED; split <= MS_SPLIT_PER_HEAD; split++)
        expect_same_bits(MS_OPTIMIZER_MUON, (ms_muon_split)split);
    expect_same_bits(MS_OPTIMIZER_NORMUON, MS_SPLIT_MERGED);
    expect_same_bits(MS_OPTIMIZER_SGD, MS_SPLIT_MERGED);
}
END_TEST

/* W - W0 = -lr scale O - c W0, row group by row group, within rounding; and u is not O. */
static void expect_the_update(ms_muon_split split) {
    job j = micro_job(MS_OPTIMIZER_MUON, split, true);
    step(&j, false);
    const ms_optimizer *optimizer = &j.trainer->optimizer;
    const ms_muon_settings *muon = &optimizer->config.muon;
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_entry *entry = &optimizer->parameters[i];
        if (!entry->parameter.is_matrix) continue;
        ms_shape shape = ms_variables_get(j.trainer->variables, entry->parameter.variable)->shape;
        float *before = download(&j, entry->parameter.variable);
        step(&j, true); /* each parameter is looked at after a step of its own */
        float *after = download(&j, entry->parameter.variable);
        float *orthogonal = download(&j, entry->captures[MS_CAPTURE_ORTHOGONAL]);
        float *momentum = download(&j, entry->captures[MS_CAPTURE_MOMENTUM]);
        double rate = j.trainer->last_rate, share = ms_muon_rule.decay_share(muon, rate), unlike = 0;
        ck_assert_double_eq_tol(share, 0.5 * rate, 1e-12);
        for (int64_t k = 0; k < ms_shape_count(&shape); k++) {
            int64_t row = k / shape.dim[2] % shape.dim[1], rows = shape.dim[1], group = 0;
            if (split == MS_SPLIT_PER_PROJECTION) {
                for (; row >= entry->parameter.group_rows[group]; group++) row -= entry->parameter.group_rows[group];
                rows = entry->parameter.group_rows[group];
            }
            double scale = ms_muon_scale(muon->scaling, rows, shape.dim[2]);
            double expected = before[k] - rate * scale * orthogonal[k] - share * before[k];
            ck_assert_double_eq_tol(after[k], expected, 1e-6);
            unlike += fabs(orthogonal[k] - momentum[k]);
        }
        ck_assert_double_gt(unlike, 1);
        free(before);
        free(after);
        free(orthogonal);
        free(momentum);
    }
    job_close(&j);
}

START_TEST(what_is_shown_is_the_update) {
    expect_the_update(MS_SPLIT_MERGED);
    expect_the_update(MS_SPLIT_PER_PROJECTION);
}
END_TEST

START_TEST(nothing_to_show) {
    job j = micro_job(MS_OPTIMIZER_ADAMW, MS_SPLIT_MERGED, true),
        off = micro_job(MS_OPTIMIZER_MUON, MS_SPLIT_MERGED, false);
    ck_assert_ptr_null(j.trainer->captured_graph);
    ck_assert_ptr_null(off.trainer->captured_graph);
    ck_assert(!ms_optimizer_captures(&off.trainer->optimizer, MS_CAPTURE_MOMENTUM));
    step(&j, true); /* the plain update */
    job_close(&j);
    job_close(&off);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("captures");
    TCase *tcase = tcase_create("captures");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, showing_changes_no_bit);
    tcase_add_test(tcase, what_is_shown_is_the_update);
    tcase_add_test(tcase, nothing_to_show);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
