#include "model/data/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "platform/sha256.h"

void ms_pipeline_finish(ms_pipeline *pipeline) {
    ms_split_rules_finish(&pipeline->rules);
    *pipeline = (ms_pipeline){0};
}

ms_status ms_tokenizer_create(int vocab_size, ms_pipeline *pipeline, ms_tokenizer **out) {
    *out = NULL;
    ms_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer || vocab_size < 1 || vocab_size > 1 << 24) {
        free(tokenizer);
        ms_pipeline_finish(pipeline);
        if (tokenizer) return MS_FAIL(MS_INVALID, "a vocabulary of %d tokens: 1 to 16777216 are possible", vocab_size);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a tokenizer");
    }
    tokenizer->pipeline = *pipeline;
    *pipeline = (ms_pipeline){0};
    tokenizer->entries = calloc((size_t)vocab_size, sizeof *tokenizer->entries);
    tokenizer->cache = calloc(MS_PIECE_SLOTS, sizeof *tokenizer->cache);
    tokenizer->vocab_size = vocab_size;
    if (!tokenizer->entries || !tokenizer->cache) {
        ms_tokenizer_close(tokenizer);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a vocabulary of %d tokens", vocab_size);
    }
    ms_status status = ms_bpe_splitter_create(&tokenizer->pipeline.rules, &tokenizer->splitter);
    if (status != MS_OK) {
        ms_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return MS_OK;
}

/* What several tokenizers may share, and what never changes after ms_tokenizer_seal. */
static void free_vocabulary(ms_tokenizer *tokenizer) {
    for (int id = 0; tokenizer->entries && id < tokenizer->vocab_size; id++) {
        free(tokenizer->entries[id].bytes);
        free(tokenizer->entries[id].match);
    }
    free(tokenizer->entries);
    free(tokenizer->added);
    ms_bpe_merges_finish(&tokenizer->merges);
    ms_bpe_table_finish(&tokenizer->pieces);
    ms_pipeline_finish(&tokenizer->pipeline);
}

void ms_tokenizer_close(ms_tokenizer *tokenizer) {
    if (!tokenizer) return;
    ms_bpe_splitter_destroy(tokenizer->splitter);
    if (!tokenizer->is_shared) free_vocabulary(tokenizer);
    free(tokenizer->cache);
    free(tokenizer->symbols);
    ms_bpe_scratch_finish(&tokenizer->scratch);
    for (size_t i = 0; i < 2; i++) ms_text_finish(&tokenizer->normalized[i]);
    free(tokenizer);
}

ms_status ms_tokenizer_share(const ms_tokenizer *tokenizer, ms_tokenizer **out) {
    *out = NULL;
    ms_tokenizer *shared = malloc(sizeof *shared);
    if (!shared) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a tokenizer");
    *shared = *tokenizer;
    shared->is_shared = true;
    shared->splitter = NULL;
    shared->normalized[0] = shared->normalized[1] = (ms_text){0};
    shared->scratch = (ms_bpe_scratch){0};
    shared->symbols = NULL;
    shared->symbols_capacity = 0;
    shared->cache = calloc(MS_PIECE_SLOTS, sizeof *shared->cache);
    ms_status status = shared->cache ? ms_bpe_splitter_create(&shared->pipeline.rules, &shared->splitter)
                                     : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a tokenizer's cache");
    if (status == MS_OK)
        *out = shared;
    else
        ms_tokenizer_close(shared);
    return status;
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

static ms_status hash_text(ms_sha256 *hash, const void *text, size_t size_bytes) {
    MS_TRY(hash_number(hash, size_bytes));
    return size_bytes > 0 ? ms_sha256_update(hash, text, size_bytes) : MS_OK;
}

/* How text is split and normalized.  Form 1 is that of the two pipelines which came first: one number, whether digits
   are split.  Form 2: number of normalizers and each; number of rules, and of each its behavior (with 16 added when
   literal, 32 when inverted), size and pattern; ignore_merges. */
static ms_status hash_pipeline(const ms_pipeline *pipeline, ms_sha256 *hash) {
    static const char form_1[] = "muonscope tokenizer identity 1\n", form_2[] = "muonscope tokenizer identity 2\n";
    int family = ms_split_rules_family(&pipeline->rules);
    if (family >= 0 && pipeline->n_forms == 0 && !pipeline->ignore_merges) {
        MS_TRY(ms_sha256_update(hash, form_1, sizeof form_1 - 1));
        return hash_number(hash, (uint64_t)family);
    }
    MS_TRY(ms_sha256_update(hash, form_2, sizeof form_2 - 1));
    MS_TRY(hash_number(hash, pipeline->n_forms));
    for (size_t i = 0; i < pipeline->n_forms; i++) MS_TRY(hash_number(hash, (uint64_t)pipeline->forms[i]));
    MS_TRY(hash_number(hash, pipeline->rules.n));
    for (size_t i = 0; i < pipeline->rules.n; i++) {
        const ms_split_rule *rule = &pipeline->rules.rules[i];
        uint64_t options = (rule->is_literal ? 16u : 0u) + (rule->is_inverted ? 32u : 0u);
        MS_TRY(hash_number(hash, (uint64_t)rule->behavior + options));
        MS_TRY(hash_text(hash, rule->pattern, strlen(rule->pattern)));
    }
    return hash_number(hash, pipeline->ignore_merges);
}

static uint64_t entry_options(const ms_token_entry *entry) {
    return (entry->normalized ? 16u : 0u) + (entry->single_word ? 32u : 0u) + (entry->lstrip ? 64u : 0u) +
           (entry->rstrip ? 128u : 0u);
}

/* The canonical form: a line naming the form, and the pipeline; then little-endian 64-bit numbers: vocabulary size; for
   each id its kind (with its options added), size and bytes; number of merges; each merge's left, right and result. */
static ms_status hash_canonical(const ms_tokenizer *tokenizer, ms_sha256 *hash) {
    MS_TRY(hash_pipeline(&tokenizer->pipeline, hash));
    MS_TRY(hash_number(hash, (uint64_t)tokenizer->vocab_size));
    for (int id = 0; id < tokenizer->vocab_size; id++) {
        const ms_token_entry *entry = &tokenizer->entries[id];
        MS_TRY(hash_number(hash, (uint64_t)entry->kind + entry_options(entry)));
        MS_TRY(hash_text(hash, entry->bytes, entry->size_bytes));
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

bool ms_token_piece(const ms_token_entry *entry, uint8_t *out, size_t *out_size_bytes) {
    *out_size_bytes = entry->size_bytes;
    if (entry->kind == MS_TOKEN_ORDINARY) {
        memcpy(out, entry->bytes, entry->size_bytes);
        return true;
    }
    return entry->in_vocab && ms_bpe_to_bytes((const char *)entry->bytes, entry->size_bytes, out, out_size_bytes);
}

/* What the entry is among pieces: a byte's token, or, where merges may be ignored, any token. */
static ms_status seal_piece(ms_tokenizer *tokenizer, int32_t id) {
    const ms_token_entry *entry = &tokenizer->entries[id];
    if (entry->kind == MS_TOKEN_ABSENT) return MS_OK;
    uint8_t *bytes = malloc(entry->size_bytes);
    size_t n;
    if (!bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for token id %d", id);
    bool is_piece = ms_token_piece(entry, bytes, &n);
    ms_status status = MS_OK;
    if (is_piece && n == 1) tokenizer->byte_ids[bytes[0]] = id;
    if (is_piece && tokenizer->pipeline.ignore_merges) {
        uint64_t hash = ms_bpe_hash(bytes, n);
        if (ms_bpe_table_get(&tokenizer->pieces, hash) != MS_BPE_ABSENT) {
            status = MS_FAIL(MS_CORRUPT, "token id %d has the text or the 64-bit hash of token id %u", id,
                             ms_bpe_table_get(&tokenizer->pieces, hash));
        } else {
            status = ms_bpe_table_set(&tokenizer->pieces, hash, (uint32_t)id);
        }
    }
    free(bytes);
    return status;
}

/* The text with which an added token is looked for. */
static ms_status seal_added(ms_tokenizer *tokenizer, int32_t id) {
    ms_token_entry *entry = &tokenizer->entries[id];
    tokenizer->added[tokenizer->n_added++] = id;
    if (entry->normalized && tokenizer->pipeline.n_forms > 0) {
        ms_text text = {0}, next = {0};
        ms_status status = ms_text_append(&text, entry->bytes, entry->size_bytes);
        for (size_t i = 0; status == MS_OK && i < tokenizer->pipeline.n_forms; i++) {
            ms_text before = text;
            status = ms_text_normalize(tokenizer->pipeline.forms[i], before.bytes, before.n, &next);
            text = next;
            next = before;
        }
        ms_text_finish(&next);
        entry->match = (uint8_t *)text.bytes;
        entry->match_bytes = text.n;
        MS_TRY(status);
    }
    tokenizer->starts_added[entry->match ? entry->match[0] : entry->bytes[0]] = true;
    return MS_OK;
}

ms_status ms_tokenizer_seal(ms_tokenizer *tokenizer) {
    for (int byte = 0; byte < 256; byte++) tokenizer->byte_ids[byte] = -1;
    tokenizer->added = malloc((size_t)tokenizer->vocab_size * sizeof *tokenizer->added);
    if (!tokenizer->added) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %d token ids", tokenizer->vocab_size);
    for (int32_t id = 0; id < tokenizer->vocab_size; id++) {
        MS_TRY(seal_piece(tokenizer, id));
        ms_token_kind kind = tokenizer->entries[id].kind;
        if (kind == MS_TOKEN_ADDED || kind == MS_TOKEN_SPECIAL) MS_TRY(seal_added(tokenizer, id));
    }
    for (int byte = 0; tokenizer->pipeline.needs_all_bytes && byte < 256; byte++)
        if (tokenizer->byte_ids[byte] < 0)
            return MS_FAIL(MS_UNSUPPORTED, "%s without a token for the byte 0x%02x is not supported",
                           tokenizer->pipeline.needs_all_bytes, (unsigned)byte);
    return find_identity(tokenizer);
}
