/* What a run folder holds, and whether it is the run that the study wants. */
#define _GNU_SOURCE /* timegm */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/compare/runs.h"
#include "cli/study/plan.h"
#include "model/checkpoint/checkpoint.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "train/run_folder.h"
#include "train/settings.h"

/* --- its configuration --- */

/* Keys that a run made elsewhere may have otherwise: they change neither its numbers nor which of them are written. */
static bool may_differ(const ms_config_key *key) {
    static const char *const measured[] = {"validation.every", "tracker.enabled", "tracker.probe", "tracker.every",
                                           "tracker.every_step"};
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        if (strcmp(key->full_name, measured[i]) == 0) return false;
    return ms_compare_is_without_effect(key);
}

/* Other folders with the same shards are the same data; the same folder with others is not. */
static ms_status check_data(const char *path, const ms_config *config, const ms_config *found, bool *out_same) {
    char wanted_hash[65], found_hash[65];
    *out_same = strcmp(config->data.directory, found->data.directory) == 0;
    if (strcmp(config->data.directory, "synthetic") == 0) return MS_OK;
    MS_TRY(ms_compare_data_hash(config->data.directory, wanted_hash));
    MS_TRY(ms_compare_data_hash(path, found_hash));
    if (!*wanted_hash || !*found_hash) return MS_OK;
    *out_same = strcmp(wanted_hash, found_hash) == 0;
    if (*out_same) return MS_OK;
    return MS_FAIL(MS_MISMATCH,
                   "%s was trained on other data than those in data.directory %s: shards %.12s..., not %.12s...", path,
                   config->data.directory, found_hash, wanted_hash);
}

static ms_status check_keys(const char *path, const ms_config *config, const ms_config *found) {
    const ms_config_key *keys[MS_CONFIG_KEYS_MAX];
    bool same_data;
    int n = ms_config_difference(config, found, keys, MS_CONFIG_KEYS_MAX);
    MS_TRY(check_data(path, config, found, &same_data));
    for (int i = 0; i < n; i++) {
        char wanted_text[MS_CONFIG_STRING_SIZE], found_text[MS_CONFIG_STRING_SIZE];
        if (may_differ(keys[i]) || (same_data && strcmp(keys[i]->full_name, "data.directory") == 0)) continue;
        ms_config_value_text(config, keys[i], wanted_text, sizeof wanted_text);
        ms_config_value_text(found, keys[i], found_text, sizeof found_text);
        return MS_FAIL(MS_MISMATCH,
                       "%s is not the run that the study wants: its %s is %s, the study's %s; move it away, or set the "
                       "key in the study file",
                       path, keys[i]->full_name, *found_text ? found_text : "\"\"",
                       *wanted_text ? wanted_text : "\"\"");
    }
    return MS_OK;
}

/* Lines "# step 50: muon.lr 0.024 -> 0.1" of config.yaml: until then it was another run. */
static ms_status check_history(const char *path, const char *text) {
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[128];
        if (sscanf(line, "# step %*d: %127s", name) != 1) continue;
        const ms_config_key *key = ms_config_find(name);
        if (key && may_differ(key)) continue;
        return MS_FAIL(MS_MISMATCH, "%s was changed when it was resumed (%.*s): it is no run of one configuration",
                       path, (int)strcspn(line + 2, "\n"), line + 2);
    }
    return MS_OK;
}

static ms_status check_config(const char *path, const ms_run_folder *folder, const ms_config *config) {
    char *text;
    size_t size;
    ms_config found;
    ms_config_defaults(&found);
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&found, folder->config, NULL), folder->config));
    MS_TRY(check_keys(path, config, &found));
    MS_TRY(ms_file_read(folder->config, &text, &size));
    ms_status status = check_history(path, text);
    free(text);
    return status;
}

/* --- its logs --- */

/* What metrics.jsonl says. */
struct metrics {
    ms_study_record *record;
    int64_t validation_step; /* -1: none */
};

static ms_status read_metrics(void *context, const ms_run_line *line) {
    struct metrics *metrics = context;
    const json_t *ms = json_object_get(line->object, "ms");
    const json_t *loss = json_object_get(line->object, "validation_loss");
    if (json_object_get(line->object, "lr")) metrics->record->step = line->step;
    if (json_is_number(ms)) metrics->record->step_seconds += 1e-3 * json_number_value(ms);
    if (!loss) return MS_OK;
    metrics->validation_step = line->step;
    metrics->record->validation_loss = json_is_number(loss) ? json_number_value(loss) : NAN;
    return MS_OK;
}

/* The seconds of "2026-01-31T12:00:00Z ..."; -1: the line has no time. */
static double read_time(const char *line) {
    struct tm time = {0};
    return strptime(line, "%Y-%m-%dT%H:%M:%SZ", &time) ? (double)timegm(&time) : -1;
}

/* The last line of a text that ends with a line break. */
static const char *last_line(const char *text, size_t size) {
    size_t at = size;
    while (at > 0 && text[at - 1] == '\n') at--;
    while (at > 0 && text[at - 1] != '\n') at--;
    return text + at;
}

/* run.log: on what and how long the run was made, and whether it ended by a number that is not finite. */
static ms_status read_log(const ms_run_folder *folder, ms_study_record *record) {
    static const char ended[] = "ended by an error: non-finite number: ";
    char *text;
    size_t size;
    ms_status status = ms_file_read(folder->log, &text, &size);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    const char *line = last_line(text, size), *why = strstr(line, ended);
    double begin = read_time(text), end = read_time(line);
    if (record->state == MS_STUDY_FINISHED && begin >= 0 && end >= begin && !strstr(text, "info    resumed "))
        record->wall_seconds = end - begin;
    const char *device = strstr(text, "info    device: ");
    if (device) {
        device += sizeof "info    device: " - 1;
        snprintf(record->device, sizeof record->device, "%.*s", (int)strcspn(device, "\n"), device);
    }
    if (record->state == MS_STUDY_UNFINISHED && why) {
        record->state = MS_STUDY_DIVERGED;
        why += sizeof ended - 1;
        snprintf(record->why, sizeof record->why, "%.*s", (int)strcspn(why, "\n"), why);
    }
    free(text);
    return MS_OK;
}

/* --- its size --- */

static ms_status add_size(const char *path, double *bytes) {
    ms_listing listing;
    MS_TRY(ms_listing_read(path, &listing));
    ms_status status = MS_OK;
    for (size_t i = 0; i < listing.n && status == MS_OK; i++) {
        struct stat entry;
        char *inner = ms_path_join(path, listing.names[i]);
        if (!inner) status = MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
        if (inner && lstat(inner, &entry) == 0) {
            if (S_ISDIR(entry.st_mode)) status = add_size(inner, bytes);
            if (S_ISREG(entry.st_mode)) *bytes += (double)entry.st_size;
        }
        free(inner);
        if (status == MS_NOT_FOUND) status = MS_OK; /* it went meanwhile: somebody trains */
    }
    ms_listing_finish(&listing);
    return status;
}

/* --- the whole --- */

/* The trainer saves the last step after its snapshot and its validation.  A folder that was copied without checkpoints
   is finished by its lines. */
static ms_status find_state(const ms_run_folder *folder, const ms_config *config, struct metrics *metrics) {
    int64_t saved = -1, n_steps = metrics->record->n_steps;
    ms_status status = ms_checkpoint_latest(folder->checkpoints, &saved);
    if (status != MS_OK && status != MS_NOT_FOUND) return status;
    bool validates = config->validation.every > 0;
    bool complete = metrics->record->step >= n_steps && (!validates || metrics->validation_step >= n_steps);
    metrics->record->state =
        complete && (status == MS_NOT_FOUND || saved >= n_steps) ? MS_STUDY_FINISHED : MS_STUDY_UNFINISHED;
    return MS_OK;
}

static ms_status read_record(const char *path, const ms_run_folder *folder, const ms_config *config,
                             ms_study_record *out) {
    ms_run_line_faults faults = {0};
    struct metrics metrics = {out, -1};
    MS_TRY(check_config(path, folder, config));
    MS_TRY(ms_run_lines_read(path, "metrics.jsonl", read_metrics, &metrics, &faults));
    MS_TRY(find_state(folder, config, &metrics));
    MS_TRY(read_log(folder, out));
    return add_size(path, &out->size_bytes);
}

ms_status ms_study_record_read(const char *path, const ms_config *config, ms_study_record *out) {
    ms_run_folder folder = MS_RUN_FOLDER_CLOSED;
    *out = (ms_study_record){.n_steps = ms_config_steps(config), .validation_loss = NAN, .wall_seconds = NAN};
    if (ms_run_folder_check_new(path) == MS_OK) return MS_OK;
    MS_TRY(ms_run_folder_open(path, &folder));
    ms_status status = read_record(path, &folder, config, out);
    ms_run_folder_close(&folder);
    return status;
}
