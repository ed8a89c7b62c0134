#include "model/data/dataset_prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_table.h"
#include "model/data/shard.h"
#include "model/data/text_normalize.h"
#include "model/data/tokenizer.h"
#include "model/data/tokenizer_mend.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/reader.h"
#include "platform/temporary.h"

enum { DEFAULT_SHARD_TOKENS = 100000000, DEFAULT_CHUNK_IDS = 2048, REPORT_BYTES = 4 << 20 };

/* What the work holds. */
typedef struct preparation {
    const ms_prepare_options *options;
    const char *name;
    char *directory; /* being filled, owned */
    int descriptor;  /* of that directory: its lock; -1: none */
    int64_t shard_tokens;
    ms_tokenizer *tokenizer;
    ms_tokens tokens; /* of one document */
    ms_text mended;   /* the document, where characters of it were replaced */
    char *decoded;    /* the text of a document of ids, owned */
    int fixed_split;  /* of all documents of the file that is read; -1: each has its own */
    ms_shard_writer writers[MS_N_SPLITS];
    bool is_open[MS_N_SPLITS];
    ms_sidecar *sidecar;
    int64_t reported_bytes;
} preparation;

static ms_status check_options(const ms_prepare_options *options) {
    if (options->n_files < 1) return MS_FAIL(MS_INVALID, "no text files are given");
    if (!(options->validation_fraction >= 0 && options->validation_fraction < 1))
        return MS_FAIL(MS_INVALID, "validation fraction %g is not in [0, 1)", options->validation_fraction);
    if (options->shard_tokens < 0 || options->shard_tokens > INT32_MAX)
        return MS_FAIL(MS_INVALID, "%" PRId64 " tokens a shard: 1 to 2147483647 are possible", options->shard_tokens);
    if (options->seed > INT64_MAX) return MS_FAIL(MS_INVALID, "seed %" PRIu64 " is not below 2^63", options->seed);
    if (options->name && !ms_is_plain_name(options->name))
        return MS_FAIL(MS_INVALID, "\"%s\" is not a name for shards", options->name);
    /* dataset.json will hold these: said before hours of work. */
    if (options->name) MS_TRY(ms_json_check_text("the name of shards", options->name));
    for (int i = 0; i < options->n_files; i++) MS_TRY(ms_json_check_text("the path of a text", options->files[i]));
    if (options->validation_file) MS_TRY(ms_json_check_text("the path of a text", options->validation_file));
    if (!ms_file_exists(options->directory)) return MS_OK;
    ms_listing names;
    MS_TRY(ms_listing_read(options->directory, &names));
    size_t n = names.n;
    ms_listing_finish(&names);
    if (n > 0)
        return MS_FAIL(MS_INVALID, "%s exists and is not empty: remove it or name another folder", options->directory);
    return MS_OK;
}

/* The token before each document.  Text must not be able to forge it, which a special one prevents. */
static ms_status find_end_of_text(const preparation *work, int32_t *out) {
    const char *name = work->options->document_end ? work->options->document_end : MS_END_OF_TEXT;
    bool is_special;
    *out = -1;
    if (strcmp(name, MS_NO_DOCUMENT_END) == 0) return MS_OK;
    *out = ms_tokenizer_added_token(work->tokenizer, name, &is_special);
    if (*out >= 0 && is_special) return MS_OK;
    char names[256];
    ms_tokenizer_special_names(work->tokenizer, names, sizeof names);
    if (*out >= 0)
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s: the token %s is not special: text could forge it; --document_end TOKEN names one of %s",
                       work->options->tokenizer_path, name, names);
    return MS_FAIL(MS_UNSUPPORTED,
                   "%s: no token %s to begin documents with; --document_end TOKEN names another of its special tokens, "
                   "or none: %s",
                   work->options->tokenizer_path, name, names);
}

static ms_status open_tokenizer(preparation *work) {
    MS_TRY(ms_tokenizer_open(work->options->tokenizer_path, &work->tokenizer));
    work->sidecar->vocab_size = ms_tokenizer_vocab_size(work->tokenizer);
    memcpy(work->sidecar->tokenizer_sha256, ms_tokenizer_sha256(work->tokenizer), 65);
    return find_end_of_text(work, &work->sidecar->end_of_text);
}

static ms_status copy_tokenizer(preparation *work) {
    char *text, *path = ms_path_join(work->directory, MS_SIDECAR_TOKENIZER);
    size_t size_bytes;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    ms_status status = ms_file_read(work->options->tokenizer_path, &text, &size_bytes);
    if (status == MS_OK) status = ms_file_write(path, text, size_bytes);
    free(text);
    free(path);
    return status;
}

static ms_status shard_name(const preparation *work, int split, char *out, size_t size) {
    int n =
        snprintf(out, size, "%s_%s_%06zu.bin", work->name, ms_split_name(split), work->sidecar->splits[split].n_shards);
    if (n < 0 || (size_t)n >= size) return MS_FAIL(MS_INVALID, "the name %s is too long", work->name);
    return MS_OK;
}

static ms_status open_shard(preparation *work, int split) {
    char name[256];
    MS_TRY(shard_name(work, split, name, sizeof name));
    char *path = ms_path_join(work->directory, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    ms_status status = ms_shard_writer_open(path, work->sidecar->vocab_size, &work->writers[split]);
    work->is_open[split] = status == MS_OK;
    free(path);
    return status;
}

/* Commits the shard and notes it in the sidecar. */
static ms_status close_shard(preparation *work, int split) {
    char name[256], sha256[65];
    MS_TRY(shard_name(work, split, name, sizeof name));
    int64_t n_tokens = work->writers[split].n_tokens;
    work->is_open[split] = false;
    MS_TRY(ms_shard_writer_commit(&work->writers[split]));
    char *path = ms_path_join(work->directory, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    ms_reader reader;
    ms_status status = ms_reader_open(path, &reader);
    free(path);
    MS_TRY(status);
    status = ms_reader_sha256(&reader, sha256);
    ms_reader_close(&reader);
    MS_TRY(status);
    return ms_sidecar_add_shard(work->sidecar, split, name, n_tokens, sha256);
}

/* Which split a document falls in depends on its text and the seed alone: neither on its place nor on other documents,
   and two equal documents are never on both sides. */
static int choose_split(const preparation *work, const ms_document *document) {
    if (work->fixed_split >= 0) return work->fixed_split;
    uint64_t hash = ms_bpe_mix(ms_bpe_hash(document->text, document->size_bytes) ^ ms_bpe_mix(work->options->seed));
    double uniform = (double)(hash >> 11) * 0x1p-53;
    return uniform < work->options->validation_fraction ? MS_SPLIT_VAL : MS_SPLIT_TRAIN;
}

/* Adds the ids of a text.  A character whose bytes have no token is replaced where on_error says so; *out_skip: the
   document is left out. */
static ms_status encode(preparation *work, const ms_document *document, bool *out_skip) {
    ms_record_counts *counts = &work->sidecar->counts;
    size_t n_before = work->tokens.n;
    *out_skip = false;
    ms_status status =
        ms_tokenizer_encode(work->tokenizer, document->text, document->size_bytes, MS_SPECIAL_AS_TEXT, &work->tokens);
    /* The text is UTF-8: what is invalid is a byte without a token. */
    if (status != MS_INVALID || work->sidecar->on_error == MS_ON_ERROR_STOP) return status;
    if (work->sidecar->on_error == MS_ON_ERROR_REPLACE) {
        MS_TRY(ms_tokenizer_mend(work->tokenizer, document->text, document->size_bytes, &work->mended));
        work->tokens.n = n_before;
        status =
            ms_tokenizer_encode(work->tokenizer, work->mended.bytes, work->mended.n, MS_SPECIAL_AS_TEXT, &work->tokens);
        counts->replaced[MS_RECORD_NO_TOKEN] += status == MS_OK;
    }
    if (status != MS_INVALID) return status;
    counts->skipped[MS_RECORD_NO_TOKEN]++;
    *out_skip = true;
    return MS_OK;
}

/* Adds the document's ids, and makes it the text that they decode to. */
static ms_status decode(preparation *work, ms_document *document) {
    free(work->decoded);
    work->decoded = NULL;
    MS_TRY(ms_tokenizer_decode(work->tokenizer, document->ids, document->n_ids, false, &work->decoded,
                               &document->size_bytes));
    document->text = work->decoded;
    for (size_t i = 0; i < document->n_ids; i++) MS_TRY(ms_tokens_append(&work->tokens, document->ids[i]));
    return MS_OK;
}

/* The document's ids, after the end of text before it. */
static ms_status take(preparation *work, ms_document *document, bool *out_skip) {
    int32_t end_of_text = work->sidecar->end_of_text;
    *out_skip = false;
    work->tokens.n = 0;
    if (end_of_text >= 0) MS_TRY(ms_tokens_append(&work->tokens, end_of_text));
    return document->ids ? decode(work, document) : encode(work, document, out_skip);
}

/* The ids that `take` left go into a shard. */
static ms_status write_document(preparation *work, const ms_document *document) {
    int split = choose_split(work, document);
    ms_sidecar_split *counts = &work->sidecar->splits[split];
    int64_t n = (int64_t)work->tokens.n;
    if (work->is_open[split] && work->writers[split].n_tokens + n > work->shard_tokens)
        MS_TRY(close_shard(work, split));
    if (!work->is_open[split]) MS_TRY(open_shard(work, split));
    MS_TRY(ms_shard_writer_add(&work->writers[split], work->tokens.ids, n));
    counts->n_tokens += n;
    counts->n_documents++;
    counts->n_bytes += (int64_t)document->size_bytes;
    return MS_OK;
}

static void report(preparation *work, const char *file, int i_file) {
    const ms_sidecar_split *train = &work->sidecar->splits[MS_SPLIT_TRAIN], *val = &work->sidecar->splits[MS_SPLIT_VAL];
    int64_t n_bytes = train->n_bytes + val->n_bytes;
    if (!work->options->report || n_bytes - work->reported_bytes < REPORT_BYTES) return;
    work->reported_bytes = n_bytes;
    int n_files = work->options->n_files + (work->options->validation_file != NULL);
    ms_prepare_progress progress = {file, i_file, n_files, n_bytes, train->n_tokens + val->n_tokens};
    work->options->report(work->options->report_context, &progress);
}

static int64_t count_documents(const preparation *work) {
    return work->sidecar->splits[MS_SPLIT_TRAIN].n_documents + work->sidecar->splits[MS_SPLIT_VAL].n_documents;
}

static ms_status add_file(preparation *work, const char *path, int i_file) {
    ms_corpus_options options = work->options->corpus;
    options.accepts_ids = true;
    options.end_id = work->sidecar->end_of_text;
    options.vocab_size = work->sidecar->vocab_size;
    if (options.chunk_ids == 0) options.chunk_ids = DEFAULT_CHUNK_IDS;
    ms_corpus *corpus;
    MS_TRY(ms_corpus_open(path, &options, &corpus));
    int64_t n_before = count_documents(work);
    ms_status status = MS_OK;
    while (status == MS_OK) {
        ms_document document;
        bool skip;
        status = ms_corpus_next(corpus, &document);
        if (status != MS_OK || (!document.text && !document.ids)) break;
        status = take(work, &document, &skip);
        if (status != MS_OK) ms_status_note(status, "%s, line %" PRIu64, ms_corpus_name(corpus), document.i_line);
        if (status == MS_OK && !skip) status = write_document(work, &document);
        report(work, path, i_file);
    }
    if (status == MS_OK)
        status = ms_sidecar_add_source(work->sidecar, path, (int64_t)ms_corpus_bytes_read(corpus),
                                       count_documents(work) - n_before);
    ms_record_counts_add(&work->sidecar->counts, ms_corpus_counts(corpus));
    ms_corpus_close(corpus);
    return status;
}

/* Nothing was skipped, and yet there is no document. */
static ms_status fail_empty(const ms_prepare_options *options) {
    const char *first = strcmp(options->files[0], "-") == 0 ? "standard input" : options->files[0];
    if (options->n_files == 1) return MS_FAIL(MS_INVALID, "%s has no text: it is empty, or blank", first);
    return MS_FAIL(MS_INVALID, "%s and the %d files after it have no text: they are empty, or blank", first,
                   options->n_files - 1);
}

static ms_status finish_splits(preparation *work) {
    if (count_documents(work) == 0 && ms_record_counts_skipped(&work->sidecar->counts) == 0)
        return fail_empty(work->options);
    for (int split = 0; split < MS_N_SPLITS; split++) {
        if (work->is_open[split]) MS_TRY(close_shard(work, split));
        bool is_wanted =
            split == MS_SPLIT_TRAIN || work->options->validation_fraction > 0 || work->options->validation_file;
        if (is_wanted && work->sidecar->splits[split].n_documents == 0)
            return MS_FAIL(
                MS_INVALID,
                "no document fell in the %s split (%" PRId64 " documents, %" PRId64
                " records skipped, validation fraction %g): give more text, shorter documents or another fraction",
                ms_split_name(split), work->sidecar->splits[!split].n_documents,
                ms_record_counts_skipped(&work->sidecar->counts), work->options->validation_fraction);
    }
    return MS_OK;
}

static ms_status prepare(preparation *work) {
    MS_TRY(open_tokenizer(work));
    MS_TRY(ms_temporary_directory(work->options->directory, &work->descriptor, &work->directory));
    const ms_prepare_options *options = work->options;
    work->fixed_split = options->validation_file ? MS_SPLIT_TRAIN : -1;
    for (int i = 0; i < options->n_files; i++) MS_TRY(add_file(work, options->files[i], i));
    work->fixed_split = MS_SPLIT_VAL;
    if (options->validation_file) MS_TRY(add_file(work, options->validation_file, options->n_files));
    MS_TRY(finish_splits(work));
    MS_TRY(copy_tokenizer(work));
    MS_TRY(ms_sidecar_write(work->sidecar, work->directory));
    return ms_rename(work->directory, work->options->directory);
}

ms_status ms_dataset_prepare(const ms_prepare_options *options, ms_sidecar *out) {
    *out = (ms_sidecar){.seed = options->seed,
                        .validation_fraction = options->validation_fraction,
                        .on_error = options->corpus.on_error};
    MS_TRY(check_options(options));
    preparation work = {.options = options,
                        .name = options->name ? options->name : "data",
                        .shard_tokens = options->shard_tokens ? options->shard_tokens : DEFAULT_SHARD_TOKENS,
                        .descriptor = -1,
                        .sidecar = out};
    ms_status status = prepare(&work);
    for (int split = 0; split < MS_N_SPLITS; split++)
        if (work.is_open[split]) ms_shard_writer_abort(&work.writers[split]);
    if (status != MS_OK) {
        if (work.directory) (void)ms_directory_clear_away(status, work.directory);
        ms_sidecar_finish(out);
    }
    ms_tokenizer_close(work.tokenizer);
    ms_tokens_finish(&work.tokens);
    free(work.decoded);
    ms_text_finish(&work.mended);
    ms_descriptor_close(work.descriptor);
    free(work.directory);
    return status;
}
