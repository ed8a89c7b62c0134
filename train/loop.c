/* The step loop of a run. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/progress.h"
#include "platform/shell.h"
#include "platform/signals.h"
#include "train/parallel/group.h"
#include "train/peak.h"
#include "train/run_impl.h"
#include "train/weight_hashes.h"
#include "train/samples.h"
#include "train/text_print.h"

/* Appends one object and drops it. */
static ms_status append(ms_run *run, json_t *object) {
    if (!object) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a line of metrics");
    ms_status status = ms_run_log_append(run->metrics, object);
    json_t *lines = json_pack("[o]", object); /* which owns it now */
    if (!lines) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a line of metrics");
    if (status == MS_OK) status = ms_watch_lines(run->watch, MS_WATCH_METRICS, lines);
    json_decref(lines);
    return status;
}

static ms_status log_step(ms_run *run, const ms_step_result *result, const ms_step_line *line) {
    return append(run,
                  json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "step", (json_int_t)run->trainer->step,
                            "tokens", (json_int_t)run->trainer->tokens_seen, "loss", ms_run_log_real(result->loss),
                            "lr", ms_run_log_real(line->lr), "adamw_lr", ms_run_log_real(result->adamw_lr), "grad_norm",
                            ms_run_log_real(result->gradient_norm), "ms", ms_run_log_real(line->milliseconds),
                            "tokens_per_second", ms_run_log_real(line->tokens_per_second), "mfu",
                            ms_run_log_real(line->mfu < 0 || line->mfu > 1 ? NAN : line->mfu)));
}

/* Bits per byte of text, from nats per token; NAN where the size of the text is not known. */
static double bits_per_byte(const ms_run *run, double loss) {
    double bytes = (double)ms_dataset_text_bytes(run->validation), tokens = (double)ms_dataset_tokens(run->validation);
    return bytes > 0 ? loss / log(2.0) * tokens / bytes : NAN;
}

/* The line of a validation.  A jansson call that runs out of memory leaves it short: the count of keys tells. */
static ms_status log_validation(ms_run *run, double bpb, const ms_frequency_losses *by_frequency) {
    enum { N_KEYS = 6 };
    json_t *losses = json_array(), *targets = json_array(), *line = json_object();
    for (int i = 0; i < MS_FREQUENCY_DECILES; i++) {
        json_array_append_new(losses, ms_run_log_real(by_frequency->sum[i] / (double)by_frequency->count[i]));
        json_array_append_new(targets, json_integer(by_frequency->count[i]));
    }
    bool complete = json_array_size(losses) == MS_FREQUENCY_DECILES && json_array_size(targets) == MS_FREQUENCY_DECILES;
    json_object_set_new(line, "step", json_integer(run->trainer->step));
    json_object_set_new(line, "tokens", json_integer(run->trainer->tokens_seen));
    json_object_set_new(line, "validation_loss", ms_run_log_real(run->last_validation));
    json_object_set_new(line, "validation_bits_per_byte", ms_run_log_real(bpb));
    json_object_set_new(line, "loss_by_frequency", losses);
    json_object_set_new(line, "targets_by_frequency", targets);
    if (complete && json_object_size(line) == N_KEYS) return append(run, line);
    json_decref(line);
    return append(run, NULL);
}

static ms_status validate(ms_run *run, ms_progress *progress) {
    double loss;
    ms_frequency_losses by_frequency = {.deciles = run->deciles};
    MS_TRY(ms_dataset_seek(run->validation, 0));
    ms_status status = ms_trainer_evaluate_by_frequency(run->trainer, ms_dataset_source(run->validation),
                                                        run->options.validation_sequences, &by_frequency, &loss);
    run->validation_cut = status == MS_INTERRUPTED; /* the resumed run finds no line of it, and makes it */
    if (run->validation_cut) return MS_OK;
    MS_TRY(status);
    run->last_validation = loss;
    double bpb = bits_per_byte(run, run->last_validation);
    if (run->options.log_every > 0) {
        char text[200];
        const ms_step_line line = {.step = run->trainer->step, .n_steps = run->options.n_steps, .loss = loss};
        ms_progress_print(progress, ms_validation_line_text(&line, bpb, text, sizeof text));
        ms_logger_file_only(run->logger, "%s", text);
    }
    return log_validation(run, bpb, &by_frequency);
}

/* What a checkpoint says beside the trainer's own.  Texts are borrowed, from the run or from `tracker`, the tracker's
   (NULL: it has none). */
static ms_status fill_entries(const ms_run *run, char *const tracker[MS_TRACKING_N_TEXTS], ms_checkpoint_entry *entries,
                              size_t *out_n) {
    const ms_run_options *options = &run->options;
    const struct {
        const char *key, *text;
    } texts[] = {{"tokenizer_sha256", run->tokenizer ? ms_tokenizer_sha256(run->tokenizer) : NULL},
                 {"train_sha256", run->train_sha256},
                 {"validation_sha256", run->validation_sha256[0] ? run->validation_sha256 : NULL},
                 {"settings", options->settings_text ? options->settings_text : ""},
                 {"history", run->history ? run->history : ""}};
    double lr, adamw_lr;
    size_t n = 0;
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++)
        if (tracker[i])
            entries[n++] =
                (ms_checkpoint_entry){.key = ms_tracking_text_keys[i], .kind = MS_CHECKPOINT_TEXT, .text = tracker[i]};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text)
            entries[n++] =
                (ms_checkpoint_entry){.key = texts[i].key, .kind = MS_CHECKPOINT_TEXT, .text = texts[i].text};
    MS_TRY(ms_trainer_next_rates(run->trainer, &lr, &adamw_lr));
    entries[n++] = (ms_checkpoint_entry){.key = "next_lr", .kind = MS_CHECKPOINT_REAL, .real = lr};
    entries[n++] = (ms_checkpoint_entry){.key = "next_adamw_lr", .kind = MS_CHECKPOINT_REAL, .real = adamw_lr};
    *out_n = n;
    return MS_OK;
}

/* config.yaml is what a resumption begins with. */
static ms_status check_config(const ms_run *run) {
    char *wanted, *found = NULL;
    size_t size;
    MS_TRY(ms_run_config_file(run, &wanted));
    ms_status status = ms_file_read(run->folder.config, &found, &size);
    if (status != MS_OUT_OF_MEMORY && (status != MS_OK || strcmp(found, wanted) != 0))
        status = MS_FAIL(MS_IO, "%s was %s while the run was being written", run->folder.config,
                         status == MS_NOT_FOUND ? "removed" : "changed or replaced");
    free(wanted);
    free(found);
    return status;
}

/* Whether what the run has written is still where it was put: lines that are appended to a file without a name are
   lost. */
static ms_status check_files(const ms_run *run) {
    MS_TRY(ms_run_folder_check(&run->folder));
    MS_TRY(check_config(run));
    MS_TRY(ms_logger_check_file(run->logger));
    MS_TRY(ms_run_log_check(run->metrics));
    if (run->hashes) MS_TRY(ms_run_log_check(run->hashes));
    if (run->tracking) MS_TRY(ms_tracking_check_files(run->tracking));
    return run->probe ? ms_probe_check_file(run->probe) : MS_OK;
}

/* The folder is looked at before, so that nothing is written elsewhere, and its files when the checkpoint is there:
   what was trained is not lost with them. */
static ms_status save(ms_run *run) {
    ms_checkpoint_entry entries[MS_MAX_SAVE_ENTRIES];
    size_t n = 0;
    char *tracker[MS_TRACKING_N_TEXTS] = {NULL};
    ms_status status = MS_OK;
    MS_TRY(ms_run_folder_check(&run->folder));
    if (run->tracking) {
        MS_TRY(ms_tracking_drain(run->tracking));
        status = ms_tracking_state(run->tracking, tracker);
    }
    if (status == MS_OK && run->probe) status = ms_probe_drain(run->probe);
    if (status == MS_OK) status = fill_entries(run, tracker, entries, &n);
    ms_save_request request = {run->train, run->config_hash, entries, n, .folder_exists = true};
    if (status == MS_OK)
        status =
            ms_trainer_save(run->trainer, run->folder.checkpoints, &request, run->weights_sha256, run->state_sha256);
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++) free(tracker[i]);
    /* Looked at again: a folder that is gone is why saving failed, and in another nothing is removed. */
    ms_status there = ms_run_folder_check(&run->folder);
    if (there != MS_OK) status = there;
    if (status == MS_OK && run->options.checkpoints_kept > 0)
        status = ms_checkpoint_prune(run->folder.checkpoints, run->options.checkpoints_kept);
    if (status != MS_OK) return ms_status_note(status, "checkpoint of step %lld", (long long)run->trainer->step);
    run->saved_step = run->trainer->step;
    ms_logger_file_only(run->logger, "step %lld: checkpoint saved, weights_sha256 %s optimizer_state_sha256 %s",
                        (long long)run->trainer->step, run->weights_sha256, run->state_sha256);
    return check_files(run);
}

static bool due(int64_t step, int64_t every, int64_t last) { return every > 0 && (step % every == 0 || step == last); }

/* A snapshot at the first step, at every cadence step and at the last one. */
static bool snapshot_due(const ms_run *run, int64_t step) {
    return step == 1 || due(step, run->options.tracker_every, run->options.n_steps);
}

/* A step that is faster than the peak: this was measured when the machine was busy.  It is measured again, as at the
   start, and no more than a few times; a step that is faster all the same is marked by its line. */
static ms_status measure_peak_again(ms_run *run) {
    enum { MOST_TIMES = 3 };
    double flops = 0;
    if (run->n_peaks_again == MOST_TIMES) return MS_OK;
    run->n_peaks_again++;
    /* The tracker's LAPACK must not meet another number of threads, which would change its bits. */
    if (run->tracking) MS_TRY(ms_tracking_drain(run->tracking));
    if (run->probe) MS_TRY(ms_probe_drain(run->probe));
    ms_status status =
        ms_peak_measure_once(run->device, run->options.trainer.model.storage, run->trainer->facts.memory.total, &flops);
    if (status != MS_OK || flops <= run->peak_flops) return MS_OK;
    ms_logger_write(run->logger, MS_LOG_INFO, "peak measured again, since a step was faster: %.4g GFLOP/s, was %.4g",
                    flops / 1e9, run->peak_flops / 1e9);
    run->peak_flops = flops;
    return MS_OK;
}

/* Negative: none.  Ranks are taken to be equally fast.  Noise takes none of the model's arithmetic. */
static double mfu(const ms_run *run, double seconds) {
    if (run->options.trainer.control == MS_CONTROL_NOISE) return -1;
    const ms_trainer_facts *facts = &run->trainer->facts;
    double flops = (double)facts->tokens_per_step * facts->model_flops_per_token / seconds;
    double n_ranks = run->options.trainer.group ? ms_group_size(run->options.trainer.group) : 1;
    return run->peak_flops > 0 ? flops / (run->peak_flops * n_ranks) : -1;
}

static ms_step_line describe(const ms_run *run, const ms_step_result *result, double seconds,
                             double *smoothed_seconds) {
    const ms_trainer_facts *facts = &run->trainer->facts;
    bool reads = run->options.trainer.control != MS_CONTROL_NOISE;
    double rate = reads ? (double)facts->tokens_per_step / seconds : NAN;
    *smoothed_seconds = ms_progress_smooth(*smoothed_seconds, seconds);
    return (ms_step_line){.step = run->trainer->step,
                          .n_steps = run->options.n_steps,
                          .loss = result->loss,
                          .lr = result->lr,
                          .gradient_norm = result->gradient_norm,
                          .milliseconds = 1e3 * seconds,
                          .tokens_per_second = rate,
                          .mfu = mfu(run, seconds),
                          .eta_seconds = *smoothed_seconds * (double)(run->options.n_steps - run->trainer->step)};
}

static void log_choice(void *context, const char *line) {
    const ms_run *run = context;
    ms_logger_file_only(run->logger, "chosen by the device's library: %s", line);
}

static ms_status one_step(ms_run *run, ms_progress *progress, double *smoothed_seconds) {
    double begin = ms_clock_seconds();
    ms_step_result result;
    ms_step_hooks hooks = {0};
    if (run->tracking) MS_TRY(ms_tracking_hooks(run->tracking, snapshot_due(run, run->trainer->step + 1), &hooks));
    MS_TRY(ms_trainer_step(run->trainer, ms_dataset_source(run->train), &hooks, &result));
    if (run->tracking) ms_tracking_after_update(run->tracking);
    run->n_choices = ms_device_choices(run->device, run->n_choices, log_choice, run);
    double seconds = ms_clock_seconds() - begin;
    if (mfu(run, seconds) > 1) MS_TRY(measure_peak_again(run));
    ms_step_line line = describe(run, &result, seconds, smoothed_seconds);
    run->last_loss = result.loss;
    MS_TRY(log_step(run, &result, &line));
    if (run->options.log_every > 0 && ms_progress_step(progress, &line)) {
        char text[200];
        ms_logger_file_only(run->logger, "%s", ms_step_line_text(&line, text, sizeof text));
    }
    return MS_OK;
}

static ms_status loop(ms_run *run, ms_progress *progress) {
    double smoothed_seconds = 0; /* a step */
    while (run->trainer->step < run->options.n_steps && !ms_signals_received()) {
        MS_TRY(one_step(run, progress, &smoothed_seconds));
        int64_t step = run->trainer->step;
        if (run->probe && snapshot_due(run, step)) MS_TRY(ms_probe_take(run->probe));
        if (run->hashes && (step == 1 || due(step, run->options.hash_every, run->options.n_steps)))
            MS_TRY(ms_weight_hashes_append(run->trainer, run->hashes));
        if (run->validation && due(step, run->options.validation_every, run->options.n_steps))
            MS_TRY(validate(run, progress));
        if (due(step, run->options.checkpoint_every, run->options.n_steps) || step == run->options.n_steps)
            MS_TRY(save(run));
    }
    return MS_OK;
}

static bool is_finished(const ms_run *run) {
    int64_t step = run->trainer->step;
    return step >= run->options.n_steps && run->saved_step == step && !run->validation_cut;
}

static ms_status stop(ms_run *run, int signal) {
    MS_TRY(run->saved_step == run->trainer->step ? check_files(run) : save(run));
    run->stopped = true;
    MS_FAIL(MS_INTERRUPTED, "%s: stopped after step %lld of %lld, everything saved; go on with --resume %s",
            ms_signal_name(signal), (long long)run->trainer->step, (long long)run->options.n_steps,
            ms_shell_quote(run->folder.path).text);
    ms_logger_write(run->logger, MS_LOG_INFO, "%s", ms_status_message());
    return MS_INTERRUPTED;
}

/* The validation of the step that was resumed at, where it is due and a signal kept it from being made. */
static ms_status validate_late(ms_run *run, ms_progress *progress) {
    int64_t step = run->resumed_step;
    bool found = true;
    if (run->validation && due(step, run->options.validation_every, run->options.n_steps))
        MS_TRY(ms_run_log_find(run->folder.metrics, step, "validation_loss", &found));
    return found ? MS_OK : validate(run, progress);
}

static void say_when_nothing_is_to_do(ms_run *run) {
    long long step = (long long)run->resumed_step, n_steps = (long long)run->options.n_steps;
    if (step < n_steps) return;
    if (run->left_alone) {
        ms_logger_write(
            run->logger, MS_LOG_WARNING,
            "nothing to do: the checkpoint named in %s has made %lld steps, and %lld are asked for; the run "
            "is left as it is, with %d checkpoints of later steps; more with --steps",
            run->folder.path, step, n_steps, run->n_later);
        return;
    }
    ms_logger_write(
        run->logger, step > n_steps ? MS_LOG_WARNING : MS_LOG_INFO,
        "nothing to do: %s has made %lld steps, and %lld are asked for; more with --steps, fewer from an older "
        "checkpoint with --step",
        run->folder.path, step, n_steps);
}

/* Before the first step: what is known of the weights as they are. */
static ms_status begin(ms_run *run, ms_progress *progress) {
    if (run->resumed_step >= 0) {
        MS_TRY(ms_trainer_hashes(run->trainer, run->weights_sha256, run->state_sha256));
        ms_logger_write(run->logger, MS_LOG_INFO, "resumed %s at step %lld", run->folder.path,
                        (long long)run->resumed_step);
        say_when_nothing_is_to_do(run);
        return run->left_alone ? MS_OK : validate_late(run, progress);
    }
    /* A checkpoint of step 0: from here on a run can always be resumed, however it ends. */
    if (run->validation) MS_TRY(validate(run, progress));
    if (run->probe) MS_TRY(ms_probe_take(run->probe));
    if (run->tracking) MS_TRY(ms_tracking_take_first(run->tracking));
    if (run->hashes) MS_TRY(ms_weight_hashes_append(run->trainer, run->hashes));
    return save(run);
}

static void warn_of_skipped(ms_run *run, const char *what, int64_t n) {
    if (n > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING, "the %s could not keep up: %lld snapshots were skipped", what,
                        (long long)n);
}

static ms_status close_snapshots(ms_run *run) {
    if (run->tracking) warn_of_skipped(run, "tracker", ms_tracking_n_skipped(run->tracking));
    if (run->probe) warn_of_skipped(run, "probe", ms_probe_n_skipped(run->probe));
    ms_status status = ms_tracking_close(run->tracking);
    run->tracking = NULL;
    ms_status closed = ms_probe_close(run->probe);
    run->probe = NULL;
    return status == MS_OK ? closed : status;
}

ms_status ms_run_train(ms_run *run) {
    ms_progress progress;
    ms_progress_init(stdout, run->options.log_every > 0 ? run->options.log_every : 1, &progress);
    /* mpirun gives a rank a terminal of its own wherever what it prints goes. */
    if (run->options.trainer.group) progress.live = false;
    MS_TRY(ms_signals_catch());
    ms_status status = begin(run, &progress);
    if (status == MS_OK) status = loop(run, &progress);
    ms_progress_break(&progress);
    run->finished = status == MS_OK && is_finished(run);
    if (status == MS_OK && !run->finished && ms_signals_received()) status = stop(run, ms_signals_received());
    ms_signals_release();
    if (status == MS_OK || run->stopped) {
        ms_status closed = close_snapshots(run);
        if (closed != MS_OK) status = closed;
        if (run->watch) ms_watch_end(run->watch);
    }
    if (status == MS_OK && !run->left_alone) status = check_files(run);
    if (status == MS_OK || status == MS_INTERRUPTED) return status;
    ms_logger_file_only(run->logger, "ended by an error: %s: %s", ms_status_text(status), ms_status_message());
    bool is_run = run->saved_step >= 0 || run->resumed_step >= 0 || run->begins_again;
    return is_run ? status : ms_run_folder_discard(status, &run->folder);
}

/* Keeps what was drawn of a run that is finished or was asked for it again. */
static ms_status draw_sample(ms_run *run, const ms_text_source *source, FILE *stream) {
    const ms_sample_request *sample = &run->options.sample;
    const ms_text_prompt prompt = {
        .place = "sample.prompt", .text = sample->prompt, .size_bytes = strlen(sample->prompt)};
    const ms_text_request request = {.prompts = &prompt,
                                     .n_prompts = 1,
                                     .n_samples = 1,
                                     .n_at_once = 1,
                                     .n_tokens = sample->n_tokens,
                                     .sampling = sample->sampling};
    char heading[MS_SAMPLE_HEADING_SIZE], *text = NULL;
    size_t size = 0;
    FILE *copy = open_memstream(&text, &size);
    if (!copy) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a text");
    int64_t step = run->trainer->step;
    fprintf(stream, "\nsample of %s:\n\n", ms_sample_heading(step, &sample->sampling, heading));
    ms_text_printer printer = {.stream = stream, .copy = copy};
    ms_text_sink sink = ms_text_printer_sink(&printer);
    ms_status status = ms_generate_from_run(run->device, source, &request, &sink);
    ms_text_printer_finish(&printer);
    if (fclose(copy) != 0 && status == MS_OK) status = MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a text");
    if (status == MS_OK) status = ms_run_folder_check(&run->folder);
    int64_t n_foreign = 0;
    if (status == MS_OK) status = ms_samples_add(run->folder.samples, step, &sample->sampling, text, size, &n_foreign);
    ms_run_warn_of_samples(run, n_foreign);
    free(text);
    return status;
}

ms_status ms_run_sample(ms_run *run, FILE *stream) {
    bool is_control = run->options.trainer.control != MS_CONTROL_NONE;
    if (!run->tokenizer || run->options.sample.n_tokens < 1 || is_control || run->left_alone) return MS_OK;
    ms_text_source source = {run->trainer->options.model, run->folder.checkpoints, -1, run->tokenizer,
                             run->end_of_text};
    ms_trainer_release(run->trainer);
    return draw_sample(run, &source, stream);
}
