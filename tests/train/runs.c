#include "tests/train/runs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_prepare.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

ms_run_options runs_small(int64_t n_steps) {
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

ms_run_options runs_on_shards(int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.data = data_path("data");
    options.trainer.model.vocabulary = 0;
    return options;
}

ms_device *runs_device;

void runs_open(void) {
    data_folder_create();
    const ms_device_options options = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_must(ms_device_open(&options, &runs_device));
}

void runs_close(void) {
    ms_device_close(runs_device);
    data_folder_remove();
}

ms_run *runs_begin(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_must(ms_run_open(runs_device, options, &run));
    ms_must(ms_run_create(run, data_path(name)));
    return run;
}

ms_run *runs_new(const ms_run_options *options, const char *name) {
    ms_run *run = runs_begin(options, name);
    ms_must(ms_run_train(run));
    ck_assert_int_eq(run->trainer->step, options->n_steps);
    return run;
}

ms_run *runs_reopen(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(runs_device, options, &run));
    ms_must(ms_run_resume(run, &folder));
    ms_run_folder_close(&folder); /* the run has it: nothing happens */
    return run;
}

ms_run *runs_resume(const ms_run_options *options, const char *name) {
    ms_run *run = runs_reopen(options, name);
    ms_must(ms_run_train(run));
    return run;
}

int runs_count(const char *path, const char *part) {
    char *text;
    size_t size;
    int n = 0;
    ms_must(ms_file_read(path, &text, &size));
    for (const char *at = text; (at = strstr(at, part)); at++) n++;
    free(text);
    return n;
}

static void prepare_lines(const char *name, int n_lines) {
    data_write_tokenizer();
    const char *const lines = data_write_lines("lines.txt", n_lines);
    const ms_prepare_options prepare = {.tokenizer_path = data_path("small.json"),
                                        .directory = data_path(name),
                                        .files = &lines,
                                        .n_files = 1,
                                        .corpus = {.chunk_bytes = 256},
                                        .validation_fraction = 0.2};
    ms_sidecar sidecar;
    ms_must(ms_dataset_prepare(&prepare, &sidecar));
    ms_sidecar_finish(&sidecar);
}

void runs_prepare_data(const char *name) { prepare_lines(name, 400); }

void runs_prepare_other_data(const char *name) { prepare_lines(name, 410); }
