/* Runs through the library alone: made, trained, resumed; on one device that stays open; a peak that cannot be
   measured. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_prepare.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "train/peak.h"
#include "train/run.h"

static ms_device *device;
static bool peak_fails;
static int n_opened; /* devices */

/* The run's measurement comes here. */
ms_status __real_ms_peak_measure_once(ms_device *on, size_t most_bytes, double *out_flops);
ms_status __wrap_ms_peak_measure_once(ms_device *on, size_t most_bytes, double *out_flops);

ms_status __wrap_ms_peak_measure_once(ms_device *on, size_t most_bytes, double *out_flops) {
    if (!peak_fails) return __real_ms_peak_measure_once(on, most_bytes, out_flops);
    *out_flops = 0;
    return MS_FAIL(MS_OUT_OF_MEMORY, "planted: no memory for a product");
}

ms_status __real_ms_device_open(const ms_device_options *options, ms_device **out);
ms_status __wrap_ms_device_open(const ms_device_options *options, ms_device **out);

ms_status __wrap_ms_device_open(const ms_device_options *options, ms_device **out) {
    n_opened++;
    return __real_ms_device_open(options, out);
}

static void open_all(void) {
    data_folder_create();
    const ms_device_options options = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_must(ms_device_open(&options, &device));
    peak_fails = false;
}

static void close_all(void) {
    ms_device_close(device);
    data_folder_remove();
}

/* A model of two layers on the built-in data. */
static ms_run_options small(int64_t n_steps) {
    ms_run_options options = {.trainer = ms_trainer_defaults(),
                              .n_steps = n_steps,
                              .data = "synthetic",
                              .tracker_every = 2,
                              .log_level = MS_LOG_ERROR};
    ms_model_config *model = &options.trainer.model;
    model->layers = 2;
    model->width = model->feed_forward = 32;
    model->heads = 2;
    model->kv_heads = 1;
    model->head_size = 16;
    model->vocabulary = 64;
    model->sequence_length = 16;
    options.trainer.batch_sequences = 2;
    return options;
}

static ms_run *train_new(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_must(ms_run_open(device, options, &run));
    ms_must(ms_run_create(run, data_path(name)));
    ms_must(ms_run_train(run));
    ck_assert_int_eq(run->trainer->step, options->n_steps);
    return run;
}

static ms_run *resume(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(device, options, &run));
    ms_must(ms_run_resume(run, &folder));
    ms_run_folder_close(&folder); /* the run has it: nothing happens */
    ms_must(ms_run_train(run));
    return run;
}

static int count_lines_with(const char *path, const char *part) {
    char *text;
    size_t size;
    int n = 0;
    ms_must(ms_file_read(path, &text, &size));
    for (const char *at = text; (at = strstr(at, part)); at++) n++;
    free(text);
    return n;
}

START_TEST(a_resumed_run_has_the_bits_of_a_whole_one) {
    const ms_run_options whole_options = small(6), half_options = small(3);
    ms_run *whole = train_new(&whole_options, "whole"), *half = train_new(&half_options, "half");
    ck_assert_str_ne(half->weights_sha256, whole->weights_sha256);
    ms_run_close(half);
    half = resume(&whole_options, "half");
    ck_assert_int_eq(half->resumed_step, 3);
    ck_assert_str_eq(half->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->state_sha256, whole->state_sha256);
    ck_assert_int_eq(count_lines_with(whole->folder.metrics, "\"loss\""), 6);
    /* Snapshots at steps 1, 2, 4, 6 of four matrices a layer: qkvo counts as q, k, v and o. */
    ck_assert_int_eq(count_lines_with(whole->folder.spectra, "\"sigma_top\""), 4 * 2 * 6);
    ms_run_close(half);
    ms_run_close(whole);
}
END_TEST

START_TEST(another_configuration_is_refused) {
    ms_run_options options = small(2);
    options.fixed_text = "colour=red\n";
    ms_run_close(train_new(&options, "run"));
    options.fixed_text = "colour=blue\n";
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path("run"), &folder));
    ms_must(ms_run_open(device, &options, &run));
    ck_assert_int_eq(ms_run_resume(run, &folder), MS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "belongs to another configuration"));
    ck_assert_ptr_null(run->trainer->store); /* found out before any memory was taken */
    ms_run_close(run);
}
END_TEST

START_TEST(options_are_checked) {
    ms_run_options options = small(0);
    ms_run *run;
    ck_assert_int_eq(ms_run_open(device, &options, &run), MS_INVALID);
    ck_assert_ptr_null(run);
    options = small(1);
    options.data = NULL;
    ck_assert_int_eq(ms_run_open(device, &options, &run), MS_INVALID);
    options = small(1);
    options.validation_every = 1;
    ck_assert_int_eq(ms_run_open(device, &options, &run), MS_INVALID);
}
END_TEST

START_TEST(a_peak_that_cannot_be_measured_is_a_line_of_the_log) {
    ms_run_options options = small(2);
    options.log_every = 1; /* without step lines nothing is measured */
    ms_run *measured = train_new(&options, "measured");
    ck_assert(measured->peak_flops > 0);
    ck_assert_int_eq(count_lines_with(measured->folder.log, "MFU"), 2); /* of the steps */
    ck_assert_int_eq(count_lines_with(measured->folder.metrics, "\"mfu\":null"), 0);
    peak_fails = true;
    ms_run *unmeasured = train_new(&options, "unmeasured");
    ck_assert(unmeasured->peak_flops == 0);
    ck_assert_int_eq(count_lines_with(unmeasured->folder.log, "MFU: planted: no memory for a product"), 1);
    ck_assert_int_eq(count_lines_with(unmeasured->folder.log, "MFU"), 1);
    ck_assert_int_eq(count_lines_with(unmeasured->folder.metrics, "\"mfu\":null"), 2);
    ck_assert_str_eq(unmeasured->weights_sha256, measured->weights_sha256);
    ms_run_close(measured);
    ms_run_close(unmeasured);
}
END_TEST

/* On the device that is open, in the trainer's place. */
START_TEST(a_trainer_refuses_what_does_not_fit_it) {
    const ms_trainer_options options = small(1).trainer;
    const int length = options.model.sequence_length;
    ms_dataset *longer;
    const ms_dataset_options data = {.directory = MS_DATASET_SYNTHETIC,
                                     .split = "train",
                                     .sequence_length = 64 * length,
                                     .vocab_size = options.model.vocabulary};
    ms_must(ms_dataset_open(&data, &longer));
    ms_trainer *trainer;
    ms_must(ms_trainer_open(device, &options, &trainer));
    ms_step_result result;
    double loss;
    char weights[65], state[65];
    ck_assert_int_eq(ms_trainer_step(trainer, ms_dataset_source(longer), NULL, &result), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "ms_trainer_allocate"));
    ck_assert_int_eq(ms_trainer_evaluate(trainer, ms_dataset_source(longer), 1, &loss), MS_INVALID);
    ck_assert_int_eq(ms_trainer_initialise(trainer), MS_INVALID);
    ck_assert_int_eq(ms_trainer_hashes(trainer, weights, state), MS_INVALID);
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

START_TEST(text_takes_the_trainers_place_on_the_device) {
    data_write_tokenizer();
    const char *const lines = data_write_lines("lines.txt", 400);
    const ms_prepare_options prepare = {.tokenizer_path = data_path("small.json"),
                                        .directory = data_path("data"),
                                        .files = &lines,
                                        .n_files = 1,
                                        .corpus = {.chunk_bytes = 256},
                                        .validation_fraction = 0.2};
    ms_sidecar sidecar;
    ms_must(ms_dataset_prepare(&prepare, &sidecar));
    ms_sidecar_finish(&sidecar);
    ms_run_options options = small(2);
    options.data = data_path("data");
    options.trainer.model.vocabulary = 0;
    options.validation_every = 2;
    options.validation_sequences = 2;
    options.sample = (ms_text_request){.prompt = "So it ", .n_tokens = 5};
    ms_run *run = train_new(&options, "run");
    ck_assert_int_eq(run->trainer->options.model.vocabulary, 257);
    ck_assert(run->last_validation > 0);
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ms_must(ms_run_sample(run, stream));
    fclose(stream);
    ck_assert_int_eq(n_opened, 1);
    ck_assert_ptr_null(run->trainer->store);
    ck_assert_msg(strncmp(text, "So it ", 6) == 0 && size > 6 && text[size - 1] == '\n', "'%s'", text);
    free(text);
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_resumed_run_has_the_bits_of_a_whole_one);
    tcase_add_test(tests, another_configuration_is_refused);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, a_peak_that_cannot_be_measured_is_a_line_of_the_log);
    tcase_add_test(tests, a_trainer_refuses_what_does_not_fit_it);
    tcase_add_test(tests, text_takes_the_trainers_place_on_the_device);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
