/* QK-clip in training: it holds the largest logits at the threshold, counts all passes of a step, changes no bit where
   nothing exceeds the threshold, goes on from a checkpoint to the bit, and needs a model that has logits to clip. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "platform/file.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"
#include "tests/train/runs.h"

static const float threshold = 4;

/* Initial weights that give logits of about 30. */
static ms_run_options with_clip(int64_t n_steps, float clip) {
    ms_run_options options = runs_small(n_steps);
    options.trainer.model.qk_norm = false;
    options.trainer.model.init_std = 0.4f;
    options.trainer.optimizer.interventions.qk_clip = clip;
    options.probe = true;
    return options;
}

/* The largest logit of each probed step, over layers and heads; returns how many steps. */
static int read_probes(const ms_run *run, double *out_largest, int most) {
    FILE *file = fopen(run->folder.probes, "r");
    ck_assert_ptr_nonnull(file);
    json_t *line, *logit;
    int n = 0;
    json_int_t step = -1;
    while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
        size_t i;
        if (json_integer_value(json_object_get(line, "step")) != step) {
            step = json_integer_value(json_object_get(line, "step"));
            ck_assert_int_lt(n, most);
            out_largest[n++] = 0;
        }
        json_array_foreach(json_object_get(line, "attention_logit_max"), i, logit) out_largest[n - 1] =
            fmax(out_largest[n - 1], json_real_value(logit));
        json_decref(line);
    }
    fclose(file);
    return n;
}

/* The sequences of the probe are others than those of the step. */
START_TEST(logits_are_held_at_the_threshold) {
    double free_logits[32], held[32];
    ms_run_options options = with_clip(20, 0), clipped_options = with_clip(20, threshold);
    ms_run *plain = runs_new(&options, "plain"), *clipped = runs_new(&clipped_options, "clipped");
    int n = read_probes(plain, free_logits, 32);
    ck_assert_int_ge(n, 10);
    ck_assert_int_eq(read_probes(clipped, held, 32), n);
    ck_assert_double_eq(free_logits[0], held[0]); /* before the first step */
    double closest = 0;
    for (int i = 1; i < n; i++) {
        ck_assert_msg(free_logits[i] > 3 * threshold, "probe %d: %.3g without the clip", i, free_logits[i]);
        ck_assert_msg(held[i] < 1.5 * threshold, "probe %d: %.3g, threshold %g", i, held[i], (double)threshold);
        closest = fmax(closest, held[i]);
    }
    ck_assert_double_gt(closest, 0.75 * threshold);
    ms_run_close(plain);
    ms_run_close(clipped);
}
END_TEST

START_TEST(below_the_threshold_no_bit_changes) {
    ms_run_options options = with_clip(4, 0), clipped_options = with_clip(4, 1e6f);
    ms_run *plain = runs_new(&options, "plain"), *clipped = runs_new(&clipped_options, "clipped");
    ck_assert_str_eq(plain->weights_sha256, clipped->weights_sha256);
    ck_assert_str_eq(plain->state_sha256, clipped->state_sha256);
    ms_run_close(plain);
    ms_run_close(clipped);
}
END_TEST

START_TEST(a_resumed_run_ends_as_a_whole_one) {
    ms_run_options whole_options = with_clip(6, threshold), half_options = with_clip(3, threshold);
    ms_run *whole = runs_new(&whole_options, "whole"), *half = runs_new(&half_options, "half");
    ms_run_close(half);
    half = runs_resume(&whole_options, "half");
    ck_assert_str_eq(half->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->state_sha256, whole->state_sha256);
    ms_run_close(whole);
    ms_run_close(half);
}
END_TEST

/* ---- the largest logits of a step ---- */

enum { HEADS = 2, N_LOGITS = 2 * HEADS };

/* A step of so many sequences in so many passes; what it leaves. */
static void take_steps(int n_steps, int passes, int sequences, bool recompute, float out[N_LOGITS]) {
    ms_trainer_options options = with_clip(1, threshold).trainer;
    options.batch_sequences = sequences;
    options.accumulation = passes;
    options.model.recompute = recompute;
    job j = job_start(&options);
    for (int i = 0; i < n_steps; i++) {
        ms_step_result result;
        ms_must(ms_trainer_step(j.trainer, ms_dataset_source(j.data), NULL, &result));
    }
    ms_must(ms_store_download(j.trainer->store, j.trainer->model.logit_max, 0, N_LOGITS, out));
    job_close(&j);
}

START_TEST(all_passes_of_a_step_count) {
    float whole[N_LOGITS], passes[N_LOGITS], first[N_LOGITS], last[N_LOGITS], recomputed[N_LOGITS];
    bool grew = false;
    take_steps(1, 1, 6, false, whole);
    take_steps(1, 3, 2, false, passes);
    ck_assert_mem_eq(whole, passes, sizeof whole);
    take_steps(1, 3, 2, true, recomputed);
    ck_assert_mem_eq(whole, recomputed, sizeof whole);
    take_steps(1, 1, 2, false, first);
    for (int i = 0; i < N_LOGITS; i++) grew |= first[i] < whole[i];
    ck_assert_msg(grew, "later passes never have the largest logit: the test shows nothing");
    /* And those of the step before do not: it was clipped. */
    take_steps(2, 3, 2, false, last);
    for (int i = 0; i < N_LOGITS; i++) {
        ck_assert_float_gt(whole[i], 2 * threshold);
        ck_assert_float_lt(last[i], 1.5f * threshold);
    }
}
END_TEST

/* ---- what is refused ---- */

static void expect_refused(const ms_trainer_options *options, const char *message) {
    ms_trainer *trainer;
    ms_expect(ms_trainer_open(runs_device, options, &trainer), MS_INVALID, message);
    ck_assert_ptr_null(trainer);
}

START_TEST(without_logits_to_clip_it_is_refused) {
    ms_trainer_options options = with_clip(1, 100).trainer;
    options.model.qk_norm = true;
    expect_refused(&options, "train: intervention qk_clip 100 and QK-norm contradict: the norm of each query and key "
                             "undoes any scale of their weights");
    options.model.qk_norm = false;
    options.model.qkv_bias = true;
    expect_refused(&options, "train: intervention qk_clip 100 and biases of queries and keys contradict: it scales "
                             "their weights alone");
    options.model.qkv_bias = false;
    options.control = MS_CONTROL_NOISE;
    expect_refused(&options, "train: intervention qk_clip 100 and control noise contradict: without a forward pass "
                             "there are no attention logits");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/qk_clip");
    TCase *tcase = tcase_create("qk_clip");
    tcase_add_checked_fixture(tcase, runs_open, runs_close);
    tcase_add_test(tcase, logits_are_held_at_the_threshold);
    tcase_add_test(tcase, below_the_threshold_no_bit_changes);
    tcase_add_test(tcase, a_resumed_run_ends_as_a_whole_one);
    tcase_add_test(tcase, all_passes_of_a_step_count);
    tcase_add_test(tcase, without_logits_to_clip_it_is_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
