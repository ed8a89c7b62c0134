#include "model/data/dataset_prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_shards.h"
#include "model/data/document_reader.h"
#include "model/data/prepare_state.h"
#include "model/data/tokenizer.h"
#include "platform/background.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/temporary.h"
#include "platform/thread.h"

enum {
    DEFAULT_SHARD_TOKENS = 100000000,
    DEFAULT_CHECKPOINT_BYTES = 256 << 20,
    DEFAULT_CHUNK_IDS = 2048,
    MOST_THREADS = 1024
};

/* What the work holds.  With more than one thread, one more reads a batch while these encode the other. */
typedef struct preparation {
    const ms_prepare_options *options;
    char *directory;        /* being filled, owned */
    int descriptor;         /* of that directory: its lock; -1: none */
    json_t *identity;       /* what it is made of, owned; NULL: it cannot be gone on with */
    ms_prepare_state state; /* how far it is written */
    bool is_saved;          /* the directory has a state */
    int64_t saved_bytes;    /* of text, in that one */
    ms_tokenizer *tokenizer;
    int n_threads;
    ms_document_encoder *encoders; /* [n_threads], each with a tokenizer that shares `tokenizer`, owned */
    ms_pool *pool;                 /* NULL: one thread */
    ms_background *background;     /* reads; NULL: one thread */
    ms_document_reader reader;
    ms_document_batch batches[2]; /* that is encoded, and that is read, in turn */
    int i_batch;                  /* that is read next, or is being read */
    ms_dataset_shards shards;
    ms_sidecar *sidecar;
    int64_t n_to_read; /* as ms_prepare_progress.n_to_read */
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
    if (options->checkpoint_bytes < 0)
        return MS_FAIL(MS_INVALID, "%" PRId64 " bytes between checkpoints", options->checkpoint_bytes);
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
    ms_status opened = ms_tokenizer_open(work->options->tokenizer_path, &work->tokenizer);
    if (opened != MS_OK) return opened == MS_CORRUPT ? ms_status_note(opened, "--tokenizer") : opened;
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

/* ids [n_tokens] of a document go into a shard. */
static ms_status write_document(preparation *work, const ms_group_document *document, const int32_t *ids) {
    ms_sidecar_split *counts = &work->sidecar->splits[document->split];
    MS_TRY(ms_dataset_shards_add(&work->shards, document->split, ids, (int64_t)document->n_tokens));
    counts->n_tokens += (int64_t)document->n_tokens;
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
    if (work->options->corpus.source) return -1;
    for (int i = 0; i < count_files(work); i++) {
        ms_file_version version;
        const char *path = path_of(work, i);
        if (strcmp(path, "-") == 0 || !ms_file_version_of(path, &version)) return -1;
        n_bytes += version.size_bytes;
    }
    return n_bytes;
}

static int64_t count_text(const preparation *work) {
    return work->sidecar->splits[MS_SPLIT_TRAIN].n_bytes + work->sidecar->splits[MS_SPLIT_VAL].n_bytes;
}

static void report(preparation *work, int i_file) {
    if (!work->options->report) return;
    ms_prepare_progress progress = {.file = path_of(work, i_file),
                                    .i_file = i_file,
                                    .n_files = count_files(work),
                                    .n_bytes = count_text(work),
                                    .n_tokens = work->sidecar->splits[MS_SPLIT_TRAIN].n_tokens +
                                                work->sidecar->splits[MS_SPLIT_VAL].n_tokens,
                                    .n_read = work->state.n_read,
                                    .n_to_read = work->n_to_read};
    work->options->report(work->options->report_context, &progress);
}

static int64_t count_documents(const preparation *work) {
    return work->sidecar->splits[MS_SPLIT_TRAIN].n_documents + work->sidecar->splits[MS_SPLIT_VAL].n_documents;
}

/* Saves how far the work is, if it has gone far enough since the last time. */
static ms_status save(preparation *work) {
    int64_t every = work->options->checkpoint_bytes ? work->options->checkpoint_bytes : DEFAULT_CHECKPOINT_BYTES;
    if (!work->identity || count_text(work) - work->saved_bytes < every) return MS_OK;
    MS_TRY(ms_prepare_state_save(&work->state, work->identity, &work->shards));
    work->saved_bytes = count_text(work);
    work->is_saved = true;
    return MS_OK;
}

/* All of a group is written. */
static ms_status pass_group(preparation *work, const ms_document_group *group) {
    ms_prepare_state *state = &work->state;
    if (group->is_cut) return MS_OK;
    state->n_read = state->n_read_before + (int64_t)group->n_file_bytes_read;
    state->is_amid = !group->ends_file;
    state->position = group->position;
    state->counts = group->counts;
    if (group->ends_file) {
        int64_t n_documents = count_documents(work) - state->n_documents_before;
        ms_record_counts_add(&work->sidecar->counts, &group->counts);
        MS_TRY(ms_sidecar_add_source(work->sidecar, path_of(work, group->i_file), (int64_t)group->position.offset_bytes,
                                     n_documents));
        state->i_file = group->i_file + 1;
        state->n_documents_before += n_documents;
        state->n_read_before = state->n_read;
    }
    return save(work);
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
    MS_TRY(pass_group(work, group));
    report(work, group->i_file);
    return MS_OK;
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
                                   .options = options->corpus,
                                   .i_file = work->state.i_file,
                                   .is_amid = work->state.is_amid,
                                   .position = work->state.position,
                                   .counts = work->state.counts};
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
        MS_TRY(ms_dataset_shards_commit(&work->shards, split));
        bool is_wanted =
            split == MS_SPLIT_TRAIN || work->options->validation_fraction > 0 || work->options->validation_file;
        bool is_empty = is_wanted && work->sidecar->splits[split].n_documents == 0;
        if (is_empty && work->options->validation_file)
            return MS_FAIL(
                MS_INVALID,
                "no document is in the %s split: %s no text that is kept (%" PRId64 " records skipped in all)",
                ms_split_name(split),
                split == MS_SPLIT_VAL ? "the file of --validation has" : "all files but that of --validation have",
                ms_record_counts_skipped(&work->sidecar->counts));
        if (is_empty)
            return MS_FAIL(
                MS_INVALID,
                "no document fell in the %s split (%" PRId64 " documents, %" PRId64
                " records skipped, validation fraction %g): give more text, shorter documents or another fraction",
                ms_split_name(split), work->sidecar->splits[!split].n_documents,
                ms_record_counts_skipped(&work->sidecar->counts), work->options->validation_fraction);
    }
    return MS_OK;
}

/* Where an earlier process stopped, if one did: *out_path stays NULL if none did. */
static ms_status resume(preparation *work, int *out_descriptor, char **out_path) {
    const ms_prepare_options *options = work->options;
    MS_TRY(ms_temporary_directory_adopt(options->directory, MS_PREPARE_STATE_NAME, out_descriptor, out_path));
    if (!*out_path) return MS_OK;
    work->shards.directory = *out_path;
    ms_status status = ms_prepare_state_restore(work->identity, &work->shards, &work->state);
    work->is_saved = status == MS_OK;
    work->saved_bytes = count_text(work);
    if (status == MS_OK) return MS_OK;
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    return MS_FAIL(status, "%s is what a command that did not end left of %s: %s; --anew begins anew, and removes it",
                   *out_path, options->directory, message);
}

/* The folder to fill. */
static ms_status begin_directory(preparation *work) {
    const ms_prepare_options *options = work->options;
    char *path = NULL;
    int descriptor = -1;
    MS_TRY(ms_prepare_identity(options, work->sidecar, &work->identity));
    if (!options->anew) {
        ms_status status = resume(work, &descriptor, &path);
        if (status != MS_OK) {
            ms_dataset_shards_abort(&work->shards);
            ms_descriptor_close(descriptor);
            free(path);
            return status; /* and the folder stays */
        }
    }
    if (!path) MS_TRY(ms_temporary_directory(options->directory, &descriptor, &path));
    work->descriptor = descriptor;
    work->directory = path;
    work->shards.directory = path;
    return MS_OK;
}

/* The state goes last: until then the work can be gone on with. */
static ms_status finish_directory(preparation *work) {
    MS_TRY(copy_tokenizer(work));
    MS_TRY(ms_sidecar_write(work->sidecar, work->directory));
    if (work->is_saved) {
        char *path = ms_path_join(work->directory, MS_PREPARE_STATE_NAME);
        bool removed = path && ms_remove_one(path);
        free(path);
        if (!removed) return MS_FAIL(MS_IO, "cannot remove %s/%s", work->directory, MS_PREPARE_STATE_NAME);
        work->is_saved = false; /* nothing to go on from */
    }
    return ms_rename(work->directory, work->options->directory);
}

static ms_status prepare(preparation *work) {
    MS_TRY(open_tokenizer(work));
    MS_TRY(begin_directory(work));
    MS_TRY(begin_threads(work));
    work->n_to_read = count_bytes(work);
    int i_file = work->state.i_file, n_files = count_files(work);
    report(work, i_file < n_files ? i_file : n_files - 1);
    MS_TRY(prepare_documents(work));
    MS_TRY(finish_splits(work));
    return finish_directory(work);
}

/* After a failure the folder stays where the same command may end better, and there is something to go on from. */
static ms_status give_up(preparation *work, ms_status status) {
    bool may_go_on = status == MS_INTERRUPTED || status == MS_NO_SPACE || status == MS_IO || status == MS_NOT_FOUND ||
                     status == MS_OUT_OF_MEMORY;
    if (!work->directory) return status;
    if (!work->is_saved || !may_go_on) return ms_directory_clear_away(status, work->directory);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    return MS_FAIL(status, "%s; the same command goes on after %.1f MB of text, and %s stays for it", message,
                   (double)work->saved_bytes * 1e-6, work->directory);
}

ms_status ms_dataset_prepare(const ms_prepare_options *options, ms_sidecar *out) {
    *out = (ms_sidecar){.seed = options->seed,
                        .validation_fraction = options->validation_fraction,
                        .on_error = options->corpus.on_error};
    MS_TRY(check_options(options));
    preparation work = {.options = options,
                        .descriptor = -1,
                        .shards = {.name = options->name ? options->name : "data",
                                   .shard_tokens = options->shard_tokens ? options->shard_tokens : DEFAULT_SHARD_TOKENS,
                                   .sidecar = out},
                        .sidecar = out};
    ms_status status = prepare(&work);
    end_threads(&work);
    ms_dataset_shards_abort(&work.shards);
    if (status != MS_OK) {
        (void)give_up(&work, status);
        ms_sidecar_finish(out);
    }
    json_decref(work.identity);
    ms_descriptor_close(work.descriptor);
    free(work.directory);
    return status;
}
