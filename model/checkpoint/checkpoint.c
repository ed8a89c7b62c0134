#include "model/checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint_state.h"
#include "platform/choice.h"
#include "platform/directory.h"
#include "platform/exchange.h"
#include "platform/file.h"
#include "platform/sha256.h"

#define UNFINISHED ".tmp"
#define STATE_NAME "state.json"

struct ms_checkpoint {
    char *path;                                   /* owned: its directory, for messages */
    ms_checkpoint_state state;                    /* owned */
    ms_safetensors *files[MS_CHECKPOINT_N_FILES]; /* owned, in the order of ms_checkpoint_file_names */
};

/* <checkpoints>/step_XXXXXXXX<suffix>; the caller frees it. */
static ms_status step_path(const char *checkpoints, int64_t step, const char *suffix, char **out) {
    char name[64];
    snprintf(name, sizeof name, "step_%08" PRId64 "%s", step, suffix);
    *out = ms_path_join(checkpoints, name);
    return *out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", checkpoints);
}

/* Whether `name` is step_<digits><suffix> as step_path writes it. */
static bool parse_step(const char *name, const char *suffix, int64_t *out_step) {
    if (strncmp(name, "step_", 5) != 0) return false;
    const char *digits = name + 5;
    size_t n_digits = strspn(digits, "0123456789");
    if (n_digits < 8 || n_digits > 18 || (n_digits > 8 && digits[0] == '0')) return false;
    *out_step = strtoll(digits, NULL, 10);
    return strcmp(digits + n_digits, suffix) == 0;
}

/* ---- writing ---- */

static ms_status describe_file(const char *path, ms_checkpoint_file *out) {
    ms_map map;
    MS_TRY(ms_map_open(path, &map));
    out->size_bytes = (int64_t)map.size_bytes;
    ms_status status = ms_sha256_bytes(map.data, map.size_bytes, out->sha256);
    ms_map_close(&map);
    return status;
}

static ms_status write_file(const char *directory, int i_file, int64_t step, const ms_safetensor *tensors, size_t n,
                            ms_checkpoint_file *out) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, step);
    const ms_safetensors_metadata metadata = {"step", text};
    char *path = ms_path_join(directory, ms_checkpoint_file_names[i_file]);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", directory);
    ms_status status = ms_safetensors_write(path, tensors, n, &metadata, 1);
    if (status == MS_OK) status = describe_file(path, out);
    free(path);
    return status;
}

static ms_status write_state(const char *directory, const ms_checkpoint_info *info, const ms_checkpoint_file *files) {
    char *path = ms_path_join(directory, STATE_NAME);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", directory);
    ms_status status = ms_checkpoint_state_write(path, info, files);
    free(path);
    return status;
}

/* Puts the finished directory in its place; one that was there comes back under the temporary name and goes. */
static ms_status publish(const char *temporary, const char *path) {
    if (!ms_file_exists(path) && !ms_is_link(path)) return ms_rename(temporary, path);
    MS_TRY(ms_exchange(temporary, path));
    return ms_directory_remove(temporary);
}

ms_status ms_checkpoint_write(const char *checkpoints, const ms_checkpoint_info *info, const ms_safetensor *model,
                              size_t n_model, const ms_safetensor *optimizer, size_t n_optimizer) {
    if (info->step < 0) return MS_FAIL(MS_INVALID, "checkpoint: step is %lld", (long long)info->step);
    char *path = NULL, *temporary = NULL;
    ms_status status = step_path(checkpoints, info->step, "", &path);
    if (status == MS_OK) status = step_path(checkpoints, info->step, UNFINISHED, &temporary);
    if (status == MS_OK) status = ms_directory_create(checkpoints);
    if (status == MS_OK) status = ms_directory_remove(temporary);
    if (status == MS_OK) {
        ms_checkpoint_file files[MS_CHECKPOINT_N_FILES];
        status = ms_directory_require(temporary);
        if (status == MS_OK) status = write_file(temporary, 0, info->step, model, n_model, &files[0]);
        if (status == MS_OK) status = write_file(temporary, 1, info->step, optimizer, n_optimizer, &files[1]);
        if (status == MS_OK) status = write_state(temporary, info, files);
        if (status == MS_OK) status = publish(temporary, path);
        if (status != MS_OK) status = ms_directory_clear_away(status, temporary);
    }
    free(temporary);
    free(path);
    return status;
}

/* ---- reading ---- */

/* A file that is missing inside a checkpoint, or is none (a pipe), is damage, not a wrong name. */
static ms_status damaged(ms_status status, const char *path) {
    if (status == MS_NOT_FOUND || status == MS_IO) status = MS_CORRUPT;
    return ms_status_note(status, "checkpoint %s", path);
}

static ms_status check_size(const ms_map *map, const char *name, const ms_checkpoint_file *expected) {
    if ((int64_t)map->size_bytes != expected->size_bytes)
        return MS_FAIL(MS_CORRUPT, "%s has %zu bytes, " STATE_NAME " says %lld", name, map->size_bytes,
                       (long long)expected->size_bytes);
    return MS_OK;
}

static ms_status check_hash(const ms_map *map, const char *name, const ms_checkpoint_file *expected) {
    char hash[65];
    MS_TRY(ms_sha256_bytes(map->data, map->size_bytes, hash));
    if (strcmp(hash, expected->sha256) != 0)
        return MS_FAIL(MS_CORRUPT, "%s has SHA-256 %.16s..., " STATE_NAME " says %.16s...", name, hash,
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
    char *path = ms_path_join(directory, STATE_NAME);
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

ms_status ms_checkpoint_latest(const char *checkpoints, int64_t *out_step) {
    *out_step = 0;
    ms_listing names;
    ms_status status = ms_listing_read(checkpoints, &names);
    if (status == MS_NOT_FOUND) return MS_FAIL(MS_NOT_FOUND, "%s: no such checkpoint folder", checkpoints);
    MS_TRY(status);
    int64_t newest = -1, step;
    for (size_t i = 0; i < names.n; i++)
        if (parse_step(names.names[i], "", &step) && step > newest) newest = step;
    ms_listing_finish(&names);
    if (newest < 0) return MS_FAIL(MS_NOT_FOUND, "%s: no checkpoint there", checkpoints);
    char *path;
    MS_TRY(step_path(checkpoints, newest, "", &path));
    status = check_newest(path, newest);
    if (status != MS_OK) status = damaged(status, path);
    free(path);
    *out_step = newest;
    return status;
}

ms_status ms_checkpoint_open(const char *checkpoints, int64_t step, ms_checkpoint **out) {
    *out = NULL;
    char *path;
    MS_TRY(step_path(checkpoints, step, "", &path));
    if (!ms_file_exists(path)) {
        free(path);
        return MS_FAIL(MS_NOT_FOUND, "%s: no checkpoint of step %" PRId64, checkpoints, step);
    }
    ms_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) {
        free(path);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to open a checkpoint");
    }
    checkpoint->path = path;
    ms_status status = read_state(path, step, &checkpoint->state);
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

/* ---- pruning ---- */

static ms_status remove_leftovers(const char *checkpoints, const ms_listing *names) {
    for (size_t i = 0; i < names->n; i++) {
        int64_t step;
        if (!parse_step(names->names[i], UNFINISHED, &step)) continue;
        char *path;
        MS_TRY(step_path(checkpoints, step, UNFINISHED, &path));
        ms_status status = ms_directory_remove(path);
        free(path);
        MS_TRY(status);
    }
    return MS_OK;
}

static ms_status remove_step(const char *checkpoints, int64_t step) {
    char *path = NULL, *temporary = NULL;
    ms_status status = step_path(checkpoints, step, "", &path);
    if (status == MS_OK) status = step_path(checkpoints, step, UNFINISHED, &temporary);
    if (status == MS_OK) status = ms_rename(path, temporary);
    if (status == MS_OK) status = ms_directory_remove(temporary);
    free(temporary);
    free(path);
    return status;
}

static int compare_steps(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The steps of all finished checkpoints, ascending, malloc'ed; n 0 for a missing folder.  names: all that is there. */
static ms_status list_steps(const char *checkpoints, ms_listing *names, int64_t **out_steps, size_t *out_n) {
    *names = (ms_listing){0};
    *out_steps = NULL;
    *out_n = 0;
    ms_status status = ms_listing_read(checkpoints, names);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    int64_t *steps = calloc(names->n + 1, sizeof *steps);
    if (!steps) {
        ms_listing_finish(names);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the names in %s", checkpoints);
    }
    for (size_t i = 0; i < names->n; i++)
        if (parse_step(names->names[i], "", &steps[*out_n])) (*out_n)++;
    qsort(steps, *out_n, sizeof *steps, compare_steps);
    *out_steps = steps;
    return MS_OK;
}

ms_status ms_checkpoint_prune(const char *checkpoints, int keep) {
    if (keep < 1) return MS_FAIL(MS_INVALID, "checkpoints to keep: %d is below 1", keep);
    ms_listing names;
    int64_t *steps;
    size_t n_steps;
    MS_TRY(list_steps(checkpoints, &names, &steps, &n_steps));
    ms_status status = remove_leftovers(checkpoints, &names);
    for (size_t i = 0; status == MS_OK && i + (size_t)keep < n_steps; i++) status = remove_step(checkpoints, steps[i]);
    free(steps);
    ms_listing_finish(&names);
    return status;
}

ms_status ms_checkpoint_remove_later(const char *checkpoints, int64_t step, int *out_n) {
    ms_listing names;
    int64_t *steps;
    size_t n_steps;
    *out_n = 0;
    MS_TRY(list_steps(checkpoints, &names, &steps, &n_steps));
    ms_status status = MS_OK;
    for (size_t i = n_steps; status == MS_OK && i > 0 && steps[i - 1] > step; i--) {
        status = remove_step(checkpoints, steps[i - 1]);
        *out_n += status == MS_OK;
    }
    free(steps);
    ms_listing_finish(&names);
    return status;
}

ms_status ms_checkpoint_newest_intact(const char *checkpoints, int64_t before, int64_t *out_step) {
    ms_listing names;
    int64_t *steps;
    size_t n_steps;
    *out_step = -1;
    MS_TRY(list_steps(checkpoints, &names, &steps, &n_steps));
    ms_status status = MS_CORRUPT;
    for (size_t i = n_steps; (status == MS_CORRUPT || status == MS_MISMATCH) && i > 0; i--) {
        ms_checkpoint *checkpoint = NULL;
        if (steps[i - 1] >= before) continue;
        status = ms_checkpoint_open(checkpoints, steps[i - 1], &checkpoint);
        if (status == MS_OK) *out_step = steps[i - 1];
        ms_checkpoint_close(checkpoint);
    }
    free(steps);
    ms_listing_finish(&names);
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
