#include "train/run_folder.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_sidecar.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/shell.h"
#include "platform/temporary.h"

#define CONFIG "config.yaml"
#define CHECKPOINTS "checkpoints"

static ms_status make_paths(const char *path, ms_run_folder *out) {
    *out = MS_RUN_FOLDER_CLOSED;
    if (path[0] == '\0') return MS_FAIL(MS_INVALID, "the run folder's name is empty");
    out->path = strdup(path);
    out->config = ms_path_join(path, CONFIG);
    out->log = ms_path_join(path, "run.log");
    out->metrics = ms_path_join(path, "metrics.jsonl");
    out->spectra = ms_path_join(path, "spectra.jsonl");
    out->probes = ms_path_join(path, "probes.jsonl");
    out->sigma_max = ms_path_join(path, "sigma_max.jsonl");
    out->checkpoints = ms_path_join(path, CHECKPOINTS);
    out->plots = ms_path_join(path, "plots");
    out->full = ms_path_join(path, "spectra");
    out->full_index = ms_path_join(path, "spectra/index.jsonl");
    out->samples = ms_path_join(path, "samples.txt");
    out->hashes = ms_path_join(path, "hashes.jsonl");
    if (!out->path || !out->config || !out->log || !out->metrics || !out->spectra || !out->probes || !out->sigma_max ||
        !out->checkpoints || !out->plots || !out->full || !out->full_index || !out->samples || !out->hashes)
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the paths of run folder %s", path);
    return MS_OK;
}

static bool is_empty_directory(const char *path) {
    ms_listing names;
    if (ms_listing_read(path, &names) != MS_OK) return false;
    bool is_empty = names.n == 0;
    ms_listing_finish(&names);
    return is_empty;
}

/* What a creation leaves that was killed before the folder had a config.yaml. */
static bool is_left_over(const ms_run_folder *folder, const char *name) {
    if (strcmp(name, "lock") == 0 || strcmp(name, "config.yaml.tmp") == 0) return true; /* an older version's */
    if (strcmp(name, CHECKPOINTS) == 0) return is_empty_directory(folder->checkpoints);
    if (strcmp(name, "plots") == 0) return is_empty_directory(folder->plots);
    return ms_temporary_is_of(name, CONFIG);
}

static ms_status require_new(const ms_run_folder *folder) {
    ms_listing names;
    MS_TRY_NOTE(ms_listing_read(folder->path, &names), "run folder %s", folder->path);
    size_t n = names.n, n_left_over = 0;
    for (size_t i = 0; i < n; i++) n_left_over += is_left_over(folder, names.names[i]);
    ms_listing_finish(&names);
    if (n_left_over == n) return MS_OK;
    return MS_FAIL(MS_INVALID, "run folder %s exists and holds %zu entr%s: resume it with --resume %s or name another",
                   folder->path, n, n == 1 ? "y" : "ies", ms_shell_quote(folder->path).text);
}

/* Opened once, for as long as the run writes: what takes the name of `checkpoints` later is known not to be it. */
static ms_status require_subfolders(ms_run_folder *folder) {
    MS_TRY_NOTE(ms_directory_require(folder->checkpoints), "run folder %s", folder->path);
    MS_TRY_NOTE(ms_directory_require(folder->plots), "run folder %s", folder->path);
    return ms_directory_open_entry(folder->lock.directory, CHECKPOINTS, folder->checkpoints,
                                   &folder->opened_checkpoints);
}

ms_status ms_run_folder_check_new(const char *path) {
    ms_run_folder folder;
    ms_status status = make_paths(path, &folder);
    if (status == MS_OK && ms_is_directory(path)) status = require_new(&folder);
    ms_run_folder_close(&folder);
    return status;
}

static void remove_contents(const ms_run_folder *folder) {
    const char *const paths[] = {folder->config, folder->log,     folder->metrics,     folder->spectra,
                                 folder->probes, folder->samples, folder->checkpoints, folder->plots,
                                 folder->full,   folder->hashes,  folder->sigma_max};
    static const char *const others[] = {MS_SIDECAR_TOKENIZER, MS_SIDECAR_NAME, "lock", "csv", "report.html"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        (void)ms_directory_remove_entry(folder->lock.directory, strrchr(paths[i], '/') + 1, paths[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        (void)ms_directory_remove_entry(folder->lock.directory, others[i], others[i]);
}

/* A folder with something in it stays. */
static void remove_folders(const ms_run_folder *folder) {
    char *path = strdup(folder->path);
    size_t least = strlen(folder->made);
    for (size_t length = path ? strlen(path) : 0; length >= least;) {
        path[length] = '\0';
        if (!ms_remove_one(path)) break;
        while (length > 0 && path[length - 1] == '/') length--;
        while (length > 0 && path[length - 1] != '/') length--;
        while (length > 0 && path[length - 1] == '/') length--;
    }
    free(path);
}

ms_status ms_run_folder_discard(ms_status status, ms_run_folder *folder) {
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    if (ms_run_folder_check(folder) == MS_OK) {
        remove_contents(folder);
        if (folder->made) remove_folders(folder);
    }
    return MS_FAIL(status, "%s", message);
}

/* The first part of a path that does not exist; the caller frees it; NULL: all of it does. */
static char *first_missing(const char *path) {
    char *part = strdup(path);
    for (char *end = part ? part + strspn(part, "/") : NULL; end && *end;) {
        end += strcspn(end, "/");
        char next = *end;
        *end = '\0';
        if (!ms_is_directory(part)) return part;
        *end = next;
        end += strspn(end, "/");
    }
    free(part);
    return NULL;
}

static ms_status create(const char *path, const char *config_text, ms_run_folder *out) {
    MS_TRY(make_paths(path, out));
    out->made = first_missing(path);
    MS_TRY_NOTE(ms_directory_create(path), "run folder %s", path);
    MS_TRY(ms_directory_lock(path, &out->lock));
    MS_TRY(require_new(out));
    MS_TRY(require_subfolders(out));
    return ms_file_write(out->config, config_text, strlen(config_text));
}

/* A folder that another process has locked is that one's, and what is in one that was not empty is somebody's. */
static ms_status abandon(ms_status status, ms_run_folder *folder) {
    if (folder->opened_checkpoints >= 0)
        status = ms_run_folder_discard(status, folder);
    else if (folder->made && folder->lock.directory >= 0)
        remove_folders(folder);
    ms_run_folder_close(folder);
    return status;
}

ms_status ms_run_folder_create(const char *path, const char *config_text, ms_run_folder *out) {
    ms_status status = create(path, config_text, out);
    return status == MS_OK ? MS_OK : abandon(status, out);
}

static ms_status open_existing(const char *path, ms_run_folder *out) {
    MS_TRY(make_paths(path, out));
    if (!ms_is_directory(path)) return MS_FAIL(MS_NOT_FOUND, "no run folder %s", path);
    if (!ms_file_exists(out->config))
        return MS_FAIL(MS_NOT_FOUND, "%s is not a run folder: it has no config.yaml%s", path,
                       require_new(out) == MS_OK ? "; --run begins a run in it" : "");
    return MS_OK;
}

ms_status ms_run_folder_open(const char *path, ms_run_folder *out) {
    ms_status status = open_existing(path, out);
    if (status != MS_OK) ms_run_folder_close(out);
    return status;
}

static ms_status resume(const char *path, ms_run_folder *out) {
    MS_TRY(open_existing(path, out));
    MS_TRY(ms_directory_lock(path, &out->lock));
    return require_subfolders(out);
}

ms_status ms_run_folder_resume(const char *path, ms_run_folder *out) {
    ms_status status = resume(path, out);
    if (status != MS_OK) ms_run_folder_close(out);
    return status;
}

ms_status ms_run_folder_check(const ms_run_folder *folder) {
    static const char how[] = "was removed, renamed or replaced while the run was writing to it";
    int directory = folder->lock.directory;
    if (!ms_directory_is_there(&folder->lock, folder->path))
        return MS_FAIL(MS_IO, "run folder %s %s", folder->path, how);
    if (!ms_entry_is_opened(directory, CHECKPOINTS, folder->opened_checkpoints))
        return MS_FAIL(MS_IO, "%s %s", folder->checkpoints, how);
    return MS_OK;
}

void ms_run_folder_close(ms_run_folder *folder) {
    ms_descriptor_close(folder->opened_checkpoints);
    ms_directory_unlock(&folder->lock);
    free(folder->path);
    free(folder->config);
    free(folder->log);
    free(folder->metrics);
    free(folder->spectra);
    free(folder->probes);
    free(folder->sigma_max);
    free(folder->checkpoints);
    free(folder->plots);
    free(folder->full);
    free(folder->full_index);
    free(folder->samples);
    free(folder->hashes);
    free(folder->made);
    *folder = MS_RUN_FOLDER_CLOSED;
}
