/* Lists of ids, and what ids stand for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/tokenizer_impl.h"

/* Makes room for n more. */
static ms_status reserve(ms_tokens *tokens, size_t n) {
    if (tokens->capacity - tokens->n >= n) return MS_OK;
    size_t capacity = tokens->capacity ? 2 * tokens->capacity : 256;
    while (capacity - tokens->n < n) capacity *= 2;
    int32_t *larger = realloc(tokens->ids, capacity * sizeof *larger);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu tokens", capacity);
    tokens->ids = larger;
    tokens->capacity = capacity;
    return MS_OK;
}

ms_status ms_tokens_append(ms_tokens *tokens, int32_t id) { return ms_tokens_append_all(tokens, &id, 1); }

ms_status ms_tokens_append_all(ms_tokens *tokens, const int32_t *ids, size_t n) {
    MS_TRY(reserve(tokens, n));
    if (n > 0) memcpy(tokens->ids + tokens->n, ids, n * sizeof *ids);
    tokens->n += n;
    return MS_OK;
}

void ms_tokens_finish(ms_tokens *tokens) {
    free(tokens->ids);
    *tokens = (ms_tokens){0};
}

ms_status ms_tokenizer_token(const ms_tokenizer *tokenizer, int32_t id, const uint8_t **out_bytes,
                             size_t *out_size_bytes) {
    *out_bytes = NULL;
    *out_size_bytes = 0;
    if (id < 0 || id >= tokenizer->vocab_size)
        return MS_FAIL(MS_INVALID, "token id %d is outside the vocabulary of %d", id, tokenizer->vocab_size);
    const ms_token_entry *entry = &tokenizer->entries[id];
    if (entry->kind == MS_TOKEN_ABSENT) return MS_FAIL(MS_INVALID, "token id %d is not in the vocabulary", id);
    *out_bytes = entry->bytes;
    *out_size_bytes = entry->size_bytes;
    return MS_OK;
}

ms_status ms_tokenizer_decode(const ms_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                              char **out_text, size_t *out_size_bytes) {
    *out_text = NULL;
    *out_size_bytes = 0;
    size_t total = 0, size_bytes;
    const uint8_t *bytes;
    for (size_t i = 0; i < n; i++) {
        MS_TRY_NOTE(ms_tokenizer_token(tokenizer, ids[i], &bytes, &size_bytes), "token %zu", i);
        total += size_bytes;
    }
    char *text = malloc(total + 1);
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu bytes of text", total);
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        const ms_token_entry *entry = &tokenizer->entries[ids[i]];
        if (skip_special && entry->kind == MS_TOKEN_SPECIAL) continue;
        memcpy(text + length, entry->bytes, entry->size_bytes);
        length += entry->size_bytes;
    }
    text[length] = '\0';
    *out_text = text;
    *out_size_bytes = length;
    return MS_OK;
}

int ms_tokenizer_vocab_size(const ms_tokenizer *tokenizer) { return tokenizer->vocab_size; }

int32_t ms_tokenizer_added_token(const ms_tokenizer *tokenizer, const char *content, bool *out_special) {
    size_t size_bytes = strlen(content);
    *out_special = false;
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const ms_token_entry *entry = &tokenizer->entries[tokenizer->added[i]];
        if (entry->size_bytes != size_bytes || memcmp(entry->bytes, content, size_bytes) != 0) continue;
        *out_special = entry->kind == MS_TOKEN_SPECIAL;
        return tokenizer->added[i];
    }
    return -1;
}

void ms_tokenizer_special_names(const ms_tokenizer *tokenizer, char *out, size_t size) {
    size_t n = 0;
    snprintf(out, size, "none");
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const ms_token_entry *entry = &tokenizer->entries[tokenizer->added[i]];
        if (entry->kind != MS_TOKEN_SPECIAL) continue;
        if (n + entry->size_bytes + sizeof ", ..." > size) {
            if (n > 0) snprintf(out + n, size - n, ", ...");
            return;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", (const char *)entry->bytes);
    }
}

int32_t ms_tokenizer_end_of_text(const ms_tokenizer *tokenizer) {
    bool is_special;
    return ms_tokenizer_added_token(tokenizer, MS_END_OF_TEXT, &is_special);
}

const char *ms_tokenizer_sha256(const ms_tokenizer *tokenizer) { return tokenizer->sha256; }
