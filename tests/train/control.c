/* Controls: gradients of noise, and shuffled targets.  Each is keyed by seed and step, the same on any number of
   threads, and goes on from a checkpoint to the bit. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/philox.h"
#include "optim/noise.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"
#include "train/control.h"

enum { N_TARGETS = 40 };

static void order_of(uint64_t seed, int64_t step, int32_t i_pass, int32_t *out) {
    for (int i = 0; i < N_TARGETS; i++) out[i] = i % 8 == 7 ? -1 : i;
    const ms_control_pass pass = {seed, step, i_pass};
    ms_control_shuffle(&pass, N_TARGETS, out);
}

START_TEST(shuffled_targets_are_a_permutation) {
    int32_t order[N_TARGETS], other[N_TARGETS], kept = 0, seen[N_TARGETS] = {0};
    order_of(42, 7, 0, order);
    for (int i = 0; i < N_TARGETS; i++) {
        if (i % 8 == 7) {
            ck_assert_int_eq(order[i], -1);
            continue;
        }
        kept += order[i] == i;
        ck_assert_int_eq(seen[order[i]]++, 0);
    }
    ck_assert_int_lt(kept, 8); /* one is expected */
    order_of(42, 7, 0, other);
    ck_assert_mem_eq(order, other, sizeof order);
    const int64_t others[3][3] = {{43, 7, 0}, {42, 8, 0}, {42, 7, 1}};
    for (int i = 0; i < 3; i++) {
        order_of((uint64_t)others[i][0], others[i][1], (int32_t)others[i][2], other);
        ck_assert_mem_ne(order, other, sizeof order);
    }
    int32_t none[3] = {-1, -1, -1};
    ms_control_shuffle(&(ms_control_pass){1, 1, 0}, 3, none);
    ck_assert_int_eq(none[0] + none[1] + none[2], -3);
}
END_TEST

/* Where the last of ten targets goes is uniform: over 10,000 steps each place within 5 deviations of 1,000. */
START_TEST(every_order_is_as_likely) {
    int counts[10] = {0};
    for (int64_t step = 0; step < 10000; step++) {
        int32_t order[10];
        for (int i = 0; i < 10; i++) order[i] = i;
        ms_control_shuffle(&(ms_control_pass){5, step, 0}, 10, order);
        for (int i = 0; i < 10; i++) counts[i] += order[i] == 9;
    }
    for (int i = 0; i < 10; i++) ck_assert_int_le(abs(counts[i] - 1000), 150);
}
END_TEST

static ms_run_options with(ms_control control, int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.trainer.control = control;
    options.validation_every = 3;
    options.validation_sequences = 2;
    options.log_every = 1;
    return options;
}

/* The gradients of the last step, of one parameter. */
static float *gradient_of(ms_trainer *trainer, const char *name, int64_t *out_count) {
    int variable = ms_variables_find(trainer->variables, name);
    ck_assert_msg(variable >= 0, "no variable %s", name);
    ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
    *out_count = ms_shape_count(&shape);
    float *values = malloc((size_t)*out_count * sizeof *values);
    ms_must(ms_store_download(trainer->store, variable, 0, *out_count, values));
    return values;
}

/* Against the generator's own words: element 0 of step 2 is radius times cosine or sine of its first two. */
START_TEST(noise_is_normal_and_keyed_by_step) {
    ms_run_options options = with(MS_CONTROL_NOISE, 3);
    ms_run *run = runs_begin(&options, "run");
    ms_step_result result;
    double total = 0, cubes = 0;
    int64_t count = 0;
    for (int i = 0; i < 3; i++) {
        ms_must(ms_trainer_step(run->trainer, ms_dataset_source(run->train), NULL, &result));
        ck_assert(isnan(result.loss));
    }
    ck_assert_int_eq((long long)ms_dataset_position(run->train), 0);
    float *up = gradient_of(run->trainer, "gradient.blocks.feed_forward.up.weight", &count);
    for (int64_t i = 0; i < count; i++) {
        total += (double)up[i] * (double)up[i];
        cubes += pow((double)up[i], 3);
    }
    ck_assert_double_eq_tol(total / (double)count, 1, 5 * sqrt(2.0 / (double)count));
    ck_assert_double_eq_tol(cubes / (double)count, 0, 5 * sqrt(15.0 / (double)count));
    const uint64_t key = ms_philox_key(options.trainer.seed, ms_name_hash("noise.blocks.feed_forward.up.weight"));
    const uint32_t counter[4] = {0, 0, 2, 0}, words_key[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t word[4];
    ms_philox(counter, words_key, word);
    double radius = -2 * log(1 - (word[0] >> 9) * 0x1p-23);
    ck_assert_double_eq_tol((double)up[0] * (double)up[0] + (double)up[1] * (double)up[1], radius, 1e-5 * radius);
    /* The norm of all gradients together, before clipping. */
    ck_assert_double_eq_tol(result.gradient_norm, sqrt((double)run->trainer->facts.parameters),
                            5 * sqrt(0.5)); /* chi: deviation sqrt(1/2) */
    free(up);
    run->trainer->step = MS_NOISE_LAST_STEP + 1;
    ms_expect(ms_trainer_step(run->trainer, ms_dataset_source(run->train), NULL, &result), MS_INVALID,
              "noise is keyed by steps up to 16777216");
    ms_run_close(run);
}
END_TEST

static const ms_control controls[] = {MS_CONTROL_NOISE, MS_CONTROL_SHUFFLED_TARGETS};

START_TEST(a_control_is_a_run_like_any_other) {
    const ms_run_options plain = runs_small(6);
    ms_run_options whole_options = with(controls[_i], 6), half_options = with(controls[_i], 3);
    whole_options.trainer.accumulation = half_options.trainer.accumulation = 2;
    ms_run *none = runs_new(&plain, "none"), *whole = runs_new(&whole_options, "whole");
    ms_run_close(runs_new(&half_options, "half"));
    ms_run *half = runs_resume(&whole_options, "half");
    ck_assert_str_ne(none->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->state_sha256, whole->state_sha256);
    ck_assert(isfinite(whole->last_validation));
    ms_run_close(none);
    ms_run_close(half);

    ms_device *device = runs_device;
    ms_must(ms_device_open(&(ms_device_options){.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 3},
                           &runs_device));
    ms_run *threads = runs_new(&whole_options, "threads");
    ck_assert_str_eq(threads->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(threads->state_sha256, whole->state_sha256);
    ms_run_close(threads);
    ms_device_close(runs_device);
    runs_device = device;
    ms_run_close(whole);
}
END_TEST

/* What there is not is null, and nothing is warned of. */
START_TEST(noise_claims_no_loss) {
    ms_run_options options = with(MS_CONTROL_NOISE, 12);
    ms_run *run = runs_new(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"loss\":null"), 12);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"mfu\":null"), 12);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"tokens_per_second\":null"), 12);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"validation_loss\":null"), 0);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"validation_loss\""), 5);
    ck_assert_int_eq(runs_count(run->folder.log, "loss     none"), 12);
    ck_assert_int_eq(runs_count(run->folder.log, "has not moved"), 0);
    ck_assert_int_eq(runs_count(run->folder.log, "tok/s"), 0);
    ck_assert_double_eq(run->peak_flops, 0);
    ck_assert_int_eq(run->trainer->tokens_seen, 12 * run->trainer->facts.tokens_per_step);
    ms_run_close(run);
}
END_TEST

/* With its targets shuffled a model learns how frequent tokens are, and not what follows what. */
START_TEST(shuffled_targets_have_less_to_learn) {
    double loss[2];
    for (int i = 0; i < 2; i++) {
        ms_run_options options = with(i ? MS_CONTROL_SHUFFLED_TARGETS : MS_CONTROL_NONE, 60);
        options.tracker_every = 0;
        options.log_every = 0;
        options.trainer.optimizer.adamw.lr = 0.01;
        options.trainer.batch_sequences = 8;
        ms_run *run = runs_new(&options, i ? "shuffled" : "plain");
        loss[i] = run->last_validation;
        ms_run_close(run);
    }
    ck_assert_msg(loss[1] > loss[0] + 0.1, "validation loss %g with shuffled targets, %g without", loss[1], loss[0]);
}
END_TEST

START_TEST(text_is_not_made_of_a_control) {
    runs_prepare_data("data");
    for (int i = 0; i < 2; i++) {
        ms_run_options options = runs_on_shards(1);
        options.trainer.control = i ? MS_CONTROL_SHUFFLED_TARGETS : MS_CONTROL_NONE;
        options.sample = (ms_sample_request){.prompt = "", .n_tokens = 5, .sampling = {.temperature = 1}};
        ms_run *run = runs_new(&options, i ? "shuffled" : "plain");
        char text[400] = "";
        FILE *stream = fmemopen(text, sizeof text, "w");
        ms_must(ms_run_sample(run, stream));
        fclose(stream);
        ck_assert_int_eq(text[0] == '\0', i);
        ms_run_close(run);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("control");
    TCase *pure = tcase_create("targets"), *runs = tcase_create("runs");
    tcase_add_test(pure, shuffled_targets_are_a_permutation);
    tcase_add_test(pure, every_order_is_as_likely);
    tcase_add_checked_fixture(runs, runs_open, runs_close);
    tcase_set_timeout(runs, 60);
    tcase_add_test(runs, noise_is_normal_and_keyed_by_step);
    tcase_add_loop_test(runs, a_control_is_a_run_like_any_other, 0, 2);
    tcase_add_test(runs, noise_claims_no_loss);
    tcase_add_test(runs, shuffled_targets_have_less_to_learn);
    tcase_add_test(runs, text_is_not_made_of_a_control);
    suite_add_tcase(suite, pure);
    suite_add_tcase(suite, runs);
    return ms_suite_run(suite);
}
