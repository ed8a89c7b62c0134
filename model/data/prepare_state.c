#include "model/data/prepare_state.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json.h"
#include "platform/path.h"

static const char format_name[] = "muonscope data prepare, not finished";
enum { FORMAT_VERSION = 2 };

/* ---- identity ---- */

/* Adds a file's version; *out_is_file: it has one, which pipes have not.  MS_NOT_FOUND: there is nothing. */
static ms_status add_file(json_t *files, const char *path, bool *out_is_file) {
    ms_file_version version;
    json_t *entry;
    bool is_standard = strcmp(path, "-") == 0;
    if (!is_standard && !ms_file_exists(path)) return ms_status_from_errno(errno, "cannot open", path);
    *out_is_file = !is_standard && ms_file_version_of(path, &version);
    if (!*out_is_file) return MS_OK;
    MS_TRY(ms_json_pack(&entry, MS_PREPARE_STATE_NAME, "{s:s, s:I, s:I}", "path", path, "bytes",
                        (json_int_t)version.size_bytes, "changed_ns", (json_int_t)version.changed_ns));
    return ms_json_append(files, MS_PREPARE_STATE_NAME, entry);
}

static ms_status add_files(const ms_prepare_options *options, json_t *files, bool *out_are_files) {
    *out_are_files = !options->corpus.source;
    if (!*out_are_files) return MS_OK;
    for (int i = 0; i < options->n_files && *out_are_files; i++)
        MS_TRY(add_file(files, options->files[i], out_are_files));
    if (options->validation_file && *out_are_files) MS_TRY(add_file(files, options->validation_file, out_are_files));
    return MS_OK;
}

ms_status ms_prepare_identity(const ms_prepare_options *options, const ms_sidecar *sidecar, json_t **out) {
    const ms_corpus_options *corpus = &options->corpus;
    json_t *root;
    bool are_files;
    *out = NULL;
    MS_TRY(ms_json_pack(
        &root, MS_PREPARE_STATE_NAME, "{s:s, s:s, s:i, s:s, s:I, s:f, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:[]}",
        "version of muonscope", options->program_version ? options->program_version : "", "tokenizer",
        sidecar->tokenizer_sha256, "document_end", (int)sidecar->end_of_text, "name",
        options->name ? options->name : "", "shard_tokens", (json_int_t)options->shard_tokens, "validation_fraction",
        options->validation_fraction, "seed", (json_int_t)options->seed, "validation",
        options->validation_file ? options->validation_file : "", "format", ms_corpus_format_name(corpus->format),
        "documents", ms_documents_name(corpus->documents), "on_error", ms_on_error_name(corpus->on_error),
        "document_bytes", (json_int_t)corpus->chunk_bytes, "document_tokens", (json_int_t)corpus->chunk_ids, "field",
        corpus->field ? corpus->field : "", "files"));
    ms_status status = add_files(options, json_object_get(root, "files"), &are_files);
    if (status == MS_OK && are_files) {
        *out = root;
        return MS_OK;
    }
    json_decref(root);
    return status;
}

#define CHANGED(...) MS_FAIL(MS_MISMATCH, __VA_ARGS__)

static ms_status compare_file(const json_t *was, const json_t *is) {
    const char *path = json_string_value(json_object_get(is, "path"));
    const char *path_was = json_string_value(json_object_get(was, "path"));
    json_int_t n = json_integer_value(json_object_get(is, "bytes")),
               n_was = json_integer_value(json_object_get(was, "bytes"));
    if (!path_was || strcmp(path, path_was) != 0)
        return CHANGED("the file %s was given where %s is now", path_was ? path_was : "(none)", path);
    if (n != n_was) return CHANGED("%s has %lld bytes, and had %lld", path, (long long)n, (long long)n_was);
    if (!json_equal(was, is)) return CHANGED("%s was written to since", path);
    return MS_OK;
}

static ms_status compare_files(const json_t *was, const json_t *is) {
    size_t n = json_array_size(is), n_was = json_array_size(was);
    for (size_t i = 0; i < n && i < n_was; i++) MS_TRY(compare_file(json_array_get(was, i), json_array_get(is, i)));
    return n == n_was ? MS_OK : CHANGED("%zu files were given, and %zu are now", n_was, n);
}

static ms_status compare(const json_t *was, const json_t *is) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)is, key, value) {
        const json_t *value_was = json_object_get(was, key);
        if (json_is_array(value)) {
            MS_TRY(compare_files(value_was, value));
        } else if (!json_equal(value_was, value)) {
            char *text = json_dumps(value, JSON_ENCODE_ANY);
            char *text_was = value_was ? json_dumps(value_was, JSON_ENCODE_ANY) : NULL;
            ms_status status =
                CHANGED("%s was %s and is %s", key, text_was ? text_was : "not there", text ? text : "?");
            free(text);
            free(text_was);
            return status;
        }
    }
    return MS_OK;
}

/* ---- the file ---- */

static ms_status pack(const ms_prepare_state *state, const json_t *identity, json_t *dataset, json_t **out) {
    const ms_corpus_position *at = &state->position;
    MS_TRY(ms_json_pack(
        out, MS_PREPARE_STATE_NAME, "{s:s, s:i, s:O, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{}, s:O}", "format",
        format_name, "version", FORMAT_VERSION, "made_of", identity, "file", state->i_file, "amid", (int)state->is_amid,
        "offset", (json_int_t)at->offset_bytes, "line", (json_int_t)at->i_line, "id", (json_int_t)at->i_id, "in_line",
        (json_int_t)at->i_in_line, "documents_before", (json_int_t)state->n_documents_before, "read",
        (json_int_t)state->n_read, "read_before", (json_int_t)state->n_read_before, "counts", "dataset", dataset));
    return ms_record_counts_to_json(&state->counts, json_object_get(*out, "counts"));
}

ms_status ms_prepare_state_save(const ms_prepare_state *state, const json_t *identity, ms_dataset_shards *shards) {
    json_t *dataset, *root = NULL;
    MS_TRY(ms_dataset_shards_save(shards, &dataset));
    ms_status status = pack(state, identity, dataset, &root);
    char *path = ms_path_join(shards->directory, MS_PREPARE_STATE_NAME);
    if (status == MS_OK && !path) status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    if (status == MS_OK) status = ms_json_write(root, MS_PREPARE_STATE_NAME, JSON_INDENT(1), path);
    free(path);
    json_decref(root);
    json_decref(dataset);
    return status;
}

static ms_status read_number(const json_t *root, const char *key, int64_t *out) {
    const json_t *value = json_object_get(root, key);
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < 0) return MS_FAIL(MS_CORRUPT, "no number under \"%s\"", key);
    return MS_OK;
}

static ms_status unpack(const json_t *root, ms_prepare_state *out) {
    int64_t i_file, offset, line, id, in_line;
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format || strcmp(format, format_name) != 0)
        return MS_FAIL(MS_CORRUPT, "its format is not \"%s\"", format_name);
    if (json_integer_value(json_object_get(root, "version")) != FORMAT_VERSION)
        return MS_FAIL(MS_MISMATCH, "another version of muonscope wrote it");
    MS_TRY(read_number(root, "file", &i_file));
    MS_TRY(read_number(root, "offset", &offset));
    MS_TRY(read_number(root, "line", &line));
    MS_TRY(read_number(root, "id", &id));
    MS_TRY(read_number(root, "in_line", &in_line));
    MS_TRY(read_number(root, "documents_before", &out->n_documents_before));
    MS_TRY(read_number(root, "read", &out->n_read));
    MS_TRY(read_number(root, "read_before", &out->n_read_before));
    if (i_file > INT_MAX) return MS_FAIL(MS_CORRUPT, "there is no file %" PRId64, i_file);
    out->i_file = (int)i_file;
    out->is_amid = json_is_true(json_object_get(root, "amid"));
    out->position = (ms_corpus_position){(uint64_t)offset, (uint64_t)line, (uint64_t)id, (uint64_t)in_line};
    return ms_record_counts_from_json(json_object_get(root, "counts"), &out->counts);
}

static ms_status restore(const json_t *root, const json_t *identity, ms_dataset_shards *shards, ms_prepare_state *out) {
    MS_TRY(unpack(root, out));
    if (!identity) return CHANGED("what it read can be read again, and standard input or a pipe cannot");
    MS_TRY(compare(json_object_get(root, "made_of"), identity));
    if ((size_t)out->i_file > json_array_size(json_object_get(identity, "files")))
        return MS_FAIL(MS_CORRUPT, "there is no file %d", out->i_file);
    return ms_dataset_shards_restore(shards, json_object_get(root, "dataset"), MS_PREPARE_STATE_NAME);
}

ms_status ms_prepare_state_restore(const json_t *identity, ms_dataset_shards *shards, ms_prepare_state *out) {
    *out = (ms_prepare_state){0};
    char *text, *path = ms_path_join(shards->directory, MS_PREPARE_STATE_NAME);
    size_t size_bytes;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    ms_status status = ms_file_read(path, &text, &size_bytes);
    free(path);
    MS_TRY(status);
    json_error_t error;
    json_t *root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!root) return MS_FAIL(MS_CORRUPT, "%s, line %d: %s", MS_PREPARE_STATE_NAME, error.line, error.text);
    status = restore(root, identity, shards, out);
    json_decref(root);
    return status;
}
