#include "train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "platform/file.h"

static ms_status make_paths(const char *path, ms_run_folder *out) {
    memset(out, 0, sizeof *out);
    out->lock = -1;
    if (path[0] == '\0') return MS_FAIL(MS_INVALID, "the run folder's name is empty");
    out->path = strdup(path);
    out->config = ms_path_join(path, "config.yaml");
    out->log = ms_path_join(path, "run.log");
    out->metrics = ms_path_join(path, "metrics.jsonl");
    out->spectra = ms_path_join(path, "spectra.jsonl");
    out->checkpoints = ms_path_join(path, "checkpoints");
    out->plots = ms_path_join(path, "plots");
    if (!out->path || !out->config || !out->log || !out->metrics || !out->spectra || !out->checkpoints || !out->plots)
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the paths of run folder %s", path);
    return MS_OK;
}

static ms_status require_empty(const char *path) {
    DIR *directory = opendir(path);
    if (!directory) return ms_status_from_errno(errno, "cannot open run folder", path);
    int n_entries = 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        n_entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    if (n_entries == 0) return MS_OK;
    return MS_FAIL(MS_INVALID, "run folder %s exists and holds %d entr%s: resume it with --resume %s or name another",
                   path, n_entries, n_entries == 1 ? "y" : "ies", path);
}

static ms_status take_lock(ms_run_folder *folder) {
    char *path = ms_path_join(folder->path, "lock");
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the lock of run folder %s", folder->path);
    ms_status status = MS_OK;
    folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (folder->lock < 0) {
        status = ms_status_from_errno(errno, "cannot write to run folder:", path);
    } else if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            status = MS_FAIL(MS_IO, "run folder %s is being written by another process", folder->path);
        else
            status = ms_status_from_errno(errno, "cannot lock", path);
    }
    free(path);
    return status;
}

ms_status ms_run_folder_check_new(const char *path) {
    if (path[0] == '\0') return MS_FAIL(MS_INVALID, "the run folder's name is empty");
    return ms_is_directory(path) ? require_empty(path) : MS_OK;
}

static ms_status create(const char *path, const char *config_text, ms_run_folder *out) {
    MS_TRY(make_paths(path, out));
    MS_TRY_NOTE(ms_directory_create(path), "run folder %s", path);
    MS_TRY(require_empty(path));
    MS_TRY(take_lock(out));
    MS_TRY_NOTE(ms_directory_create(out->checkpoints), "run folder %s", path);
    MS_TRY_NOTE(ms_directory_create(out->plots), "run folder %s", path);
    return ms_file_write(out->config, config_text, strlen(config_text));
}

ms_status ms_run_folder_create(const char *path, const char *config_text, ms_run_folder *out) {
    ms_status status = create(path, config_text, out);
    if (status != MS_OK) ms_run_folder_close(out);
    return status;
}

static ms_status open_existing(const char *path, ms_run_folder *out) {
    MS_TRY(make_paths(path, out));
    if (!ms_is_directory(path)) return MS_FAIL(MS_NOT_FOUND, "no run folder %s", path);
    if (!ms_file_exists(out->config))
        return MS_FAIL(MS_NOT_FOUND, "%s is not a run folder: it has no config.yaml", path);
    return MS_OK;
}

ms_status ms_run_folder_open(const char *path, ms_run_folder *out) {
    ms_status status = open_existing(path, out);
    if (status != MS_OK) ms_run_folder_close(out);
    return status;
}

static ms_status resume(const char *path, ms_run_folder *out) {
    MS_TRY(open_existing(path, out));
    MS_TRY(take_lock(out));
    MS_TRY_NOTE(ms_directory_create(out->checkpoints), "run folder %s", path);
    MS_TRY_NOTE(ms_directory_create(out->plots), "run folder %s", path);
    return MS_OK;
}

ms_status ms_run_folder_resume(const char *path, ms_run_folder *out) {
    ms_status status = resume(path, out);
    if (status != MS_OK) ms_run_folder_close(out);
    return status;
}

void ms_run_folder_close(ms_run_folder *folder) {
    if (folder->lock >= 0) close(folder->lock); /* which drops the lock */
    free(folder->path);
    free(folder->config);
    free(folder->log);
    free(folder->metrics);
    free(folder->spectra);
    free(folder->checkpoints);
    free(folder->plots);
    memset(folder, 0, sizeof *folder);
    folder->lock = -1;
}
