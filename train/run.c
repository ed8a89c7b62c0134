/* Opening, starting, resuming and closing a run. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "train/peak.h"

/* ---- open and close ---- */

static ms_status check_options(const ms_run_options *options) {
    if (options->n_steps < 1)
        return MS_FAIL(MS_INVALID, "train: %lld steps, must be at least 1", (long long)options->n_steps);
    if (!options->data || !options->data[0]) return MS_FAIL(MS_INVALID, "train: no folder of data is named");
    if (options->validation_every > 0 && options->validation_sequences < 1)
        return MS_FAIL(MS_INVALID, "train: a validation of %lld sequences, must be at least 1",
                       (long long)options->validation_sequences);
    return MS_OK;
}

static ms_status open_split(const ms_run *run, const char *split, ms_dataset **out) {
    const ms_trainer_options *trainer = &run->options.trainer;
    ms_dataset_options options = {.directory = run->options.data,
                                  .split = split,
                                  .sequence_length = trainer->model.sequence_length,
                                  .seed = trainer->seed,
                                  .shuffle = strcmp(split, "train") == 0,
                                  .vocab_size = trainer->model.vocabulary};
    return ms_dataset_open(&options, out);
}

static ms_status open_data(ms_run *run) {
    MS_TRY(open_split(run, "train", &run->train));
    if (run->options.validation_every > 0) MS_TRY(open_split(run, "val", &run->validation));
    const char *path = ms_dataset_tokenizer_path(run->train);
    if (!path) return MS_OK;
    MS_TRY(ms_tokenizer_open(path, &run->tokenizer));
    const char *expected = ms_dataset_tokenizer_sha256(run->train), *found = ms_tokenizer_sha256(run->tokenizer);
    if (expected && strcmp(expected, found) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: SHA-256 %.12s..., but the shards were made with tokenizer %.12s...", path,
                       found, expected);
    return MS_OK;
}

static ms_status hash_fixed(const char *fixed_text, int32_t vocabulary, char out_hexadecimal[65]) {
    size_t size = strlen(fixed_text) + 64;
    char *text = malloc(size);
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for the configuration's hash");
    int used = snprintf(text, size, "vocabulary=%d\n%s", vocabulary, fixed_text);
    ms_status status = ms_sha256_bytes(text, (size_t)used, out_hexadecimal);
    free(text);
    return status;
}

static ms_status open_run(ms_run *run) {
    ms_trainer_options *trainer = &run->options.trainer;
    MS_TRY(ms_logger_create(run->options.log_level, &run->logger));
    MS_TRY(check_options(&run->options));
    MS_TRY(open_data(run));
    if (trainer->model.vocabulary == 0) trainer->model.vocabulary = ms_dataset_vocab_size(run->train);
    if (trainer->schedule.total_steps == 0) trainer->schedule.total_steps = run->options.n_steps;
    const char *fixed_text = run->options.fixed_text ? run->options.fixed_text : "";
    MS_TRY(hash_fixed(fixed_text, trainer->model.vocabulary, run->config_hash));
    return ms_trainer_open(run->device, trainer, &run->trainer);
}

ms_status ms_run_open(ms_device *device, const ms_run_options *options, ms_run **out) {
    *out = NULL;
    ms_run *run = calloc(1, sizeof *run);
    if (!run) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory");
    run->options = *options;
    run->device = device;
    run->folder = MS_RUN_FOLDER_CLOSED;
    run->resumed_step = run->saved_step = -1;
    run->last_loss = run->last_validation = NAN;
    ms_status status = open_run(run);
    if (status != MS_OK) {
        ms_run_close(run);
        return status;
    }
    *out = run;
    return MS_OK;
}

void ms_run_close(ms_run *run) {
    if (!run) return;
    ms_tracking_close(run->tracking);
    ms_run_log_close(run->metrics);
    ms_trainer_close(run->trainer);
    ms_dataset_close(run->train);
    ms_dataset_close(run->validation);
    ms_tokenizer_close(run->tokenizer);
    if (run->has_folder) ms_run_folder_close(&run->folder);
    ms_logger_destroy(run->logger);
    free(run);
}

/* ---- start ---- */

/* The peak is measured before the trainer's memory is taken, and in no more than that.  A run can do without it: a
   device that lacks the memory says so when the trainer asks for it. */
static void measure_peak(ms_run *run) {
    ms_status status = ms_peak_measure_once(run->device, run->trainer->facts.memory.total, &run->peak_flops);
    if (status != MS_OK) snprintf(run->peak_note, sizeof run->peak_note, "%.190s", ms_status_message());
}

/* Whole, before the first step: the data of a run is what it was prepared as, and what the checkpoint was trained on.
 */
static ms_status check_data(ms_run *run) {
    enum { WORTH_A_WORD = 1 << 30 };
    const double mib = 1048576;
    ms_dataset_contents train, validation = {0};
    int64_t size = ms_dataset_file_bytes(run->train);
    if (run->validation) size += ms_dataset_file_bytes(run->validation);
    if (size >= WORTH_A_WORD)
        ms_logger_write(run->logger, MS_LOG_INFO, "reading %.0f MiB of data to check them", (double)size / mib);
    double begin = ms_clock_seconds();
    MS_TRY(ms_dataset_check_contents(run->train, &train));
    if (run->validation) MS_TRY(ms_dataset_check_contents(run->validation, &validation));
    memcpy(run->train_sha256, train.sha256, sizeof run->train_sha256);
    memcpy(run->validation_sha256, validation.sha256, sizeof run->validation_sha256);
    if (size == 0) return MS_OK; /* synthetic */
    snprintf(run->data_note, sizeof run->data_note, "data: %d shards, %.1f MiB, %s, checked in %.2f s",
             train.n_shards + validation.n_shards, (double)size / mib,
             train.compared ? "SHA-256 as dataset.json has them" : "no dataset.json to compare with",
             ms_clock_seconds() - begin);
    return MS_OK;
}

static ms_status allocate(ms_run *run) {
    if (run->options.log_every > 0) measure_peak(run);
    return ms_trainer_allocate(run->trainer);
}

/* A validation takes whole batches, and goes round a split that is shorter. */
static void warn_of_repeated_validation(ms_run *run) {
    if (!run->validation) return;
    int64_t batch = run->options.trainer.batch_sequences, wanted = run->options.validation_sequences;
    int64_t n = (wanted + batch - 1) / batch * batch, there = ms_dataset_sequences(run->validation);
    if (n > there)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "validation takes %lld sequences (%lld in whole batches of %lld), the split has %lld: some are "
                        "taken more than once",
                        (long long)n, (long long)wanted, (long long)batch, (long long)there);
}

static ms_status open_logs(ms_run *run) {
    MS_TRY(ms_logger_attach(run->logger, run->folder.log));
    if (run->options.tracker_every > 0)
        MS_TRY(ms_tracking_open(run->trainer, &run->options.tracking, run->folder.spectra, run->resumed_step,
                                &run->tracking));
    MS_TRY(ms_run_log_open(run->folder.metrics, run->resumed_step, &run->metrics));
    char device[400];
    ms_run_device(run, device, sizeof device);
    ms_logger_file_only(run->logger, "device: %s", device);
    if (run->data_note[0]) ms_logger_write(run->logger, MS_LOG_INFO, "%s", run->data_note);
    warn_of_repeated_validation(run);
    if (run->peak_note[0])
        ms_logger_write(run->logger, MS_LOG_INFO, "peak not measured, so there is no MFU: %s", run->peak_note);
    return MS_OK;
}

/* The run keeps the tokenizer it was trained with, so that its text can be decoded wherever the data goes. */
static ms_status keep_tokenizer(ms_run *run) {
    if (!run->tokenizer) return MS_OK;
    char *path = ms_path_join(run->folder.path, "tokenizer.json");
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a path");
    ms_status status = ms_tokenizer_save(run->tokenizer, path);
    free(path);
    return status;
}

ms_status ms_run_create(ms_run *run, const char *path) {
    MS_TRY(ms_run_folder_check_new(path));
    MS_TRY(check_data(run));
    MS_TRY(allocate(run));
    MS_TRY(ms_run_folder_create(path, run->options.config_text ? run->options.config_text : "", &run->folder));
    run->has_folder = true;
    MS_TRY(keep_tokenizer(run));
    MS_TRY(ms_trainer_initialise(run->trainer));
    return open_logs(run);
}

/* ---- resume ---- */

/* An older program's checkpoint does not say what it was trained on. */
static ms_status check_identity(const ms_run *run, const ms_checkpoint *checkpoint, const char *key,
                                const char *found) {
    const ms_checkpoint_entry *entry;
    if (!found[0]) return MS_OK;
    ms_status status = ms_checkpoint_find(checkpoint, key, MS_CHECKPOINT_TEXT, &entry);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    if (strcmp(entry->text, found) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: the shards in %s are others than the run's: %s is %.12s..., was %.12s...",
                   run->folder.path, run->options.data, key, found, entry->text);
}

static ms_status check_checkpoint(const ms_run *run, const ms_checkpoint *checkpoint) {
    const ms_checkpoint_info *info = ms_checkpoint_get_info(checkpoint);
    if (strcmp(info->config_hash, run->config_hash) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: the checkpoint of step %lld belongs to another configuration",
                       run->folder.path, (long long)info->step);
    MS_TRY(check_identity(run, checkpoint, "train_sha256", run->train_sha256));
    MS_TRY(check_identity(run, checkpoint, "validation_sha256", run->validation_sha256));
    if (!run->tokenizer) return MS_OK;
    const ms_checkpoint_entry *entry;
    MS_TRY(ms_checkpoint_find(checkpoint, "tokenizer_sha256", MS_CHECKPOINT_TEXT, &entry));
    if (strcmp(entry->text, ms_tokenizer_sha256(run->tokenizer)) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: trained with tokenizer %.12s..., the data in %s has %.12s...",
                       run->folder.path, entry->text, run->options.data, ms_tokenizer_sha256(run->tokenizer));
    return MS_OK;
}

static ms_status restore(ms_run *run, const ms_checkpoint *checkpoint) {
    MS_TRY(check_data(run));
    MS_TRY(check_checkpoint(run, checkpoint));
    MS_TRY(allocate(run));
    MS_TRY(ms_trainer_load(run->trainer, checkpoint, run->train));
    run->resumed_step = run->saved_step = run->trainer->step;
    MS_TRY(open_logs(run));
    if (!run->tracking) return MS_OK;
    const ms_checkpoint_entry *entry;
    ms_status status = ms_checkpoint_find(checkpoint, "tracker_norms", MS_CHECKPOINT_TEXT, &entry);
    if (status == MS_NOT_FOUND) return MS_OK; /* tracking was off until now */
    MS_TRY(status);
    return ms_tracking_restore(run->tracking, entry->text);
}

ms_status ms_run_resume(ms_run *run, ms_run_folder *folder) {
    int64_t step;
    ms_checkpoint *checkpoint;
    run->folder = *folder;
    run->has_folder = true;
    *folder = MS_RUN_FOLDER_CLOSED;
    MS_TRY_NOTE(ms_checkpoint_latest(run->folder.checkpoints, &step), "cannot resume %s", run->folder.path);
    MS_TRY_NOTE(ms_checkpoint_open(run->folder.checkpoints, step, &checkpoint), "cannot resume %s", run->folder.path);
    ms_status status = restore(run, checkpoint);
    ms_checkpoint_close(checkpoint);
    return status;
}
