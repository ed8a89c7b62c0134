/* tokenizer.json, the file of Hugging Face tokenizers (version "1.0").  Read by jansson; what would change ids and is
   not understood is refused by name. */
#include "model/data/tokenizer_impl.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "model/data/tokenizer_pipeline.h"
#include "platform/file.h"
#include "platform/json.h"

/* Settings of a caller's rather than of a tokenizer; they would cut or pad every text. */
static ms_status refuse_setting(const json_t *root, const char *key) {
    const json_t *value = json_object_get(root, key);
    if (!value || json_is_null(value)) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED, "%s is set, which would change every text: write \"%s\": null", key, key);
}

/* True when all steps are among the names, which do not change ids. */
static bool are_steps(const json_t *step, const char *list, const char *const *names, const char **out_other) {
    if (!json_is_object(step)) return true;
    const char *type = *out_other = ms_json_type(step);
    if (strcmp(type, "Sequence") == 0) {
        size_t i;
        const json_t *inner;
        json_array_foreach(json_object_get(step, list), i,
                           inner) if (!are_steps(inner, list, names, out_other)) return false;
        return true;
    }
    for (; *names; names++)
        if (strcmp(type, *names) == 0) return true;
    return false;
}

static ms_status check_supported(const json_t *root) {
    if (!json_is_object(json_object_get(root, "model")))
        return MS_FAIL(MS_CORRUPT, "no model: this is not a tokenizer.json");
    MS_TRY(refuse_setting(root, "truncation"));
    MS_TRY(refuse_setting(root, "padding"));
    /* They add special tokens around a text, which callers here do themselves, or move offsets. */
    static const char *const post[] = {"ByteLevel", "TemplateProcessing", "RobertaProcessing", "BertProcessing", NULL};
    static const char *const decoders[] = {"ByteLevel", "Fuse", NULL};
    const char *other;
    if (!are_steps(json_object_get(root, "post_processor"), "processors", post, &other))
        return MS_FAIL(MS_UNSUPPORTED, "post_processor %s is not supported", other);
    if (!are_steps(json_object_get(root, "decoder"), "decoders", decoders, &other))
        return MS_FAIL(MS_UNSUPPORTED, "decoder %s is not supported (ByteLevel is)", other);
    return MS_OK;
}

static ms_status read_id(const json_t *value, const char *token, int32_t *out) {
    *out = -1;
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < 0 || id >= 1 << 24)
        return MS_FAIL(MS_CORRUPT, "the id of token \"%s\" is not an integer in 0..16777215", token);
    *out = (int32_t)id;
    return MS_OK;
}

static ms_status find_vocab_size(const json_t *added, json_t *vocab, int *out_size) {
    int32_t id, highest = -1;
    size_t i;
    const json_t *value;
    const char *token;
    json_array_foreach(added, i, value) {
        const char *content = json_string_value(json_object_get(value, "content"));
        if (!content) return MS_FAIL(MS_CORRUPT, "added token %zu has no content", i);
        MS_TRY(read_id(json_object_get(value, "id"), content, &id));
        if (id > highest) highest = id;
    }
    json_t *entry;
    json_object_foreach(vocab, token, entry) {
        MS_TRY(read_id(entry, token, &id));
        if (id > highest) highest = id;
    }
    /* Memory and time follow the highest id: a short file must not ask for much of them. */
    size_t n_tokens = json_array_size(added) + json_object_size(vocab);
    if ((size_t)(highest + 1) > 4 * n_tokens + 131072)
        return MS_FAIL(MS_UNSUPPORTED, "token id %d in a file of %zu tokens: ids up to %zu are supported there",
                       highest, n_tokens, 4 * n_tokens + 131071);
    *out_size = highest + 1;
    return MS_OK;
}

/* One text, one id: Hugging Face tokenizers take the id of the vocabulary, or of the text's first entry, whatever
   an added token says. */
static ms_status check_one_id(const json_t *vocab, json_t *names, const char *text, int32_t id) {
    const json_t *known = json_object_get(vocab, text);
    if (!known) known = json_object_get(names, text);
    if (known && json_integer_value(known) != id)
        return MS_FAIL(MS_CORRUPT, "added token \"%s\" has the id %d and the id %lld", text, id,
                       (long long)json_integer_value(known));
    if (json_object_set_new(names, text, json_integer(id)) != 0)
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for added token \"%s\"", text);
    return MS_OK;
}

/* names: empty, filled with the texts. */
static ms_status read_added(const json_t *added, const json_t *vocab, json_t *names, ms_tokenizer *tokenizer) {
    size_t i;
    const json_t *value;
    json_array_foreach(added, i, value) {
        const json_t *content = json_object_get(value, "content");
        const char *text = json_string_value(content);
        int32_t id;
        MS_TRY(read_id(json_object_get(value, "id"), text, &id));
        MS_TRY(check_one_id(vocab, names, text, id));
        bool special = json_is_true(json_object_get(value, "special"));
        MS_TRY_NOTE(ms_tokenizer_set(tokenizer, id, text, json_string_length(content),
                                     special ? MS_TOKEN_SPECIAL : MS_TOKEN_ADDED),
                    "added token \"%s\"", text);
        ms_token_entry *entry = &tokenizer->entries[id];
        entry->normalized = json_is_true(json_object_get(value, "normalized"));
        entry->single_word = json_is_true(json_object_get(value, "single_word"));
        entry->lstrip = json_is_true(json_object_get(value, "lstrip"));
        entry->rstrip = json_is_true(json_object_get(value, "rstrip"));
    }
    return MS_OK;
}

static ms_status read_vocab(json_t *vocab, ms_tokenizer *tokenizer) {
    const char *token;
    json_t *value;
    json_object_foreach(vocab, token, value) {
        int32_t id = (int32_t)json_integer_value(value);
        size_t size_bytes = strlen(token), n;
        ms_token_entry *entry = &tokenizer->entries[id];
        /* Trained files list special tokens in both places. */
        bool listed = entry->kind == MS_TOKEN_ADDED || entry->kind == MS_TOKEN_SPECIAL;
        if (listed && entry->size_bytes == size_bytes && memcmp(entry->bytes, token, size_bytes) == 0) {
            entry->in_vocab = true;
            continue;
        }
        uint8_t *bytes = malloc(size_bytes + 1);
        if (!bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for token \"%s\"", token);
        bool ordinary = ms_bpe_to_bytes(token, size_bytes, bytes, &n);
        ms_status status = ordinary ? ms_tokenizer_set(tokenizer, id, bytes, n, MS_TOKEN_ORDINARY)
                                    : ms_tokenizer_set(tokenizer, id, token, size_bytes, MS_TOKEN_LITERAL);
        free(bytes);
        if (status != MS_OK) return ms_status_note(status, "token \"%s\"", token);
    }
    return MS_OK;
}

/* Both spellings of a merge: "a b", and ["a", "b"] (tokenizers >= 0.20).  The two texts, borrowed; the first is not
   ended by a NUL. */
static bool split_merge(const json_t *merge, const char **out_left, size_t *out_left_size, const char **out_right) {
    if (json_is_array(merge) && json_array_size(merge) == 2) {
        *out_left = json_string_value(json_array_get(merge, 0));
        *out_right = json_string_value(json_array_get(merge, 1));
        *out_left_size = *out_left ? strlen(*out_left) : 0;
        return *out_left && *out_right;
    }
    const char *text = json_string_value(merge);
    /* The byte alphabet has no space, so the first one separates. */
    const char *space = text ? strchr(text, ' ') : NULL;
    if (!space) return false;
    *out_left = text;
    *out_left_size = (size_t)(space - text);
    *out_right = space + 1;
    return true;
}

static ms_status add_merge(const json_t *vocab, size_t rank, const json_t *merge, ms_tokenizer *tokenizer) {
    const char *left, *right;
    size_t left_size;
    if (!split_merge(merge, &left, &left_size, &right))
        return MS_FAIL(MS_CORRUPT, "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", rank);
    size_t right_size = strlen(right);
    char *text = malloc(left_size + right_size + 1);
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for merge %zu", rank);
    memcpy(text, left, left_size);
    text[left_size] = '\0';
    const json_t *left_id = json_object_get(vocab, text);
    memcpy(text + left_size, right, right_size + 1);
    const json_t *right_id = json_object_get(vocab, right), *result_id = json_object_get(vocab, text);
    ms_status status = MS_OK;
    if (!left_id || !right_id || !result_id) {
        status = MS_FAIL(MS_CORRUPT, "merge %zu makes \"%s\": %s is not in the vocabulary", rank, text,
                         !left_id    ? "its left part"
                         : !right_id ? "its right part"
                                     : "that");
    } else {
        status = ms_bpe_merges_add(&tokenizer->merges, (int32_t)json_integer_value(left_id),
                                   (int32_t)json_integer_value(right_id), (int32_t)json_integer_value(result_id));
    }
    free(text);
    return status;
}

static ms_status read_root(const json_t *root, ms_tokenizer **out) {
    MS_TRY(check_supported(root));
    const json_t *added = json_object_get(root, "added_tokens"), *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    ms_pipeline pipeline;
    MS_TRY(ms_pipeline_read(root, &pipeline));
    ms_status status = MS_OK;
    if (!json_is_object(vocab) || !json_is_array(merges))
        status = MS_FAIL(MS_CORRUPT, "the model has no vocab object or no merges array");
    int vocab_size = 0;
    if (status == MS_OK) status = find_vocab_size(added, vocab, &vocab_size);
    ms_tokenizer *tokenizer = NULL;
    if (status == MS_OK) {
        status = ms_tokenizer_create(vocab_size, &pipeline, &tokenizer);
    } else {
        ms_pipeline_finish(&pipeline);
    }
    json_t *names = json_object();
    if (status == MS_OK) status = read_added(added, vocab, names, tokenizer);
    json_decref(names);
    if (status == MS_OK) status = read_vocab(vocab, tokenizer);
    for (size_t i = 0; status == MS_OK && i < json_array_size(merges); i++)
        status = add_merge(vocab, i, json_array_get(merges, i), tokenizer);
    if (status == MS_OK) status = ms_tokenizer_seal(tokenizer);
    if (status == MS_OK) {
        *out = tokenizer;
    } else {
        ms_tokenizer_close(tokenizer);
    }
    return status;
}

ms_status ms_tokenizer_open(const char *path, ms_tokenizer **out) {
    *out = NULL;
    char *text;
    size_t size_bytes;
    MS_TRY_NOTE(ms_file_read(path, &text, &size_bytes), "tokenizer");
    json_error_t error;
    /* Some editors put a byte-order mark before UTF-8. */
    size_t begin = size_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    json_t *root = json_loadb(text + begin, size_bytes - begin, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!root) return MS_FAIL(MS_CORRUPT, "%s is no tokenizer.json: line %d: %s", path, error.line, error.text);
    ms_status status = read_root(root, out);
    json_decref(root);
    return status == MS_OK ? MS_OK : ms_status_note(status, "%s", path);
}

/* The text that stands for an entry in the file, malloc'ed. */
static char *entry_text(const ms_token_entry *entry) {
    char *text = malloc(MS_BPE_SYMBOL_BYTES * entry->size_bytes + 1);
    if (!text) return NULL;
    size_t n = entry->size_bytes;
    if (entry->kind == MS_TOKEN_ORDINARY) {
        n = ms_bpe_from_bytes(entry->bytes, entry->size_bytes, text);
    } else {
        memcpy(text, entry->bytes, n);
    }
    text[n] = '\0';
    return text;
}

static const char document_name[] = "tokenizer.json";

static ms_status add_entry(int id, const ms_token_entry *entry, json_t *added, json_t *vocab) {
    char *text = entry_text(entry);
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for token %d", document_name, id);
    bool special = entry->kind == MS_TOKEN_SPECIAL;
    ms_status status = ms_json_set(vocab, document_name, text, json_integer(id));
    json_t *object;
    if (status == MS_OK && (special || entry->kind == MS_TOKEN_ADDED)) {
        status = ms_json_pack(&object, document_name, "{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", text,
                              "single_word", (int)entry->single_word, "lstrip", (int)entry->lstrip, "rstrip",
                              (int)entry->rstrip, "normalized", (int)entry->normalized, "special", (int)special);
        if (status == MS_OK) status = ms_json_append(added, document_name, object);
    }
    free(text);
    return status;
}

/* Adds all entries and merges to the three containers. */
static ms_status fill(const ms_tokenizer *tokenizer, json_t *added, json_t *vocab, json_t *merges) {
    for (int id = 0; id < tokenizer->vocab_size; id++)
        if (tokenizer->entries[id].kind != MS_TOKEN_ABSENT)
            MS_TRY(add_entry(id, &tokenizer->entries[id], added, vocab));
    for (size_t i = 0; i < tokenizer->merges.n; i++) {
        char *left = entry_text(&tokenizer->entries[tokenizer->merges.left[i]]);
        char *right = entry_text(&tokenizer->entries[tokenizer->merges.right[i]]);
        /* The spelling that every version of the Hugging Face library reads. */
        ms_status status =
            ms_json_append(merges, document_name, left && right ? json_sprintf("%s %s", left, right) : NULL);
        free(left);
        free(right);
        MS_TRY(status);
    }
    return MS_OK;
}

/* The whole document. */
static ms_status document(const ms_tokenizer *tokenizer, json_t **out) {
    json_t *added = json_array(), *vocab = json_object(), *merges = json_array();
    ms_status status = fill(tokenizer, added, vocab, merges);
    if (status != MS_OK) {
        json_decref(added);
        json_decref(vocab);
        json_decref(merges);
        return status;
    }
    const ms_pipeline *pipeline = &tokenizer->pipeline;
    json_t *model =
        json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
                  "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0, "ignore_merges",
                  (int)pipeline->ignore_merges, "vocab", vocab, "merges", merges);
    return ms_json_pack(out, document_name, "{s:s, s:n, s:n, s:o, s:o, s:o, s:n, s:o, s:o}", "version", "1.0",
                        "truncation", "padding", "added_tokens", added, "normalizer", ms_pipeline_normalizer(pipeline),
                        "pre_tokenizer", ms_pipeline_pre_tokenizer(pipeline), "post_processor", "decoder",
                        ms_json_byte_level(true, true), "model", model);
}

/* Where jansson's text goes, and what became of it. */
typedef struct sink {
    ms_writer writer;
    ms_status status;
} sink;

static int write_part(const char *text, size_t size_bytes, void *context) {
    sink *out = context;
    out->status = ms_writer_write(&out->writer, text, size_bytes);
    return out->status == MS_OK ? 0 : -1;
}

ms_status ms_tokenizer_save(const ms_tokenizer *tokenizer, const char *path) {
    json_t *root;
    MS_TRY_NOTE(document(tokenizer, &root), "%s", path);
    sink out = {.status = MS_OK};
    ms_status status = ms_writer_open(path, &out.writer);
    if (status == MS_OK) {
        int failed = json_dump_callback(root, write_part, &out, JSON_INDENT(2));
        status = out.status;
        if (failed && status == MS_OK) status = MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory to write it", path);
        if (status == MS_OK) status = ms_writer_write(&out.writer, "\n", 1);
        if (status == MS_OK) {
            status = ms_writer_commit(&out.writer);
        } else {
            ms_writer_abort(&out.writer);
        }
    }
    json_decref(root);
    return status;
}
