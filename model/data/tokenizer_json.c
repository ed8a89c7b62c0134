/* tokenizer.json, the file of Hugging Face tokenizers (version "1.0").  Read by jansson; what would change ids and is
   not understood is refused by name. */
#include "model/data/tokenizer_impl.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "platform/file.h"

static const char *type_of(const json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "(no type)";
}

/* A key that must be absent, null, false or "". */
static ms_status refuse_key(const json_t *object, const char *what, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value) || json_is_false(value)) return MS_OK;
    if (json_is_string(value) && json_string_length(value) == 0) return MS_OK;
    if (json_is_object(value)) return MS_FAIL(MS_UNSUPPORTED, "%s %s is not supported", key, type_of(value));
    return MS_FAIL(MS_UNSUPPORTED, "%s with %s is not supported", what, key);
}

static ms_status check_byte_level(const json_t *step) {
    if (strcmp(type_of(step), "ByteLevel") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer %s is not supported (ByteLevel is)", type_of(step));
    MS_TRY(refuse_key(step, "pre_tokenizer ByteLevel", "add_prefix_space"));
    if (json_is_false(json_object_get(step, "use_regex")))
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer ByteLevel without use_regex is not supported");
    return MS_OK;
}

/* ByteLevel, or a Sequence of Digits(individual_digits) and ByteLevel. */
static ms_status read_pre_tokenizer(const json_t *root, bool *out_split_digits) {
    *out_split_digits = false;
    const json_t *step = json_object_get(root, "pre_tokenizer");
    if (!json_is_object(step)) return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer null is not supported (ByteLevel is)");
    if (strcmp(type_of(step), "Sequence") != 0) return check_byte_level(step);
    const json_t *steps = json_object_get(step, "pretokenizers");
    size_t n = json_array_size(steps);
    for (size_t i = 0; i + 1 < n; i++) {
        const json_t *digits = json_array_get(steps, i);
        if (strcmp(type_of(digits), "Digits") != 0)
            return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer %s before ByteLevel is not supported (Digits is)",
                           type_of(digits));
        if (!json_is_true(json_object_get(digits, "individual_digits")))
            return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer Digits without individual_digits is not supported");
        *out_split_digits = true;
    }
    if (n == 0) return MS_FAIL(MS_CORRUPT, "pre_tokenizer Sequence is empty");
    return check_byte_level(json_array_get(steps, n - 1));
}

static ms_status check_supported(const json_t *root) {
    MS_TRY(refuse_key(root, "tokenizer", "normalizer"));
    MS_TRY(refuse_key(root, "tokenizer", "truncation"));
    MS_TRY(refuse_key(root, "tokenizer", "padding"));
    const json_t *post = json_object_get(root, "post_processor");
    if (json_is_object(post) && strcmp(type_of(post), "ByteLevel") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "post_processor %s is not supported (ByteLevel is)", type_of(post));
    const json_t *decoder = json_object_get(root, "decoder");
    if (json_is_object(decoder) && strcmp(type_of(decoder), "ByteLevel") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "decoder %s is not supported (ByteLevel is)", type_of(decoder));
    const json_t *model = json_object_get(root, "model");
    if (!json_is_object(model)) return MS_FAIL(MS_CORRUPT, "no model: this is not a tokenizer.json");
    /* Old files leave the model's type out. */
    if (json_object_get(model, "type") && strcmp(type_of(model), "BPE") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "model %s is not supported (BPE is)", type_of(model));
    static const char *const options[] = {
        "dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges", "unk_token"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) MS_TRY(refuse_key(model, "model BPE", options[i]));
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
    *out_size = highest + 1;
    return MS_OK;
}

static ms_status read_added(const json_t *added, ms_tokenizer *tokenizer) {
    size_t i;
    const json_t *value;
    json_array_foreach(added, i, value) {
        const json_t *content = json_object_get(value, "content");
        const char *text = json_string_value(content);
        static const char *const options[] = {"single_word", "lstrip", "rstrip"};
        for (size_t j = 0; j < 3; j++)
            if (json_is_true(json_object_get(value, options[j])))
                return MS_FAIL(MS_UNSUPPORTED, "added token \"%s\" with %s is not supported", text, options[j]);
        int32_t id;
        MS_TRY(read_id(json_object_get(value, "id"), text, &id));
        bool special = json_is_true(json_object_get(value, "special"));
        MS_TRY_NOTE(ms_tokenizer_set(tokenizer, id, text, json_string_length(content),
                                     special ? MS_TOKEN_SPECIAL : MS_TOKEN_ADDED),
                    "added token \"%s\"", text);
        tokenizer->entries[id].normalized = json_is_true(json_object_get(value, "normalized"));
    }
    return MS_OK;
}

static ms_status read_vocab(json_t *vocab, ms_tokenizer *tokenizer) {
    const char *token;
    json_t *value;
    json_object_foreach(vocab, token, value) {
        int32_t id = (int32_t)json_integer_value(value);
        size_t size_bytes = strlen(token), n;
        const ms_token_entry *entry = &tokenizer->entries[id];
        /* Trained files list special tokens in both places. */
        bool listed = entry->kind == MS_TOKEN_ADDED || entry->kind == MS_TOKEN_SPECIAL;
        if (listed && entry->size_bytes == size_bytes && memcmp(entry->bytes, token, size_bytes) == 0) continue;
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
    bool split_digits;
    MS_TRY(read_pre_tokenizer(root, &split_digits));
    const json_t *added = json_object_get(root, "added_tokens"), *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab) || !json_is_array(merges))
        return MS_FAIL(MS_CORRUPT, "the model has no vocab object or no merges array");
    int vocab_size = 0;
    MS_TRY(find_vocab_size(added, vocab, &vocab_size));
    ms_tokenizer *tokenizer;
    MS_TRY(ms_tokenizer_create(vocab_size, split_digits, &tokenizer));
    ms_status status = read_added(added, tokenizer);
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
    json_t *root = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!root) return MS_FAIL(MS_CORRUPT, "%s, line %d: %s", path, error.line, error.text);
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

/* Adds all entries and merges to the three containers; false when out of memory. */
static bool fill(const ms_tokenizer *tokenizer, json_t *added, json_t *vocab, json_t *merges) {
    for (int id = 0; id < tokenizer->vocab_size; id++) {
        const ms_token_entry *entry = &tokenizer->entries[id];
        if (entry->kind == MS_TOKEN_ABSENT) continue;
        char *text = entry_text(entry);
        if (!text) return false;
        bool special = entry->kind == MS_TOKEN_SPECIAL;
        int failed = json_object_set_new(vocab, text, json_integer(id));
        if (special || entry->kind == MS_TOKEN_ADDED)
            failed |= json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content",
                                                             text, "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                             "normalized", entry->normalized, "special", special));
        free(text);
        if (failed) return false;
    }
    for (size_t i = 0; i < tokenizer->merges.n; i++) {
        char *left = entry_text(&tokenizer->entries[tokenizer->merges.left[i]]);
        char *right = entry_text(&tokenizer->entries[tokenizer->merges.right[i]]);
        /* The spelling that every version of the Hugging Face library reads. */
        int failed = !left || !right || json_array_append_new(merges, json_sprintf("%s %s", left, right));
        free(left);
        free(right);
        if (failed) return false;
    }
    return true;
}

static json_t *byte_level(bool prefix_space) {
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix_space, "trim_offsets", 1,
                     "use_regex", 1);
}

/* The whole document, or NULL when out of memory. */
static json_t *document(const ms_tokenizer *tokenizer) {
    json_t *added = json_array(), *vocab = json_object(), *merges = json_array();
    if (!added || !vocab || !merges || !fill(tokenizer, added, vocab, merges)) {
        json_decref(added);
        json_decref(vocab);
        json_decref(merges);
        return NULL;
    }
    json_t *pre_tokenizer = byte_level(false);
    if (tokenizer->split_digits)
        pre_tokenizer = json_pack("{s:s, s:[{s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Digits",
                                  "individual_digits", 1, pre_tokenizer);
    json_t *model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout",
                              "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                              "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges", merges);
    return json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:n, s:o, s:o}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added, "normalizer", "pre_tokenizer", pre_tokenizer, "post_processor", "decoder",
                     byte_level(true), "model", model);
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
    json_t *root = document(tokenizer);
    if (!root) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for the tokenizer's JSON", path);
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
