#include "train/probe_graph.h"

#include <stdlib.h>

#include "backend/ir/build.h"

static ms_status check(const ms_model_config *model, int32_t sequences, int32_t length) {
    if (sequences < 0) return MS_FAIL(MS_INVALID, "train: probe_sequences is %d, must be at least 0", sequences);
    if (sequences > 0 && (length < 2 || length > model->sequence_length))
        return MS_FAIL(MS_INVALID,
                       "train: probe_tokens is %d, must be from 2, since a query that sees one key has no attention "
                       "entropy, to the model's sequence length, %d",
                       length, model->sequence_length);
    long long n = (long long)sequences * length;
    if (n > MS_PASS_TOKENS_MAX)
        return MS_FAIL(MS_INVALID,
                       "train: probe_sequences %d x probe_tokens %d = %lld tokens of one pass, at most %d are possible",
                       sequences, length, n, MS_PASS_TOKENS_MAX);
    return MS_OK;
}

ms_status ms_probe_variables_add(const ms_model_config *model, int32_t sequences, int32_t length,
                                 ms_variables *variables, ms_probe_variables *out) {
    *out = (ms_probe_variables){.sequences = sequences, .length = length};
    const struct {
        const char *name;
        int64_t channels;
        int32_t *out;
    } rows[] = {{"probe_q", (int64_t)model->heads * model->head_size, &out->q},
                {"probe_k", (int64_t)model->kv_heads * model->head_size, &out->k},
                {"probe_stream", model->width, &out->stream},
                {"probe_hidden", model->feed_forward, &out->hidden}};
    int64_t n = (int64_t)sequences * length;
    int index;
    MS_TRY(check(model, sequences, length));
    if (sequences == 0) return MS_OK;
    MS_TRY(ms_variables_add(variables, "probe_tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n), &index));
    out->tokens = index;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        MS_TRY(ms_variables_add(variables, rows[i].name, MS_VARIABLE_OUTPUT, MS_DTYPE_F32,
                                ms_shape_3(model->layers, n, rows[i].channels), &index));
        *rows[i].out = index;
    }
    return MS_OK;
}

static void hand_out(ms_graph *graph, ms_tensor from, int32_t variable, int layer) {
    if (ms_graph_status(graph) != MS_OK) return;
    if (ms_graph_tensor(graph, from)->dtype != MS_DTYPE_F32) from = ms_cast(graph, from, MS_DTYPE_F32);
    ms_assign(graph, from, ms_view_slice(graph, variable, layer));
}

ms_status ms_probe_graph_fill(const ms_model *model, const ms_probe_variables *probe, ms_graph *graph) {
    int n_layers = model->config.layers;
    ms_layer_activations *layers = calloc((size_t)n_layers, sizeof *layers);
    if (!layers) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for the probe of %d layers", n_layers);
    ms_model_activations(model, graph, ms_view_all(graph, probe->tokens), probe->sequences, probe->length, layers);
    for (int i = 0; i < n_layers; i++) {
        hand_out(graph, layers[i].q, probe->q, i);
        hand_out(graph, layers[i].k, probe->k, i);
        hand_out(graph, layers[i].stream, probe->stream, i);
        hand_out(graph, layers[i].hidden, probe->hidden, i);
    }
    free(layers);
    return ms_graph_status(graph);
}
