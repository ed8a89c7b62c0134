#include "model/data/dataset_prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/document_reader.h"
#include "model/data/shard.h"
#include "model/data/tokenizer.h"
#include "platform/background.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/reader.h"
#include "platform/temporary.h"
#include "platform/thread.h"

enum { DEFAULT_SHARD_TOKENS = 100000000, DEFAULT_CHUNK_IDS = 2048, MOST_THREADS = 1024 };

/* What the work holds.  With more than one thread, one more reads a batch while these encode the other. */
typedef struct preparation {
    const ms_prepare_options *options;
    const char *name;
    char *directory; /* being filled, owned */
    int descriptor;  /* of that directory: its lock; -1: none */
    int64_t shard_tokens;
    ms_tokenizer *tokenizer;
    int n_threads;
    ms_document_encoder *encoders; /* [n_threads], each with a tokenizer that shares `tokenizer`, owned */
    ms_pool *pool;                 /* NULL: one thread */
    ms_background *background;     /* reads; NULL: one thread */
    ms_document_reader reader;
    ms_document_batch batches[2]; /* that is encoded, and that is read, in turn */
    int i_batch;                  /* that is read next, or is being read */
    ms_shard_writer writers[MS_N_SPLITS];
    bool is_open[MS_N_SPLITS];
    ms_sidecar *sidecar;
    int64_t n_documents_before; /* of the files before the one that is written */
    int64_t n_read_before;      /* bytes of these files */
    int64_t n_to_read;          /* as ms_prepare_progress.n_to_read */
} preparation;

static ms_status check_options(const ms_prepare_options *options) {
    if (options->n_files < 1) return MS_FAIL(MS_INVALID, "no text files are given");
    if (!(options->validation_fraction >= 0 && options->validation_fraction < 1))
        return MS_FAIL(MS_INVALID, "validation fraction %g is not in [0, 1)", options->validation_fraction);
    if (options->shard_tokens < 0 || options->shard_tokens > INT32_MAX)
        return MS_FAIL(MS_INVALID, "%" PRId64 " tokens a shard: 1 to 2147483647 are possible", options->shard_tokens);
    if (options->n_threads < 0 || options->n_threads > MOST_THREADS)
        return MS_FAIL(MS_INVALID, "%d threads: 1 to %d are possible, or 0 for all processors", options->n_threads,
                       MOST_THREADS);
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

/* ids [n_tokens] of a document go into a shard. */
static ms_status write_document(preparation *work, const ms_group_document *document, const int32_t *ids) {
    int split = document->split;
    ms_sidecar_split *counts = &work->sidecar->splits[split];
    int64_t n = (int64_t)document->n_tokens;
    if (work->is_open[split] && work->writers[split].n_tokens + n > work->shard_tokens)
        MS_TRY(close_shard(work, split));
    if (!work->is_open[split]) MS_TRY(open_shard(work, split));
    MS_TRY(ms_shard_writer_add(&work->writers[split], ids, n));
    counts->n_tokens += n;
    counts->n_documents++;
    counts->n_bytes += document->n_bytes;
    return MS_OK;
}

static const char *path_of(const preparation *work, int i_file) {
    const ms_prepare_options *options = work->options;
    return i_file < options->n_files ? options->files[i_file] : options->validation_file;
}

static int count_files(const preparation *work) {
    return work->options->n_files + (work->options->validation_file != NULL);
}

/* Bytes of all files, or -1. */
static int64_t count_bytes(const preparation *work) {
    int64_t n_bytes = 0;
    for (int i = 0; i < count_files(work); i++) {
        ms_file_version version;
        if (!ms_file_version_of(path_of(work, i), &version)) return -1;
        n_bytes += version.size_bytes;
    }
    return n_bytes;
}

static void report(preparation *work, const ms_document_group *group) {
    const ms_sidecar_split *train = &work->sidecar->splits[MS_SPLIT_TRAIN], *val = &work->sidecar->splits[MS_SPLIT_VAL];
    int64_t n_read = work->n_read_before + (int64_t)group->n_file_bytes_read;
    if (group->ends_file) work->n_read_before = n_read;
    if (!work->options->report) return;
    ms_prepare_progress progress = {.file = path_of(work, group->i_file),
                                    .i_file = group->i_file,
                                    .n_files = count_files(work),
                                    .n_bytes = train->n_bytes + val->n_bytes,
                                    .n_tokens = train->n_tokens + val->n_tokens,
                                    .n_read = n_read,
                                    .n_to_read = work->n_to_read};
    work->options->report(work->options->report_context, &progress);
}

static int64_t count_documents(const preparation *work) {
    return work->sidecar->splits[MS_SPLIT_TRAIN].n_documents + work->sidecar->splits[MS_SPLIT_VAL].n_documents;
}

/* Writes what is encoded of a group.  What could not be encoded ends the work. */
static ms_status write_group(preparation *work, const ms_document_group *group) {
    ms_record_counts *counts = &work->sidecar->counts;
    const char *path = path_of(work, group->i_file);
    const int32_t *ids = group->tokens.ids;
    for (size_t i = 0; i < group->n_encoded; i++) {
        const ms_group_document *document = &group->documents[i];
        counts->skipped[MS_RECORD_NO_TOKEN] += document->fate == MS_DOCUMENT_LEFT_OUT;
        counts->replaced[MS_RECORD_NO_TOKEN] += document->fate == MS_DOCUMENT_MENDED;
        if (document->fate == MS_DOCUMENT_LEFT_OUT) continue;
        MS_TRY(write_document(work, document, ids));
        ids += document->n_tokens;
    }
    if (group->status != MS_OK)
        return MS_FAIL(group->status, "%s, line %" PRIu64 ": %s", strcmp(path, "-") == 0 ? "standard input" : path,
                       group->documents[group->n_encoded].i_line, group->message);
    report(work, group);
    if (!group->ends_file) return MS_OK;
    ms_record_counts_add(counts, &group->counts);
    int64_t n_documents = count_documents(work) - work->n_documents_before;
    work->n_documents_before += n_documents;
    return ms_sidecar_add_source(work->sidecar, path, (int64_t)group->n_bytes_read, n_documents);
}

static ms_status read_batch(void *context) {
    preparation *work = context;
    ms_document_reader_fill(&work->reader, &work->batches[work->i_batch]);
    return MS_OK;
}

/* The next batch; meanwhile the one after it is being read. */
static ms_status take_batch(preparation *work, ms_document_batch **out) {
    if (work->background)
        MS_TRY(ms_background_wait(work->background));
    else
        (void)read_batch(work);
    *out = &work->batches[work->i_batch];
    if (!work->background || (*out)->is_last || (*out)->status != MS_OK) return MS_OK;
    work->i_batch = !work->i_batch;
    ms_background_start(work->background);
    return MS_OK;
}

/* What the tasks of a batch share. */
typedef struct encoding {
    ms_document_batch *batch;
    ms_document_encoder *encoders;
} encoding;

static void encode_group(void *context, int64_t i_task, int i_thread) {
    const encoding *shared = context;
    ms_document_group_encode(&shared->batch->groups[i_task], &shared->encoders[i_thread]);
}

/* Of several failures the first in the order of the text ends the work, whichever came first. */
static ms_status prepare_documents(preparation *work) {
    ms_document_batch *batch = NULL;
    if (work->background) ms_background_start(work->background);
    do {
        MS_TRY(take_batch(work, &batch));
        encoding shared = {batch, work->encoders};
        ms_pool_run(work->pool, batch->n, encode_group, &shared);
        for (int i = 0; i < batch->n; i++) MS_TRY(write_group(work, &batch->groups[i]));
        if (batch->status != MS_OK) return MS_FAIL(batch->status, "%s", batch->message);
    } while (!batch->is_last);
    return MS_OK;
}

static ms_status begin_reader(preparation *work) {
    enum { GROUPS_A_THREAD = 16, GROUPS_LEAST = 32, GROUPS_MOST = 1024 };
    const ms_prepare_options *options = work->options;
    ms_document_reader *reader = &work->reader;
    *reader = (ms_document_reader){.paths = options->files,
                                   .n_paths = options->n_files,
                                   .validation_path = options->validation_file,
                                   .options = options->corpus};
    reader->options.accepts_ids = true;
    reader->options.end_id = work->sidecar->end_of_text;
    reader->options.vocab_size = work->sidecar->vocab_size;
    if (reader->options.chunk_ids == 0) reader->options.chunk_ids = DEFAULT_CHUNK_IDS;
    int n_groups = GROUPS_A_THREAD * work->n_threads;
    if (n_groups < GROUPS_LEAST) n_groups = GROUPS_LEAST;
    if (n_groups > GROUPS_MOST) n_groups = GROUPS_MOST;
    for (int i = 0; i < 2; i++) MS_TRY(ms_document_batch_init(n_groups, &work->batches[i]));
    return MS_OK;
}

static ms_status begin_threads(preparation *work) {
    const ms_prepare_options *options = work->options;
    work->n_threads = options->n_threads ? options->n_threads : ms_processor_count();
    work->encoders = calloc((size_t)work->n_threads, sizeof *work->encoders);
    if (!work->encoders) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %d threads", work->n_threads);
    for (int i = 0; i < work->n_threads; i++) {
        work->encoders[i] = (ms_document_encoder){.end_of_text = work->sidecar->end_of_text,
                                                  .on_error = options->corpus.on_error,
                                                  .validation_fraction = options->validation_fraction,
                                                  .seed = options->seed};
        MS_TRY(ms_tokenizer_share(work->tokenizer, &work->encoders[i].tokenizer));
    }
    MS_TRY(begin_reader(work));
    if (work->n_threads == 1) return MS_OK;
    MS_TRY(ms_pool_create(work->n_threads, &work->pool));
    return ms_background_create(read_batch, work, &work->background);
}

/* The reading ends first: it uses what is freed then. */
static void end_threads(preparation *work) {
    (void)ms_background_close(work->background);
    ms_pool_destroy(work->pool);
    ms_document_reader_close(&work->reader);
    for (int i = 0; i < 2; i++) ms_document_batch_finish(&work->batches[i]);
    for (int i = 0; work->encoders && i < work->n_threads; i++) {
        ms_tokenizer_close(work->encoders[i].tokenizer);
        ms_text_finish(&work->encoders[i].mended);
    }
    free(work->encoders);
    ms_tokenizer_close(work->tokenizer);
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
    MS_TRY(begin_threads(work));
    work->n_to_read = count_bytes(work);
    MS_TRY(prepare_documents(work));
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
    end_threads(&work);
    for (int split = 0; split < MS_N_SPLITS; split++)
        if (work.is_open[split]) ms_shard_writer_abort(&work.writers[split]);
    if (status != MS_OK) {
        if (work.directory) (void)ms_directory_clear_away(status, work.directory);
        ms_sidecar_finish(out);
    }
    ms_descriptor_close(work.descriptor);
    free(work.directory);
    return status;
}
