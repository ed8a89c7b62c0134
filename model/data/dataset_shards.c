#include "model/data/dataset_shards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/path.h"

/* SHA-256 of a shard that is open, in what is saved. */
static const char open_sha256[] = "0000000000000000000000000000000000000000000000000000000000000000";

static ms_status shard_name(const ms_dataset_shards *shards, int split, char *out, size_t size) {
    int n = snprintf(out, size, "%s_%s_%06zu.bin", shards->name, ms_split_name(split),
                     shards->sidecar->splits[split].n_shards);
    if (n < 0 || (size_t)n >= size) return MS_FAIL(MS_INVALID, "the name %s is too long", shards->name);
    return MS_OK;
}

/* The path of an entry of the folder; the caller frees it. */
static ms_status path_in(const ms_dataset_shards *shards, const char *name, char **out) {
    *out = ms_path_join(shards->directory, name);
    return *out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
}

static ms_status open_shard(ms_dataset_shards *shards, int split) {
    char name[256], *path;
    MS_TRY(shard_name(shards, split, name, sizeof name));
    MS_TRY(path_in(shards, name, &path));
    ms_status status = ms_shard_writer_open(path, shards->sidecar->vocab_size, &shards->writers[split]);
    shards->is_open[split] = status == MS_OK;
    free(path);
    return status;
}

ms_status ms_dataset_shards_commit(ms_dataset_shards *shards, int split) {
    char name[256], *path, sha256[65];
    if (!shards->is_open[split]) return MS_OK;
    int64_t n_tokens = shards->writers[split].n_tokens;
    shards->is_open[split] = false;
    MS_TRY(ms_shard_writer_commit(&shards->writers[split]));
    MS_TRY(shard_name(shards, split, name, sizeof name));
    MS_TRY(path_in(shards, name, &path));
    ms_reader reader;
    ms_status status = ms_reader_open(path, &reader);
    free(path);
    MS_TRY(status);
    status = ms_reader_sha256(&reader, sha256);
    ms_reader_close(&reader);
    MS_TRY(status);
    return ms_sidecar_add_shard(shards->sidecar, split, name, n_tokens, sha256);
}

ms_status ms_dataset_shards_add(ms_dataset_shards *shards, int split, const int32_t *ids, int64_t n) {
    if (shards->is_open[split] && shards->writers[split].n_tokens + n > shards->shard_tokens)
        MS_TRY(ms_dataset_shards_commit(shards, split));
    if (!shards->is_open[split]) MS_TRY(open_shard(shards, split));
    return ms_shard_writer_add(&shards->writers[split], ids, n);
}

void ms_dataset_shards_abort(ms_dataset_shards *shards) {
    for (int split = 0; split < MS_N_SPLITS; split++) {
        if (shards->is_open[split]) ms_shard_writer_abort(&shards->writers[split]);
        shards->is_open[split] = false;
    }
}

/* ---- saved, and restored ---- */

/* Takes the last shard of a split out of the sidecar. */
static void drop_last(ms_sidecar_split *split) { free(split->shards[--split->n_shards].file); }

ms_status ms_dataset_shards_save(ms_dataset_shards *shards, json_t **out) {
    *out = NULL;
    bool listed[MS_N_SPLITS] = {false};
    ms_status status = MS_OK;
    for (int split = 0; split < MS_N_SPLITS && status == MS_OK; split++) {
        char name[256];
        if (!shards->is_open[split]) continue;
        status = ms_shard_writer_sync(&shards->writers[split]);
        if (status == MS_OK) status = shard_name(shards, split, name, sizeof name);
        if (status == MS_OK)
            status = ms_sidecar_add_shard(shards->sidecar, split, name, shards->writers[split].n_tokens, open_sha256);
        listed[split] = status == MS_OK;
    }
    if (status == MS_OK) status = ms_sidecar_to_json(shards->sidecar, out);
    for (int split = 0; split < MS_N_SPLITS; split++)
        if (listed[split]) drop_last(&shards->sidecar->splits[split]);
    return status;
}

static bool is_listed(const ms_sidecar *sidecar, const char *name) {
    for (int split = 0; split < MS_N_SPLITS; split++)
        for (size_t i = 0; i < sidecar->splits[split].n_shards; i++)
            if (strcmp(sidecar->splits[split].shards[i].file, name) == 0) return true;
    return false;
}

/* Later files would be in the way of those that are written again. */
static ms_status remove_others(const ms_dataset_shards *shards, const char *kept) {
    ms_listing names;
    MS_TRY(ms_listing_read(shards->directory, &names));
    ms_status status = MS_OK;
    for (size_t i = 0; i < names.n && status == MS_OK; i++) {
        char *path;
        if (strcmp(names.names[i], kept) == 0 || is_listed(shards->sidecar, names.names[i])) continue;
        status = path_in(shards, names.names[i], &path);
        if (status == MS_OK && !ms_remove_one(path)) status = MS_FAIL(MS_IO, "cannot remove %s", path);
        free(path);
    }
    ms_listing_finish(&names);
    return status;
}

static ms_status check_complete(const char *path, int64_t n_tokens) {
    ms_shard shard;
    MS_TRY(ms_shard_open(path, &shard));
    int64_t n_found = shard.n_tokens;
    ms_shard_close(&shard);
    if (n_found == n_tokens) return MS_OK;
    return MS_FAIL(MS_CORRUPT, "%s has %" PRId64 " tokens, and had %" PRId64, path, n_found, n_tokens);
}

static ms_status restore_split(ms_dataset_shards *shards, int split) {
    ms_sidecar_split *listed = &shards->sidecar->splits[split];
    for (size_t i = 0; i < listed->n_shards; i++) {
        char *path;
        const ms_sidecar_shard *shard = &listed->shards[i];
        bool was_open = strcmp(shard->sha256, open_sha256) == 0;
        if (was_open && i + 1 < listed->n_shards)
            return MS_FAIL(MS_CORRUPT, "%s is open, and not the last", shard->file);
        MS_TRY(path_in(shards, shard->file, &path));
        ms_status status = was_open ? ms_shard_writer_reopen(path, shards->sidecar->vocab_size, shard->n_tokens,
                                                             &shards->writers[split])
                                    : check_complete(path, shard->n_tokens);
        free(path);
        MS_TRY(status);
        shards->is_open[split] = was_open;
    }
    if (shards->is_open[split]) drop_last(listed);
    return MS_OK;
}

ms_status ms_dataset_shards_restore(ms_dataset_shards *shards, const json_t *saved, const char *kept) {
    ms_sidecar sidecar;
    MS_TRY(ms_sidecar_from_json(saved, &sidecar));
    ms_sidecar_finish(shards->sidecar);
    *shards->sidecar = sidecar;
    MS_TRY(remove_others(shards, kept));
    for (int split = 0; split < MS_N_SPLITS; split++) MS_TRY(restore_split(shards, split));
    return MS_OK;
}
