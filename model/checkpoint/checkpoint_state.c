#include "model/checkpoint/checkpoint_state.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/choice.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/sha256.h"

#define FORMAT "muonscope-checkpoint"
#define SELF_HASH "state_sha256"
enum { VERSION = 1 };

const char *const ms_checkpoint_file_names[MS_CHECKPOINT_N_FILES] = {"model.safetensors", "optimizer.safetensors"};

/* The hash of the object as it is; the caller has taken SELF_HASH out of it. */
static ms_status hash_json(json_t *root, char out_hexadecimal[65]) {
    char *text;
    MS_TRY(ms_json_text(root, "checkpoint", JSON_COMPACT | JSON_SORT_KEYS, &text));
    ms_status status = ms_sha256_bytes(text, strlen(text), out_hexadecimal);
    free(text);
    return status;
}

/* ---- writing ---- */

static ms_status check_info(const ms_checkpoint_info *info) {
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"step", info->step},
                  {"tokens", info->tokens},
                  {"data_position", info->data_position},
                  {"adamw_step", info->adamw_step}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i].value < 0)
            return MS_FAIL(MS_INVALID, "checkpoint: %s is %lld", counts[i].name, (long long)counts[i].value);
    if (!info->config_hash) return MS_FAIL(MS_INVALID, "checkpoint: no config_hash");
    return MS_OK;
}

const char *const ms_checkpoint_kind_names[] = {
    [MS_CHECKPOINT_TEXT] = "text", [MS_CHECKPOINT_INTEGER] = "an integer", [MS_CHECKPOINT_REAL] = "a real", NULL};

static ms_status add_entry(json_t *object, const ms_checkpoint_entry *entry) {
    if (!entry->key) return MS_FAIL(MS_INVALID, "checkpoint: an entry without a key");
    if (json_object_get(object, entry->key))
        return MS_FAIL(MS_INVALID, "checkpoint: entry %s is given twice", entry->key);
    MS_TRY_NOTE(ms_choice_check("kind", (int)entry->kind, ms_checkpoint_kind_names), "checkpoint: entry %s",
                entry->key);
    static const char what[] = "checkpoint";
    switch (entry->kind) {
    case MS_CHECKPOINT_TEXT:
        return ms_json_set_text(object, what, entry->key, entry->text);
    case MS_CHECKPOINT_INTEGER:
        return ms_json_set(object, what, entry->key, json_integer(entry->integer));
    case MS_CHECKPOINT_REAL:
        if (!isfinite(entry->real))
            return MS_FAIL(MS_INVALID, "checkpoint: entry %s is %g, not a finite number", entry->key, entry->real);
        return ms_json_set(object, what, entry->key, json_real(entry->real));
    }
    return MS_OK; /* checked above */
}

static ms_status fill(json_t *root, const ms_checkpoint_info *info, const ms_checkpoint_file *files) {
    json_t *entries = json_object_get(root, "entries"), *listed = json_object_get(root, "files");
    for (size_t i = 0; i < info->n_entries; i++) MS_TRY(add_entry(entries, &info->entries[i]));
    for (int i = 0; i < MS_CHECKPOINT_N_FILES; i++) {
        json_t *file;
        MS_TRY(ms_json_pack(&file, "checkpoint", "{s:I, s:s}", "size_bytes", (json_int_t)files[i].size_bytes, "sha256",
                            files[i].sha256));
        MS_TRY(ms_json_set(listed, "checkpoint", ms_checkpoint_file_names[i], file));
    }
    char hash[65];
    MS_TRY(hash_json(root, hash));
    return ms_json_set_text(root, "checkpoint", SELF_HASH, hash);
}

ms_status ms_checkpoint_state_write(ms_writer *writer, const ms_checkpoint_info *info,
                                    const ms_checkpoint_file files[MS_CHECKPOINT_N_FILES]) {
    MS_TRY(check_info(info));
    json_t *root;
    MS_TRY(ms_json_pack(&root, "checkpoint", "{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:s, s:{}, s:{}}", "format", FORMAT,
                        "version", VERSION, "step", (json_int_t)info->step, "tokens", (json_int_t)info->tokens,
                        "data_position", (json_int_t)info->data_position, "seed", (json_int_t)info->seed, "adamw_step",
                        (json_int_t)info->adamw_step, "config_hash", info->config_hash, "entries", "files"));
    ms_status status = fill(root, info, files);
    char *text = NULL;
    if (status == MS_OK) status = ms_json_text(root, "checkpoint", JSON_INDENT(1), &text);
    if (status == MS_OK) status = ms_writer_write(writer, text, strlen(text));
    free(text);
    json_decref(root);
    return status;
}

/* ---- reading ---- */

static ms_status get_integer(const char *path, json_t *object, const char *key, int64_t minimum, int64_t *out) {
    *out = 0;
    json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) return MS_FAIL(MS_CORRUPT, "%s: %s is missing or not an integer", path, key);
    *out = json_integer_value(value);
    if (*out < minimum) return MS_FAIL(MS_CORRUPT, "%s: %s is %lld", path, key, (long long)*out);
    return MS_OK;
}

static ms_status check_format(const char *path, json_t *root) {
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, FORMAT) != 0)
        return MS_FAIL(MS_CORRUPT, "%s: not the state of a muonscope checkpoint", path);
    int64_t version;
    MS_TRY(get_integer(path, root, "version", 1, &version));
    if (version != VERSION)
        return MS_FAIL(MS_MISMATCH, "%s: format version %lld, this program reads version %d", path, (long long)version,
                       VERSION);
    return MS_OK;
}

static ms_status check_hash(const char *path, json_t *root) {
    const char *stored = json_string_value(json_object_get(root, SELF_HASH));
    if (!stored) return MS_FAIL(MS_CORRUPT, "%s: no " SELF_HASH, path);
    char expected[65] = "", hash[65];
    if (strlen(stored) == 64) memcpy(expected, stored, 65);
    json_object_del(root, SELF_HASH);
    MS_TRY(hash_json(root, hash));
    if (strcmp(hash, expected) != 0)
        return MS_FAIL(MS_CORRUPT, "%s: SHA-256 is %.16s..., %s says %.16s...", path, hash, SELF_HASH, expected);
    return MS_OK;
}

static ms_status read_entries(const char *path, ms_checkpoint_state *state) {
    json_t *object = json_object_get(state->root, "entries");
    if (!json_is_object(object)) return MS_FAIL(MS_CORRUPT, "%s: no entries", path);
    state->entries = calloc(json_object_size(object) + 1, sizeof *state->entries);
    if (!state->entries) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its entries", path);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        ms_checkpoint_entry *entry = &state->entries[state->info.n_entries++];
        entry->key = key;
        if (json_is_string(value)) {
            entry->kind = MS_CHECKPOINT_TEXT;
            entry->text = json_string_value(value);
        } else if (json_is_integer(value)) {
            entry->kind = MS_CHECKPOINT_INTEGER;
            entry->integer = json_integer_value(value);
        } else if (json_is_real(value)) {
            entry->kind = MS_CHECKPOINT_REAL;
            entry->real = json_real_value(value);
        } else {
            return MS_FAIL(MS_CORRUPT, "%s: entry %s is neither text nor number", path, key);
        }
    }
    state->info.entries = state->entries;
    return MS_OK;
}

static ms_status read_files(const char *path, ms_checkpoint_state *state) {
    json_t *files = json_object_get(state->root, "files");
    for (int i = 0; i < MS_CHECKPOINT_N_FILES; i++) {
        json_t *file = json_object_get(files, ms_checkpoint_file_names[i]);
        const char *hash = json_string_value(json_object_get(file, "sha256"));
        if (!hash || strlen(hash) != 64)
            return MS_FAIL(MS_CORRUPT, "%s: no sha256 of %s", path, ms_checkpoint_file_names[i]);
        memcpy(state->files[i].sha256, hash, 65);
        MS_TRY(get_integer(path, file, "size_bytes", 0, &state->files[i].size_bytes));
    }
    return MS_OK;
}

static ms_status read_state(const char *path, ms_checkpoint_state *state) {
    char *text;
    size_t size_bytes;
    MS_TRY(ms_file_read(path, &text, &size_bytes));
    json_error_t error;
    state->root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!state->root) return MS_FAIL(MS_CORRUPT, "%s: line %d: %s", path, error.line, error.text);
    MS_TRY(check_format(path, state->root));
    MS_TRY(check_hash(path, state->root));
    ms_checkpoint_info *info = &state->info;
    MS_TRY(get_integer(path, state->root, "step", 0, &info->step));
    MS_TRY(get_integer(path, state->root, "tokens", 0, &info->tokens));
    MS_TRY(get_integer(path, state->root, "data_position", 0, &info->data_position));
    MS_TRY(get_integer(path, state->root, "seed", INT64_MIN, &info->seed));
    MS_TRY(get_integer(path, state->root, "adamw_step", 0, &info->adamw_step));
    info->config_hash = json_string_value(json_object_get(state->root, "config_hash"));
    if (!info->config_hash) return MS_FAIL(MS_CORRUPT, "%s: no config_hash", path);
    MS_TRY(read_entries(path, state));
    return read_files(path, state);
}

ms_status ms_checkpoint_state_read(const char *path, ms_checkpoint_state *out) {
    *out = (ms_checkpoint_state){0};
    ms_status status = read_state(path, out);
    if (status != MS_OK) ms_checkpoint_state_finish(out);
    return status;
}

void ms_checkpoint_state_finish(ms_checkpoint_state *state) {
    json_decref(state->root);
    free(state->entries);
    *state = (ms_checkpoint_state){0};
}
