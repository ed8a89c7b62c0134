/* Runs through the library alone: made, trained, resumed; on one device that stays open; a peak that cannot be
   measured. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"
#include "train/peak.h"
#include "train/run.h"

static bool peak_fails;
static int n_peaks, n_low_peaks; /* measured so far; the first of them that are far too low */
static ms_dtype peak_dtype;      /* of the last one */
static int n_opened;             /* devices */

/* The run's measurement comes here. */
ms_status __real_ms_peak_measure_once(ms_device *on, ms_dtype dtype, size_t most_bytes, double *out_flops);
ms_status __wrap_ms_peak_measure_once(ms_device *on, ms_dtype dtype, size_t most_bytes, double *out_flops);

ms_status __wrap_ms_peak_measure_once(ms_device *on, ms_dtype dtype, size_t most_bytes, double *out_flops) {
    peak_dtype = dtype;
    if (!peak_fails && n_peaks++ < n_low_peaks) {
        *out_flops = 1;
        return MS_OK;
    }
    if (!peak_fails) return __real_ms_peak_measure_once(on, dtype, most_bytes, out_flops);
    *out_flops = 0;
    return MS_FAIL(MS_OUT_OF_MEMORY, "planted: no memory for a matmul");
}

ms_status __real_ms_device_open(const ms_device_options *options, ms_device **out);
ms_status __wrap_ms_device_open(const ms_device_options *options, ms_device **out);

ms_status __wrap_ms_device_open(const ms_device_options *options, ms_device **out) {
    n_opened++;
    return __real_ms_device_open(options, out);
}

static void open_all(void) {
    n_opened = 0;
    runs_open();
    peak_fails = false;
    n_peaks = n_low_peaks = 0;
}

START_TEST(a_resumed_run_has_the_bits_of_a_whole_one) {
    const ms_run_options whole_options = runs_small(6), half_options = runs_small(3);
    ms_run *whole = runs_new(&whole_options, "whole"), *half = runs_new(&half_options, "half");
    ck_assert_str_ne(half->weights_sha256, whole->weights_sha256);
    ms_run_close(half);
    half = runs_resume(&whole_options, "half");
    ck_assert_int_eq(half->resumed_step, 3);
    ck_assert_str_eq(half->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->state_sha256, whole->state_sha256);
    ck_assert_int_eq(runs_count(whole->folder.metrics, "\"loss\""), 6);
    /* Snapshots at steps 0, 1, 2, 4, 6 of four matrices a layer: qkvo counts as q, k, v and o. */
    ck_assert_int_eq(runs_count(whole->folder.spectra, "\"sigma_top\""), 5 * 2 * 6);
    ck_assert_int_eq(runs_count(whole->folder.spectra, "{\"step\":0,\"tokens\":0,"), 2 * 6);
    ck_assert_int_eq(runs_count(whole->folder.spectra, "\"update_ratio\":null"), 2 * 6);
    ck_assert_int_eq(runs_count(whole->folder.spectra, "\"grad_norm\":null"), 2 * 6);
    ms_run_close(half);
    ms_run_close(whole);
}
END_TEST

/* With init.seed, train.seed moves the data alone. */
START_TEST(runs_can_share_their_initial_weights) {
    static const uint64_t seeds[4][2] = {{42, 0}, {7, 0}, {7, 42}, {9, 42}}; /* seed, init_seed */
    char weights[4][65], state[65], trained[4][65];
    for (int i = 0; i < 4; i++) {
        char name[16];
        ms_run_options options = runs_small(2);
        options.trainer.seed = seeds[i][0];
        options.trainer.init_seed = seeds[i][1];
        snprintf(name, sizeof name, "run%d", i);
        ms_run *run = runs_begin(&options, name);
        ms_must(ms_trainer_hashes(run->trainer, weights[i], state));
        ms_must(ms_run_train(run));
        strcpy(trained[i], run->weights_sha256);
        ms_run_close(run);
    }
    ck_assert_str_ne(weights[0], weights[1]);
    ck_assert_str_eq(weights[0], weights[2]);
    ck_assert_str_eq(weights[0], weights[3]);
    ck_assert_str_ne(trained[2], trained[3]);
    ck_assert_str_ne(trained[0], trained[2]);
}
END_TEST

START_TEST(another_configuration_is_refused) {
    ms_run_options options = runs_small(2);
    options.fixed_text = "colour=red\n";
    ms_run_close(runs_new(&options, "run"));
    options.fixed_text = "colour=blue\n";
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path("run"), &folder));
    ms_must(ms_run_open(runs_device, &options, &run));
    ck_assert_int_eq(ms_run_resume(run, &folder), MS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "belongs to another configuration"));
    ck_assert_ptr_null(run->trainer->store); /* found out before any memory was taken */
    ms_run_close(run);
}
END_TEST

/* Which rows of the merged matrix are what stands in the checkpoint's files. */
START_TEST(checkpoints_say_their_layout) {
    static const char layout[] = "{\"blocks.*.attention.qkvo.weight\": {\"q\": [0, 32], \"k\": [32, 48], "
                                 "\"v\": [48, 64], \"o\": [64, 96]}}";
    for (int merged = 0; merged < 2; merged++) {
        ms_run_options options = runs_small(1);
        options.trainer.model.merged = merged;
        ms_run *run = runs_new(&options, merged ? "merged" : "split");
        ms_checkpoint *checkpoint;
        ms_must(ms_checkpoint_open(run->folder.checkpoints, 1, &checkpoint));
        const ms_safetensors *files[] = {ms_checkpoint_model(checkpoint), ms_checkpoint_optimizer(checkpoint)};
        for (int i = 0; i < 2; i++) {
            const char *found = ms_safetensors_get_metadata(files[i], "layout");
            ck_assert_int_eq(found != NULL, merged);
            if (found) ck_assert_str_eq(found, layout);
        }
        ms_checkpoint_close(checkpoint);
        ms_run_close(run);
    }
}
END_TEST

START_TEST(options_are_checked) {
    ms_run_options options = runs_small(0);
    ms_run *run;
    ck_assert_int_eq(ms_run_open(runs_device, &options, &run), MS_INVALID);
    ck_assert_ptr_null(run);
    options = runs_small(1);
    options.data = NULL;
    ck_assert_int_eq(ms_run_open(runs_device, &options, &run), MS_INVALID);
    options = runs_small(1);
    options.validation_every = 1;
    ck_assert_int_eq(ms_run_open(runs_device, &options, &run), MS_INVALID);
}
END_TEST

START_TEST(a_peak_that_cannot_be_measured_is_a_line_of_the_log) {
    ms_run_options options = runs_small(2);
    options.log_every = 1; /* without step lines nothing is measured */
    ms_run *measured = runs_new(&options, "measured");
    ck_assert(measured->peak_flops > 0);
    ck_assert_int_eq(runs_count(measured->folder.log, "MFU"), 2); /* of the steps */
    ck_assert_int_eq(runs_count(measured->folder.metrics, "\"mfu\":null"), 0);
    peak_fails = true;
    ms_run *unmeasured = runs_new(&options, "unmeasured");
    ck_assert(unmeasured->peak_flops == 0);
    ck_assert_int_eq(runs_count(unmeasured->folder.log, "MFU: planted: no memory for a matmul"), 1);
    ck_assert_int_eq(runs_count(unmeasured->folder.log, "MFU"), 1);
    ck_assert_int_eq(runs_count(unmeasured->folder.metrics, "\"mfu\":null"), 2);
    ck_assert_str_eq(unmeasured->weights_sha256, measured->weights_sha256);
    ms_run_close(measured);
    ms_run_close(unmeasured);
}
END_TEST

START_TEST(a_peak_is_measured_in_what_the_run_stores) {
    static const ms_dtype storages[] = {MS_DTYPE_F32, MS_DTYPE_BF16};
    for (int i = 0; i < 2; i++) {
        ms_run_options options = runs_small(1);
        options.log_every = 1;
        options.trainer.model.storage = storages[i];
        ms_run *run = runs_new(&options, i == 0 ? "f32" : "bf16");
        ck_assert_int_eq(peak_dtype, storages[i]);
        ms_run_close(run);
    }
}
END_TEST

/* A step is not faster than the peak: that was measured on a busy machine. */
START_TEST(a_peak_that_is_too_low_is_measured_again) {
    ms_run_options options = runs_small(6);
    options.log_every = 1;
    n_low_peaks = 1;
    ms_run *run = runs_new(&options, "again");
    ck_assert_int_eq(n_peaks, 2);
    ck_assert_int_eq(runs_count(run->folder.log, "peak measured again"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, "MFU  >100%"), 0);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"mfu\":null"), 0);
    ms_run_close(run);
    n_peaks = 0;
    n_low_peaks = 1000;
    run = runs_new(&options, "low");
    ck_assert_int_eq(n_peaks, 4); /* not at every step */
    ck_assert_int_eq(runs_count(run->folder.log, "MFU  >100%"), 6);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"mfu\":null"), 6);
    ms_run_close(run);
}
END_TEST

/* Runs that learn nothing: one line each, and none for one that does. */
START_TEST(a_dead_run_is_said) {
    ms_run_options options = runs_small(20);
    ms_run *run = runs_new(&options, "alive");
    ck_assert_int_eq(runs_count(run->folder.log, " warning "), 0);
    ms_run_close(run);
    options.trainer.model.init_std = 0;
    run = runs_new(&options, "zero");
    ck_assert_int_eq(runs_count(run->folder.log, "step 1: the gradient of every weight is 0"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, "the loss has not moved"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, " warning "), 2);
    ms_run_close(run);
    options = runs_small(20); /* alive at first */
    options.trainer.optimizer.interventions.spectral_decay = 1000;
    run = runs_new(&options, "later");
    ck_assert_int_eq(runs_count(run->folder.log, "step 1: the gradient of every weight is 0"), 0);
    ck_assert_int_eq(runs_count(run->folder.log, "the gradient of every weight is 0: nothing is learned any more"), 1);
    ms_run_close(run);
    options = runs_small(4); /* shorter than the watch is */
    options.trainer.optimizer.muon.lr = options.trainer.optimizer.adamw.lr = 0;
    run = runs_new(&options, "slow");
    ck_assert_int_eq(runs_count(run->folder.log, "the learning rates were 0 in 4 steps"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, " warning "), 1);
    ms_run_close(run);
}
END_TEST

/* At a step that is not the first, of the run or of the process: nothing is said of initial weights. */
START_TEST(a_run_that_dies_is_said) {
    ms_run_options options = runs_small(3), longer = runs_small(6);
    options.tracker_every = longer.tracker_every = 0;
    ms_run_close(runs_new(&options, "run"));
    ms_run *run = runs_reopen(&longer, "run");
    for (int i = 0; i < run->trainer->model.n_parameters; i++) {
        int variable = run->trainer->model.parameters[i].variable;
        ms_shape shape = ms_variables_get(run->trainer->variables, variable)->shape;
        int64_t n = ms_shape_count(&shape);
        float *zeros = calloc((size_t)n, sizeof *zeros);
        ms_must(ms_store_upload(run->trainer->store, variable, 0, n, zeros));
        free(zeros);
    }
    ms_must(ms_run_train(run));
    ck_assert_int_eq(
        runs_count(run->folder.log, "step 4: the gradient of every weight is 0: nothing is learned any more"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, "the gradient of every weight"), 1);
    ms_run_close(run);
}
END_TEST

/* On the device that is open, in the trainer's place. */
START_TEST(a_trainer_refuses_what_does_not_fit_it) {
    const ms_trainer_options options = runs_small(1).trainer;
    const int length = options.model.sequence_length;
    ms_dataset *longer;
    const ms_dataset_options data = {.directory = MS_DATASET_SYNTHETIC,
                                     .split = "train",
                                     .sequence_length = 64 * length,
                                     .vocab_size = options.model.vocabulary};
    ms_must(ms_dataset_open(&data, &longer));
    ms_trainer *trainer;
    ms_must(ms_trainer_open(runs_device, &options, &trainer));
    ms_step_result result;
    double loss;
    ck_assert_int_eq(ms_trainer_step(trainer, ms_dataset_source(longer), NULL, &result), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "ms_trainer_allocate"));
    ms_must(ms_trainer_allocate(trainer));
    ck_assert_int_eq(ms_trainer_allocate(trainer), MS_INVALID);
    ms_must(ms_trainer_initialise(trainer));
    /* The trainer's buffers have room for its own sequences. */
    ck_assert_int_eq(ms_trainer_step(trainer, ms_dataset_source(longer), NULL, &result), MS_MISMATCH);
    char expected[96];
    snprintf(expected, sizeof expected, "sequences of %d tokens for a model of %d", 64 * length, length);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), expected));
    ck_assert_int_eq(ms_trainer_evaluate(trainer, ms_dataset_source(longer), 1, &loss), MS_MISMATCH);
    ms_trainer_close(trainer);
    ms_dataset_close(longer);
}
END_TEST

/* Many models have more ids than their tokenizer, to be a round number. */
START_TEST(ids_beyond_the_tokenizers_are_never_drawn) {
    runs_prepare_data("data");
    ms_run_options options = runs_small(1);
    options.data = data_path("data");
    options.trainer.model.vocabulary = 4096; /* of them 257 mean something */
    options.sample = (ms_sample_request){.prompt = "So it ", .n_tokens = 100, .sampling = {.temperature = 2}};
    ms_run *run = runs_new(&options, "run");
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ms_must(ms_run_sample(run, stream));
    fclose(stream);
    free(text);
    ms_run_close(run);
}
END_TEST

START_TEST(validation_that_goes_round_is_said) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(1);
    options.validation_every = 1;
    options.validation_sequences = 2;
    ms_run *run = runs_new(&options, "enough");
    ck_assert_int_eq(runs_count(run->folder.log, "more than once"), 0);
    options.validation_sequences = ms_dataset_sequences(run->validation) + 1;
    ms_run_close(run);
    run = runs_new(&options, "too_many");
    ck_assert_int_eq(runs_count(run->folder.log, "more than once"), 1);
    ms_run_close(run);
}
END_TEST

START_TEST(text_takes_the_trainers_place_on_the_device) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(2);
    options.validation_every = 2;
    options.validation_sequences = 2;
    options.sample = (ms_sample_request){.prompt = "So it ", .n_tokens = 5};
    ms_run *run = runs_new(&options, "run");
    ck_assert_int_eq(run->trainer->options.model.vocabulary, 257);
    ck_assert(run->last_validation > 0);
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ms_must(ms_run_sample(run, stream));
    fclose(stream);
    ck_assert_int_eq(n_opened, 1);
    ck_assert_ptr_null(run->trainer->store);
    const char *sample = strstr(text, ":\n\nSo it ");
    ck_assert_msg(sample && strlen(sample) > 9 && text[size - 1] == '\n', "'%s'", text);
    ck_assert_msg(strncmp(text, "\nsample of step 2: ", 19) == 0, "'%s'", text);
    ck_assert(ms_file_exists(run->folder.samples));
    free(text);
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_add_checked_fixture(tests, open_all, runs_close);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_resumed_run_has_the_bits_of_a_whole_one);
    tcase_add_test(tests, runs_can_share_their_initial_weights);
    tcase_add_test(tests, another_configuration_is_refused);
    tcase_add_test(tests, checkpoints_say_their_layout);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, a_peak_that_cannot_be_measured_is_a_line_of_the_log);
    tcase_add_test(tests, a_peak_is_measured_in_what_the_run_stores);
    tcase_add_test(tests, a_peak_that_is_too_low_is_measured_again);
    tcase_add_test(tests, a_dead_run_is_said);
    tcase_add_test(tests, a_run_that_dies_is_said);
    tcase_add_test(tests, a_trainer_refuses_what_does_not_fit_it);
    tcase_add_test(tests, ids_beyond_the_tokenizers_are_never_drawn);
    tcase_add_test(tests, validation_that_goes_round_is_said);
    tcase_add_test(tests, text_takes_the_trainers_place_on_the_device);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
