#include "train/generator.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/named_tensors.h"

enum {
    SHORTEST_LENGTH = 32, /* of a prefill */
    MAX_LENGTHS = 32,
    MAX_ROWS = 64, /* tokens of one decoding pass, a power of two */
    MAX_ROW_SIZES = 7,
    MOST_DECODED = 16 /* more new tokens of one text are read by a prefill */
};

/* What a text's cache holds: the keys and values of these tokens. */
typedef struct cached_text {
    int32_t *tokens; /* [sequence_length] */
    int64_t n;
} cached_text;

/* The tokens of one decoding pass. */
typedef struct decoding_pass {
    int32_t n;
    int32_t tokens[MAX_ROWS], positions[MAX_ROWS], rows[MAX_ROWS];
    float *logits[MAX_ROWS]; /* where those of the row belong; NULL: nobody wants them */
} decoding_pass;

struct ms_generator {
    ms_variables *variables;
    ms_model model;
    ms_model_cache cache;
    ms_store *store;
    int tokens, positions, rows, last, logits; /* variables */
    int32_t n_lengths;
    int32_t lengths[MAX_LENGTHS];      /* ascending; the last is the model's sequence length */
    ms_program *prefill[MAX_LENGTHS];  /* compiled when first needed */
    ms_program *decode[MAX_ROW_SIZES]; /* of 1, 2, 4, ... MAX_ROWS tokens; compiled when first needed */
    cached_text *texts;                /* [n_texts] */
    int32_t *indices;                  /* [sequence_length] rows of a prefill */
    float *pass_logits;                /* [MAX_ROWS, vocabulary] */
};

static ms_status add_variables(ms_generator *generator, int32_t n_texts) {
    const ms_model_config *config = &generator->model.config;
    int64_t n = config->sequence_length > MAX_ROWS ? config->sequence_length : MAX_ROWS;
    const struct {
        const char *name;
        int64_t count;
        int *out;
    } inputs[] = {{"tokens", n, &generator->tokens},
                  {"positions", MAX_ROWS, &generator->positions},
                  {"rows", n, &generator->rows},
                  {"last", 1, &generator->last}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        MS_TRY(ms_variables_add(generator->variables, inputs[i].name, MS_VARIABLE_INPUT, MS_DTYPE_I32,
                                ms_shape_1(inputs[i].count), inputs[i].out));
    MS_TRY(ms_variables_add(generator->variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32,
                            ms_shape_2(MAX_ROWS, config->vocabulary), &generator->logits));
    return ms_model_cache_init(&generator->model, n_texts, &generator->cache);
}

static ms_status allocate(ms_generator *generator, int32_t n_texts) {
    const ms_model_config *config = &generator->model.config;
    size_t vocabulary = (size_t)config->vocabulary, length = (size_t)config->sequence_length;
    generator->pass_logits = calloc(MAX_ROWS * vocabulary, sizeof *generator->pass_logits);
    generator->indices = calloc(length, sizeof *generator->indices);
    generator->texts = calloc((size_t)n_texts, sizeof *generator->texts);
    bool complete = generator->pass_logits && generator->indices && generator->texts;
    for (int32_t i = 0; complete && i < n_texts; i++) {
        generator->texts[i].tokens = calloc(length, sizeof *generator->texts[i].tokens);
        complete = generator->texts[i].tokens != NULL;
    }
    if (complete) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for %d texts of %d tokens and %d logits", n_texts,
                   config->sequence_length, config->vocabulary);
}

static ms_status build(ms_generator *generator, ms_device *device, const ms_model_config *config, int32_t n_texts) {
    MS_TRY(ms_variables_create(&generator->variables));
    MS_TRY(ms_model_init(config, generator->variables, &generator->model));
    MS_TRY(add_variables(generator, n_texts));
    MS_TRY(allocate(generator, n_texts));
    MS_TRY(ms_store_create(device, generator->variables, &generator->store));
    MS_TRY(ms_model_upload_constants(&generator->model, generator->store));
    for (int32_t length = SHORTEST_LENGTH; length < config->sequence_length; length *= 2)
        generator->lengths[generator->n_lengths++] = length;
    generator->lengths[generator->n_lengths++] = config->sequence_length;
    return MS_OK;
}

ms_status ms_generator_open(ms_device *device, const ms_model_config *config, int32_t n_texts, ms_generator **out) {
    *out = NULL;
    ms_generator *generator = calloc(1, sizeof *generator);
    if (!generator) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory");
    ms_status status = build(generator, device, config, n_texts);
    if (status != MS_OK) {
        ms_generator_close(generator);
        return status;
    }
    *out = generator;
    return MS_OK;
}

void ms_generator_close(ms_generator *generator) {
    if (!generator) return;
    for (int i = 0; i < MAX_LENGTHS; i++) ms_program_destroy(generator->prefill[i]);
    for (int i = 0; i < MAX_ROW_SIZES; i++) ms_program_destroy(generator->decode[i]);
    ms_store_destroy(generator->store);
    ms_variables_destroy(generator->variables);
    for (int32_t i = 0; generator->texts && i < generator->cache.n_texts; i++) free(generator->texts[i].tokens);
    free(generator->texts);
    free(generator->indices);
    free(generator->pass_logits);
    free(generator);
}

static void forget_texts(ms_generator *generator) {
    for (int32_t i = 0; i < generator->cache.n_texts; i++) generator->texts[i].n = 0;
}

ms_status ms_generator_load(ms_generator *generator, const ms_safetensors *file) {
    forget_texts(generator);
    return ms_named_tensors_upload(generator->store, generator->variables, MS_VARIABLE_PARAMETER, file);
}

ms_status ms_generator_initialise(ms_generator *generator, uint64_t seed) {
    forget_texts(generator);
    return ms_model_upload_initial(&generator->model, seed, generator->store);
}

/* ---- programs ---- */

static void assign_logits(ms_generator *generator, ms_graph *graph, ms_tensor logits, int32_t n) {
    ms_assign(graph, logits, ms_view(graph, generator->logits, 0, ms_shape_2(n, generator->model.config.vocabulary)));
}

static void add_prefill(ms_generator *generator, ms_graph *graph, int32_t length) {
    ms_tensor tokens = ms_view(graph, generator->tokens, 0, ms_shape_1(length));
    ms_tensor rows = ms_view(graph, generator->rows, 0, ms_shape_1(length));
    ms_tensor hidden = ms_model_prefill(&generator->model, graph, &generator->cache, tokens, rows, length);
    ms_tensor last = ms_view_all(graph, generator->last);
    assign_logits(generator, graph, ms_model_logits_of_row(&generator->model, graph, hidden, last), 1);
}

static void add_decode(ms_generator *generator, ms_graph *graph, int32_t n) {
    ms_decode_request request = {ms_view(graph, generator->tokens, 0, ms_shape_1(n)),
                                 ms_view(graph, generator->positions, 0, ms_shape_1(n)),
                                 ms_view(graph, generator->rows, 0, ms_shape_1(n)), n};
    ms_tensor hidden = ms_model_decode(&generator->model, graph, &generator->cache, &request);
    assign_logits(generator, graph, ms_model_logits(&generator->model, graph, hidden), n);
}

/* Compiles the program of n tokens that `add` builds, unless it is there. */
static ms_status compile(ms_generator *generator, void (*add)(ms_generator *, ms_graph *, int32_t), int32_t n,
                         ms_program **program) {
    if (*program) return MS_OK;
    ms_graph *graph, *finished = NULL;
    MS_TRY(ms_graph_create(generator->variables, -1, &graph));
    add(generator, graph, n);
    ms_status status = ms_graph_finish(graph, &finished);
    if (status == MS_OK) status = ms_program_compile(generator->store, finished, program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    return status;
}

/* ---- passes ---- */

/* Reads the whole text of n tokens and fills cache i_text. */
static ms_status prefill(ms_generator *generator, int32_t i_text, const int32_t *tokens, int64_t n, float *out_logits) {
    cached_text *text = &generator->texts[i_text];
    int i_length = 0;
    while (generator->lengths[i_length] < n) i_length++;
    int32_t length = generator->lengths[i_length], last = (int32_t)n - 1;
    MS_TRY(compile(generator, add_prefill, length, &generator->prefill[i_length]));
    for (int32_t t = 0; t < length; t++)
        generator->indices[t] = t < n ? i_text * generator->model.config.sequence_length + t : -1;
    /* What follows the last token in the buffer is whatever was there: attention is causal and never looks at it. */
    text->n = 0;
    MS_TRY(ms_store_upload(generator->store, generator->tokens, 0, n, tokens));
    MS_TRY(ms_store_upload(generator->store, generator->rows, 0, length, generator->indices));
    MS_TRY(ms_store_upload(generator->store, generator->last, 0, 1, &last));
    MS_TRY(ms_program_run(generator->prefill[i_length]));
    MS_TRY(ms_store_download(generator->store, generator->logits, 0, generator->model.config.vocabulary, out_logits));
    memcpy(text->tokens, tokens, (size_t)n * sizeof *tokens);
    text->n = n;
    return MS_OK;
}

/* Runs the pass with as many tokens as the smallest program that holds them, and empties it. */
static ms_status run_pass(ms_generator *generator, decoding_pass *pass) {
    if (pass->n == 0) return MS_OK;
    int i_size = 0;
    size_t vocabulary = (size_t)generator->model.config.vocabulary;
    while (1 << i_size < pass->n) i_size++;
    int32_t n = 1 << i_size;
    MS_TRY(compile(generator, add_decode, n, &generator->decode[i_size]));
    for (int32_t r = pass->n; r < n; r++) pass->tokens[r] = pass->positions[r] = 0, pass->rows[r] = -1;
    MS_TRY(ms_store_upload(generator->store, generator->tokens, 0, n, pass->tokens));
    MS_TRY(ms_store_upload(generator->store, generator->positions, 0, n, pass->positions));
    MS_TRY(ms_store_upload(generator->store, generator->rows, 0, n, pass->rows));
    MS_TRY(ms_program_run(generator->decode[i_size]));
    float *logits = pass->n == 1 && pass->logits[0] ? pass->logits[0] : generator->pass_logits;
    MS_TRY(ms_store_download(generator->store, generator->logits, 0, pass->n * (int64_t)vocabulary, logits));
    for (int32_t r = 0; r < pass->n; r++) {
        int32_t length = generator->model.config.sequence_length, i_text = pass->rows[r] / length;
        cached_text *text = &generator->texts[i_text];
        text->tokens[pass->positions[r]] = pass->tokens[r];
        text->n = pass->positions[r] + 1;
        if (pass->logits[r] && pass->logits[r] != logits)
            memcpy(pass->logits[r], logits + (size_t)r * vocabulary, vocabulary * sizeof *logits);
    }
    pass->n = 0;
    return MS_OK;
}

/* Brings cache i_text up to the window of n tokens: a prefill now, or tokens of the pass. */
static ms_status advance(ms_generator *generator, int32_t i_text, const int32_t *window, int64_t n, decoding_pass *pass,
                         float *out_logits) {
    cached_text *text = &generator->texts[i_text];
    int64_t common = 0;
    while (common < text->n && common < n - 1 && text->tokens[common] == window[common]) common++;
    if (n - common > MOST_DECODED) return prefill(generator, i_text, window, n, out_logits);
    text->n = common;
    for (int64_t t = common; t < n; t++) {
        if (pass->n == MAX_ROWS) MS_TRY(run_pass(generator, pass));
        pass->tokens[pass->n] = window[t];
        pass->positions[pass->n] = (int32_t)t;
        pass->rows[pass->n] = i_text * generator->model.config.sequence_length + (int32_t)t;
        pass->logits[pass->n++] = t == n - 1 ? out_logits : NULL;
    }
    return MS_OK;
}

/* The tokens of a text that are seen: the last n. */
static const int32_t *window_of(const ms_generator *generator, const ms_generator_text *text, int64_t *out_n) {
    *out_n = text->n < generator->model.config.sequence_length ? text->n : generator->model.config.sequence_length;
    return text->tokens + (text->n - *out_n);
}

static ms_status check_texts(const ms_generator *generator, const ms_generator_text *texts, int32_t n_texts) {
    const ms_model_config *config = &generator->model.config;
    if (n_texts < 0 || n_texts > generator->cache.n_texts)
        return MS_FAIL(MS_INVALID, "generate: %d texts, the generator was opened for %d", n_texts,
                       generator->cache.n_texts);
    for (int32_t i = 0; i < n_texts; i++) {
        int64_t n;
        if (texts[i].n < 0) return MS_FAIL(MS_INVALID, "generate: a text of %lld tokens", (long long)texts[i].n);
        const int32_t *window = window_of(generator, &texts[i], &n);
        for (int64_t t = 0; t < n; t++)
            if (window[t] < 0 || window[t] >= config->vocabulary)
                return MS_FAIL(MS_INVALID, "generate: token %d is outside the vocabulary of %d", window[t],
                               config->vocabulary);
    }
    return MS_OK;
}

ms_status ms_generator_logits(ms_generator *generator, const ms_generator_text *texts, int32_t n_texts,
                              float *out_logits) {
    decoding_pass pass = {0};
    MS_TRY(check_texts(generator, texts, n_texts));
    for (int32_t i = 0; i < n_texts; i++) {
        int64_t n;
        const int32_t *window = window_of(generator, &texts[i], &n);
        if (n > 0)
            MS_TRY(
                advance(generator, i, window, n, &pass, out_logits + (int64_t)i * generator->model.config.vocabulary));
    }
    return run_pass(generator, &pass);
}
