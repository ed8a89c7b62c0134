#include "model/data/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "model/data/bpe_table.h"
#include "platform/choice.h"

static ms_status reserve_symbols(ms_tokenizer *tokenizer, size_t n) {
    if (n <= tokenizer->symbols_capacity) return MS_OK;
    size_t capacity = tokenizer->symbols_capacity ? tokenizer->symbols_capacity : 256;
    while (capacity < n) capacity *= 2;
    int32_t *larger = realloc(tokenizer->symbols, capacity * sizeof *larger);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a piece of %zu bytes", n);
    tokenizer->symbols = larger;
    tokenizer->symbols_capacity = capacity;
    return MS_OK;
}

static ms_status append_all(ms_tokens *out, const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) MS_TRY(ms_tokens_append(out, ids[i]));
    return MS_OK;
}

/* One piece of pre-tokenised text.  offset: where it starts in the caller's text, for messages. */
static ms_status encode_piece(ms_tokenizer *tokenizer, const char *piece, size_t size_bytes, size_t offset,
                              ms_tokens *out) {
    ms_piece_slot *slot = NULL;
    if (size_bytes <= MS_PIECE_BYTES) {
        slot = &tokenizer->cache[ms_bpe_hash(piece, size_bytes) % MS_PIECE_SLOTS];
        if (slot->size_bytes == size_bytes && memcmp(slot->bytes, piece, size_bytes) == 0)
            return append_all(out, slot->ids, slot->n);
    }
    MS_TRY(reserve_symbols(tokenizer, size_bytes));
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t byte = (uint8_t)piece[i];
        tokenizer->symbols[i] = tokenizer->byte_ids[byte];
        if (tokenizer->symbols[i] < 0)
            return MS_FAIL(MS_INVALID, "byte %zu of the text is 0x%02x, which has no token in this vocabulary",
                           offset + i, byte);
    }
    size_t n = size_bytes;
    MS_TRY(ms_bpe_merge(&tokenizer->merges, &tokenizer->scratch, tokenizer->symbols, &n));
    if (slot && n <= MS_PIECE_TOKENS) {
        slot->size_bytes = (uint8_t)size_bytes;
        slot->n = (uint8_t)n;
        memcpy(slot->bytes, piece, size_bytes);
        memcpy(slot->ids, tokenizer->symbols, n * sizeof *slot->ids);
    }
    return append_all(out, tokenizer->symbols, n);
}

/* Text without added tokens. */
static ms_status encode_ordinary(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, size_t offset,
                                 ms_tokens *out) {
    for (size_t begin = 0, end; begin < size_bytes; begin = end) {
        MS_TRY(ms_bpe_splitter_next(tokenizer->splitter, text, size_bytes, begin, &end));
        MS_TRY(encode_piece(tokenizer, text + begin, end - begin, offset + begin, out));
    }
    return MS_OK;
}

/* The longest added token at the start of the text that this pass looks for, or -1. */
static int32_t added_at(const ms_tokenizer *tokenizer, const char *text, size_t size_bytes, bool normalized,
                        ms_special special) {
    int32_t best = -1;
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const ms_token_entry *entry = &tokenizer->entries[tokenizer->added[i]];
        if (entry->normalized != normalized || entry->size_bytes > size_bytes) continue;
        if (special == MS_SPECIAL_AS_TEXT && entry->kind == MS_TOKEN_SPECIAL) continue;
        if (memcmp(entry->bytes, text, entry->size_bytes) != 0) continue;
        if (best < 0 || entry->size_bytes > tokenizer->entries[best].size_bytes) best = tokenizer->added[i];
    }
    return best;
}

/* Cuts out added tokens, leftmost and longest first: those that are not `normalized`, then, between them, the others.
   This is the order of Hugging Face tokenizers, where it matters when a normalizer stands between the two passes. */
static ms_status encode_pass(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, size_t offset,
                             bool normalized, ms_special special, ms_tokens *out) {
    size_t begin = 0;
    for (size_t i = 0; i <= size_bytes;) {
        int32_t id = -1;
        if (i < size_bytes && tokenizer->starts_added[(uint8_t)text[i]])
            id = added_at(tokenizer, text + i, size_bytes - i, normalized, special);
        if (id >= 0 || i == size_bytes) {
            const char *gap = text + begin;
            if (i > begin && !normalized)
                MS_TRY(encode_pass(tokenizer, gap, i - begin, offset + begin, true, special, out));
            if (i > begin && normalized) MS_TRY(encode_ordinary(tokenizer, gap, i - begin, offset + begin, out));
            begin = i;
        }
        if (id >= 0) {
            MS_TRY(ms_tokens_append(out, id));
            i += tokenizer->entries[id].size_bytes;
            begin = i;
        } else {
            i++;
        }
    }
    return MS_OK;
}

ms_status ms_tokenizer_encode(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_special special,
                              ms_tokens *out) {
    static const char *const specials[] = {"parse", "as_text", NULL};
    MS_TRY(ms_choice_check("tokenizer: special", (int)special, specials));
    size_t valid = ms_utf8_check(text, size_bytes);
    if (valid < size_bytes)
        return MS_FAIL(MS_INVALID, "byte %zu of the text is 0x%02x, which is not UTF-8", valid, (uint8_t)text[valid]);
    return encode_pass(tokenizer, text, size_bytes, 0, false, special, out);
}
