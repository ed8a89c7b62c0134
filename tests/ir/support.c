#include "tests/ir/support.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"

enum { C = 8, F = 12, V = 11, HEADS = 2, KV = 1, D = 4, QKVO = (HEADS + 2 * KV) * D + C, MAX_VIEWS = 256 };

/* Indices into step_graph.weights. */
enum { W_EMBED, W_NORM1, W_QKVO, W_QGAIN, W_KGAIN, W_NORM2, W_UP, W_DOWN, W_FINAL };

static int add_variable(step_graph *step, const char *name, ms_variable_kind kind, ms_dtype dtype, ms_shape shape) {
    int index;
    CHECK_OK(ms_variables_add(step->variables, name, kind, dtype, shape, &index));
    return index;
}

static void add_weight(step_graph *step, const char *name, ms_shape shape) {
    char gradient[64];
    snprintf(gradient, sizeof gradient, "%s.gradient", name);
    step->weights[step->n_weights] = add_variable(step, name, MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shape);
    step->gradients[step->n_weights++] = add_variable(step, gradient, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shape);
}

/* x in the step's storage. */
static ms_tensor stored(step_graph *step, const step_options *options, ms_tensor x) {
    return options->storage == MS_DTYPE_F32 ? x : ms_cast(step->graph, x, options->storage);
}

/* x W^T (+ c). */
static ms_tensor linear(step_graph *step, const step_options *options, ms_tensor x, ms_tensor w, ms_tensor c) {
    ms_matmul_attributes attributes = {false, true, 1, 1, options->storage};
    return ms_matmul(step->graph, x, stored(step, options, w), c, &attributes);
}

static ms_tensor attention_part(step_graph *step, const step_options *options, int layer, ms_tensor h) {
    ms_graph *g = step->graph;
    ms_rope_attributes rope = {HEADS, D, options->sequence, true, true, 1e-6f};
    ms_tensor table = ms_view_all(g, step->table), parts[3], unused;
    const int heads[] = {HEADS, KV, KV}, gains[] = {W_QGAIN, W_KGAIN, -1};
    int64_t row = 0;
    for (int i = 0; i < 3; i++) {
        ms_tensor w = ms_view_rows(g, step->weights[W_QKVO], layer, row, heads[i] * D);
        row += heads[i] * D;
        parts[i] = linear(step, options, h, w, MS_NO_TENSOR);
        rope.heads = heads[i];
        if (gains[i] >= 0)
            ms_qk_norm_rope(g, (const ms_tensor[]){parts[i], table, ms_view_slice(g, step->weights[gains[i]], layer)},
                            &rope, &parts[i], &unused);
    }
    ms_attention_attributes attention = {options->n_sequences, options->sequence, HEADS, KV, D, 1 / sqrtf((float)D)};
    ms_tensor o;
    ms_attention(g, (const ms_tensor[]){parts[0], parts[1], parts[2]}, &attention, &o, &unused);
    return linear(step, options, o, ms_view_rows(g, step->weights[W_QKVO], layer, row, C), MS_NO_TENSOR);
}

static ms_tensor layer_of(step_graph *step, const step_options *options, int layer, ms_tensor x) {
    ms_graph *g = step->graph;
    ms_tensor h, unused;
    ms_rms_norm(g, x, ms_view_slice(g, step->weights[W_NORM1], layer), 1e-6f, &h, &unused);
    ms_tensor o = attention_part(step, options, layer, h);
    ms_add_rms_norm(g, (const ms_tensor[]){x, o, ms_view_slice(g, step->weights[W_NORM2], layer)}, 1e-6f, &x, &h,
                    &unused);
    ms_tensor up = ms_view_slice(g, step->weights[W_UP], layer), down = ms_view_slice(g, step->weights[W_DOWN], layer);
    ms_tensor hidden = linear(step, options, h, up, MS_NO_TENSOR);
    hidden = options->swiglu ? ms_swiglu(g, hidden, ms_relu2(g, hidden)) : ms_relu2(g, hidden);
    return linear(step, options, hidden, down, x);
}

static ms_tensor forward(step_graph *step, const step_options *options, int micro) {
    ms_graph *g = step->graph;
    int64_t n = (int64_t)options->n_sequences * options->sequence;
    ms_tensor embedding = ms_view_all(g, step->weights[W_EMBED]);
    ms_tensor x = ms_embed(g, embedding, ms_view(g, step->tokens, micro * n, ms_shape_1(n)), 2);
    x = stored(step, options, x);
    for (int layer = 0; layer < options->n_layers; layer++) {
        ms_graph_set_layer(g, layer);
        x = layer_of(step, options, layer, x);
    }
    ms_graph_set_layer(g, -1);
    ms_tensor unused, out[4];
    ms_rms_norm(g, x, ms_view_all(g, step->weights[W_FINAL]), 1e-6f, &x, &unused);
    ms_tied_cross_entropy_attributes attributes = {1 / (float)n, options->chunk, options->loss_gradient};
    ms_tensor targets = ms_view(g, step->targets, micro * n, ms_shape_1(n));
    ms_tied_cross_entropy(g, (const ms_tensor[]){x, stored(step, options, embedding), targets}, &attributes, out);
    return out[0];
}

/* Gradients of every view that the forward pass reads; from the second micro-batch on they are added to what is
   stored. */
static void backward(step_graph *step, const step_options *options, ms_tensor loss, bool add) {
    ms_graph *g = step->graph;
    ms_tensor wrt[MAX_VIEWS], into[MAX_VIEWS], gradients[MAX_VIEWS];
    int n = 0;
    ck_assert_int_le(2 + 10 * options->n_layers, MAX_VIEWS);
    for (int w = 0; w < step->n_weights; w++) {
        bool stacked = w != W_EMBED && w != W_FINAL;
        for (int layer = 0; layer < (stacked ? options->n_layers : 1); layer++) {
            if (w == W_QKVO) {
                const int64_t rows[] = {HEADS * D, KV * D, KV * D, C};
                for (int64_t i = 0, row = 0; i < 4; row += rows[i++]) {
                    wrt[n] = ms_view_rows(g, step->weights[w], layer, row, rows[i]);
                    into[n++] = ms_view_rows(g, step->gradients[w], layer, row, rows[i]);
                }
                continue;
            }
            wrt[n] = stacked ? ms_view_slice(g, step->weights[w], layer) : ms_view_all(g, step->weights[w]);
            into[n++] = stacked ? ms_view_slice(g, step->gradients[w], layer) : ms_view_all(g, step->gradients[w]);
        }
    }
    ms_gradient_options gradient_options = {options->recompute};
    CHECK_OK(ms_gradients(g, loss, wrt, n, &gradient_options, gradients));
    for (int i = 0; i < n; i++) {
        ck_assert_int_ne(gradients[i], MS_NO_TENSOR);
        ms_assign(g, add ? ms_add(g, into[i], gradients[i]) : gradients[i], into[i]);
    }
}

static void optimizer(step_graph *step, int momentum, int first, int second) {
    ms_graph *g = step->graph;
    ms_tensor up = ms_view_all(g, step->weights[W_UP]), gradient = ms_view_all(g, step->gradients[W_UP]);
    ms_ema_nesterov_attributes ema = {ms_step_scalar(1, 1), true};
    ms_tensor m = ms_view_all(g, momentum), m1, update;
    ms_tensor sums = ms_sum_squares(g, gradient, 0, NULL);
    ms_tensor clip = ms_clip_factor(g, sums, 1);
    ms_ema_nesterov(g, (const ms_tensor[]){m, gradient, clip}, &ema, &m1, &update);
    ms_assign(g, m1, m);
    for (int i = 0; i < 2; i++) {
        ms_tensor a = ms_gram(g, update, true);
        ms_tensor b = ms_matmul(g, a, a, a, &(ms_matmul_attributes){false, false, 2, -4, MS_DTYPE_F32});
        update = ms_matmul(g, update, b, update, &(ms_matmul_attributes){false, false, 1, 3, MS_DTYPE_F32});
    }
    ms_assign(g, ms_axpby(g, ms_constant(1), up, ms_step_scalar(-1, 0), update), up);
    ms_tensor e = ms_view_all(g, step->weights[W_EMBED]), outputs[3];
    ms_tensor inputs[] = {ms_view_all(g, first), ms_view_all(g, second), ms_view_all(g, step->gradients[W_EMBED]), e,
                          clip};
    ms_adamw_attributes adamw = {ms_step_scalar(1, 0), 0.9f, 0.99f, 1e-8f, 0.1f, ms_constant(1), ms_constant(1)};
    ms_adamw(g, inputs, &adamw, outputs);
    ms_assign(g, outputs[0], inputs[0]);
    ms_assign(g, outputs[1], inputs[1]);
    ms_assign(g, ms_axpby(g, ms_constant(1), e, ms_constant(-1), outputs[2]), e);
}

void step_build(const step_options *options, step_graph *out) {
    memset(out, 0, sizeof *out);
    CHECK_OK(ms_variables_create(&out->variables));
    int64_t l = options->n_layers, n = (int64_t)options->n_micro * options->n_sequences * options->sequence;
    out->step_scalars = add_variable(out, "step_scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(2));
    add_weight(out, "embedding", ms_shape_2(V, C));
    add_weight(out, "norm1", ms_shape_2(l, C));
    add_weight(out, "qkvo", ms_shape_3(l, QKVO, C));
    add_weight(out, "q_gain", ms_shape_2(l, D));
    add_weight(out, "k_gain", ms_shape_2(l, D));
    add_weight(out, "norm2", ms_shape_2(l, C));
    add_weight(out, "up", ms_shape_3(l, F, C));
    add_weight(out, "down", ms_shape_3(l, C, F));
    add_weight(out, "final", ms_shape_1(C));
    out->tokens = add_variable(out, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n));
    out->targets = add_variable(out, "targets", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n));
    ms_shape table = ms_shape_2(options->sequence, D);
    out->table = add_variable(out, "rope", MS_VARIABLE_CONSTANT, MS_DTYPE_F32, table);
    out->loss = add_variable(out, "loss", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(options->n_micro));
    int momentum = add_variable(out, "momentum", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_3(l, F, C));
    int first = add_variable(out, "first", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_2(V, C));
    int second = add_variable(out, "second", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_2(V, C));
    CHECK_OK(ms_graph_create(out->variables, out->step_scalars, &out->graph));
    for (int micro = 0; micro < options->n_micro; micro++) {
        ms_tensor loss = forward(out, options, micro);
        ms_assign(out->graph, loss, ms_view(out->graph, out->loss, micro, ms_shape_1(1)));
        backward(out, options, loss, micro > 0);
    }
    optimizer(out, momentum, first, second);
    CHECK_OK(ms_graph_status(out->graph));
}

void step_finish(step_graph *step) {
    ms_graph_destroy(step->graph);
    ms_variables_destroy(step->variables);
}

/* ---- random graphs ---- */

typedef struct generator {
    uint64_t state;
    ms_graph *graph;
    ms_tensor pool[256]; /* tensors [4,4] */
    int n_pool;
} generator;

static int pick(generator *r, int n) { return (int)((ms_congruential(&r->state) >> 33) % (uint64_t)n); }

/* A view [4,4] or, as another shape, [2,8] of 16 elements of variable 0 or 1 [3,4,4], at any multiple of 4: parts
   overlap. */
static ms_tensor random_view(generator *r) {
    int variable = pick(r, 2);
    int64_t offset = pick(r, 2) ? 16 * pick(r, 3) : 4 * pick(r, 9);
    return ms_view(r->graph, variable, offset, ms_shape_2(4, 4));
}

/* Mostly a recent tensor, so that values die in chains. */
static ms_tensor random_input(generator *r) {
    if (r->n_pool == 0 || pick(r, 4) == 0) return random_view(r);
    int depth = pick(r, 3) ? 3 : r->n_pool;
    if (depth > r->n_pool) depth = r->n_pool;
    return r->pool[r->n_pool - 1 - pick(r, depth)];
}

static void keep(generator *r, ms_tensor tensor) {
    if (r->n_pool < 256) r->pool[r->n_pool++] = tensor;
}

/* Assigns x, through an op where it is a part of the same variable: such parts must not overlap. */
static void random_assignment(generator *r, ms_tensor x) {
    ms_tensor view = random_view(r);
    const ms_tensor_info *from = ms_graph_tensor(r->graph, x), *to = ms_graph_tensor(r->graph, view);
    bool same_variable = from->variable == to->variable && from->variable >= 0;
    ms_assign(r->graph, same_variable ? ms_relu2(r->graph, x) : x, view);
}

/* A matmul of two tensors in bf16, whose result is cast back, and used in bf16 before that or not. */
static void random_bf16(generator *r, ms_tensor a, ms_tensor b, ms_tensor c) {
    ms_graph *g = r->graph;
    ms_matmul_attributes attributes = {false, pick(r, 2) != 0, 1, 1, MS_DTYPE_BF16};
    ms_tensor x = ms_cast(g, a, MS_DTYPE_BF16), y = ms_matmul(g, x, b, MS_NO_TENSOR, &attributes);
    if (pick(r, 2)) y = ms_matmul(g, y, x, pick(r, 2) ? y : ms_cast(g, c, MS_DTYPE_BF16), &attributes);
    if (pick(r, 2)) keep(r, ms_cast(g, ms_axpby(g, ms_constant(1), x, ms_step_scalar(1, 0), y), MS_DTYPE_F32));
    if (pick(r, 2)) y = ms_relu2(g, ms_reshape(g, y, ms_shape_2(2, 8)));
    keep(r, ms_cast(g, ms_reshape(g, y, ms_shape_2(4, 4)), MS_DTYPE_F32));
}

static void random_node(generator *r) {
    ms_graph *g = r->graph;
    ms_tensor a = random_input(r), b = random_input(r), c = random_input(r), outputs[3];
    int begin = pick(r, 3);
    switch (pick(r, 16)) {
    case 0:
        keep(r, ms_axpby(g, ms_step_scalar(1, 0), a, ms_constant(2), b));
        break;
    case 1:
        keep(r, ms_mul(g, a, b));
        break;
    case 2:
        keep(r, ms_relu2(g, a));
        break;
    case 3:
        keep(r, ms_relu2_grad(g, a, b));
        break;
    case 4:
        ms_swiglu_grad(g, a, b, c, &outputs[0], &outputs[1]);
        keep(r, outputs[pick(r, 2)]);
        break;
    case 5: { /* through another shape, twice */
        ms_tensor wide = ms_reshape(g, a, ms_shape_2(2, 8));
        keep(r, ms_reshape(g, pick(r, 2) ? wide : ms_relu2(g, wide), ms_shape_2(4, 4)));
        break;
    }
    case 6:
        keep(r, ms_insert(g, a, ms_slice(g, b, begin, 2), begin));
        break;
    case 7:
        keep(r, ms_matmul(g, a, b, c, &(ms_matmul_attributes){false, pick(r, 2) != 0, 1, 1, MS_DTYPE_F32}));
        break;
    case 8:
        keep(r, ms_gram(g, a, false));
        break;
    case 9: {
        ms_tensor inputs[] = {a, b, c, random_input(r), MS_NO_TENSOR};
        ms_adamw_attributes adamw = {ms_step_scalar(1, 1), 0.9f, 0.99f, 1e-8f, 0, ms_constant(1), ms_constant(1)};
        ms_adamw(g, inputs, &adamw, outputs);
        for (int i = 0; i < 3; i++) keep(r, outputs[i]);
        break;
    }
    case 10:
        keep(r, ms_fill(g, 0, MS_DTYPE_F32, ms_shape_2(4, 4)));
        break;
    case 11: { /* accumulation into a view */
        ms_tensor view = random_view(r);
        ms_assign(g, ms_matmul(g, a, b, view, &(ms_matmul_attributes){true, false, 1, 1, MS_DTYPE_F32}), view);
        break;
    }
    case 12:
    case 13:
        random_bf16(r, a, b, c);
        break;
    default:
        random_assignment(r, a);
    }
}

void random_graph(unsigned seed, int n_nodes, ms_variables **out_variables, ms_graph **out_graph) {
    generator r = {.state = seed};
    int index;
    CHECK_OK(ms_variables_create(out_variables));
    CHECK_OK(ms_variables_add(*out_variables, "a", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_3(3, 4, 4), &index));
    CHECK_OK(ms_variables_add(*out_variables, "b", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_3(3, 4, 4), &index));
    CHECK_OK(ms_variables_add(*out_variables, "s", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(2), &index));
    CHECK_OK(ms_graph_create(*out_variables, index, out_graph));
    r.graph = *out_graph;
    while (ms_graph_n_nodes(*out_graph) < n_nodes) random_node(&r);
    for (int i = 0; i < 3; i++) random_assignment(&r, random_input(&r));
    CHECK_OK(ms_graph_status(*out_graph));
}

char *graph_text(const ms_graph *graph) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    CHECK_OK(ms_graph_print(graph, stream));
    fclose(stream);
    return text;
}

int count_op(const ms_graph *graph, ms_op op) {
    int n = 0;
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) n += ms_graph_node(graph, i)->op == op;
    return n;
}
