#include "model/hf/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/hf/architecture.h"

/* What a plan is made from, and the first error. */
struct planning {
    const ms_model_config *config;
    const ms_safetensors *checkpoint;
    ms_hf_tensors *out;
    ms_status status;
    int layer; /* what %d in a name becomes */
};

/* The checkpoint's tensor of a name with %d for the layer; of `rows` rows of `columns`, 0: a vector; rows 0: a scalar.
   NULL after an error. */
static const ms_safetensor *find(struct planning *p, const char *format, int64_t rows, int64_t columns) {
    char name[96], has[MS_SAFETENSOR_SHAPE_SIZE], wants[MS_SAFETENSOR_SHAPE_SIZE];
    const ms_safetensor *found;
    if (p->status != MS_OK) return NULL;
    snprintf(name, sizeof name, format, p->layer);
    p->status = ms_safetensors_find(p->checkpoint, name, &found);
    if (p->status != MS_OK) return NULL;
    const int64_t shape[] = {rows, columns};
    int rank = rows == 0 ? 0 : columns == 0 ? 1 : 2;
    if (strcmp(found->dtype, "F32") == 0 && ms_safetensor_has_shape(found, rank, shape)) return found;
    p->status =
        MS_FAIL(MS_MISMATCH, "tensor %s is %s %s, the configuration says F32 %s", name, found->dtype,
                ms_safetensor_shape_text(found->rank, found->shape, has), ms_safetensor_shape_text(rank, shape, wants));
    return NULL;
}

/* Adds a tensor; its name has %d for the layer, the rest is `what`'s. */
static void add(struct planning *p, const char *format, ms_hf_tensor what) {
    if (p->status != MS_OK) return;
    ms_hf_tensors *list = p->out;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        ms_hf_tensor *larger = realloc(list->tensors, capacity * sizeof *larger);
        if (!larger) {
            p->status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu tensors", capacity);
            return;
        }
        list->tensors = larger;
        list->capacity = capacity;
    }
    snprintf(what.name, sizeof what.name, format, p->layer);
    list->tensors[list->n++] = what;
}

static double read_number(const ms_safetensor *tensor, size_t i) {
    float value;
    memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
    return (double)value;
}

/* What the branches of a layer are multiplied by: attention, feed-forward. */
static void residual_scales(struct planning *p, double out[2]) {
    const ms_model_config *c = p->config;
    out[0] = out[1] = (double)c->residual_scale_init;
    if (c->residual_scale == MS_RESIDUAL_FIXED) return;
    bool per_branch = c->residual_scale == MS_RESIDUAL_LEARNED_BRANCH;
    const ms_safetensor *scale = find(p, "blocks.%d.residual_scale", per_branch ? 2 : 0, 0);
    if (!scale) return;
    out[0] = read_number(scale, 0);
    out[1] = read_number(scale, per_branch ? 1 : 0);
}

static void plan_attention(struct planning *p, double scale) {
    const ms_model_config *c = p->config;
    int64_t q_rows = (int64_t)c->heads * c->head_size, kv_rows = (int64_t)c->kv_heads * c->head_size;
    int64_t width = c->width, turned = c->rope_layout == MS_ROPE_INTERLEAVED ? c->head_size : 0;
    const struct {
        const char *theirs, *ours;
        int64_t rows, columns, head_size;
        double factor;
    } parts[] = {{"q", "blocks.%d.attention.q.weight", q_rows, width, turned, 1},
                 {"k", "blocks.%d.attention.k.weight", kv_rows, width, turned, 1},
                 {"v", "blocks.%d.attention.v.weight", kv_rows, width, 0, 1},
                 {"o", "blocks.%d.attention.o.weight", width, q_rows, 0, scale}};
    enum { WITH_BIAS = 3 }; /* the first of them */
    const ms_safetensor *merged =
        c->merged ? find(p, "blocks.%d.attention.qkvo.weight", q_rows + 2 * kv_rows + width, width) : NULL;
    int64_t first_row = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char format[64];
        snprintf(format, sizeof format, "model.layers.%%d.self_attn.%s_proj.weight", parts[i].theirs);
        add(p, format,
            (ms_hf_tensor){.source = c->merged ? merged : find(p, parts[i].ours, parts[i].rows, parts[i].columns),
                           .first_row = first_row,
                           .rows = parts[i].rows,
                           .columns = parts[i].columns,
                           .head_size = parts[i].head_size,
                           .factor = parts[i].factor});
        if (c->merged) first_row += parts[i].rows;
    }
    for (int i = 0; c->qkv_bias && i < WITH_BIAS; i++) {
        char ours[64], theirs[64];
        snprintf(ours, sizeof ours, "blocks.%%d.attention.%s.bias", parts[i].theirs);
        snprintf(theirs, sizeof theirs, "model.layers.%%d.self_attn.%s_proj.bias", parts[i].theirs);
        ms_hf_tensor bias = {.rows = parts[i].rows, .head_size = parts[i].head_size, .factor = 1};
        bias.source = find(p, ours, parts[i].rows, 0);
        add(p, theirs, bias);
    }
    if (!c->qk_norm) return;
    ms_hf_tensor gain = {.rows = c->head_size, .head_size = turned, .factor = 1};
    gain.source = find(p, "blocks.%d.attention.q_norm.weight", c->head_size, 0);
    add(p, "model.layers.%d.self_attn.q_norm.weight", gain);
    gain.source = find(p, "blocks.%d.attention.k_norm.weight", c->head_size, 0);
    add(p, "model.layers.%d.self_attn.k_norm.weight", gain);
}

static void plan_feed_forward(struct planning *p, bool gate_is_up, double scale) {
    int64_t width = p->config->width, hidden = p->config->feed_forward;
    ms_hf_tensor up = {.rows = hidden, .columns = width, .factor = 1}, gate = up;
    up.source = find(p, "blocks.%d.feed_forward.up.weight", hidden, width);
    gate.source = gate_is_up ? up.source : find(p, "blocks.%d.feed_forward.gate.weight", hidden, width);
    add(p, "model.layers.%d.mlp.gate_proj.weight", gate);
    add(p, "model.layers.%d.mlp.up_proj.weight", up);
    ms_hf_tensor down = {.rows = width, .columns = hidden, .factor = scale};
    down.source = find(p, "blocks.%d.feed_forward.down.weight", width, hidden);
    add(p, "model.layers.%d.mlp.down_proj.weight", down);
}

static void plan_layer(struct planning *p, bool gate_is_up) {
    double scales[2];
    ms_hf_tensor gain = {.rows = p->config->width, .factor = 1};
    residual_scales(p, scales);
    gain.source = find(p, "blocks.%d.attention_norm.weight", gain.rows, 0);
    add(p, "model.layers.%d.input_layernorm.weight", gain);
    plan_attention(p, scales[0]);
    gain.source = find(p, "blocks.%d.feed_forward_norm.weight", gain.rows, 0);
    add(p, "model.layers.%d.post_attention_layernorm.weight", gain);
    plan_feed_forward(p, gate_is_up, scales[1]);
}

ms_status ms_hf_tensors_plan(const ms_model_config *config, const ms_safetensors *checkpoint, ms_hf_tensors *out) {
    ms_hf_architecture architecture;
    *out = (ms_hf_tensors){0};
    MS_TRY(ms_hf_architecture_of(config, &architecture));
    struct planning p = {config, checkpoint, out, MS_OK, 0};
    double scale = (double)ms_model_embedding_scale(config);
    ms_hf_tensor table = {.rows = config->vocabulary, .columns = config->width};
    table.source = find(&p, "embedding.weight", table.rows, table.columns);
    table.factor = scale;
    add(&p, "model.embed_tokens.weight", table);
    for (p.layer = 0; p.layer < config->layers; p.layer++) plan_layer(&p, architecture.gate_is_up);
    ms_hf_tensor gain = {.rows = config->width, .factor = config->tied_head ? 1 / scale : 1};
    gain.source = find(&p, "final_norm.weight", gain.rows, 0);
    add(&p, "model.norm.weight", gain);
    if (!config->tied_head) {
        table.source = find(&p, "head.weight", table.rows, table.columns);
        table.factor = 1;
        add(&p, "lm_head.weight", table);
    }
    return p.status;
}

void ms_hf_tensors_finish(ms_hf_tensors *tensors) {
    free(tensors->tensors);
    *tensors = (ms_hf_tensors){0};
}

int64_t ms_hf_tensor_count(const ms_hf_tensor *tensor) {
    return tensor->rows * (tensor->columns ? tensor->columns : 1);
}

/* The row of the source, of those that the tensor is made of, that becomes row i. */
static int64_t source_row(const ms_hf_tensor *tensor, int64_t i) {
    int64_t size = tensor->head_size;
    if (size == 0) return i;
    int64_t head = i / size * size, k = i % size;
    return head + (k < size / 2 ? 2 * k : 2 * (k - size / 2) + 1);
}

void ms_hf_tensor_fill(const ms_hf_tensor *tensor, float *out) {
    int64_t columns = tensor->columns ? tensor->columns : 1;
    for (int64_t i = 0; i < tensor->rows; i++) {
        float *row = out + i * columns;
        int64_t from = (tensor->first_row + source_row(tensor, i)) * columns;
        memcpy(row, (const char *)tensor->source->data + (size_t)from * sizeof *row, (size_t)columns * sizeof *row);
        for (int64_t j = 0; tensor->factor != 1 && j < columns; j++) row[j] = (float)(tensor->factor * (double)row[j]);
    }
}
