#include "train/generator.h"

#include <stdlib.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/named_tensors.h"

enum { SHORTEST_LENGTH = 32, MAX_LENGTHS = 32 };

struct ms_generator {
    ms_variables *variables;
    ms_model model;
    ms_store *store;
    int tokens, row, logits; /* variables */
    int32_t n_texts;
    int32_t n_lengths;
    int32_t lengths[MAX_LENGTHS];      /* ascending; the last is the model's sequence length */
    ms_program *programs[MAX_LENGTHS]; /* compiled when first needed */
    float *values;                     /* [vocabulary] */
    int32_t *ids;                      /* [vocabulary] scratch of a draw */
    double *weights;                   /* [vocabulary] likewise */
};

static ms_status build(ms_generator *generator, ms_device *device, const ms_model_config *config) {
    MS_TRY(ms_variables_create(&generator->variables));
    MS_TRY(ms_model_init(config, generator->variables, &generator->model));
    MS_TRY(ms_variables_add(generator->variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32,
                            ms_shape_1(config->sequence_length), &generator->tokens));
    MS_TRY(
        ms_variables_add(generator->variables, "row", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(1), &generator->row));
    MS_TRY(ms_variables_add(generator->variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32,
                            ms_shape_2(1, config->vocabulary), &generator->logits));
    MS_TRY(ms_store_create(device, generator->variables, &generator->store));
    MS_TRY(ms_model_upload_constants(&generator->model, generator->store));
    for (int32_t length = SHORTEST_LENGTH; length < config->sequence_length; length *= 2)
        generator->lengths[generator->n_lengths++] = length;
    generator->lengths[generator->n_lengths++] = config->sequence_length;
    generator->values = calloc((size_t)config->vocabulary, sizeof *generator->values);
    generator->ids = calloc((size_t)config->vocabulary, sizeof *generator->ids);
    generator->weights = calloc((size_t)config->vocabulary, sizeof *generator->weights);
    if (!generator->values || !generator->ids || !generator->weights)
        return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for %d logits", config->vocabulary);
    return MS_OK;
}

ms_status ms_generator_open(ms_device *device, const ms_model_config *config, int32_t n_texts, ms_generator **out) {
    *out = NULL;
    if (n_texts < 1) return MS_FAIL(MS_INVALID, "generate: %d texts at a time, must be 1 or more", n_texts);
    ms_generator *generator = calloc(1, sizeof *generator);
    if (!generator) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory");
    generator->n_texts = n_texts;
    ms_status status = build(generator, device, config);
    if (status != MS_OK) {
        ms_generator_close(generator);
        return status;
    }
    *out = generator;
    return MS_OK;
}

void ms_generator_close(ms_generator *generator) {
    if (!generator) return;
    for (int i = 0; i < generator->n_lengths; i++) ms_program_destroy(generator->programs[i]);
    ms_store_destroy(generator->store);
    ms_variables_destroy(generator->variables);
    free(generator->values);
    free(generator->ids);
    free(generator->weights);
    free(generator);
}

ms_status ms_generator_load(ms_generator *generator, const ms_safetensors *file) {
    return ms_named_tensors_upload(generator->store, generator->variables, MS_VARIABLE_PARAMETER, file);
}

static ms_status compile_length(ms_generator *generator, int i_length) {
    if (generator->programs[i_length]) return MS_OK;
    ms_graph *graph, *finished = NULL;
    int32_t length = generator->lengths[i_length];
    MS_TRY(ms_graph_create(generator->variables, -1, &graph));
    ms_tensor tokens = ms_view(graph, generator->tokens, 0, ms_shape_1(length));
    ms_tensor hidden = ms_model_hidden(&generator->model, graph, tokens, 1, length);
    ms_tensor logits = ms_model_logits_of_row(&generator->model, graph, hidden, ms_view_all(graph, generator->row));
    ms_assign(graph, logits, ms_view_all(graph, generator->logits));
    ms_status status = ms_graph_finish(graph, &finished);
    if (status == MS_OK) status = ms_program_compile(generator->store, finished, &generator->programs[i_length]);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    return status;
}

static ms_status compute_logits(ms_generator *generator, const ms_generator_text *text, float *out_logits) {
    const ms_model_config *config = &generator->model.config;
    int64_t length = text->n < config->sequence_length ? text->n : config->sequence_length;
    const int32_t *window = text->tokens + (text->n - length);
    for (int64_t i = 0; i < length; i++)
        if (window[i] < 0 || window[i] >= config->vocabulary)
            return MS_FAIL(MS_INVALID, "generate: token %d is outside the vocabulary of %d", window[i],
                           config->vocabulary);
    int i_length = 0;
    while (generator->lengths[i_length] < length) i_length++;
    MS_TRY(compile_length(generator, i_length));
    /* What follows the last token in the buffer is whatever was there: attention is causal and never looks at it. */
    int32_t row = (int32_t)length - 1;
    MS_TRY(ms_store_upload(generator->store, generator->tokens, 0, length, window));
    MS_TRY(ms_store_upload(generator->store, generator->row, 0, 1, &row));
    MS_TRY(ms_program_run(generator->programs[i_length]));
    return ms_store_download(generator->store, generator->logits, 0, config->vocabulary, out_logits);
}

ms_status ms_generator_logits(ms_generator *generator, const ms_generator_text *texts, int32_t n_texts,
                              float *out_logits) {
    if (n_texts > generator->n_texts)
        return MS_FAIL(MS_INVALID, "generate: %d texts at a time, at most %d were asked for", n_texts,
                       generator->n_texts);
    for (int32_t i = 0; i < n_texts; i++)
        if (texts[i].n > 0)
            MS_TRY(compute_logits(generator, &texts[i],
                                  out_logits + (size_t)i * (size_t)generator->model.config.vocabulary));
    return MS_OK;
}

ms_status ms_generator_next(ms_generator *generator, const int32_t *tokens, int64_t n, const ms_sampling *sampling,
                            int32_t *out_token) {
    const ms_model_config *config = &generator->model.config;
    int64_t vocabulary = sampling->vocabulary ? sampling->vocabulary : config->vocabulary;
    if (n < 1) return MS_FAIL(MS_INVALID, "generate: no token to continue");
    MS_TRY(ms_sampling_check(sampling));
    if (vocabulary < 1 || vocabulary > config->vocabulary)
        return MS_FAIL(MS_INVALID, "generate: %lld ids to draw from, the model has %d", (long long)vocabulary,
                       config->vocabulary);
    MS_TRY(ms_generator_logits(generator, &(ms_generator_text){tokens, n}, 1, generator->values));
    const ms_draw draw = {generator->values, vocabulary, tokens, n, 0, generator->ids, generator->weights};
    return ms_sample(sampling, &draw, out_token);
}
