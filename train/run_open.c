/* Opening, starting and closing a run. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "train/parallel/group.h"
#include "train/peak.h"
#include "train/run_impl.h"
#include "train/settings.h"
#include "tracker/full_spectra.h"

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

/* The size of the probe, and the split that it comes from. */
static ms_status open_probe_data(ms_run *run) {
    ms_run_options *options = &run->options;
    if (!options->probe || options->tracker_every == 0) return MS_OK;
    MS_TRY_NOTE(open_split(run, "val", &run->probe_data), "tracker.probe, which false switches off");
    int64_t there = ms_dataset_sequences(run->probe_data), length = options->trainer.model.sequence_length;
    int64_t n = options->probe_sequences, tokens = options->probe_tokens;
    if (n > there)
        return MS_FAIL(MS_INVALID, "tracker.probe_sequences is %lld, the validation split has %lld sequences",
                       (long long)n, (long long)there);
    if (n == 0) n = there < MS_PROBE_SEQUENCES ? there : MS_PROBE_SEQUENCES;
    if (tokens == 0) tokens = length < MS_PROBE_TOKENS ? length : MS_PROBE_TOKENS;
    options->trainer.probe_sequences = (int32_t)n;
    options->trainer.probe_tokens = (int32_t)tokens;
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
    MS_TRY(open_probe_data(run));
    trainer->optimizer.captures = run->options.tracker_every > 0;
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
    ms_probe_close(run->probe);
    ms_run_log_close(run->metrics);
    ms_run_log_close(run->hashes);
    ms_watch_destroy(run->watch);
    ms_trainer_close(run->trainer);
    ms_dataset_close(run->train);
    ms_dataset_close(run->validation);
    ms_dataset_close(run->probe_data);
    ms_tokenizer_close(run->tokenizer);
    if (run->has_folder) ms_run_folder_close(&run->folder);
    free(run->history);
    free(run->deciles);
    ms_logger_destroy(run->logger);
    free(run);
}

/* ---- start ---- */

/* The peak, in the dtype of the run's activations, is measured before the trainer's memory is taken, and in no more.  A
   run can do without it: a device that lacks the memory says so when the trainer asks for it. */
static void measure_peak(ms_run *run) {
    ms_status status = ms_peak_measure_once(run->device, run->options.trainer.model.storage,
                                            run->trainer->facts.memory.total, &run->peak_flops);
    if (status != MS_OK) snprintf(run->peak_note, sizeof run->peak_note, "%.190s", ms_status_message());
}

/* For the loss by frequency of the target, which each validation gives. */
static ms_status count_tokens(ms_run *run) {
    int32_t n = ms_dataset_vocab_size(run->train);
    double begin = ms_clock_seconds();
    int64_t *counts = malloc((size_t)n * sizeof *counts), n_tokens = 0;
    free(run->deciles);
    run->deciles = malloc((size_t)n);
    ms_status status = counts && run->deciles
                           ? MS_OK
                           : MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for the frequencies of %d tokens", n);
    if (status == MS_OK) status = ms_dataset_count(run->train, counts, &n_tokens);
    if (status == MS_OK) status = ms_frequency_deciles(counts, n, run->deciles);
    free(counts);
    snprintf(run->deciles_note, sizeof run->deciles_note, "loss by frequency: %lld training tokens counted in %.2f s",
             (long long)n_tokens, ms_clock_seconds() - begin);
    return status;
}

ms_status ms_run_check_data(ms_run *run) {
    enum { WORTH_A_WORD = 1 << 30 };
    const double mib = 1048576;
    ms_dataset_contents train, validation = {0};
    const ms_dataset *split = run->validation ? run->validation : run->probe_data; /* NULL: it is not read */
    int64_t size = ms_dataset_file_bytes(run->train);
    if (split) size += ms_dataset_file_bytes(split);
    MS_TRY(ms_trainer_check_memory(run->trainer)); /* before what takes long */
    if (size >= WORTH_A_WORD)
        ms_logger_write(run->logger, MS_LOG_INFO, "reading %.0f MiB of data to check them", (double)size / mib);
    double begin = ms_clock_seconds();
    MS_TRY(ms_dataset_check_contents(run->train, &train));
    if (split) MS_TRY(ms_dataset_check_contents(split, &validation));
    double seconds = ms_clock_seconds() - begin;
    memcpy(run->train_sha256, train.sha256, sizeof run->train_sha256);
    memcpy(run->validation_sha256, validation.sha256, sizeof run->validation_sha256);
    if (run->validation) MS_TRY(count_tokens(run));
    if (size == 0) return MS_OK; /* synthetic */
    snprintf(run->data_note, sizeof run->data_note, "data: %d shards, %.1f MiB, %s, checked in %.2f s",
             train.n_shards + validation.n_shards, (double)size / mib,
             train.compared ? "SHA-256 as dataset.json has them" : "no dataset.json to compare with", seconds);
    return MS_OK;
}

ms_status ms_run_allocate(ms_run *run) {
    ms_group *group = run->options.trainer.group;
    MS_TRY(ms_run_compare_ranks(run));
    if (run->options.log_every > 0 && run->options.trainer.control != MS_CONTROL_NOISE) measure_peak(run);
    ms_status status = ms_trainer_allocate(run->trainer);
    return group ? ms_group_agree(group, status) : status;
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

static void warn_of_mending(ms_run *run, const char *path, const ms_run_log_mending *mending) {
    if (mending->n_bad > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "%s: dropped %lld lines that are no JSON object with a step and a value (the first: line %lld)",
                        path, (long long)mending->n_bad, (long long)mending->first_bad_line);
    if (mending->n_foreign > 0)
        ms_logger_write(
            run->logger, MS_LOG_WARNING,
            "%s: dropped %lld lines that lack what every line of it has, or are of no matrix or layer of the "
            "run (the first: line %lld)",
            path, (long long)mending->n_foreign, (long long)mending->first_foreign_line);
    if (mending->n_repeated > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "%s: dropped %lld lines that say again what an earlier one says (the first: line %lld)", path,
                        (long long)mending->n_repeated, (long long)mending->first_repeated_line);
    if (mending->n_back > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "%s: dropped %lld lines that go back in steps (the first: line %lld)", path,
                        (long long)mending->n_back, (long long)mending->first_back_line);
}

static void warn_of_mended_snapshots(ms_run *run, const char *path, const ms_run_log_mending *mending) {
    warn_of_mending(run, path, mending);
    if (mending->n_missing > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "%s: %lld lines of snapshots up to the checkpoint are missing (the first: step %lld)", path,
                        (long long)mending->n_missing, (long long)mending->first_missing_step);
}

static void warn_of_mended_steps(ms_run *run, const char *path, const ms_run_log_mending *mending) {
    warn_of_mending(run, path, mending);
    if (mending->n_missing > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING,
                        "%s: %lld of the %lld steps up to the checkpoint have no line (the first: step %lld)", path,
                        (long long)mending->n_missing, (long long)run->resumed_step,
                        (long long)mending->first_missing_step);
}

static void warn_of_mended_logs(ms_run *run) {
    warn_of_mended_steps(run, run->folder.metrics, ms_run_log_get_mending(run->metrics));
    if (run->tracking) warn_of_mended_snapshots(run, run->folder.spectra, ms_tracking_mending(run->tracking));
    const ms_run_log_mending *full = run->tracking ? ms_tracking_full_mending(run->tracking) : NULL;
    if (full) warn_of_mended_snapshots(run, run->folder.full_index, full);
    const ms_run_log_mending *steps = run->tracking ? ms_tracking_step_mending(run->tracking) : NULL;
    if (steps) warn_of_mended_steps(run, run->folder.sigma_max, steps);
    if (run->probe) warn_of_mended_snapshots(run, run->folder.probes, ms_probe_mending(run->probe));
    if (run->hashes) warn_of_mended_snapshots(run, run->folder.hashes, ms_run_log_get_mending(run->hashes));
}

/* Steps between the snapshots that a run has made: those of now, unless the tracker was set otherwise at some
   resumption, or may have skipped some.  0: not known. */
static int64_t planned_every(const ms_run *run) {
    bool is_known = run->options.settings_text && run->options.settings_text[0];
    bool changed = run->history && strstr(run->history, ": tracker.");
    return !is_known || changed || run->options.tracking.when_behind != MS_WHEN_BEHIND_WAIT
               ? 0
               : run->options.tracker_every;
}

/* Where a log is written no more, its lines of steps after the checkpoint go. */
static ms_status cut_log(ms_run *run, const char *path, const ms_run_log_key *keys) {
    const ms_run_log_plan plan = {.every = 0, .lines_per_step = 1, .keys = keys};
    ms_run_log *log;
    if (run->resumed_step < 0 || !ms_file_exists(path)) return MS_OK;
    MS_TRY(ms_run_log_open(path, run->resumed_step, &plan, &log));
    warn_of_mending(run, path, ms_run_log_get_mending(log));
    return ms_run_log_close(log);
}

static ms_status cut_logs(ms_run *run) {
    if (!run->tracking) MS_TRY(cut_log(run, run->folder.spectra, ms_run_log_spectra_keys));
    if (!run->tracking || !run->options.tracking.every_step)
        MS_TRY(cut_log(run, run->folder.sigma_max, ms_run_log_sigma_max_keys));
    if (!run->probe) MS_TRY(cut_log(run, run->folder.probes, ms_run_log_probes_keys));
    return run->hashes ? MS_OK : cut_log(run, run->folder.hashes, ms_run_log_hashes_keys);
}

static ms_status open_hashes(ms_run *run) {
    bool changed = run->history && strstr(run->history, ": train.hash_every ");
    const ms_run_log_plan plan = {
        .every = changed ? 0 : run->options.hash_every, .lines_per_step = 1, .keys = ms_run_log_hashes_keys};
    return run->options.hash_every > 0 ? ms_run_log_open(run->folder.hashes, run->resumed_step, &plan, &run->hashes)
                                       : MS_OK;
}

/* Where no more complete spectra are kept, those of steps after the checkpoint go. */
static ms_status cut_full_spectra(ms_run *run) {
    ms_run_log_mending mending;
    MS_TRY(ms_full_spectra_cut(run->folder.full, run->resumed_step, &mending));
    warn_of_mending(run, run->folder.full_index, &mending);
    return MS_OK;
}

static ms_status open_probe(ms_run *run, int64_t planned_every) {
    if (!run->probe_data) return MS_OK;
    const ms_tracking_options *tracking = &run->options.tracking;
    const ms_probe_options options = {.path = run->folder.probes,
                                      .n_threads = tracking->n_threads,
                                      .when_behind = tracking->when_behind,
                                      .resume_after_step = run->resumed_step,
                                      .planned_every = planned_every,
                                      .watch = run->watch};
    return ms_probe_open(run->trainer, run->probe_data, &options, &run->probe);
}

/* A resumed run has said what its lines showed until now. */
static ms_status replay_watch(ms_run *run) {
    if (run->resumed_step < 0) return MS_OK;
    MS_TRY(ms_watch_replay(run->watch, MS_WATCH_METRICS, run->folder.metrics));
    if (run->tracking) MS_TRY(ms_watch_replay(run->watch, MS_WATCH_SPECTRA, run->folder.spectra));
    return run->probe ? ms_watch_replay(run->watch, MS_WATCH_PROBES, run->folder.probes) : MS_OK;
}

static ms_status check_log(const char *path) {
    FILE *log;
    int file;
    if (!ms_file_exists(path) && !ms_is_link(path)) return MS_OK;
    MS_TRY(ms_file_open_log(path, true, &log));
    fclose(log);
    MS_TRY(ms_file_open(path, &file));
    ms_descriptor_close(file);
    return MS_OK;
}

ms_status ms_run_check_logs(const ms_run *run) {
    const ms_run_folder *folder = &run->folder;
    int spectra;
    ms_status status = ms_directory_open(folder->full, &spectra);
    if (status == MS_OK) ms_descriptor_close(spectra);
    if (status != MS_NOT_FOUND) MS_TRY(status);
    MS_TRY(check_log(folder->full_index));
    MS_TRY(check_log(folder->metrics));
    MS_TRY(check_log(folder->hashes));
    MS_TRY(check_log(folder->samples));
    MS_TRY(check_log(folder->spectra));
    MS_TRY(check_log(folder->sigma_max));
    return check_log(folder->probes);
}

void ms_run_warn_of_samples(ms_run *run, int64_t n_foreign) {
    if (n_foreign == 0) return;
    ms_logger_write(run->logger, MS_LOG_WARNING, "%s: dropped %lld bytes that are no sample", run->folder.samples,
                    (long long)n_foreign);
}

ms_status ms_run_open_logs(ms_run *run) {
    MS_TRY(ms_watch_create(run->options.n_steps, run->logger, &run->watch));
    ms_tracking_options tracking = run->options.tracking;
    tracking.planned_every = planned_every(run);
    tracking.watch = run->watch;
    tracking.full_folder = run->options.spectra == MS_SPECTRA_FULL ? run->folder.full : NULL;
    const ms_tracking_files files = {run->folder.spectra, run->folder.sigma_max, run->resumed_step};
    if (!tracking.full_folder || run->options.tracker_every == 0) MS_TRY(cut_full_spectra(run));
    if (run->options.tracker_every > 0) MS_TRY(ms_tracking_open(run->trainer, &tracking, &files, &run->tracking));
    MS_TRY(open_probe(run, tracking.planned_every));
    const ms_run_log_plan a_line_a_step = {.every = 1, .lines_per_step = 1, .keys = ms_run_log_metrics_keys};
    MS_TRY(ms_run_log_open(run->folder.metrics, run->resumed_step, &a_line_a_step, &run->metrics));
    MS_TRY(open_hashes(run));
    MS_TRY(cut_logs(run));
    warn_of_mended_logs(run);
    MS_TRY(replay_watch(run));
    char device[400];
    ms_run_device(run, device, sizeof device);
    ms_logger_file_only(run->logger, "device: %s", device);
    if (run->data_note[0]) ms_logger_write(run->logger, MS_LOG_INFO, "%s", run->data_note);
    if (run->deciles_note[0]) ms_logger_file_only(run->logger, "%s", run->deciles_note);
    const char *note = run->tracking ? ms_tracking_note(run->tracking) : NULL;
    if (note) ms_logger_write(run->logger, MS_LOG_WARNING, "%s", note);
    warn_of_repeated_validation(run);
    ms_run_warn_of_settings(run);
    if (run->peak_note[0])
        ms_logger_write(run->logger, MS_LOG_INFO, "peak not measured, so there is no MFU: %s", run->peak_note);
    return MS_OK;
}

ms_status ms_run_begin(ms_run *run) {
    MS_TRY(ms_run_keep_copies(run));
    const ms_weight_source *initial = &run->options.initial;
    MS_TRY(initial->fill ? ms_trainer_initialise_from(run->trainer, initial) : ms_trainer_initialise(run->trainer));
    return ms_run_open_logs(run);
}

ms_status ms_run_config_file(const ms_run *run, char **out_text) {
    const char *config_text = run->options.config_text, *history = run->history;
    return ms_settings_file(config_text ? config_text : "", history ? history : "", out_text);
}

static ms_status create_and_begin(ms_run *run, const char *path, const char *config_text) {
    MS_TRY(ms_run_folder_create(path, config_text, &run->folder));
    run->has_folder = true;
    MS_TRY(ms_logger_attach(run->logger, run->folder.log));
    return ms_run_begin(run);
}

ms_status ms_run_create(ms_run *run, const char *path) {
    MS_TRY(ms_run_folder_check_new(path));
    MS_TRY(ms_run_check_data(run));
    MS_TRY(ms_run_allocate(run));
    char *text;
    MS_TRY(ms_run_config_file(run, &text));
    ms_status status = create_and_begin(run, path, text);
    free(text);
    if (status == MS_OK || !run->has_folder) return status;
    return ms_run_folder_discard(status, &run->folder);
}
