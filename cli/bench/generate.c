#include "cli/bench/generate.h"

#include <stdlib.h>

#include "cli/config/trainer_config.h"
#include "platform/clock.h"
#include "platform/median.h"
#include "platform/random.h"
#include "train/generator.h"

enum { MAX_TOKENS = 32 }; /* timed */

typedef struct bench {
    const ms_config *config;
    int n_texts;
    ms_model_config model;
    ms_device *device;
    ms_generator *generator;
    int32_t *tokens;          /* [n_texts, sequence_length] */
    ms_generator_text *texts; /* [n_texts] */
    float *logits;            /* [n_texts, vocabulary] */
} bench;

static ms_status prepare(bench *b) {
    if (b->config->model.vocabulary == 0)
        return MS_FAIL(MS_INVALID, "bench generate: give model.vocabulary, there is no data to take it from");
    b->model = ms_model_config_from_config(b->config, 0);
    ms_device_options device = ms_device_options_from_config(b->config);
    size_t n = (size_t)b->n_texts, length = (size_t)b->model.sequence_length;
    b->tokens = calloc(n * length, sizeof *b->tokens);
    b->texts = calloc(n, sizeof *b->texts);
    b->logits = calloc(n * (size_t)b->model.vocabulary, sizeof *b->logits);
    if (!b->tokens || !b->texts || !b->logits)
        return MS_FAIL(MS_OUT_OF_MEMORY, "bench generate: no memory for %d texts", b->n_texts);
    uint64_t state = b->config->train.seed;
    for (size_t i = 0; i < n * length; i++)
        b->tokens[i] = (int32_t)(ms_split_mix(&state) % (uint64_t)b->model.vocabulary);
    for (size_t i = 0; i < n; i++) b->texts[i].tokens = b->tokens + i * length;
    MS_TRY(ms_device_open(&device, &b->device));
    MS_TRY(ms_generator_open(b->device, &b->model, b->n_texts, &b->generator));
    return ms_generator_initialise(b->generator, b->config->train.seed);
}

/* One call for the first `length` tokens of each text. */
static ms_status time_call(bench *b, int64_t length, double *out_seconds) {
    for (int i = 0; i < b->n_texts; i++) b->texts[i].n = length;
    double begin = ms_clock_seconds();
    MS_TRY(ms_generator_logits(b->generator, b->texts, b->n_texts, b->logits));
    *out_seconds = ms_clock_seconds() - begin;
    return MS_OK;
}

/* Another first token makes another text of each: nothing that a cache holds is of use. */
static void change_texts(bench *b) {
    for (int i = 0; i < b->n_texts; i++) {
        int32_t *first = &b->tokens[(int64_t)i * b->model.sequence_length];
        *first = (*first + 1) % b->model.vocabulary;
    }
}

/* For each of the last n tokens: the whole text; then the text without that token, untimed, which the cache holds
   already but for it, and the token. */
static ms_status time_tokens(bench *b, int n, double *without, double *with) {
    double unused;
    for (int i = -1; i < n; i++) { /* the first compiles */
        int64_t length = b->model.sequence_length - n + (i < 0 ? 0 : i) + 1;
        change_texts(b);
        MS_TRY(time_call(b, length - 1, &unused));
        MS_TRY(time_call(b, length, i < 0 ? &unused : &with[i]));
        change_texts(b);
        MS_TRY(time_call(b, length, i < 0 ? &unused : &without[i]));
    }
    return MS_OK;
}

static ms_status measure(bench *b, FILE *out) {
    double without[MAX_TOKENS], with[MAX_TOKENS];
    MS_TRY(prepare(b));
    int n = b->model.sequence_length / 2 < MAX_TOKENS ? b->model.sequence_length / 2 : MAX_TOKENS;
    MS_TRY(time_tokens(b, n, without, with));
    double slow = ms_median(without, n), fast = ms_median(with, n);
    fprintf(out, "generate             %d texts of %d to %d tokens, device %s, %s", b->n_texts,
            b->model.sequence_length - n + 1, b->model.sequence_length, b->config->train.device,
            ms_numerics_name(ms_device_numerics(b->device)));
    if (ms_device_threads(b->device) > 0) fprintf(out, ", %d threads", ms_device_threads(b->device));
    fprintf(out, "; medians of %d\n", n);
    fprintf(out, "with the cache       %.3f ms a token of each text, %.0f tokens/s\n", 1e3 * fast, b->n_texts / fast);
    fprintf(out, "without              %.3f ms, %.0f tokens/s: the pass over the whole text\n", 1e3 * slow,
            b->n_texts / slow);
    fprintf(out, "ratio                %.1f\n", slow / fast);
    return MS_OK;
}

ms_status ms_bench_generate(const ms_config *config, int n_texts, FILE *out) {
    if (n_texts < 1 || n_texts > MS_BENCH_GENERATE_TEXTS)
        return MS_FAIL(MS_INVALID, "bench generate: %d texts, must be 1 to %d", n_texts, MS_BENCH_GENERATE_TEXTS);
    bench b = {.config = config, .n_texts = n_texts};
    ms_status status = measure(&b, out);
    ms_generator_close(b.generator);
    ms_device_close(b.device);
    free(b.tokens);
    free(b.texts);
    free(b.logits);
    return status;
}
