#include "cli/bench/tokenizer.h"

#include <stdlib.h>

#include "model/data/document_reader.h"
#include "platform/clock.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "platform/thread.h"

enum { MOST_GROUPS = 1024 }; /* of 64 KiB */

typedef struct bench {
    ms_tokenizer *tokenizer;
    ms_document_encoder *encoders; /* [n_threads] */
    int n_threads;
    ms_document_batch batch;
} bench;

static void encode_group(void *context, int64_t i_task, int i_thread) {
    bench *b = context;
    ms_document_group *group = &b->batch.groups[i_task];
    group->tokens.n = 0;
    ms_document_group_encode(group, &b->encoders[i_thread]);
}

static ms_status check_encoded(const bench *b) {
    for (int i = 0; i < b->batch.n; i++)
        if (b->batch.groups[i].status != MS_OK)
            return MS_FAIL(b->batch.groups[i].status, "%s", b->batch.groups[i].message);
    return ms_signals_check("the bench");
}

/* Seconds of the fastest of n repetitions on so many threads. */
static ms_status time_threads(bench *b, int n_threads, int n_repetitions, double *out) {
    ms_pool *pool = NULL;
    ms_status status = n_threads > 1 ? ms_pool_create(n_threads, &pool) : MS_OK;
    for (int i = 0; i < n_repetitions && status == MS_OK; i++) {
        double begun = ms_clock_seconds();
        ms_pool_run(pool, b->batch.n, encode_group, b);
        double seconds = ms_clock_seconds() - begun;
        if (i == 0 || seconds < *out) *out = seconds;
        status = check_encoded(b);
    }
    ms_pool_destroy(pool);
    return status;
}

static ms_status open_tokenizers(bench *b, const char *tokenizer_path, int n_threads) {
    MS_TRY(ms_tokenizer_open(tokenizer_path, &b->tokenizer));
    b->encoders = calloc((size_t)n_threads, sizeof *b->encoders);
    if (!b->encoders) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %d threads", n_threads);
    for (b->n_threads = 0; b->n_threads < n_threads; b->n_threads++) {
        ms_document_encoder *encoder = &b->encoders[b->n_threads];
        encoder->end_of_text = -1;
        MS_TRY(ms_tokenizer_share(b->tokenizer, &encoder->tokenizer));
    }
    return ms_document_batch_init(MOST_GROUPS, &b->batch);
}

static ms_status run(bench *b, ms_document_reader *reader, int n_repetitions, FILE *stream) {
    double n_bytes = 0, n_tokens = 0, n_documents = 0;
    ms_document_reader_fill(reader, &b->batch);
    if (b->batch.status != MS_OK) return MS_FAIL(b->batch.status, "%s", b->batch.message);
    for (int i = 0; i < b->batch.n; i++) {
        n_bytes += (double)b->batch.groups[i].text.n;
        n_documents += (double)b->batch.groups[i].n;
    }
    if (n_bytes == 0) return MS_FAIL(MS_INVALID, "%s has no text", reader->paths[0]);
    ms_print_line(stream, "%.1f MB of text in %.0f documents, vocabulary of %d tokens; the best of %d", n_bytes * 1e-6,
                  n_documents, ms_tokenizer_vocab_size(b->tokenizer), n_repetitions);
    ms_print_line(stream, "threads      MB/s  million tokens/s  bytes/token");
    for (int n_threads = 1; n_threads <= b->n_threads; n_threads += b->n_threads > 1 ? b->n_threads - 1 : 1) {
        double seconds = 0;
        MS_TRY(time_threads(b, n_threads, n_repetitions, &seconds));
        n_tokens = 0;
        for (int i = 0; i < b->batch.n; i++) n_tokens += (double)b->batch.groups[i].tokens.n;
        ms_print_line(stream, "%7d  %8.1f  %16.2f  %11.2f", n_threads, n_bytes * 1e-6 / seconds,
                      n_tokens * 1e-6 / seconds, n_bytes / n_tokens);
    }
    return MS_OK;
}

ms_status ms_bench_tokenizer(const char *tokenizer_path, const char *const *paths, int n_paths, int n_threads,
                             int n_repetitions, FILE *stream) {
    bench b = {0};
    ms_document_reader reader = {.paths = paths, .n_paths = n_paths};
    ms_status status = open_tokenizers(&b, tokenizer_path, n_threads);
    if (status == MS_OK) status = run(&b, &reader, n_repetitions, stream);
    ms_document_reader_close(&reader);
    if (b.batch.groups) ms_document_batch_finish(&b.batch);
    for (int i = 0; i < b.n_threads; i++) ms_tokenizer_close(b.encoders[i].tokenizer);
    free(b.encoders);
    ms_tokenizer_close(b.tokenizer);
    return status;
}
