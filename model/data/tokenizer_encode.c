#include "model/data/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_table.h"
#include "model/data/text_class.h"
#include "platform/choice.h"
#include "platform/utf8.h"

/* Longest added token that a piece may be as it stands. */
enum { MS_WHOLE_BYTES = 256 };

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

/* With ignore_merges: the token that the piece is as it stands, or -1. */
static int32_t find_whole(const ms_tokenizer *tokenizer, const char *piece, size_t size_bytes) {
    if (!tokenizer->pipeline.ignore_merges) return -1;
    uint32_t id = ms_bpe_table_get(&tokenizer->pieces, ms_bpe_hash(piece, size_bytes));
    if (id == MS_BPE_ABSENT || tokenizer->entries[id].size_bytes < size_bytes) return -1;
    const ms_token_entry *entry = &tokenizer->entries[id];
    uint8_t bytes[MS_WHOLE_BYTES];
    size_t n = 0;
    if (entry->kind == MS_TOKEN_ORDINARY)
        return entry->size_bytes == size_bytes && memcmp(entry->bytes, piece, size_bytes) == 0 ? (int32_t)id : -1;
    if (entry->size_bytes > sizeof bytes || !ms_token_piece(entry, bytes, &n)) return -1;
    return n == size_bytes && memcmp(bytes, piece, n) == 0 ? (int32_t)id : -1;
}

/* What a long piece needed is given back: it may be 20 bytes for each of its own, in each thread. */
static void release_memory(ms_tokenizer *tokenizer) {
    enum { KEPT_SYMBOLS = 1 << 20 };
    if (tokenizer->symbols_capacity <= KEPT_SYMBOLS) return;
    ms_bpe_scratch_finish(&tokenizer->scratch);
    free(tokenizer->symbols);
    tokenizer->symbols = NULL;
    tokenizer->symbols_capacity = 0;
}

/* One piece of pre-tokenised text.  offset: where it starts in the caller's text, for messages. */
static ms_status encode_piece(ms_tokenizer *tokenizer, const char *piece, size_t size_bytes, size_t offset,
                              ms_tokens *out) {
    ms_piece_slot *slot = NULL;
    if (size_bytes <= MS_PIECE_BYTES) {
        slot = &tokenizer->cache[ms_bpe_hash(piece, size_bytes) % MS_PIECE_SLOTS];
        if (slot->size_bytes == size_bytes && memcmp(slot->bytes, piece, size_bytes) == 0)
            return ms_tokens_append_all(out, slot->ids, slot->n);
    }
    int32_t whole = find_whole(tokenizer, piece, size_bytes);
    if (whole >= 0) return ms_tokens_append(out, whole);
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
    ms_status status = ms_tokens_append_all(out, tokenizer->symbols, n);
    release_memory(tokenizer);
    return status;
}

/* Where the pieces of a text go. */
typedef struct piece_target {
    ms_tokenizer *tokenizer;
    const char *text;
    size_t offset; /* of the text in the caller's */
    ms_tokens *out;
} piece_target;

static ms_status take_piece(void *context, size_t begin, size_t end) {
    const piece_target *target = context;
    return encode_piece(target->tokenizer, target->text + begin, end - begin, target->offset + begin, target->out);
}

/* The longest added token at the start of the text that this pass looks for, or -1. */
static int32_t added_at(const ms_tokenizer *tokenizer, const char *text, size_t size_bytes, bool normalized,
                        size_t *out_size_bytes) {
    int32_t best = -1;
    *out_size_bytes = 0;
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const ms_token_entry *entry = &tokenizer->entries[tokenizer->added[i]];
        const uint8_t *bytes = entry->match ? entry->match : entry->bytes;
        size_t n = entry->match ? entry->match_bytes : entry->size_bytes;
        if (entry->normalized != normalized || n > size_bytes || n <= *out_size_bytes) continue;
        if (memcmp(bytes, text, n) != 0) continue;
        best = tokenizer->added[i];
        *out_size_bytes = n;
    }
    return best;
}

/* One pass over a text for added tokens. */
typedef struct added_pass {
    ms_tokenizer *tokenizer;
    bool normalized; /* looks for the normalized ones, after the others */
    ms_special special;
    ms_tokens *out;
} added_pass;

static ms_status encode_pass(const added_pass *pass, const char *text, size_t size_bytes, size_t offset);

/* Text in which this pass found nothing: the next pass, after normalization, or pieces. */
static ms_status encode_gap(const added_pass *pass, const char *text, size_t size_bytes, size_t offset) {
    ms_tokenizer *tokenizer = pass->tokenizer;
    if (pass->normalized) {
        piece_target target = {tokenizer, text, offset, pass->out};
        return ms_bpe_splitter_run(tokenizer->splitter, text, size_bytes, take_piece, &target);
    }
    added_pass next = *pass;
    next.normalized = true;
    const ms_pipeline *pipeline = &tokenizer->pipeline;
    if (pipeline->n_forms == 0) return encode_pass(&next, text, size_bytes, offset);
    ms_text *normalized = tokenizer->normalized;
    for (size_t i = 0; i < pipeline->n_forms; i++) {
        ms_text swap = normalized[0];
        normalized[0] = normalized[1];
        normalized[1] = swap;
        const char *from = i == 0 ? text : normalized[1].bytes;
        MS_TRY(ms_text_normalize(pipeline->forms[i], from, i == 0 ? size_bytes : normalized[1].n, &normalized[0]));
    }
    MS_TRY_NOTE(encode_pass(&next, normalized[0].bytes, normalized[0].n, 0), "normalized from byte %zu on", offset);
    return MS_OK;
}

/* Cuts out added tokens, leftmost and longest first: those that are not `normalized`, then, in the normalized text
   between them, the others.  This is the order of Hugging Face tokenizers, and so is that a match which does not count
   (a special token as text, part of a word) hides what it overlaps. */
static ms_status encode_pass(const added_pass *pass, const char *text, size_t size_bytes, size_t offset) {
    const ms_tokenizer *tokenizer = pass->tokenizer;
    size_t done = 0;
    for (size_t i = 0, n; i < size_bytes;) {
        int32_t id = -1;
        if (tokenizer->starts_added[(uint8_t)text[i]])
            id = added_at(tokenizer, text + i, size_bytes - i, pass->normalized, &n);
        if (id < 0) {
            i++;
            continue;
        }
        const ms_token_entry *entry = &tokenizer->entries[id];
        size_t begin = i, end = i + n;
        i = end;
        if (pass->special == MS_SPECIAL_AS_TEXT && entry->kind == MS_TOKEN_SPECIAL) continue;
        if (entry->single_word && (ms_ends_in_word(text, begin) || ms_begins_with_word(text + end, size_bytes - end)))
            continue;
        if (entry->lstrip) begin -= ms_space_at_end(text + done, begin > done ? begin - done : 0);
        if (entry->rstrip) end += ms_space_at_start(text + end, size_bytes - end);
        if (begin > done) MS_TRY(encode_gap(pass, text + done, begin - done, offset + done));
        MS_TRY(ms_tokens_append(pass->out, id));
        done = end;
    }
    return done < size_bytes ? encode_gap(pass, text + done, size_bytes - done, offset + done) : MS_OK;
}

ms_status ms_tokenizer_encode(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_special special,
                              ms_tokens *out) {
    static const char *const specials[] = {"parse", "as_text", NULL};
    MS_TRY(ms_choice_check("tokenizer: special", (int)special, specials));
    size_t valid = ms_utf8_check(text, size_bytes);
    if (valid < size_bytes)
        return MS_FAIL(MS_INVALID, "byte %zu of the text is 0x%02x, which is not UTF-8", valid, (uint8_t)text[valid]);
    added_pass pass = {tokenizer, false, special, out};
    return encode_pass(&pass, text, size_bytes, 0);
}
