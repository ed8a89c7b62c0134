/* A run that several ranks share: are they of one kind, and what those do that have no folder.

   What is not compared follows from what is: the probe's tokens are the first of the validation split, and the model's
   sizes, of init.from too, are settings.  Weights and optimizer state are rank 0's, whatever files others have.  A
   device that cannot do `exact` is refused when it is opened (backend/probe.h). */
#include <stdlib.h>
#include <string.h>

#include "train/run_impl.h"
#include "train/trainer_group.h"

/* What rank 0 tells of itself; the texts of its settings follow. */
typedef struct identity {
    int64_t settings_bytes; /* with the last 0 */
    char config_hash[65], train_sha256[65], validation_sha256[65], tokenizer_sha256[65];
} identity;

/* Where work is done, which may differ. */
static bool may_differ(const char *line) {
    static const char *const keys[] = {"train.device=", "train.threads=", "tracker.threads="};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(line, keys[i], strlen(keys[i])) == 0) return true;
    return false;
}

/* Settings are the same keys in the same order, a line each. */
static ms_status compare_settings(const char *own, const char *leader) {
    while (*own || *leader) {
        size_t n = strcspn(own, "\n"), m = strcspn(leader, "\n");
        bool same = n == m && memcmp(own, leader, n) == 0;
        if (!same && !(may_differ(own) && may_differ(leader)))
            return MS_FAIL(MS_MISMATCH, "this rank has %.*s, and rank 0 %.*s: start all with the same settings", (int)n,
                           own, (int)m, leader);
        own += n + (own[n] == '\n');
        leader += m + (leader[m] == '\n');
    }
    return MS_OK;
}

static ms_status compare_data(const char *what, const char *own, const char *leader) {
    if (strcmp(own, leader) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH,
                   "%s of this rank are %.12s..., those of rank 0 %.12s...: copy the same data to all hosts", what, own,
                   leader);
}

static ms_status compare_tokenizer(const ms_run *run, const char *leader) {
    const char *own = run->tokenizer ? ms_tokenizer_sha256(run->tokenizer) : "";
    if (strcmp(own, leader) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH,
                   "tokenizer.json of this rank's data is %.12s, that of rank 0 %.12s: copy the same data to all hosts",
                   *own ? own : "missing", *leader ? leader : "missing");
}

static ms_status compare_identity(const ms_run *run, const char *settings, const identity *leader,
                                  const char *leaders_settings) {
    MS_TRY(compare_settings(settings, leaders_settings));
    if (strcmp(run->config_hash, leader->config_hash) != 0)
        return MS_FAIL(MS_MISMATCH,
                       "the configuration of this rank has hash %.12s..., that of rank 0 %.12s...: does "
                       "the data's vocabulary differ?",
                       run->config_hash, leader->config_hash);
    MS_TRY(compare_data("training shards", run->train_sha256, leader->train_sha256));
    MS_TRY(compare_data("validation shards", run->validation_sha256, leader->validation_sha256));
    return compare_tokenizer(run, leader->tokenizer_sha256);
}

/* All ranks.  status: how this one has fared. */
static ms_status compare(ms_run *run, ms_status status) {
    ms_group *group = run->options.trainer.group;
    const char *settings = run->options.settings_text ? run->options.settings_text : "";
    bool leads = ms_group_rank(group) == 0;
    identity of = {.settings_bytes = (int64_t)strlen(settings) + 1};
    memcpy(of.config_hash, run->config_hash, sizeof of.config_hash);
    memcpy(of.train_sha256, run->train_sha256, sizeof of.train_sha256);
    memcpy(of.validation_sha256, run->validation_sha256, sizeof of.validation_sha256);
    if (run->tokenizer)
        snprintf(of.tokenizer_sha256, sizeof of.tokenizer_sha256, "%s", ms_tokenizer_sha256(run->tokenizer));
    ms_group_set_slow(group, true); /* others may read their data more slowly; until the first step is done */
    MS_TRY(ms_group_agree(group, status));
    MS_TRY(ms_group_broadcast(group, &of, sizeof of));
    char *text = malloc((size_t)of.settings_bytes);
    if (text && leads) memcpy(text, settings, (size_t)of.settings_bytes);
    status = ms_group_agree(group, text ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for settings"));
    if (status == MS_OK) status = ms_group_broadcast(group, text, (size_t)of.settings_bytes);
    if (status == MS_OK) status = ms_group_agree(group, leads ? MS_OK : compare_identity(run, settings, &of, text));
    free(text);
    return status;
}

ms_status ms_run_compare_ranks(ms_run *run) {
    ms_group *group = run->options.trainer.group;
    if (!group || ms_group_rank(group) > 0) return MS_OK;
    MS_TRY(ms_group_lead(group, MS_GROUP_COMPARE, 0));
    return compare(run, MS_OK);
}

/* ---- the tracker ---- */

static ms_step_hooks before_step(void *context, bool with_snapshot) {
    ms_run *run = context;
    return run->tracking ? ms_tracking_follow_step(run->tracking, with_snapshot) : (ms_step_hooks){0};
}

static void after_step(void *context) {
    ms_run *run = context;
    if (run->tracking) ms_tracking_after_update(run->tracking);
}

static ms_status obey(void *context, ms_group_command command, int64_t argument) {
    ms_run *run = context;
    if (run->tracking) return ms_tracking_follow(run->tracking, command, argument);
    if (command != MS_GROUP_TRACK) return MS_FAIL(MS_INTERNAL, "ranks: command %d of no tracker", (int)command);
    ms_tracking_options tracking = run->options.tracking;
    if (run->options.spectra == MS_SPECTRA_FULL) tracking.full_folder = "";
    const ms_tracking_files files = {.resume_after_step = argument};
    return ms_tracking_open(run->trainer, &tracking, &files, &run->tracking);
}

ms_status ms_run_follow(ms_run *run) {
    ms_group *group = run->options.trainer.group;
    ms_group_command command;
    int64_t argument;
    run->options.log_every = 0; /* rank 0 prints, and measures the peak */
    ms_status status = ms_run_check_data(run);
    MS_TRY(ms_group_follow(group, &command, &argument));
    if (command == MS_GROUP_END)
        return argument == MS_OK ? MS_OK : MS_FAIL((ms_status)argument, "rank 0 has ended with an error");
    MS_TRY(compare(run, status));
    MS_TRY(ms_run_allocate(run));
    const ms_follower follower = {before_step, after_step, obey, run};
    return ms_trainer_follow(run->trainer, ms_dataset_source(run->train), &follower);
}
