#include "model/data/document_group.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_table.h"
#include "model/data/dataset_sidecar.h"
#include "model/data/tokenizer_mend.h"

/* A group that held a long document gives its memory back. */
enum { KEPT_BYTES = 1 << 20 };

void ms_document_group_finish(ms_document_group *group) {
    free(group->documents);
    ms_text_finish(&group->text);
    ms_tokens_finish(&group->ids);
    ms_tokens_finish(&group->tokens);
    *group = (ms_document_group){0};
}

void ms_document_group_clear(ms_document_group *group) {
    size_t bytes = sizeof *group->documents * group->capacity + group->text.capacity +
                   sizeof(int32_t) * (group->ids.capacity + group->tokens.capacity);
    if (bytes > KEPT_BYTES) ms_document_group_finish(group);
    ms_document_group kept = {.documents = group->documents,
                              .capacity = group->capacity,
                              .text = group->text,
                              .ids = group->ids,
                              .tokens = group->tokens};
    kept.text.n = kept.ids.n = kept.tokens.n = 0;
    *group = kept;
}

size_t ms_document_group_bytes(const ms_document_group *group) {
    return sizeof *group->documents * group->n + group->text.n + sizeof(int32_t) * group->ids.n;
}

ms_status ms_document_group_add(ms_document_group *group, const ms_document *document) {
    if (group->n == group->capacity) {
        size_t capacity = group->capacity ? 2 * group->capacity : 16;
        ms_group_document *larger = realloc(group->documents, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu documents", capacity);
        group->documents = larger;
        group->capacity = capacity;
    }
    ms_group_document added = {.i_line = document->i_line, .is_ids = document->ids != NULL};
    added.offset = added.is_ids ? group->ids.n : group->text.n;
    added.n = added.is_ids ? document->n_ids : document->size_bytes;
    if (added.is_ids)
        MS_TRY(ms_tokens_append_all(&group->ids, document->ids, document->n_ids));
    else
        MS_TRY(ms_text_append(&group->text, document->text, document->size_bytes));
    group->documents[group->n++] = added;
    return MS_OK;
}

/* Which split a document falls in depends on its text and the seed alone: neither on its place nor on other documents,
   and two equal documents are never on both sides. */
static int choose_split(const ms_document_encoder *encoder, const char *text, size_t size_bytes) {
    uint64_t hash = ms_bpe_mix(ms_bpe_hash(text, size_bytes) ^ ms_bpe_mix(encoder->seed));
    double uniform = (double)(hash >> 11) * 0x1p-53;
    return uniform < encoder->validation_fraction ? MS_SPLIT_VAL : MS_SPLIT_TRAIN;
}

/* Adds the ids of a text.  A character whose bytes have no token is replaced where on_error says so. */
static ms_status encode_text(ms_document_encoder *encoder, const char *text, size_t size_bytes, ms_tokens *out,
                             ms_document_fate *out_fate) {
    size_t n_before = out->n;
    *out_fate = MS_DOCUMENT_TAKEN;
    ms_status status = ms_tokenizer_encode(encoder->tokenizer, text, size_bytes, MS_SPECIAL_AS_TEXT, out);
    /* The text is UTF-8: what is invalid is a byte without a token. */
    if (status != MS_INVALID || encoder->on_error == MS_ON_ERROR_STOP) return status;
    if (encoder->on_error == MS_ON_ERROR_REPLACE) {
        MS_TRY(ms_tokenizer_mend(encoder->tokenizer, text, size_bytes, &encoder->mended));
        out->n = n_before;
        *out_fate = MS_DOCUMENT_MENDED;
        status =
            ms_tokenizer_encode(encoder->tokenizer, encoder->mended.bytes, encoder->mended.n, MS_SPECIAL_AS_TEXT, out);
    }
    if (status != MS_INVALID) return status;
    *out_fate = MS_DOCUMENT_LEFT_OUT;
    return MS_OK;
}

/* Adds the ids of a document of ids, which belongs to the split of the text that they decode to. */
static ms_status take_ids(ms_document_group *group, ms_group_document *document, const ms_document_encoder *encoder) {
    const int32_t *ids = group->ids.ids + document->offset;
    char *text;
    size_t size_bytes;
    MS_TRY(ms_tokenizer_decode(encoder->tokenizer, ids, document->n, false, &text, &size_bytes));
    document->split = choose_split(encoder, text, size_bytes);
    document->n_bytes = (int64_t)size_bytes;
    free(text);
    return ms_tokens_append_all(&group->tokens, ids, document->n);
}

static ms_status encode(ms_document_group *group, ms_group_document *document, ms_document_encoder *encoder) {
    size_t n_before = group->tokens.n;
    document->fate = MS_DOCUMENT_TAKEN;
    if (encoder->end_of_text >= 0) MS_TRY(ms_tokens_append(&group->tokens, encoder->end_of_text));
    if (document->is_ids) {
        MS_TRY(take_ids(group, document, encoder));
    } else {
        const char *text = group->text.bytes + document->offset;
        MS_TRY(encode_text(encoder, text, document->n, &group->tokens, &document->fate));
        document->split = choose_split(encoder, text, document->n);
        document->n_bytes = (int64_t)document->n;
    }
    if (group->fixed_split >= 0) document->split = group->fixed_split;
    if (document->fate == MS_DOCUMENT_LEFT_OUT) group->tokens.n = n_before;
    document->n_tokens = group->tokens.n - n_before;
    return MS_OK;
}

void ms_document_group_encode(ms_document_group *group, ms_document_encoder *encoder) {
    for (group->n_encoded = 0; group->n_encoded < group->n; group->n_encoded++) {
        group->status = encode(group, &group->documents[group->n_encoded], encoder);
        if (group->status == MS_OK) continue;
        snprintf(group->message, sizeof group->message, "%s", ms_status_message());
        return;
    }
}
