#include "model/data/dataset_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/shard.h"
#include "model/data/tokenizer.h"
#include "platform/file.h"

static ms_status check_tokenizer(const char *directory, const ms_sidecar *sidecar) {
    char *path = ms_path_join(directory, MS_SIDECAR_TOKENIZER);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    ms_tokenizer *tokenizer = NULL;
    ms_status status = ms_tokenizer_open(path, &tokenizer);
    if (status == MS_OK && strcmp(ms_tokenizer_sha256(tokenizer), sidecar->tokenizer_sha256) != 0) {
        status = MS_FAIL(MS_MISMATCH, "%s has the identity %.12s..., %s says %.12s...", path,
                         ms_tokenizer_sha256(tokenizer), MS_SIDECAR_NAME, sidecar->tokenizer_sha256);
    } else if (status == MS_OK && ms_tokenizer_vocab_size(tokenizer) != sidecar->vocab_size) {
        status = MS_FAIL(MS_MISMATCH, "%s has %d tokens, %s says %d", path, ms_tokenizer_vocab_size(tokenizer),
                         MS_SIDECAR_NAME, sidecar->vocab_size);
    }
    ms_tokenizer_close(tokenizer);
    free(path);
    return status;
}

/* Adds the shard's end-of-text tokens to *documents. */
static ms_status check_contents(const ms_shard *shard, const ms_sidecar_shard *entry, const ms_sidecar *sidecar,
                                int64_t *documents) {
    enum { SPAN_TOKENS = 4096 };
    int32_t tokens[SPAN_TOKENS];
    char sha256[65];
    if (shard->n_tokens != entry->n_tokens)
        return MS_FAIL(MS_CORRUPT, "%" PRId64 " tokens, %s says %" PRId64, shard->n_tokens, MS_SIDECAR_NAME,
                       entry->n_tokens);
    for (int64_t begin = 0; begin < shard->n_tokens; begin += SPAN_TOKENS) {
        int64_t n = shard->n_tokens - begin < SPAN_TOKENS ? shard->n_tokens - begin : SPAN_TOKENS;
        MS_TRY(ms_shard_read(shard, begin, n, tokens));
        for (int64_t i = 0; i < n; i++) {
            if (tokens[i] >= sidecar->vocab_size)
                return MS_FAIL(MS_CORRUPT, "token %" PRId64 " has the id %d, outside the vocabulary of %d", begin + i,
                               tokens[i], sidecar->vocab_size);
            *documents += tokens[i] == sidecar->end_of_text;
        }
    }
    MS_TRY(ms_reader_sha256(&shard->reader, sha256));
    if (strcmp(sha256, entry->sha256) != 0)
        return MS_FAIL(MS_CORRUPT, "SHA-256 %.12s..., %s says %.12s...", sha256, MS_SIDECAR_NAME, entry->sha256);
    return MS_OK;
}

static ms_status check_split(const char *directory, const ms_sidecar *sidecar, int i_split) {
    const ms_sidecar_split *split = &sidecar->splits[i_split];
    int64_t documents = 0;
    for (size_t i = 0; i < split->n_shards; i++) {
        char *path = ms_path_join(directory, split->shards[i].file);
        if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
        ms_shard shard = {0};
        ms_status status = ms_shard_open(path, &shard);
        if (status == MS_OK) {
            status = check_contents(&shard, &split->shards[i], sidecar, &documents);
            if (status != MS_OK) ms_status_note(status, "%s", path);
        }
        ms_shard_close(&shard);
        free(path);
        MS_TRY(status);
    }
    if (sidecar->end_of_text >= 0 && documents != split->n_documents)
        return MS_FAIL(MS_CORRUPT, "%s: the %s split has %" PRId64 " end-of-text tokens for %" PRId64 " documents",
                       directory, ms_split_name(i_split), documents, split->n_documents);
    return MS_OK;
}

ms_status ms_dataset_check(const char *directory, ms_sidecar *out) {
    MS_TRY(ms_sidecar_read(directory, out));
    ms_status status = check_tokenizer(directory, out);
    for (int split = 0; status == MS_OK && split < MS_N_SPLITS; split++) status = check_split(directory, out, split);
    if (status != MS_OK) ms_sidecar_finish(out);
    return status;
}
