/* Writing and removing checkpoints.  A call opens the folder once, follows no link in its place, and works on its
   entries from there: what takes the folder's name meanwhile is not touched. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/checkpoint/checkpoint.h"
#include "model/checkpoint/checkpoint_names.h"
#include "model/checkpoint/checkpoint_state.h"
#include "model/checkpoint/safetensors.h"
#include "platform/exchange.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "platform/temporary.h"

/* An open folder; `path` is for messages. */
typedef struct open_folder {
    int descriptor;
    const char *path; /* borrowed */
} open_folder;

/* ---- writing ---- */

/* What a checkpoint is made of; borrowed from the caller. */
struct contents {
    const ms_checkpoint_info *info;
    const ms_safetensor *tensors[MS_CHECKPOINT_N_FILES];
    size_t n_tensors[MS_CHECKPOINT_N_FILES];
};

static ms_status describe_file(const open_folder *into, const char *name, const char *path, ms_checkpoint_file *out) {
    ms_map map;
    MS_TRY(ms_map_open_entry(into->descriptor, name, path, &map));
    out->size_bytes = (int64_t)map.size_bytes;
    ms_status status = ms_sha256_bytes(map.data, map.size_bytes, out->sha256);
    ms_map_close(&map);
    return status;
}

static ms_status commit(ms_status status, ms_writer *writer) {
    if (status == MS_OK) return ms_writer_commit(writer);
    ms_writer_abort(writer);
    return status;
}

static ms_status write_tensors(const open_folder *into, int i_file, const struct contents *contents,
                               ms_checkpoint_file *out) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, contents->info->step);
    const char *layout = contents->info->layout;
    const ms_safetensors_metadata metadata[] = {{"step", text}, {"layout", layout}};
    const char *name = ms_checkpoint_file_names[i_file];
    char *path = ms_path_join(into->path, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", into->path);
    ms_writer writer;
    ms_status status = ms_writer_open_entry(into->descriptor, name, path, &writer);
    if (status == MS_OK) {
        status = ms_safetensors_write_to(&writer, contents->tensors[i_file], contents->n_tensors[i_file], metadata,
                                         layout ? 2 : 1);
        status = commit(status, &writer);
    }
    if (status == MS_OK) status = describe_file(into, name, path, out);
    free(path);
    return status;
}

static ms_status write_state(const open_folder *into, const ms_checkpoint_info *info, const ms_checkpoint_file *files) {
    char *path = ms_path_join(into->path, MS_CHECKPOINT_STATE_NAME);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", into->path);
    ms_writer writer;
    ms_status status = ms_writer_open_entry(into->descriptor, MS_CHECKPOINT_STATE_NAME, path, &writer);
    if (status == MS_OK) status = commit(ms_checkpoint_state_write(&writer, info, files), &writer);
    free(path);
    return status;
}

static ms_status write_contents(const open_folder *into, const struct contents *contents) {
    ms_checkpoint_file files[MS_CHECKPOINT_N_FILES];
    for (int i = 0; i < MS_CHECKPOINT_N_FILES; i++) MS_TRY(write_tensors(into, i, contents, &files[i]));
    return write_state(into, contents->info, files);
}

/* Puts the finished folder in its place; what was there, of whatever kind, comes back under the temporary name and
   goes. */
static ms_status publish(int checkpoints, const char *temporary, const char *name, const char *path) {
    if (ms_entry_kind_of(checkpoints, name) == MS_ENTRY_NONE)
        return ms_rename_entry(checkpoints, temporary, name, path);
    MS_TRY(ms_exchange(checkpoints, temporary, name, path));
    return ms_directory_remove_entry(checkpoints, temporary, path);
}

static ms_status clear_away(ms_status status, const open_folder *checkpoints, const char *temporary) {
    char *path = ms_path_join(checkpoints->path, temporary);
    status = ms_directory_clear_away_entry(status, checkpoints->descriptor, temporary, path ? path : temporary);
    free(path);
    return status;
}

static ms_status write_checkpoint(const open_folder *checkpoints, const struct contents *contents) {
    char name[MS_CHECKPOINT_NAME_SIZE], *path, *temporary;
    ms_checkpoint_name(contents->info->step, name);
    MS_TRY(ms_checkpoint_path(checkpoints->path, contents->info->step, &path));
    open_folder into = {-1, path};
    ms_status status = ms_temporary_directory_entry(checkpoints->descriptor, name, path, &into.descriptor, &temporary);
    if (status == MS_OK) {
        status = write_contents(&into, contents);
        if (status == MS_OK) status = publish(checkpoints->descriptor, temporary, name, path);
        if (status != MS_OK) status = clear_away(status, checkpoints, temporary);
        ms_descriptor_close(into.descriptor);
        free(temporary);
    }
    free(path);
    return status;
}

ms_status ms_checkpoint_write(const char *checkpoints, const ms_checkpoint_info *info, const ms_safetensor *model,
                              size_t n_model, const ms_safetensor *optimizer, size_t n_optimizer) {
    if (info->step < 0) return MS_FAIL(MS_INVALID, "checkpoint: step is %lld", (long long)info->step);
    const struct contents contents = {info, {model, optimizer}, {n_model, n_optimizer}};
    open_folder folder = {-1, checkpoints};
    if (!info->folder_exists) MS_TRY(ms_directory_create(checkpoints));
    MS_TRY(ms_directory_open(checkpoints, &folder.descriptor));
    ms_status status = write_checkpoint(&folder, &contents);
    ms_descriptor_close(folder.descriptor);
    return status;
}

/* ---- removing ---- */

/* An open folder and what is in it. */
struct listed {
    open_folder folder;
    ms_listing names;
    int64_t *steps; /* of folders, and of links, by their names; ascending */
    size_t n_steps;
};

static bool may_be_removed(const void *context, const char *name) {
    const open_folder *folder = context;
    ms_entry_kind kind = ms_entry_kind_of(folder->descriptor, name);
    return kind == MS_ENTRY_DIRECTORY || kind == MS_ENTRY_LINK;
}

static void close_listed(struct listed *all) {
    free(all->steps);
    ms_listing_finish(&all->names);
    ms_descriptor_close(all->folder.descriptor);
}

/* MS_NOT_FOUND: no such folder. */
static ms_status open_listed(const char *checkpoints, struct listed *out) {
    *out = (struct listed){.folder = {-1, checkpoints}};
    MS_TRY(ms_directory_open(checkpoints, &out->folder.descriptor));
    ms_status status = ms_listing_read_opened(out->folder.descriptor, checkpoints, &out->names);
    if (status == MS_OK)
        status =
            ms_checkpoint_steps(checkpoints, &out->names, may_be_removed, &out->folder, &out->steps, &out->n_steps);
    if (status != MS_OK) close_listed(out);
    return status;
}

static ms_status remove_leftovers(const struct listed *all) {
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < all->names.n; i++) {
        const char *name = all->names.names[i];
        if (!ms_checkpoint_name_is_unfinished(name)) continue;
        char *path = ms_path_join(all->folder.path, name);
        status = path ? ms_directory_remove_entry(all->folder.descriptor, name, path)
                      : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", all->folder.path);
        free(path);
    }
    return status;
}

static ms_status remove_step(const open_folder *folder, int64_t step) {
    char name[MS_CHECKPOINT_NAME_SIZE], temporary[MS_TEMPORARY_NAME_SIZE];
    ms_checkpoint_name(step, name);
    MS_TRY(ms_temporary_name(name, temporary));
    char *path = ms_path_join(folder->path, temporary);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", folder->path);
    ms_status status = ms_rename_entry(folder->descriptor, name, temporary, path);
    if (status == MS_OK) status = ms_directory_remove_entry(folder->descriptor, temporary, path);
    free(path);
    return status;
}

/* The step of the oldest checkpoint to keep: a link is none, and keeps nobody from his place.  -1: all are kept. */
static int64_t oldest_kept(const struct listed *all, int keep) {
    for (size_t i = all->n_steps; i > 0; i--) {
        char name[MS_CHECKPOINT_NAME_SIZE];
        ms_checkpoint_name(all->steps[i - 1], name);
        if (ms_entry_kind_of(all->folder.descriptor, name) == MS_ENTRY_DIRECTORY && --keep == 0)
            return all->steps[i - 1];
    }
    return -1;
}

ms_status ms_checkpoint_prune(const char *checkpoints, int keep) {
    if (keep < 1) return MS_FAIL(MS_INVALID, "checkpoints to keep: %d is below 1", keep);
    struct listed all;
    ms_status status = open_listed(checkpoints, &all);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    status = remove_leftovers(&all);
    int64_t oldest = oldest_kept(&all, keep);
    for (size_t i = 0; status == MS_OK && i < all.n_steps && all.steps[i] < oldest; i++)
        status = remove_step(&all.folder, all.steps[i]);
    close_listed(&all);
    return status;
}

ms_status ms_checkpoint_count_later(const char *checkpoints, int64_t step, int *out_n) {
    struct listed all;
    *out_n = 0;
    ms_status status = open_listed(checkpoints, &all);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    for (size_t i = all.n_steps; i > 0 && all.steps[i - 1] > step; i--) (*out_n)++;
    close_listed(&all);
    return MS_OK;
}

ms_status ms_checkpoint_remove_later(const char *checkpoints, int64_t step, int *out_n) {
    struct listed all;
    *out_n = 0;
    ms_status status = open_listed(checkpoints, &all);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    for (size_t i = all.n_steps; status == MS_OK && i > 0 && all.steps[i - 1] > step; i--) {
        status = remove_step(&all.folder, all.steps[i - 1]);
        *out_n += status == MS_OK;
    }
    close_listed(&all);
    return status;
}

/* ---- what is none ---- */

ms_status ms_checkpoint_count_others(const char *checkpoints, int *out_n, char out_first[MS_CHECKPOINT_NAME_SIZE]) {
    ms_listing names;
    *out_n = 0;
    out_first[0] = '\0';
    ms_status status = ms_listing_read(checkpoints, &names);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    for (size_t i = 0; i < names.n; i++) {
        int64_t step;
        char *path;
        if (!ms_checkpoint_parse_name(names.names[i], &step)) continue;
        status = ms_checkpoint_path(checkpoints, step, &path);
        if (status != MS_OK) break;
        if (!ms_is_directory(path) && (*out_n)++ == 0) ms_checkpoint_name(step, out_first);
        free(path);
    }
    ms_listing_finish(&names);
    return status;
}
