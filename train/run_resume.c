/* Going on with a run: from which checkpoint, with which settings, and what is said of it. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/shell.h"
#include "train/run_impl.h"
#include "train/samples.h"
#include "train/settings.h"

/* ---- does it belong together? ---- */

/* The text of an entry; `otherwise` where the checkpoint, of an older program, has none. */
static ms_status find_text(const ms_checkpoint *checkpoint, const char *key, const char *otherwise, const char **out) {
    const ms_checkpoint_entry *entry;
    *out = otherwise;
    ms_status status = ms_checkpoint_find(checkpoint, key, MS_CHECKPOINT_TEXT, &entry);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    *out = entry->text;
    return MS_OK;
}

static ms_status check_identity(const ms_run *run, const ms_checkpoint *checkpoint, const char *key,
                                const char *found) {
    const char *saved;
    MS_TRY(find_text(checkpoint, key, found, &saved));
    if (!found[0] || strcmp(saved, found) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: the shards in %s are others than the run's: %s is %.12s..., was %.12s...",
                   run->folder.path, run->options.data, key, found, saved);
}

static const char *settings_of(const ms_run *run) {
    return run->options.settings_text ? run->options.settings_text : "";
}

/* The run's history up to the checkpoint, and what is changed at it now. */
static ms_status read_history(ms_run *run, const ms_checkpoint *checkpoint, size_t *out_n_old) {
    const char *history, *before;
    MS_TRY(find_text(checkpoint, "history", "", &history));
    MS_TRY(find_text(checkpoint, "settings", "", &before));
    *out_n_old = strlen(history);
    return ms_settings_add_changes(history, ms_checkpoint_get_info(checkpoint)->step, before, settings_of(run),
                                   &run->history);
}

static ms_status check_checkpoint(const ms_run *run, const ms_checkpoint *checkpoint, const char *changes) {
    const ms_checkpoint_info *info = ms_checkpoint_get_info(checkpoint);
    if (strcmp(info->config_hash, run->config_hash) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: the checkpoint of step %lld belongs to another configuration%s%.*s",
                       run->folder.path, (long long)info->step, *changes ? ": " : "", (int)strcspn(changes, "\n"),
                       changes);
    if (!run->tokenizer) return MS_OK;
    const ms_checkpoint_entry *entry;
    MS_TRY(ms_checkpoint_find(checkpoint, "tokenizer_sha256", MS_CHECKPOINT_TEXT, &entry));
    if (strcmp(entry->text, ms_tokenizer_sha256(run->tokenizer)) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: trained with tokenizer %.12s..., the data in %s has %.12s...",
                       run->folder.path, entry->text, run->options.data, ms_tokenizer_sha256(run->tokenizer));
    return MS_OK;
}

/* ---- what is said, and kept ---- */

/* Settings that are the run's from here on: later resumptions find them in config.yaml, and the next checkpoint has
   them. */
static ms_status keep_settings(ms_run *run) {
    char *text, *found = NULL;
    const char *fault = NULL;
    size_t size;
    MS_TRY(ms_run_config_file(run, &text));
    ms_status status = ms_file_read(run->folder.config, &found, &size);
    if (status == MS_OK) status = ms_settings_file_fault(found, &fault);
    if (status == MS_OK && fault)
        ms_logger_write(run->logger, MS_LOG_WARNING, "%s was changed since muonscope wrote it: %s", run->folder.config,
                        fault);
    if (status == MS_OK && strcmp(found, text) != 0) status = ms_file_write(run->folder.config, text, strlen(text));
    free(found);
    free(text);
    return status;
}

static void say_changes(ms_run *run, const char *changes) {
    for (const char *line = changes; *line;) {
        size_t length = strcspn(line, "\n");
        ms_logger_write(run->logger, MS_LOG_INFO, "changed from here on, %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static bool jumps(const ms_checkpoint *checkpoint, const char *key, double rate, double *out_saved) {
    const ms_checkpoint_entry *entry;
    if (ms_checkpoint_find(checkpoint, key, MS_CHECKPOINT_REAL, &entry) != MS_OK) return false;
    *out_saved = entry->real;
    return fabs(rate - entry->real) > 0.01 * fmax(fabs(rate), fabs(entry->real));
}

/* Whether the schedule's length is the run's, and was changed: one that is constant, or has a length of its own
   (schedule.steps), is not stretched. */
static bool is_stretched(const ms_run *run, const char *changes) {
    static const char *const lengths[] = {": train.steps ", ": train.tokens ", ": schedule.steps "};
    bool changed = false;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) changed |= strstr(changes, lengths[i]) != NULL;
    return changed && run->options.trainer.schedule.kind != MS_SCHEDULE_CONSTANT &&
           strstr(settings_of(run), "schedule.steps=0\n");
}

/* A schedule that ends later, or another rate, makes the rate of the next step another one than was planned. */
static ms_status warn_of_rates(ms_run *run, const ms_checkpoint *checkpoint, size_t n_old) {
    double rate[2], saved = 0;
    MS_TRY(ms_trainer_next_rates(run->trainer, &rate[0], &rate[1]));
    for (int i = 0; i < 2; i++) {
        if (!jumps(checkpoint, i ? "next_adamw_lr" : "next_lr", rate[i], &saved)) continue;
        ms_logger_write(
            run->logger, MS_LOG_WARNING,
            "the learning rate %sjumps: step %lld takes %g, and was to take %g when the checkpoint was saved%s",
            i ? "of AdamW " : "", (long long)run->trainer->step + 1, rate[i], saved,
            is_stretched(run, run->history + n_old)
                ? " (the schedule is stretched over another number of steps; --schedule.at_resume keep keeps it)"
                : "");
        return MS_OK; /* both follow one schedule */
    }
    return MS_OK;
}

static ms_status warn_of_others(ms_run *run) {
    int n;
    char first[MS_CHECKPOINT_NAME_SIZE], more[48] = "";
    MS_TRY(ms_checkpoint_count_others(run->folder.checkpoints, &n, first));
    if (n == 0) return MS_OK;
    if (n > 1) snprintf(more, sizeof more, " (and %d more)", n - 1);
    ms_logger_write(run->logger, MS_LOG_WARNING, "%s/%s%s is no folder, and so no checkpoint: it is left alone",
                    run->folder.checkpoints, first, more);
    return MS_OK;
}

/* ---- resuming ---- */

/* Checkpoints after the one that was named are no part of the run any more; and what a killed process did not finish
   removing goes.  The later ones go before config.yaml and the logs change: killed in between, the run is one of this
   step with lines too many, which the next resumption cuts, and not one of a later step whose lines are lost. */
static ms_status tidy_checkpoints(ms_run *run) {
    int n;
    MS_TRY(ms_run_folder_check(&run->folder));
    if (run->n_later > 0) MS_TRY(ms_run_check_logs(run));
    MS_TRY(ms_checkpoint_remove_later(run->folder.checkpoints, run->trainer->step, &n));
    if (n > 0)
        ms_logger_write(run->logger, MS_LOG_WARNING, "removed %d checkpoints of steps after %lld", n,
                        (long long)run->trainer->step);
    int keep = run->options.checkpoints_kept;
    return ms_checkpoint_prune(run->folder.checkpoints, keep > 0 ? keep : INT_MAX);
}

/* Texts of steps after the checkpoint are no part of the run any more. */
static ms_status cut_samples(ms_run *run) {
    int64_t n_foreign;
    MS_TRY(ms_samples_cut(run->folder.samples, run->trainer->step, &n_foreign));
    ms_run_warn_of_samples(run, n_foreign);
    return MS_OK;
}

/* The texts are the checkpoint's; "": tracking was off until now, or the checkpoint is of an older program. */
static ms_status restore_tracking(ms_run *run, const ms_checkpoint *checkpoint) {
    const char *texts[MS_TRACKING_N_TEXTS];
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++)
        MS_TRY(find_text(checkpoint, ms_tracking_text_keys[i], "", &texts[i]));
    return ms_tracking_restore(run->tracking, texts);
}

/* All that can fail without anything in the folder being changed, but for copies that are mended. */
static ms_status load(ms_run *run, const ms_checkpoint *checkpoint, size_t *out_n_old) {
    const char *tokenizer;
    MS_TRY(read_history(run, checkpoint, out_n_old));
    MS_TRY(ms_settings_note_fault(check_checkpoint(run, checkpoint, run->history + *out_n_old), run->folder.config));
    MS_TRY(ms_run_check_data(run)); /* reads all of it: after what costs nothing */
    MS_TRY(check_identity(run, checkpoint, "train_sha256", run->train_sha256));
    MS_TRY(check_identity(run, checkpoint, "validation_sha256", run->validation_sha256));
    MS_TRY(ms_run_allocate(run));
    MS_TRY(ms_trainer_load(run->trainer, checkpoint, run->train));
    run->resumed_step = run->saved_step = run->trainer->step;
    MS_TRY(ms_checkpoint_count_later(run->folder.checkpoints, run->trainer->step, &run->n_later));
    run->left_alone = run->n_later > 0 && run->trainer->step >= run->options.n_steps;
    MS_TRY(ms_logger_attach(run->logger, run->folder.log));
    if (run->left_alone) return MS_OK;
    MS_TRY(find_text(checkpoint, "tokenizer_sha256", NULL, &tokenizer));
    return ms_run_mend_copies(run, tokenizer);
}

static ms_status restore(ms_run *run, const ms_checkpoint *checkpoint) {
    size_t n_old = 0;
    MS_TRY(load(run, checkpoint, &n_old));
    if (run->left_alone) return MS_OK;
    MS_TRY(warn_of_others(run));
    MS_TRY(tidy_checkpoints(run));
    MS_TRY(keep_settings(run));
    MS_TRY(cut_samples(run));
    MS_TRY(ms_run_open_logs(run));
    say_changes(run, run->history + n_old);
    MS_TRY(warn_of_rates(run, checkpoint, n_old));
    if (!run->tracking) return MS_OK;
    return restore_tracking(run, checkpoint);
}

/* The process was killed before the first checkpoint: all that the run has is its configuration. */
static ms_status begin_again(ms_run *run) {
    int64_t last;
    run->begins_again = true;
    MS_TRY(ms_run_log_last_step(run->folder.metrics, &last));
    if (last > 0)
        return MS_FAIL(MS_NOT_FOUND, "cannot resume %s: %s has step %lld, but there is no checkpoint in %s",
                       run->folder.path, run->folder.metrics, (long long)last, run->folder.checkpoints);
    MS_TRY(ms_run_check_data(run));
    MS_TRY(ms_run_allocate(run));
    MS_TRY(ms_logger_attach(run->logger, run->folder.log));
    MS_TRY(keep_settings(run));
    ms_logger_write(run->logger, MS_LOG_INFO, "%s has no checkpoint yet: it starts from its config.yaml",
                    run->folder.path);
    MS_TRY(warn_of_others(run));
    MS_TRY(cut_samples(run));
    return ms_run_begin(run);
}

ms_status ms_run_resume_at(ms_run *run, ms_run_folder *folder, int64_t step) {
    ms_checkpoint *checkpoint;
    char option[MS_SHELL_WORD_SIZE + 32];
    run->folder = *folder;
    run->has_folder = true;
    *folder = MS_RUN_FOLDER_CLOSED;
    snprintf(option, sizeof option, "--resume %s --step", ms_shell_quote(run->folder.path).text);
    ms_status status = ms_checkpoint_open_or_name(run->folder.checkpoints, step, option, &checkpoint);
    if (status == MS_NOT_FOUND && step < 0) return begin_again(run);
    MS_TRY_NOTE(status, "cannot resume %s", run->folder.path);
    status = restore(run, checkpoint);
    ms_checkpoint_close(checkpoint);
    return status;
}

ms_status ms_run_resume(ms_run *run, ms_run_folder *folder) { return ms_run_resume_at(run, folder, -1); }
