#include "model/data/dataset_sidecar.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json.h"

static const char format_name[] = "muonscope dataset";
enum { FORMAT_VERSION = 1 };

const char *ms_split_name(int split) { return split == MS_SPLIT_TRAIN ? "train" : "val"; }

ms_status ms_sidecar_add_shard(ms_sidecar *sidecar, int split, const char *file, int64_t n_tokens, const char *sha256) {
    ms_sidecar_split *into = &sidecar->splits[split];
    ms_sidecar_shard *larger = realloc(into->shards, (into->n_shards + 1) * sizeof *larger);
    char *copy = strdup(file);
    if (larger) into->shards = larger;
    if (!larger || !copy) {
        free(copy);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the shard %s", file);
    }
    ms_sidecar_shard *shard = &into->shards[into->n_shards++];
    *shard = (ms_sidecar_shard){.file = copy, .n_tokens = n_tokens};
    memcpy(shard->sha256, sha256, sizeof shard->sha256);
    return MS_OK;
}

ms_status ms_sidecar_add_source(ms_sidecar *sidecar, const char *path, int64_t n_bytes, int64_t n_documents) {
    ms_sidecar_source *larger = realloc(sidecar->sources, (sidecar->n_sources + 1) * sizeof *larger);
    char *copy = strdup(path);
    if (larger) sidecar->sources = larger;
    if (!larger || !copy) {
        free(copy);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the source %s", path);
    }
    sidecar->sources[sidecar->n_sources++] = (ms_sidecar_source){copy, n_bytes, n_documents};
    return MS_OK;
}

void ms_sidecar_finish(ms_sidecar *sidecar) {
    for (int split = 0; split < MS_N_SPLITS; split++) {
        for (size_t i = 0; i < sidecar->splits[split].n_shards; i++) free(sidecar->splits[split].shards[i].file);
        free(sidecar->splits[split].shards);
    }
    for (size_t i = 0; i < sidecar->n_sources; i++) free(sidecar->sources[i].path);
    free(sidecar->sources);
    *sidecar = (ms_sidecar){0};
}

static ms_status split_json(const ms_sidecar_split *split, json_t **out) {
    json_t *shards = json_array(), *entry;
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < split->n_shards; i++) {
        const ms_sidecar_shard *shard = &split->shards[i];
        status = ms_json_pack(&entry, MS_SIDECAR_NAME, "{s:s, s:I, s:s}", "file", shard->file, "tokens",
                              (json_int_t)shard->n_tokens, "sha256", shard->sha256);
        if (status == MS_OK) status = ms_json_append(shards, MS_SIDECAR_NAME, entry);
    }
    if (status == MS_OK)
        return ms_json_pack(out, MS_SIDECAR_NAME, "{s:I, s:I, s:I, s:o}", "tokens", (json_int_t)split->n_tokens,
                            "documents", (json_int_t)split->n_documents, "bytes", (json_int_t)split->n_bytes, "shards",
                            shards);
    json_decref(shards);
    return status;
}

/* Counts by reason; those of 0 are left out. */
static ms_status add_counts(json_t *root, const char *key, const int64_t counts[MS_N_RECORD_FAULTS]) {
    json_t *object = json_object();
    MS_TRY(ms_json_set(root, MS_SIDECAR_NAME, key, object));
    for (int i = 0; i < MS_N_RECORD_FAULTS; i++)
        if (counts[i] > 0)
            MS_TRY(ms_json_set(object, MS_SIDECAR_NAME, ms_record_fault_name((ms_record_fault)i),
                               json_integer(counts[i])));
    return MS_OK;
}

ms_status ms_record_counts_to_json(const ms_record_counts *counts, json_t *object) {
    MS_TRY(add_counts(object, "skipped", counts->skipped));
    return add_counts(object, "replaced", counts->replaced);
}

static ms_status fill(const ms_sidecar *sidecar, json_t *root) {
    json_t *splits = json_object_get(root, "splits"), *sources = json_object_get(root, "sources"), *entry;
    for (int split = 0; split < MS_N_SPLITS; split++) {
        MS_TRY(split_json(&sidecar->splits[split], &entry));
        MS_TRY(ms_json_set(splits, MS_SIDECAR_NAME, ms_split_name(split), entry));
    }
    for (size_t i = 0; i < sidecar->n_sources; i++) {
        const ms_sidecar_source *source = &sidecar->sources[i];
        MS_TRY(ms_json_pack(&entry, MS_SIDECAR_NAME, "{s:s, s:I, s:I}", "path", source->path, "bytes",
                            (json_int_t)source->n_bytes, "documents", (json_int_t)source->n_documents));
        MS_TRY(ms_json_append(sources, MS_SIDECAR_NAME, entry));
    }
    return ms_record_counts_to_json(&sidecar->counts, root);
}

ms_status ms_sidecar_to_json(const ms_sidecar *sidecar, json_t **out) {
    json_t *end_of_text = sidecar->end_of_text >= 0 ? json_integer(sidecar->end_of_text) : json_null();
    MS_TRY(ms_json_pack(out, MS_SIDECAR_NAME, "{s:s, s:i, s:s, s:s, s:i, s:o, s:f, s:I, s:{}, s:[], s:s}", "format",
                        format_name, "version", FORMAT_VERSION, "tokenizer", MS_SIDECAR_TOKENIZER, "tokenizer_sha256",
                        sidecar->tokenizer_sha256, "vocab_size", sidecar->vocab_size, "end_of_text", end_of_text,
                        "validation_fraction", sidecar->validation_fraction, "seed", (json_int_t)sidecar->seed,
                        "splits", "sources", "on_error", ms_on_error_name(sidecar->on_error)));
    ms_status status = fill(sidecar, *out);
    if (status == MS_OK) return MS_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

ms_status ms_sidecar_write(const ms_sidecar *sidecar, const char *directory) {
    json_t *root;
    MS_TRY_NOTE(ms_sidecar_to_json(sidecar, &root), "%s", directory);
    char *path = ms_path_join(directory, MS_SIDECAR_NAME);
    ms_status status = path ? ms_json_write(root, MS_SIDECAR_NAME, JSON_INDENT(2), path)
                            : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %s", directory, MS_SIDECAR_NAME);
    free(path);
    json_decref(root);
    return status;
}

/* A count that must be there and not be negative. */
static ms_status read_count(const json_t *object, const char *key, int64_t *out) {
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < 0) return MS_FAIL(MS_CORRUPT, "no count under \"%s\"", key);
    return MS_OK;
}

static ms_status read_hash(const json_t *object, const char *key, char out[65]) {
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        return MS_FAIL(MS_CORRUPT, "no SHA-256 under \"%s\"", key);
    memcpy(out, text, 65);
    return MS_OK;
}

static ms_status read_split(const json_t *root, int split, ms_sidecar *out) {
    ms_sidecar_split *into = &out->splits[split];
    const json_t *object = json_object_get(json_object_get(root, "splits"), ms_split_name(split));
    MS_TRY(read_count(object, "tokens", &into->n_tokens));
    MS_TRY(read_count(object, "documents", &into->n_documents));
    MS_TRY(read_count(object, "bytes", &into->n_bytes));
    const json_t *shards = json_object_get(object, "shards"), *shard;
    size_t i;
    int64_t total = 0;
    json_array_foreach(shards, i, shard) {
        const char *file = json_string_value(json_object_get(shard, "file"));
        int64_t n_tokens = 0;
        char sha256[65];
        if (!file) return MS_FAIL(MS_CORRUPT, "shard %zu has no file name", i);
        if (!ms_is_plain_name(file))
            return MS_FAIL(MS_CORRUPT, "shard %zu: \"%s\" is not the name of a file in this folder", i, file);
        MS_TRY_NOTE(read_count(shard, "tokens", &n_tokens), "shard %s", file);
        MS_TRY_NOTE(read_hash(shard, "sha256", sha256), "shard %s", file);
        MS_TRY(ms_sidecar_add_shard(out, split, file, n_tokens, sha256));
        total += n_tokens;
    }
    if (total != into->n_tokens)
        return MS_FAIL(MS_CORRUPT, "the shards have %lld tokens together, not %lld", (long long)total,
                       (long long)into->n_tokens);
    return MS_OK;
}

/* What became of records that were wrong; folders of earlier versions have none of it. */
static ms_status read_counts(const json_t *root, const char *key, int64_t out[MS_N_RECORD_FAULTS]) {
    const json_t *object = json_object_get(root, key);
    for (int i = 0; i < MS_N_RECORD_FAULTS; i++) {
        const char *name = ms_record_fault_name((ms_record_fault)i);
        if (json_object_get(object, name)) MS_TRY_NOTE(read_count(object, name, &out[i]), "%s", key);
    }
    return MS_OK;
}

ms_status ms_record_counts_from_json(const json_t *object, ms_record_counts *out) {
    *out = (ms_record_counts){0};
    MS_TRY(read_counts(object, "skipped", out->skipped));
    return read_counts(object, "replaced", out->replaced);
}

static ms_status read_on_error(const json_t *root, ms_sidecar *out) {
    const char *name = json_string_value(json_object_get(root, "on_error"));
    if (name && !ms_on_error_from_name(name, &out->on_error))
        return MS_FAIL(MS_CORRUPT, "on_error \"%s\" is none of stop, skip and replace", name);
    return ms_record_counts_from_json(root, &out->counts);
}

static ms_status read_root(const json_t *root, ms_sidecar *out) {
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, format_name) != 0)
        return MS_FAIL(MS_CORRUPT, "its format is not \"%s\"", format_name);
    int64_t number = 0;
    MS_TRY(read_count(root, "version", &number));
    if (number != FORMAT_VERSION)
        return MS_FAIL(MS_UNSUPPORTED, "version %lld is not supported (%d is)", (long long)number, FORMAT_VERSION);
    MS_TRY(read_hash(root, "tokenizer_sha256", out->tokenizer_sha256));
    MS_TRY(read_count(root, "vocab_size", &number));
    if (number < 1 || number > 1 << 24)
        return MS_FAIL(MS_CORRUPT, "vocab_size %lld is not in 1..16777216", (long long)number);
    out->vocab_size = (int)number;
    number = -1;
    if (!json_is_null(json_object_get(root, "end_of_text"))) MS_TRY(read_count(root, "end_of_text", &number));
    if (number >= out->vocab_size)
        return MS_FAIL(MS_CORRUPT, "end_of_text %lld is outside the vocabulary of %d", (long long)number,
                       out->vocab_size);
    out->end_of_text = (int32_t)number;
    MS_TRY(read_count(root, "seed", &number));
    out->seed = (uint64_t)number;
    out->validation_fraction = json_number_value(json_object_get(root, "validation_fraction"));
    MS_TRY(read_on_error(root, out));
    for (int split = 0; split < MS_N_SPLITS; split++)
        MS_TRY_NOTE(read_split(root, split, out), "split %s", ms_split_name(split));
    const json_t *sources = json_object_get(root, "sources"), *source;
    size_t i;
    json_array_foreach(sources, i, source) {
        const char *path = json_string_value(json_object_get(source, "path"));
        int64_t n_bytes = 0, n_documents = 0;
        MS_TRY_NOTE(read_count(source, "bytes", &n_bytes), "source %zu", i);
        MS_TRY_NOTE(read_count(source, "documents", &n_documents), "source %zu", i);
        if (!path) return MS_FAIL(MS_CORRUPT, "source %zu has no path", i);
        MS_TRY(ms_sidecar_add_source(out, path, n_bytes, n_documents));
    }
    return MS_OK;
}

ms_status ms_sidecar_from_json(const json_t *root, ms_sidecar *out) {
    *out = (ms_sidecar){0};
    ms_status status = read_root(root, out);
    if (status != MS_OK) ms_sidecar_finish(out);
    return status;
}

ms_status ms_sidecar_read(const char *directory, ms_sidecar *out) {
    *out = (ms_sidecar){0};
    char *path = ms_path_join(directory, MS_SIDECAR_NAME), *text = NULL;
    size_t size_bytes = 0;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path in %s", directory);
    ms_status status = ms_file_read(path, &text, &size_bytes);
    if (status == MS_OK) {
        json_error_t error;
        json_t *root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
        if (root) {
            status = ms_sidecar_from_json(root, out);
            if (status != MS_OK) ms_status_note(status, "%s", path);
        } else {
            status = MS_FAIL(MS_CORRUPT, "%s, line %d: %s", path, error.line, error.text);
        }
        json_decref(root);
    }
    free(text);
    free(path);
    return status;
}
