/* Reading checkpoints; checkpoint_folder.c writes and removes them. */
#include "model/checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint_names.h"
#include "model/checkpoint/checkpoint_state.h"
#include "platform/choice.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/sha256.h"

struct ms_checkpoint {
    char *path;                                   /* owned: its directory, for messages */
    ms_checkpoint_state state;                    /* owned */
    ms_safetensors *files[MS_CHECKPOINT_N_FILES]; /* owned, in the order of ms_checkpoint_file_names */
};

/* A file that is missing inside a checkpoint, or is none (a pipe), is damage, not a wrong name. */
static ms_status damaged(ms_status status, const char *path) {
    if (status == MS_NOT_FOUND || status == MS_IO) status = MS_CORRUPT;
    return ms_status_note(status, "checkpoint %s", path);
}

static ms_status check_size(const ms_map *map, const char *name, const ms_checkpoint_file *expected) {
    if ((int64_t)map->size_bytes != expected->size_bytes)
        return MS_FAIL(MS_CORRUPT, "%s has %zu bytes, " MS_CHECKPOINT_STATE_NAME " says %lld", name, map->size_bytes,
                       (long long)expected->size_bytes);
    return MS_OK;
}

static ms_status check_hash(const ms_map *map, const char *name, const ms_checkpoint_file *expected) {
    char hash[65];
    MS_TRY(ms_sha256_bytes(map->data, map->size_bytes, hash));
    if (strcmp(hash, expected->sha256) != 0)
        return MS_FAIL(MS_CORRUPT, "%s has SHA-256 %.16s..., " MS_CHECKPOINT_STATE_NAME " says %.16s...", name, hash,
                       expected->sha256);
    return MS_OK;
}

/* Checks one file's size and, where `out` is given, its hash and structure, and opens it. */
static ms_status check_file(const char *directory, int i_file, const ms_checkpoint_file *expected,
                            ms_safetensors **out) {
    const char *name = ms_checkpoint_file_names[i_file];
    char *path = ms_path_join(directory, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", directory);
    ms_map map;
    ms_status status = ms_map_open(path, &map);
    if (status == MS_OK) {
        status = check_size(&map, name, expected);
        if (status == MS_OK && out) status = check_hash(&map, name, expected);
        ms_map_close(&map);
    }
    if (status == MS_OK && out) status = ms_safetensors_open(path, out);
    free(path);
    return status;
}

static ms_status read_state(const char *directory, int64_t step, ms_checkpoint_state *out) {
    char *path = ms_path_join(directory, MS_CHECKPOINT_STATE_NAME);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", directory);
    ms_status status = ms_checkpoint_state_read(path, out);
    if (status == MS_OK && out->info.step != step) {
        status = MS_FAIL(MS_CORRUPT, "%s is of step %" PRId64, path, out->info.step);
        ms_checkpoint_state_finish(out);
    }
    free(path);
    return status;
}

/* All but hashes and tensors: cheap for any size. */
static ms_status check_newest(const char *directory, int64_t step) {
    ms_checkpoint_state state;
    MS_TRY(read_state(directory, step, &state));
    ms_status status = MS_OK;
    for (int i = 0; status == MS_OK && i < MS_CHECKPOINT_N_FILES; i++)
        status = check_file(directory, i, &state.files[i], NULL);
    ms_checkpoint_state_finish(&state);
    return status;
}

/* A link to a folder is listed, so that what wants the newest checkpoint says of it that it is none. */
static bool is_folder(const void *checkpoints, const char *name) {
    char *path = ms_path_join(checkpoints, name);
    bool is = path && ms_is_directory(path);
    free(path);
    return is;
}

/* The steps of all checkpoints, ascending, malloc'ed.  MS_NOT_FOUND: no such folder. */
static ms_status list_steps(const char *checkpoints, int64_t **out_steps, size_t *out_n) {
    ms_listing names;
    *out_steps = NULL;
    *out_n = 0;
    MS_TRY(ms_listing_read(checkpoints, &names));
    ms_status status = ms_checkpoint_steps(checkpoints, &names, is_folder, checkpoints, out_steps, out_n);
    ms_listing_finish(&names);
    return status;
}

/* What a link leads to is not the run's: it changes without it, and the link goes when checkpoints are removed. */
static ms_status check_no_link(const char *path) {
    if (!ms_is_link(path)) return MS_OK;
    return MS_FAIL(MS_CORRUPT,
                   "checkpoint %s: it is a symbolic link, which is not followed; put the folder in its place", path);
}

ms_status ms_checkpoint_latest(const char *checkpoints, int64_t *out_step) {
    int64_t *steps, newest;
    size_t n;
    *out_step = 0;
    ms_status status = list_steps(checkpoints, &steps, &n);
    if (status == MS_NOT_FOUND) return MS_FAIL(MS_NOT_FOUND, "%s: no such checkpoint folder", checkpoints);
    MS_TRY(status);
    newest = n > 0 ? steps[n - 1] : -1;
    free(steps);
    if (newest < 0) return MS_FAIL(MS_NOT_FOUND, "%s: no checkpoint there", checkpoints);
    char *path;
    MS_TRY(ms_checkpoint_path(checkpoints, newest, &path));
    status = check_no_link(path);
    if (status == MS_OK) {
        status = check_newest(path, newest);
        if (status != MS_OK) status = damaged(status, path);
    }
    free(path);
    *out_step = newest;
    return status;
}

static ms_status no_checkpoint(const char *checkpoints, int64_t step, const char *path) {
    if (ms_file_exists(path))
        return MS_FAIL(MS_NOT_FOUND, "%s: no checkpoint of step %" PRId64 ": %s is no folder", checkpoints, step, path);
    return MS_FAIL(MS_NOT_FOUND, "%s: no checkpoint of step %" PRId64, checkpoints, step);
}

ms_status ms_checkpoint_open(const char *checkpoints, int64_t step, ms_checkpoint **out) {
    *out = NULL;
    char *path;
    MS_TRY(ms_checkpoint_path(checkpoints, step, &path));
    ms_status status = check_no_link(path);
    if (status == MS_OK && !ms_is_directory(path)) status = no_checkpoint(checkpoints, step, path);
    ms_checkpoint *checkpoint = status == MS_OK ? calloc(1, sizeof *checkpoint) : NULL;
    if (status == MS_OK && !checkpoint) status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory to open a checkpoint");
    if (status != MS_OK) {
        free(path);
        return status;
    }
    checkpoint->path = path;
    status = read_state(path, step, &checkpoint->state);
    for (int i = 0; status == MS_OK && i < MS_CHECKPOINT_N_FILES; i++)
        status = check_file(path, i, &checkpoint->state.files[i], &checkpoint->files[i]);
    if (status != MS_OK) {
        status = damaged(status, path);
        ms_checkpoint_close(checkpoint);
        return status;
    }
    *out = checkpoint;
    return MS_OK;
}

void ms_checkpoint_close(ms_checkpoint *checkpoint) {
    if (!checkpoint) return;
    for (int i = 0; i < MS_CHECKPOINT_N_FILES; i++) ms_safetensors_close(checkpoint->files[i]);
    ms_checkpoint_state_finish(&checkpoint->state);
    free(checkpoint->path);
    free(checkpoint);
}

const ms_checkpoint_info *ms_checkpoint_get_info(const ms_checkpoint *checkpoint) { return &checkpoint->state.info; }

const ms_safetensors *ms_checkpoint_model(const ms_checkpoint *checkpoint) { return checkpoint->files[0]; }

const ms_safetensors *ms_checkpoint_optimizer(const ms_checkpoint *checkpoint) { return checkpoint->files[1]; }

ms_status ms_checkpoint_find(const ms_checkpoint *checkpoint, const char *key, ms_checkpoint_kind kind,
                             const ms_checkpoint_entry **out) {
    *out = NULL;
    MS_TRY_NOTE(ms_choice_check("kind", (int)kind, ms_checkpoint_kind_names), "checkpoint: entry %s", key);
    const ms_checkpoint_info *info = &checkpoint->state.info;
    for (size_t i = 0; i < info->n_entries; i++) {
        if (strcmp(info->entries[i].key, key) != 0) continue;
        if (info->entries[i].kind != kind)
            return MS_FAIL(MS_MISMATCH, "checkpoint %s: entry %s is %s, not %s", checkpoint->path, key,
                           ms_checkpoint_kind_names[info->entries[i].kind], ms_checkpoint_kind_names[kind]);
        *out = &info->entries[i];
        return MS_OK;
    }
    return MS_FAIL(MS_NOT_FOUND, "checkpoint %s: no entry %s", checkpoint->path, key);
}

ms_status ms_checkpoint_newest_intact(const char *checkpoints, int64_t before, int64_t *out_step) {
    int64_t *steps;
    size_t n;
    *out_step = -1;
    ms_status status = list_steps(checkpoints, &steps, &n);
    if (status != MS_NOT_FOUND) MS_TRY(status);
    status = MS_CORRUPT;
    for (size_t i = n; (status == MS_CORRUPT || status == MS_MISMATCH) && i > 0; i--) {
        ms_checkpoint *checkpoint = NULL;
        if (steps[i - 1] >= before) continue;
        status = ms_checkpoint_open(checkpoints, steps[i - 1], &checkpoint);
        if (status == MS_OK) *out_step = steps[i - 1];
        ms_checkpoint_close(checkpoint);
    }
    free(steps);
    if (status != MS_OK && status != MS_CORRUPT && status != MS_MISMATCH) return status;
    return *out_step >= 0
               ? MS_OK
               : MS_FAIL(MS_NOT_FOUND, "%s: no intact checkpoint before step %lld", checkpoints, (long long)before);
}

ms_status ms_checkpoint_open_or_name(const char *checkpoints, int64_t step, const char *option, ms_checkpoint **out) {
    int64_t intact;
    char message[768];
    *out = NULL;
    ms_status status = step < 0 ? ms_checkpoint_latest(checkpoints, &step) : MS_OK;
    if (status == MS_OK) status = ms_checkpoint_open(checkpoints, step, out);
    if (status != MS_CORRUPT && status != MS_MISMATCH) return status;
    snprintf(message, sizeof message, "%s", ms_status_message());
    ms_status found = ms_checkpoint_newest_intact(checkpoints, step, &intact);
    if (found == MS_NOT_FOUND) return MS_FAIL(status, "%s; no older checkpoint is intact", message);
    if (found != MS_OK) return MS_FAIL(status, "%s", message);
    return MS_FAIL(status, "%s; the newest intact one is of step %" PRId64 ": %s %" PRId64, message, intact, option,
                   intact);
}
