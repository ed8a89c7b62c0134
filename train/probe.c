#include "train/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/background.h"
#include "platform/thread.h"
#include "tracker/activations.h"
#include "tracker/attention.h"
#include "train/matrices.h"

/* What the device hands out of one layer, and what is made of it. */
typedef struct layer_values {
    float *q, *k, *stream, *hidden;     /* within the probe's memory */
    float *weights[4];                  /* W_q, W_k, W_v, W_o */
    ms_attention_statistics *attention; /* [H] */
    ms_product_spectrum *qk, *ov;       /* [H] */
    ms_activation_statistics residual, feed_forward;
    ms_status status;
    char message[1024];
} layer_values;

typedef struct thread_scratch {
    ms_attention_scratch *attention;
    ms_activation_scratch *activations;
} thread_scratch;

struct ms_probe {
    ms_trainer *trainer; /* borrowed */
    ms_attention_shape shape;
    int n_layers, n_threads;
    ms_when_behind when_behind;
    int64_t n_skipped;
    int32_t *tokens;      /* [S, T] */
    float *memory;        /* all values of all layers */
    layer_values *layers; /* [n_layers] */
    ms_store_part *parts; /* where `memory` comes from */
    void **places;        /* where in it each part goes */
    int n_parts;
    thread_scratch *scratch; /* [n_threads] */
    ms_pool *pool;
    ms_run_log *log;
    ms_watch *watch;           /* borrowed, or NULL */
    int64_t step, tokens_seen; /* of the snapshot in work */
    ms_background *background;
};

static ms_attention_shape shape_of(const ms_trainer *trainer) {
    const ms_model_config *model = &trainer->options.model;
    return (ms_attention_shape){.sequences = trainer->options.probe_sequences,
                                .tokens = trainer->options.probe_tokens,
                                .width = model->width,
                                .heads = model->heads,
                                .kv_heads = model->kv_heads,
                                .head_size = model->head_size};
}

static int threads_of(const ms_trainer *trainer, int wanted) {
    int n = wanted ? wanted : ms_device_threads(trainer->device);
    return n < 1 ? 1 : n;
}

static int n_tokens_of(const ms_attention_shape *shape) { return shape->sequences * shape->tokens; }

static int most_channels(const ms_trainer *trainer) {
    const ms_model_config *model = &trainer->options.model;
    return model->width > model->feed_forward ? model->width : model->feed_forward;
}

/* Floats of one layer: q, k, stream, hidden; W_q, W_k, W_v, W_o. */
enum { N_VALUES = 8 };
static void count_values(const ms_trainer *trainer, size_t out[N_VALUES]) {
    ms_attention_shape shape = shape_of(trainer);
    size_t n = (size_t)n_tokens_of(&shape), c = (size_t)shape.width, f = (size_t)trainer->options.model.feed_forward;
    size_t q = (size_t)shape.heads * (size_t)shape.head_size, k = (size_t)shape.kv_heads * (size_t)shape.head_size;
    const size_t counts[N_VALUES] = {n * q, n * k, n * c, n * f, q * c, k * c, k * c, q * c};
    memcpy(out, counts, sizeof counts);
}

static size_t layer_floats(const ms_trainer *trainer) {
    size_t counts[N_VALUES], sum = 0;
    count_values(trainer, counts);
    for (int i = 0; i < N_VALUES; i++) sum += counts[i];
    return sum;
}

static size_t results_bytes(const ms_attention_shape *shape) {
    return (size_t)shape->heads * (sizeof(ms_attention_statistics) + 2 * sizeof(ms_product_spectrum));
}

size_t ms_probe_planned_bytes(const ms_trainer *trainer, int n_threads) {
    ms_attention_shape shape = shape_of(trainer);
    size_t layers = (size_t)trainer->options.model.layers;
    size_t per_layer = layer_floats(trainer) * sizeof(float) + results_bytes(&shape) + sizeof(layer_values) +
                       N_VALUES * (sizeof(ms_store_part) + sizeof(void *));
    size_t per_thread = ms_attention_scratch_bytes(&shape) +
                        ms_activation_scratch_bytes(n_tokens_of(&shape), most_channels(trainer)) +
                        sizeof(thread_scratch);
    return sizeof(ms_probe) + layers * per_layer + (size_t)threads_of(trainer, n_threads) * per_thread +
           (size_t)n_tokens_of(&shape) * sizeof(int32_t);
}

/* ---- the background thread ---- */

static ms_status compute(const ms_probe *probe, int i, thread_scratch *scratch, layer_values *layer) {
    const ms_model_config *model = &probe->trainer->options.model;
    char name[32], stream[64], hidden[64];
    int n = n_tokens_of(&probe->shape);
    snprintf(name, sizeof name, "layer %d", i);
    snprintf(stream, sizeof stream, "residual stream after layer %d", i);
    snprintf(hidden, sizeof hidden, "feed-forward activations of layer %d", i);
    double scale = (float)(1.0 / sqrt((double)model->head_size)); /* as the model's graph has it */
    ms_attention_weights weights = {name, layer->weights[0], layer->weights[1], layer->weights[2], layer->weights[3]};
    MS_TRY(ms_attention_compute(scratch->attention, name, layer->q, layer->k, scale, layer->attention));
    MS_TRY(ms_attention_products(scratch->attention, &weights, layer->qk, layer->ov));
    MS_TRY(ms_activation_compute(scratch->activations, stream, layer->stream, n, model->width, &layer->residual));
    return ms_activation_compute(scratch->activations, hidden, layer->hidden, n, model->feed_forward,
                                 &layer->feed_forward);
}

static void compute_layer(void *context, int64_t i_task, int i_thread) {
    const ms_probe *probe = context;
    layer_values *layer = &probe->layers[i_task];
    layer->status = compute(probe, (int)i_task, &probe->scratch[i_thread], layer);
    if (layer->status != MS_OK) strncpy(layer->message, ms_status_message(), sizeof layer->message - 1);
}

static json_t *top_values(const ms_product_spectrum *spectrum) {
    json_t *array = json_array();
    for (int i = 0; i < spectrum->n_top; i++)
        if (json_array_append_new(array, ms_run_log_real(spectrum->sigma_top[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* One line.  A jansson call that runs out of memory leaves it short: the counts tell. */
static ms_status make_line(const ms_probe *probe, int i, json_t *lines) {
    const layer_values *values = &probe->layers[i];
    size_t n_keys = 0, n_values = 0, heads = (size_t)probe->shape.heads, n_arrays = 0;
    json_int_t step = probe->step, tokens = probe->tokens_seen, layer = i;
    json_t *line = json_object(), *array;
#define ABOUT(key, unit, text, null, source)                                                                           \
    json_object_set_new(line, #key, json_integer(key));                                                                \
    n_keys++;
#define HEAD_ARRAY(key, value)                                                                                         \
    array = json_array();                                                                                              \
    for (size_t h = 0; h < heads; h++) json_array_append_new(array, value);                                            \
    n_values += json_array_size(array);                                                                                \
    n_arrays++;                                                                                                        \
    json_object_set_new(line, #key, array);                                                                            \
    n_keys++;
#define HEAD(key, part, field, unit, text, null, source) HEAD_ARRAY(key, ms_run_log_real(values->part[h].field))
#define HEAD_TOP(key, part, unit, text, null, source) HEAD_ARRAY(key, top_values(&values->part[h]))
#define LAYER(key, part, field, unit, text, null, source)                                                              \
    json_object_set_new(line, #key, ms_run_log_real(values->part.field));                                              \
    n_keys++;
#include "tracker/probe.def"
#undef HEAD_ARRAY
    bool complete = json_object_size(line) == n_keys && n_values == n_arrays * heads;
    if (json_array_append_new(lines, line) != 0) complete = false;
    return complete ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the line of layer %d", i);
}

static ms_status process(void *context) {
    ms_probe *probe = context;
    ms_pool_run(probe->pool, probe->n_layers, compute_layer, probe);
    json_t *lines = json_array();
    ms_status status = lines ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for lines");
    for (int i = 0; i < probe->n_layers && status == MS_OK; i++) {
        const layer_values *layer = &probe->layers[i];
        status = layer->status == MS_OK ? make_line(probe, i, lines) : MS_FAIL(layer->status, "%s", layer->message);
    }
    if (status == MS_OK) status = ms_run_log_append_all(probe->log, lines);
    if (status == MS_OK && probe->watch) status = ms_watch_lines(probe->watch, MS_WATCH_PROBES, lines);
    json_decref(lines);
    return status == MS_OK ? MS_OK : ms_status_note(status, "probe, step %lld", (long long)probe->step);
}

/* ---- the trainer's side ---- */

/* Where the activations and matrices of each layer lie on the device, and where they go. */
static ms_status place_values(ms_probe *probe) {
    const ms_trainer *trainer = probe->trainer;
    const ms_probe_variables *from = &trainer->probe;
    const int32_t variables[4] = {from->q, from->k, from->stream, from->hidden};
    static const char *const projections[4] = {"q", "k", "v", "o"};
    size_t counts[N_VALUES];
    count_values(trainer, counts);
    float *place = probe->memory;
    int n_matrices = ms_weight_matrices(trainer, NULL, 0);
    ms_weight_matrix *matrices = calloc((size_t)n_matrices, sizeof *matrices);
    if (!matrices) return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory for %d matrices", n_matrices);
    ms_weight_matrices(trainer, matrices, n_matrices);
    for (int i = 0; i < probe->n_layers; i++) {
        layer_values *layer = &probe->layers[i];
        float **const places[N_VALUES] = {&layer->q,          &layer->k,          &layer->stream,
                                          &layer->hidden,     &layer->weights[0], &layer->weights[1],
                                          &layer->weights[2], &layer->weights[3]};
        for (int j = 0; j < N_VALUES; place += counts[j++]) {
            ms_store_part *part = &probe->parts[probe->n_parts];
            *places[j] = place;
            probe->places[probe->n_parts++] = place;
            if (j < 4) *part = (ms_store_part){variables[j], (int64_t)i * (int64_t)counts[j], (int64_t)counts[j]};
            for (int m = 0; j >= 4 && m < n_matrices; m++)
                if (matrices[m].layer == i && strcmp(matrices[m].projection, projections[j - 4]) == 0)
                    *part = matrices[m].part;
        }
    }
    free(matrices);
    return MS_OK;
}

static ms_status create_values(ms_probe *probe) {
    size_t layers = (size_t)probe->n_layers, heads = (size_t)probe->shape.heads;
    size_t floats = layers * layer_floats(probe->trainer);
    probe->memory = calloc(floats, sizeof *probe->memory);
    probe->layers = calloc(layers, sizeof *probe->layers);
    probe->parts = calloc(layers * N_VALUES, sizeof *probe->parts);
    probe->places = calloc(layers * N_VALUES, sizeof *probe->places);
    if (!probe->memory || !probe->layers || !probe->parts || !probe->places)
        return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory for %zu values", floats);
    for (size_t i = 0; i < layers; i++) {
        layer_values *layer = &probe->layers[i];
        layer->attention = calloc(heads, sizeof *layer->attention);
        layer->qk = calloc(heads, sizeof *layer->qk);
        layer->ov = calloc(heads, sizeof *layer->ov);
        if (!layer->attention || !layer->qk || !layer->ov)
            return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory for %zu heads", heads);
    }
    return place_values(probe);
}

static bool is_own_line(const void *context, const json_t *line) {
    return json_integer_value(json_object_get(line, "layer")) < ((const ms_probe *)context)->n_layers;
}

static ms_status create_threads(ms_probe *probe, const ms_probe_options *options) {
    probe->n_threads = threads_of(probe->trainer, options->n_threads);
    probe->scratch = calloc((size_t)probe->n_threads, sizeof *probe->scratch);
    if (!probe->scratch) return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory for %d threads", probe->n_threads);
    MS_TRY(ms_pool_create(probe->n_threads, &probe->pool));
    for (int i = 0; i < probe->n_threads; i++) {
        MS_TRY(ms_attention_scratch_create(&probe->shape, &probe->scratch[i].attention));
        MS_TRY(ms_activation_scratch_create(n_tokens_of(&probe->shape), most_channels(probe->trainer),
                                            &probe->scratch[i].activations));
    }
    json_object_seed(0); /* before threads could race to do it; the order of keys does not depend on it */
    const ms_run_log_plan plan = {.every = options->planned_every,
                                  .lines_per_step = probe->n_layers,
                                  .keys = ms_run_log_probes_keys,
                                  .is_own = is_own_line,
                                  .context = probe};
    MS_TRY(ms_run_log_open(options->path, options->resume_after_step, &plan, &probe->log));
    return ms_background_create(process, probe, &probe->background);
}

/* The first tokens of the first sequences. */
static ms_status read_tokens(ms_probe *probe, ms_dataset *validation) {
    size_t n = (size_t)probe->shape.sequences, kept = (size_t)probe->shape.tokens;
    size_t length = (size_t)ms_dataset_sequence_length(validation);
    if (ms_dataset_sequences(validation) < (int64_t)n)
        return MS_FAIL(MS_INVALID,
                       "probe of %zu sequences: the validation split has %lld: lower tracker.probe_sequences", n,
                       (long long)ms_dataset_sequences(validation));
    int32_t *tokens = calloc(2 * n * length, sizeof *tokens);
    probe->tokens = calloc(n * kept, sizeof *probe->tokens);
    ms_status status = tokens && probe->tokens
                           ? MS_OK
                           : MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory for %zu sequences of %zu tokens", n, length);
    if (status == MS_OK) status = ms_dataset_seek(validation, 0);
    if (status == MS_OK) status = ms_dataset_next(validation, (int)n, tokens, tokens + n * length);
    if (status == MS_OK) status = ms_dataset_seek(validation, 0);
    for (size_t i = 0; status == MS_OK && i < n; i++)
        memcpy(probe->tokens + i * kept, tokens + i * length, kept * sizeof *tokens);
    free(tokens);
    return status;
}

static void destroy(ms_probe *probe) {
    for (int i = 0; probe->scratch && i < probe->n_threads; i++) {
        ms_attention_scratch_destroy(probe->scratch[i].attention);
        ms_activation_scratch_destroy(probe->scratch[i].activations);
    }
    ms_pool_destroy(probe->pool);
    for (int i = 0; probe->layers && i < probe->n_layers; i++) {
        free(probe->layers[i].attention);
        free(probe->layers[i].qk);
        free(probe->layers[i].ov);
    }
    free(probe->scratch);
    free(probe->layers);
    free(probe->parts);
    free(probe->places);
    free(probe->memory);
    free(probe->tokens);
    free(probe);
}

ms_status ms_probe_open(ms_trainer *trainer, ms_dataset *validation, const ms_probe_options *options, ms_probe **out) {
    *out = NULL;
    if (!trainer->probe_graph) return MS_FAIL(MS_INVALID, "probe: the trainer was opened without one");
    MS_TRY(ms_trainer_need_allocated(trainer, "a probe"));
    ms_probe *probe = calloc(1, sizeof *probe);
    if (!probe) return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory");
    probe->trainer = trainer;
    probe->shape = shape_of(trainer);
    probe->n_layers = trainer->options.model.layers;
    probe->when_behind = options->when_behind;
    probe->watch = options->watch;
    ms_status status = read_tokens(probe, validation);
    if (status == MS_OK) status = create_values(probe);
    if (status == MS_OK) status = create_threads(probe, options);
    if (status == MS_OK) {
        *out = probe;
        return MS_OK;
    }
    ms_run_log_close(probe->log); /* nothing was written: the first error is the one to report */
    destroy(probe);
    return status;
}

ms_status ms_probe_take(ms_probe *probe) {
    ms_trainer *trainer = probe->trainer;
    if (probe->when_behind != MS_WHEN_BEHIND_WAIT && ms_background_is_busy(probe->background)) {
        probe->n_skipped++;
        return MS_OK;
    }
    MS_TRY(ms_background_wait(probe->background));
    MS_TRY_NOTE(ms_trainer_run_probe(trainer, probe->tokens), "probe, step %lld", (long long)trainer->step);
    MS_TRY(ms_store_download_parts(trainer->store, probe->parts, probe->n_parts, probe->places));
    probe->step = trainer->step;
    probe->tokens_seen = trainer->tokens_seen;
    ms_background_start(probe->background);
    return MS_OK;
}

ms_status ms_probe_drain(ms_probe *probe) { return ms_background_wait(probe->background); }

const ms_run_log_mending *ms_probe_mending(const ms_probe *probe) { return ms_run_log_get_mending(probe->log); }

ms_status ms_probe_check_file(const ms_probe *probe) { return ms_run_log_check(probe->log); }

int64_t ms_probe_n_skipped(const ms_probe *probe) { return probe->n_skipped; }

ms_status ms_probe_close(ms_probe *probe) {
    if (!probe) return MS_OK;
    ms_status failed = ms_background_close(probe->background);
    ms_status closed = ms_run_log_close(probe->log);
    destroy(probe);
    return failed == MS_OK ? closed : failed;
}
