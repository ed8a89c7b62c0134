#include "model/data/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "platform/sha256.h"

ms_status ms_tokenizer_create(int vocab_size, bool split_digits, ms_tokenizer **out) {
    *out = NULL;
    if (vocab_size < 1 || vocab_size > 1 << 24)
        return MS_FAIL(MS_INVALID, "a vocabulary of %d tokens: 1 to 16777216 are possible", vocab_size);
    ms_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a tokenizer");
    tokenizer->entries = calloc((size_t)vocab_size, sizeof *tokenizer->entries);
    tokenizer->cache = calloc(MS_PIECE_SLOTS, sizeof *tokenizer->cache);
    tokenizer->vocab_size = vocab_size;
    tokenizer->split_digits = split_digits;
    if (!tokenizer->entries || !tokenizer->cache) {
        ms_tokenizer_close(tokenizer);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a vocabulary of %d tokens", vocab_size);
    }
    ms_status status = ms_bpe_splitter_create(split_digits, &tokenizer->splitter);
    if (status != MS_OK) {
        ms_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return MS_OK;
}

void ms_tokenizer_close(ms_tokenizer *tokenizer) {
    if (!tokenizer) return;
    for (int id = 0; tokenizer->entries && id < tokenizer->vocab_size; id++) free(tokenizer->entries[id].bytes);
    free(tokenizer->entries);
    free(tokenizer->cache);
    free(tokenizer->symbols);
    free(tokenizer->added);
    ms_bpe_merges_finish(&tokenizer->merges);
    ms_bpe_scratch_finish(&tokenizer->scratch);
    ms_bpe_splitter_destroy(tokenizer->splitter);
    free(tokenizer);
}

ms_status ms_tokenizer_set(ms_tokenizer *tokenizer, int32_t id, const void *bytes, size_t size_bytes,
                           ms_token_kind kind) {
    if (id < 0 || id >= tokenizer->vocab_size)
        return MS_FAIL(MS_CORRUPT, "token id %d is outside the vocabulary of %d", id, tokenizer->vocab_size);
    if (size_bytes == 0) return MS_FAIL(MS_CORRUPT, "token id %d has no text", id);
    ms_token_entry *entry = &tokenizer->entries[id];
    if (entry->kind != MS_TOKEN_ABSENT) return MS_FAIL(MS_CORRUPT, "token id %d is given twice", id);
    entry->bytes = malloc(size_bytes + 1);
    if (!entry->bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for token id %d", id);
    memcpy(entry->bytes, bytes, size_bytes);
    entry->bytes[size_bytes] = '\0';
    entry->size_bytes = size_bytes;
    entry->kind = kind;
    return MS_OK;
}

static ms_status hash_number(ms_sha256 *hash, uint64_t number) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> 8 * i);
    return ms_sha256_update(hash, bytes, sizeof bytes);
}

/* The canonical form: a line naming the form; then little-endian 64-bit numbers: split_digits; vocabulary size; for
   each id its kind (with 16 added when normalized), size and bytes; number of merges; each merge's left, right and
   result. */
static ms_status hash_canonical(const ms_tokenizer *tokenizer, ms_sha256 *hash) {
    static const char form[] = "muonscope tokenizer identity 1\n";
    MS_TRY(ms_sha256_update(hash, form, sizeof form - 1));
    MS_TRY(hash_number(hash, tokenizer->split_digits));
    MS_TRY(hash_number(hash, (uint64_t)tokenizer->vocab_size));
    for (int id = 0; id < tokenizer->vocab_size; id++) {
        const ms_token_entry *entry = &tokenizer->entries[id];
        MS_TRY(hash_number(hash, (uint64_t)entry->kind + (entry->normalized ? 16 : 0)));
        MS_TRY(hash_number(hash, entry->size_bytes));
        if (entry->size_bytes > 0) MS_TRY(ms_sha256_update(hash, entry->bytes, entry->size_bytes));
    }
    MS_TRY(hash_number(hash, tokenizer->merges.n));
    for (size_t i = 0; i < tokenizer->merges.n; i++) {
        MS_TRY(hash_number(hash, (uint64_t)tokenizer->merges.left[i]));
        MS_TRY(hash_number(hash, (uint64_t)tokenizer->merges.right[i]));
        MS_TRY(hash_number(hash, (uint64_t)tokenizer->merges.result[i]));
    }
    return MS_OK;
}

static ms_status find_identity(ms_tokenizer *tokenizer) {
    ms_sha256 *hash;
    MS_TRY(ms_sha256_create(&hash));
    ms_status status = hash_canonical(tokenizer, hash);
    if (status != MS_OK) {
        ms_sha256_destroy(hash);
        return status;
    }
    return ms_sha256_finish(hash, tokenizer->sha256);
}

ms_status ms_tokenizer_seal(ms_tokenizer *tokenizer) {
    for (int byte = 0; byte < 256; byte++) tokenizer->byte_ids[byte] = -1;
    tokenizer->added = malloc((size_t)tokenizer->vocab_size * sizeof *tokenizer->added);
    if (!tokenizer->added) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %d token ids", tokenizer->vocab_size);
    for (int32_t id = 0; id < tokenizer->vocab_size; id++) {
        const ms_token_entry *entry = &tokenizer->entries[id];
        if (entry->kind == MS_TOKEN_ORDINARY && entry->size_bytes == 1) tokenizer->byte_ids[entry->bytes[0]] = id;
        if (entry->kind != MS_TOKEN_ADDED && entry->kind != MS_TOKEN_SPECIAL) continue;
        tokenizer->added[tokenizer->n_added++] = id;
        tokenizer->starts_added[entry->bytes[0]] = true;
    }
    return find_identity(tokenizer);
}
