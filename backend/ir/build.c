#include "backend/ir/build.h"

#include <string.h>

ms_coefficient ms_constant(float value) { return (ms_coefficient){value, -1}; }
ms_coefficient ms_step_scalar(float constant, int scalar) { return (ms_coefficient){constant, scalar}; }

/* Fields that a builder does not set are 0: ms_attributes_equal compares all fields of the op. */
#define ATTRIBUTES(name)                                                                                               \
    ms_attributes name;                                                                                                \
    memset(&name, 0, sizeof name)

static ms_tensor add_1(ms_graph *graph, ms_op op, const ms_tensor *inputs, int n_inputs,
                       const ms_attributes *attributes) {
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, op, inputs, n_inputs, attributes, outputs);
    return outputs[0];
}

ms_tensor ms_fill(ms_graph *graph, float value, ms_dtype dtype, ms_shape shape) {
    ATTRIBUTES(attributes);
    attributes.fill.value = value;
    attributes.fill.shape = shape;
    attributes.fill.dtype = dtype;
    return add_1(graph, MS_OP_FILL, NULL, 0, &attributes);
}

void ms_assign(ms_graph *graph, ms_tensor x, ms_tensor view) {
    ms_tensor inputs[] = {x, view};
    ms_graph_add(graph, MS_OP_ASSIGN, inputs, 2, NULL, NULL);
}

ms_tensor ms_reshape(ms_graph *graph, ms_tensor x, ms_shape shape) {
    ATTRIBUTES(attributes);
    attributes.shape.shape = shape;
    return add_1(graph, MS_OP_RESHAPE, &x, 1, &attributes);
}

ms_tensor ms_slice(ms_graph *graph, ms_tensor x, int64_t begin, int64_t count) {
    ATTRIBUTES(attributes);
    attributes.slice.begin = begin;
    attributes.slice.count = count;
    return add_1(graph, MS_OP_SLICE, &x, 1, &attributes);
}

ms_tensor ms_insert(ms_graph *graph, ms_tensor base, ms_tensor x, int64_t begin) {
    ATTRIBUTES(attributes);
    attributes.slice.begin = begin;
    if (x >= 0 && x < ms_graph_n_tensors(graph)) {
        const ms_shape *shape = &ms_graph_tensor(graph, x)->shape;
        attributes.slice.count = shape->dim[shape->rank >= 2 ? shape->rank - 2 : 0];
    }
    ms_tensor inputs[] = {base, x};
    return add_1(graph, MS_OP_INSERT, inputs, 2, &attributes);
}

ms_tensor ms_insert_rows(ms_graph *graph, ms_tensor base, ms_tensor x, ms_tensor index) {
    ms_tensor inputs[] = {base, x, index};
    return add_1(graph, MS_OP_INSERT_ROWS, inputs, 3, NULL);
}

ms_tensor ms_cast(ms_graph *graph, ms_tensor x, ms_dtype dtype) {
    ATTRIBUTES(attributes);
    attributes.cast.dtype = dtype;
    return add_1(graph, MS_OP_CAST, &x, 1, &attributes);
}

ms_tensor ms_embed(ms_graph *graph, ms_tensor table, ms_tensor index, float scale) {
    ATTRIBUTES(attributes);
    attributes.embed.scale = scale;
    if (table >= 0 && table < ms_graph_n_tensors(graph))
        attributes.embed.rows = ms_graph_tensor(graph, table)->shape.dim[0];
    ms_tensor inputs[] = {table, index};
    return add_1(graph, MS_OP_EMBED, inputs, 2, &attributes);
}

ms_tensor ms_embed_grad(ms_graph *graph, ms_tensor index, ms_tensor dy, ms_tensor accumulate, int64_t rows,
                        float scale) {
    ATTRIBUTES(attributes);
    attributes.embed.scale = scale;
    attributes.embed.rows = rows;
    ms_tensor inputs[] = {index, dy, accumulate};
    return add_1(graph, MS_OP_EMBED_GRAD, inputs, accumulate == MS_NO_TENSOR ? 2 : 3, &attributes);
}

ms_tensor ms_axpby(ms_graph *graph, ms_coefficient a, ms_tensor x, ms_coefficient b, ms_tensor y) {
    ATTRIBUTES(attributes);
    attributes.axpby.a = a;
    attributes.axpby.b = b;
    ms_tensor inputs[] = {x, y};
    return add_1(graph, MS_OP_AXPBY, inputs, y == MS_NO_TENSOR ? 1 : 2, &attributes);
}

ms_tensor ms_add(ms_graph *graph, ms_tensor x, ms_tensor y) {
    return ms_axpby(graph, ms_constant(1), x, ms_constant(1), y);
}

ms_tensor ms_mul(ms_graph *graph, ms_tensor x, ms_tensor y) {
    ms_tensor inputs[] = {x, y};
    return add_1(graph, MS_OP_MUL, inputs, 2, NULL);
}

/* The ops of kind ELEMENTWISE, by numbers of inputs and outputs. */
#define BUILD_1_1(upper, lower)                                                                                        \
    ms_tensor ms_##lower(ms_graph *graph, ms_tensor x) { return add_1(graph, MS_OP_##upper, &x, 1, NULL); }
#define BUILD_2_1(upper, lower)                                                                                        \
    ms_tensor ms_##lower(ms_graph *graph, ms_tensor x0, ms_tensor x1) {                                                \
        return add_1(graph, MS_OP_##upper, (const ms_tensor[]){x0, x1}, 2, NULL);                                      \
    }
#define BUILD_3_2(upper, lower)                                                                                        \
    void ms_##lower(ms_graph *graph, ms_tensor x0, ms_tensor x1, ms_tensor x2, ms_tensor *out_y0, ms_tensor *out_y1) { \
        add_3_2(graph, MS_OP_##upper, (const ms_tensor[]){x0, x1, x2}, out_y0, out_y1);                                \
    }
#define BUILD_PRIMITIVE(upper, lower, n_in, n_out)
#define BUILD_FREE(upper, lower, n_in, n_out)
#define BUILD_COMPOSITE(upper, lower, n_in, n_out)
#define BUILD_ELEMENTWISE(upper, lower, n_in, n_out) BUILD_##n_in##_##n_out(upper, lower)
#define OP(upper, lower, kind, min_in, max_in, n_out, ...) BUILD_##kind(upper, lower, max_in, n_out)

static void add_3_2(ms_graph *graph, ms_op op, const ms_tensor inputs[3], ms_tensor *out_y0, ms_tensor *out_y1) {
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, op, inputs, 3, NULL, outputs);
    *out_y0 = outputs[0];
    *out_y1 = outputs[1];
}

#include "backend/ir/ops.def"
#undef OP

void ms_rms_norm(ms_graph *graph, ms_tensor x, ms_tensor gain, float epsilon, ms_tensor *out_y, ms_tensor *out_rstd) {
    ATTRIBUTES(attributes);
    attributes.norm.epsilon = epsilon;
    ms_tensor inputs[] = {x, gain}, outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_RMS_NORM, inputs, 2, &attributes, outputs);
    *out_y = outputs[0];
    *out_rstd = outputs[1];
}

void ms_rms_norm_grad(ms_graph *graph, const ms_tensor inputs[5], float epsilon, ms_tensor *out_dx,
                      ms_tensor *out_dgain) {
    ATTRIBUTES(attributes);
    attributes.norm.epsilon = epsilon;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_RMS_NORM_GRAD, inputs, inputs[4] == MS_NO_TENSOR ? 4 : 5, &attributes, outputs);
    *out_dx = outputs[0];
    *out_dgain = outputs[1];
}

void ms_add_rms_norm(ms_graph *graph, const ms_tensor inputs[3], float epsilon, ms_tensor *out_sum, ms_tensor *out_y,
                     ms_tensor *out_rstd) {
    ATTRIBUTES(attributes);
    attributes.norm.epsilon = epsilon;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_ADD_RMS_NORM, inputs, 3, &attributes, outputs);
    *out_sum = outputs[0];
    *out_y = outputs[1];
    *out_rstd = outputs[2];
}

/* Copies field by field: padding bytes of the caller's struct are not comparable. */
static void set_rope(ms_attributes *attributes, const ms_rope_attributes *rope) {
    attributes->rope.heads = rope->heads;
    attributes->rope.head_size = rope->head_size;
    attributes->rope.sequence = rope->sequence;
    attributes->rope.interleaved = rope->interleaved;
    attributes->rope.normalise = rope->normalise;
    attributes->rope.epsilon = rope->epsilon;
}

void ms_qk_norm_rope(ms_graph *graph, const ms_tensor inputs[3], const ms_rope_attributes *rope, ms_tensor *out_y,
                     ms_tensor *out_rstd) {
    ATTRIBUTES(attributes);
    set_rope(&attributes, rope);
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_QK_NORM_ROPE, inputs, inputs[2] == MS_NO_TENSOR ? 2 : 3, &attributes, outputs);
    *out_y = outputs[0];
    *out_rstd = outputs[1];
}

void ms_qk_norm_rope_grad(ms_graph *graph, const ms_tensor inputs[5], const ms_rope_attributes *rope, ms_tensor *out_dx,
                          ms_tensor *out_dgain) {
    ATTRIBUTES(attributes);
    set_rope(&attributes, rope);
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_QK_NORM_ROPE_GRAD, inputs, inputs[4] == MS_NO_TENSOR ? 4 : 5, &attributes, outputs);
    *out_dx = outputs[0];
    *out_dgain = outputs[1];
}

ms_tensor ms_matmul(ms_graph *graph, ms_tensor a, ms_tensor b, ms_tensor c, const ms_matmul_attributes *matmul) {
    ATTRIBUTES(attributes);
    attributes.matmul.transpose_a = matmul->transpose_a;
    attributes.matmul.transpose_b = matmul->transpose_b;
    attributes.matmul.alpha = matmul->alpha;
    attributes.matmul.beta = c == MS_NO_TENSOR ? 0 : matmul->beta;
    attributes.matmul.dtype = matmul->dtype;
    ms_tensor inputs[] = {a, b, c};
    return add_1(graph, MS_OP_MATMUL, inputs, c == MS_NO_TENSOR ? 2 : 3, &attributes);
}

ms_tensor ms_gram(ms_graph *graph, ms_tensor x, bool transpose) {
    ATTRIBUTES(attributes);
    attributes.gram.transpose = transpose;
    return add_1(graph, MS_OP_GRAM, &x, 1, &attributes);
}

void ms_attention(ms_graph *graph, const ms_tensor inputs[3], const ms_attention_attributes *attention,
                  ms_tensor *out_o, ms_tensor *out_lse) {
    ATTRIBUTES(attributes);
    attributes.attention = *attention;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_ATTENTION, inputs, 3, &attributes, outputs);
    *out_o = outputs[0];
    *out_lse = outputs[1];
}

ms_tensor ms_attention_logit_max(ms_graph *graph, ms_tensor q, ms_tensor k, const ms_attention_attributes *attention) {
    ATTRIBUTES(attributes);
    attributes.attention = *attention;
    ms_tensor inputs[] = {q, k};
    return add_1(graph, MS_OP_ATTENTION_LOGIT_MAX, inputs, 2, &attributes);
}

ms_tensor ms_cached_attention(ms_graph *graph, const ms_tensor inputs[4], const ms_attention_attributes *attention) {
    ATTRIBUTES(attributes);
    attributes.attention = *attention;
    return add_1(graph, MS_OP_CACHED_ATTENTION, inputs, 4, &attributes);
}

void ms_attention_grad(ms_graph *graph, const ms_tensor inputs[6], const ms_attention_attributes *attention,
                       ms_tensor out_gradients[3]) {
    ATTRIBUTES(attributes);
    attributes.attention = *attention;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_ATTENTION_GRAD, inputs, 6, &attributes, outputs);
    memcpy(out_gradients, outputs, 3 * sizeof *outputs);
}

void ms_cross_entropy(ms_graph *graph, ms_tensor logits, ms_tensor targets,
                      const ms_cross_entropy_attributes *loss_attributes, ms_tensor *out_losses,
                      ms_tensor *out_dlogits) {
    ATTRIBUTES(attributes);
    attributes.cross_entropy.scale = loss_attributes->scale;
    attributes.cross_entropy.dtype = loss_attributes->dtype;
    ms_tensor inputs[] = {logits, targets}, outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_CROSS_ENTROPY, inputs, 2, &attributes, outputs);
    *out_losses = outputs[0];
    *out_dlogits = outputs[1];
}

void ms_tied_cross_entropy(ms_graph *graph, const ms_tensor inputs[3],
                           const ms_tied_cross_entropy_attributes *loss_attributes, ms_tensor out[4]) {
    ATTRIBUTES(attributes);
    attributes.tied_cross_entropy.scale = loss_attributes->scale;
    attributes.tied_cross_entropy.chunk = loss_attributes->chunk;
    attributes.tied_cross_entropy.dtype = loss_attributes->dtype;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_TIED_CROSS_ENTROPY, inputs, 3, &attributes, outputs);
    memcpy(out, outputs, 4 * sizeof *outputs);
}

ms_tensor ms_sum(ms_graph *graph, ms_tensor x) { return add_1(graph, MS_OP_SUM, &x, 1, NULL); }

ms_tensor ms_sum_squares(ms_graph *graph, ms_tensor x, int n_groups, const int64_t *group_rows) {
    ATTRIBUTES(attributes);
    attributes.sum_squares.n_groups = n_groups;
    for (int i = 0; i < n_groups && i < MS_MAX_ROW_GROUPS; i++) attributes.sum_squares.group_rows[i] = group_rows[i];
    return add_1(graph, MS_OP_SUM_SQUARES, &x, 1, &attributes);
}

ms_tensor ms_clip_factor(ms_graph *graph, ms_tensor sums_of_squares, float max_norm) {
    ATTRIBUTES(attributes);
    attributes.clip_factor.max_norm = max_norm;
    return add_1(graph, MS_OP_CLIP_FACTOR, &sums_of_squares, 1, &attributes);
}

void ms_ema_nesterov(ms_graph *graph, const ms_tensor inputs[3], const ms_ema_nesterov_attributes *ema,
                     ms_tensor *out_momentum, ms_tensor *out_update) {
    ATTRIBUTES(attributes);
    attributes.ema_nesterov.momentum = ema->momentum;
    attributes.ema_nesterov.nesterov = ema->nesterov;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_EMA_NESTEROV, inputs, inputs[2] == MS_NO_TENSOR ? 2 : 3, &attributes, outputs);
    *out_momentum = outputs[0];
    *out_update = outputs[1];
}

ms_tensor ms_scale_by_inverse_norm(ms_graph *graph, ms_tensor x, ms_tensor sum_squares, float factor, float epsilon) {
    ATTRIBUTES(attributes);
    attributes.inverse_norm.factor = factor;
    attributes.inverse_norm.epsilon = epsilon;
    ms_tensor inputs[] = {x, sum_squares};
    return add_1(graph, MS_OP_SCALE_BY_INVERSE_NORM, inputs, 2, &attributes);
}

void ms_adamw(ms_graph *graph, const ms_tensor inputs[5], const ms_adamw_attributes *adamw, ms_tensor out_outputs[3]) {
    ATTRIBUTES(attributes);
    attributes.adamw = *adamw;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_add(graph, MS_OP_ADAMW, inputs, inputs[4] == MS_NO_TENSOR ? 4 : 5, &attributes, outputs);
    memcpy(out_outputs, outputs, 3 * sizeof *outputs);
}

ms_tensor ms_random_normal(ms_graph *graph, const ms_random_normal_attributes *random) {
    ATTRIBUTES(attributes);
    attributes.random_normal.deviation = random->deviation;
    attributes.random_normal.seed = random->seed;
    attributes.random_normal.stream = random->stream;
    attributes.random_normal.step_scalar = random->step_scalar;
    attributes.random_normal.shape = random->shape;
    return add_1(graph, MS_OP_RANDOM_NORMAL, NULL, 0, &attributes);
}
