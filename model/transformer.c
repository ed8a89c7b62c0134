/* The forward pass of the transformer, and its gradients. */
#include <math.h>
#include <stdlib.h>

#include "backend/ir/build.h"
#include "backend/ir/gradient.h"
#include "model/model.h"

/* Parameters of one layer: matrices as matmuls read them (in the model's storage), the rest as views. */
typedef struct layer_views {
    ms_tensor q, k, v, o, up, gate, down, q_bias, k_bias, v_bias, q_norm, k_norm, attention_norm, feed_forward_norm,
        attention_scale, feed_forward_scale;
} layer_views;

static ms_tensor optional_slice(ms_graph *graph, int variable, int layer) {
    return variable < 0 ? MS_NO_TENSOR : ms_view_slice(graph, variable, layer);
}

/* A vector [rows] of a layer as a matrix of one row, as matmuls read it. */
static ms_tensor view_row(ms_graph *graph, const ms_model *model, int variable, int layer) {
    int64_t rows = ms_variables_get(model->variables, variable)->shape.dim[1];
    return ms_view(graph, variable, layer * rows, ms_shape_2(1, rows));
}

static ms_tensor optional_row(ms_graph *graph, const ms_model *model, int variable, int layer) {
    return variable < 0 ? MS_NO_TENSOR : view_row(graph, model, variable, layer);
}

/* x in the dtype of the model's storage (`train.storage`). */
static ms_tensor cast_to_storage(const ms_model *model, ms_graph *graph, ms_tensor x) {
    return model->config.storage == MS_DTYPE_F32 || x == MS_NO_TENSOR ? x : ms_cast(graph, x, model->config.storage);
}

/* Call it outside of any layer: a matrix is converted once a run and kept, not again when its layer is recomputed. */
static layer_views view_layer(const ms_model *model, ms_graph *graph, int layer) {
    const ms_model_config *c = &model->config;
    layer_views views;
    if (c->merged) {
        int64_t q_rows = (int64_t)c->heads * c->head_size, kv_rows = (int64_t)c->kv_heads * c->head_size;
        views.q = ms_view_rows(graph, model->qkvo, layer, 0, q_rows);
        views.k = ms_view_rows(graph, model->qkvo, layer, q_rows, kv_rows);
        views.v = ms_view_rows(graph, model->qkvo, layer, q_rows + kv_rows, kv_rows);
        views.o = ms_view_rows(graph, model->qkvo, layer, q_rows + 2 * kv_rows, c->width);
    } else {
        views.q = ms_view_slice(graph, model->q, layer);
        views.k = ms_view_slice(graph, model->k, layer);
        views.v = ms_view_slice(graph, model->v, layer);
        views.o = ms_view_slice(graph, model->o, layer);
    }
    views.up = ms_view_slice(graph, model->up, layer);
    views.gate = optional_slice(graph, model->gate, layer);
    views.down = ms_view_slice(graph, model->down, layer);
    views.q_bias = optional_row(graph, model, model->q_bias, layer);
    views.k_bias = optional_row(graph, model, model->k_bias, layer);
    views.v_bias = optional_row(graph, model, model->v_bias, layer);
    ms_tensor *const matrices[] = {&views.q,    &views.k,    &views.v,      &views.o,      &views.up,
                                   &views.gate, &views.down, &views.q_bias, &views.k_bias, &views.v_bias};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        *matrices[i] = cast_to_storage(model, graph, *matrices[i]);
    views.q_norm = optional_slice(graph, model->q_norm, layer);
    views.k_norm = optional_slice(graph, model->k_norm, layer);
    views.attention_norm = ms_view_slice(graph, model->attention_norm, layer);
    views.feed_forward_norm = ms_view_slice(graph, model->feed_forward_norm, layer);
    views.attention_scale = views.feed_forward_scale = MS_NO_TENSOR;
    if (model->residual_scale >= 0) {
        int64_t stride = c->residual_scale == MS_RESIDUAL_LEARNED_BRANCH ? 2 : 1;
        views.attention_scale = ms_view(graph, model->residual_scale, stride * layer, ms_shape_1(1));
        views.feed_forward_scale = ms_view(graph, model->residual_scale, stride * layer + stride - 1, ms_shape_1(1));
    }
    return views;
}

/* What becomes of the largest logits that the model keeps. */
typedef enum logits_use { LOGITS_LEFT, LOGITS_ASSIGNED, LOGITS_ACCUMULATED } logits_use;

typedef struct forward_pass {
    const ms_model *model;
    ms_graph *graph;
    int batch, sequence;
    ms_layer_activations *layers; /* NULL: nobody wants them */
    logits_use logits;
    const ms_model_cache *cache; /* NULL: none */
    ms_tensor rows;              /* of the cache, where the pass's keys and values go */
    bool decodes;                /* attention is over the cache, else over the pass's own tokens */
    ms_tensor rope_table;        /* [sequence, D] */
    ms_tensor ones;              /* [N, 1] in the model's storage; MS_NO_TENSOR where nothing has a bias */
} forward_pass;

/* y = x W^T in the model's storage, W [out, in]. */
static ms_tensor linear(const forward_pass *pass, ms_tensor x, ms_tensor weight) {
    ms_matmul_attributes attributes = {false, true, 1, 0, pass->model->config.storage};
    return ms_matmul(pass->graph, x, weight, MS_NO_TENSOR, &attributes);
}

/* y = x W^T + b, bias [1, out] or MS_NO_TENSOR.  Each row of y begins as b, the product of a column of ones and b: the
   gradient of b is then the matmul that sums the columns of dy, and no device needs a kernel for biases. */
static ms_tensor linear_with_bias(const forward_pass *pass, ms_tensor x, ms_tensor weight, ms_tensor bias) {
    if (bias == MS_NO_TENSOR) return linear(pass, x, weight);
    ms_dtype dtype = pass->model->config.storage;
    ms_matmul_attributes spread = {false, false, 1, 0, dtype}, attributes = {false, true, 1, 1, dtype};
    ms_tensor rows = ms_matmul(pass->graph, pass->ones, bias, MS_NO_TENSOR, &spread);
    return ms_matmul(pass->graph, x, weight, rows, &attributes);
}

/* What is added to the residual stream: the branch times its fixed or learned scale. */
static ms_tensor scaled(const ms_model *model, ms_graph *graph, ms_tensor branch, ms_tensor scale) {
    if (scale != MS_NO_TENSOR) return ms_mul(graph, branch, scale);
    if (model->config.residual_scale_init == 1) return branch;
    return ms_axpby(graph, ms_constant(model->config.residual_scale_init), branch, ms_constant(0), MS_NO_TENSOR);
}

/* Keeps the largest logit of each head of a layer. */
static void keep_logit_max(const forward_pass *pass, int layer, const ms_layer_activations *made,
                           const ms_attention_attributes *attention) {
    if (pass->logits == LOGITS_LEFT || pass->model->logit_max < 0) return;
    ms_tensor kept = ms_view_slice(pass->graph, pass->model->logit_max, layer);
    ms_tensor largest = ms_attention_logit_max(pass->graph, made->q, made->k, attention);
    if (pass->logits == LOGITS_ACCUMULATED) largest = ms_maximum(pass->graph, kept, largest);
    ms_assign(pass->graph, largest, kept);
}

/* The cache's part of a layer, with the rows of this pass replaced by x. */
static ms_tensor fill_cache(const forward_pass *pass, int32_t variable, int layer, ms_tensor x) {
    ms_tensor kept = ms_view_slice(pass->graph, variable, layer);
    ms_tensor filled = ms_insert_rows(pass->graph, kept, x, pass->rows);
    ms_assign(pass->graph, filled, kept);
    return filled;
}

/* What the heads make of q, k and v. */
static ms_tensor attend(const forward_pass *pass, int layer, const ms_layer_activations *made, ms_tensor v) {
    const ms_model_config *c = &pass->model->config;
    ms_tensor k = made->k, o, unused;
    ms_attention_attributes attention = {.batch = pass->batch,
                                         .sequence = pass->sequence,
                                         .heads = c->heads,
                                         .kv_heads = c->kv_heads,
                                         .head_size = c->head_size,
                                         .scale = (float)(1.0 / sqrt((double)c->head_size))};
    keep_logit_max(pass, layer, made, &attention);
    if (pass->cache) {
        ms_tensor all_k = fill_cache(pass, pass->cache->k, layer, k),
                  all_v = fill_cache(pass, pass->cache->v, layer, v);
        if (pass->decodes) {
            attention.batch = pass->cache->n_texts;
            attention.sequence = c->sequence_length;
            return ms_cached_attention(pass->graph, (const ms_tensor[]){made->q, all_k, all_v, pass->rows}, &attention);
        }
    }
    ms_attention(pass->graph, (const ms_tensor[]){made->q, k, v}, &attention, &o, &unused);
    return o;
}

static ms_tensor attention_branch(const forward_pass *pass, int layer, const layer_views *views, ms_tensor x,
                                  ms_layer_activations *made) {
    const ms_model_config *c = &pass->model->config;
    ms_tensor q, k, unused;
    ms_rope_attributes rope = {.heads = c->heads,
                               .head_size = c->head_size,
                               .sequence = pass->sequence,
                               .interleaved = c->rope_layout == MS_ROPE_INTERLEAVED,
                               .normalise = c->qk_norm,
                               .epsilon = c->norm_epsilon};
    q = linear_with_bias(pass, x, views->q, views->q_bias);
    ms_qk_norm_rope(pass->graph, (const ms_tensor[]){q, pass->rope_table, views->q_norm}, &rope, &q, &unused);
    rope.heads = c->kv_heads;
    k = linear_with_bias(pass, x, views->k, views->k_bias);
    ms_qk_norm_rope(pass->graph, (const ms_tensor[]){k, pass->rope_table, views->k_norm}, &rope, &k, &unused);
    made->q = q;
    made->k = k;
    ms_tensor o = attend(pass, layer, made, linear_with_bias(pass, x, views->v, views->v_bias));
    return scaled(pass->model, pass->graph, linear(pass, o, views->o), views->attention_scale);
}

static ms_tensor feed_forward_branch(const forward_pass *pass, const layer_views *views, ms_tensor x,
                                     ms_layer_activations *made) {
    ms_tensor up = linear(pass, x, views->up), hidden;
    switch (pass->model->config.activation) {
    case MS_ACTIVATION_SWIGLU:
        hidden = ms_swiglu(pass->graph, linear(pass, x, views->gate), up);
        break;
    case MS_ACTIVATION_GELU_TANH:
        hidden = ms_gelu_tanh(pass->graph, up);
        break;
    default:
        hidden = ms_relu2(pass->graph, up);
    }
    made->hidden = hidden;
    return scaled(pass->model, pass->graph, linear(pass, hidden, views->down), views->feed_forward_scale);
}

/* x += branch; y = rms_norm(x, gain). */
static ms_tensor add_and_norm(const forward_pass *pass, ms_tensor *x, ms_tensor branch, ms_tensor gain) {
    ms_tensor y, rstd;
    ms_add_rms_norm(pass->graph, (const ms_tensor[]){*x, branch, gain}, pass->model->config.norm_epsilon, x, &y, &rstd);
    return y;
}

/* Keeps what a layer made, when the next one has added its branch to the stream. */
static void keep_layer(const forward_pass *pass, int layer, ms_layer_activations made, ms_tensor stream) {
    if (!pass->layers) return;
    made.stream = stream;
    pass->layers[layer] = made;
}

static ms_tensor forward(forward_pass pass, ms_tensor tokens) {
    const ms_model *model = pass.model;
    const ms_model_config *c = &model->config;
    ms_graph *graph = pass.graph;
    ms_layer_activations made = {MS_NO_TENSOR, MS_NO_TENSOR, MS_NO_TENSOR, MS_NO_TENSOR};
    if (!pass.decodes) pass.rope_table = ms_view(graph, model->rope_table, 0, ms_shape_2(pass.sequence, c->head_size));
    ms_graph_set_layer(graph, -1);
    pass.ones =
        c->qkv_bias ? ms_fill(graph, 1, c->storage, ms_shape_2((int64_t)pass.batch * pass.sequence, 1)) : MS_NO_TENSOR;
    float embedding_scale = ms_model_embedding_scale(c);
    ms_tensor x =
        cast_to_storage(model, graph, ms_embed(graph, ms_view_all(graph, model->embedding), tokens, embedding_scale));
    /* With recomputation a layer keeps only its input: one tensor, so the sum is made before the layer begins.  In bf16
       it always is, because there a norm of the sum sees it rounded when it is stored first, and recomputation must not
       change bits. */
    bool sum_first = c->recompute || c->storage != MS_DTYPE_F32;
    ms_tensor pending = MS_NO_TENSOR; /* the previous layer's branch, not yet added to x */
    for (int layer = 0; layer < c->layers; layer++) {
        ms_graph_set_layer(graph, -1);
        layer_views views = view_layer(model, graph, layer);
        ms_graph_set_layer(graph, layer - 1);
        ms_tensor normed, rstd;
        if (pending != MS_NO_TENSOR && sum_first) {
            x = ms_add(graph, x, pending);
            pending = MS_NO_TENSOR;
        }
        ms_graph_set_layer(graph, layer);
        if (pending == MS_NO_TENSOR) {
            ms_rms_norm(graph, x, views.attention_norm, c->norm_epsilon, &normed, &rstd);
        } else {
            normed = add_and_norm(&pass, &x, pending, views.attention_norm);
        }
        if (layer > 0) keep_layer(&pass, layer - 1, made, x);
        ms_tensor attention = attention_branch(&pass, layer, &views, normed, &made);
        normed = add_and_norm(&pass, &x, attention, views.feed_forward_norm);
        pending = feed_forward_branch(&pass, &views, normed, &made);
    }
    ms_graph_set_layer(graph, -1);
    ms_tensor normed = add_and_norm(&pass, &x, pending, ms_view_all(graph, model->final_norm));
    keep_layer(&pass, c->layers - 1, made, x);
    return normed;
}

ms_tensor ms_model_hidden(const ms_model *model, ms_graph *graph, ms_tensor tokens, int batch, int sequence) {
    return forward((forward_pass){.model = model, .graph = graph, .batch = batch, .sequence = sequence}, tokens);
}

void ms_model_activations(const ms_model *model, ms_graph *graph, ms_tensor tokens, int batch, int sequence,
                          ms_layer_activations *out) {
    forward((forward_pass){.model = model, .graph = graph, .batch = batch, .sequence = sequence, .layers = out},
            tokens);
}

static ms_tensor losses_of(const ms_model *model, ms_graph *graph, const ms_loss_request *request, logits_use logits,
                           ms_tensor *out_losses) {
    ms_tensor hidden = forward(
        (forward_pass){
            .model = model, .graph = graph, .batch = request->batch, .sequence = request->sequence, .logits = logits},
        request->tokens);
    ms_tied_cross_entropy_attributes attributes = {
        .scale = request->scale, .chunk = request->chunk, .dtype = request->gradient};
    ms_tensor out[4];
    ms_tensor head = cast_to_storage(model, graph, ms_view_all(graph, model->head));
    ms_tied_cross_entropy(graph, (const ms_tensor[]){hidden, head, request->targets}, &attributes, out);
    *out_losses = out[3];
    return out[0];
}

ms_tensor ms_model_losses(const ms_model *model, ms_graph *graph, const ms_loss_request *request,
                          ms_tensor *out_losses) {
    return losses_of(model, graph, request, LOGITS_LEFT, out_losses);
}

ms_tensor ms_model_loss(const ms_model *model, ms_graph *graph, const ms_loss_request *request) {
    ms_tensor unused;
    return ms_model_losses(model, graph, request, &unused);
}

/* One differentiated part of a parameter and the same part of its gradient variable. */
typedef struct gradient_part {
    ms_tensor weight, gradient;
} gradient_part;

/* Appends the parts in which the forward pass reads a parameter: they must be the very views it used. */
static int add_parts(const ms_model *model, ms_graph *graph, const ms_parameter *parameter, gradient_part *parts) {
    const ms_model_config *c = &model->config;
    ms_shape shape = ms_variables_get(model->variables, parameter->variable)->shape;
    int n = 0;
    if (parameter->role == MS_ROLE_EMBEDDING || parameter->role == MS_ROLE_HEAD ||
        parameter->variable == model->final_norm) {
        parts[n++] = (gradient_part){ms_view_all(graph, parameter->variable), ms_view_all(graph, parameter->gradient)};
        return n;
    }
    for (int layer = 0; layer < c->layers; layer++) {
        if (parameter->role == MS_ROLE_SCALE) {
            int64_t stride = shape.rank == 2 ? shape.dim[1] : 1;
            for (int64_t i = 0; i < stride; i++)
                parts[n++] = (gradient_part){ms_view(graph, parameter->variable, layer * stride + i, ms_shape_1(1)),
                                             ms_view(graph, parameter->gradient, layer * stride + i, ms_shape_1(1))};
        } else if (parameter->role == MS_ROLE_BIAS) {
            parts[n++] = (gradient_part){view_row(graph, model, parameter->variable, layer),
                                         view_row(graph, model, parameter->gradient, layer)};
        } else if (parameter->n_groups > 1) {
            int64_t begin = 0;
            for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++])
                parts[n++] =
                    (gradient_part){ms_view_rows(graph, parameter->variable, layer, begin, parameter->group_rows[i]),
                                    ms_view_rows(graph, parameter->gradient, layer, begin, parameter->group_rows[i])};
        } else {
            parts[n++] = (gradient_part){ms_view_slice(graph, parameter->variable, layer),
                                         ms_view_slice(graph, parameter->gradient, layer)};
        }
    }
    return n;
}

static ms_status differentiate(const ms_model *model, ms_graph *graph, ms_tensor loss, bool accumulate) {
    int capacity = model->n_parameters * model->config.layers * MS_MAX_ROW_GROUPS + model->n_parameters;
    gradient_part *parts = malloc((size_t)capacity * sizeof *parts);
    ms_tensor *weights = malloc((size_t)capacity * sizeof *weights);
    ms_tensor *gradients = malloc((size_t)capacity * sizeof *gradients);
    ms_status status =
        parts && weights && gradients ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "model: no memory for gradients");
    int n = 0;
    if (status == MS_OK) {
        for (int i = 0; i < model->n_parameters; i++) n += add_parts(model, graph, &model->parameters[i], parts + n);
        for (int i = 0; i < n; i++) weights[i] = parts[i].weight;
        status = ms_graph_status(graph);
    }
    ms_gradient_options options = {.recompute = model->config.recompute};
    if (status == MS_OK) status = ms_gradients(graph, loss, weights, n, &options, gradients);
    for (int i = 0; status == MS_OK && i < n; i++) {
        ms_tensor gradient = gradients[i];
        if (gradient == MS_NO_TENSOR) {
            status = MS_FAIL(MS_INTERNAL, "model: the loss does not depend on part %d of %d of the parameters", i, n);
            break;
        }
        if (accumulate) gradient = ms_add(graph, parts[i].gradient, gradient);
        ms_assign(graph, gradient, parts[i].gradient);
    }
    free(parts);
    free(weights);
    free(gradients);
    return status;
}

ms_tensor ms_model_loss_and_gradients(const ms_model *model, ms_graph *graph, const ms_loss_request *request,
                                      bool accumulate) {
    ms_tensor unused;
    ms_tensor loss = losses_of(model, graph, request, accumulate ? LOGITS_ACCUMULATED : LOGITS_ASSIGNED, &unused);
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_status status = differentiate(model, graph, loss, accumulate);
    if (status != MS_OK) {
        ms_graph_fail(graph, status);
        return MS_NO_TENSOR;
    }
    return loss;
}

/* rows: which; MS_NO_TENSOR: all. */
static ms_tensor logits_of(const ms_model *model, ms_graph *graph, ms_tensor hidden, ms_tensor rows) {
    if (model->config.storage != MS_DTYPE_F32) hidden = ms_cast(graph, hidden, MS_DTYPE_F32);
    if (rows != MS_NO_TENSOR) hidden = ms_embed(graph, hidden, rows, 1);
    ms_tensor head = cast_to_storage(model, graph, ms_view_all(graph, model->head));
    return ms_matmul(graph, hidden, head, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
}

ms_tensor ms_model_logits(const ms_model *model, ms_graph *graph, ms_tensor hidden) {
    return logits_of(model, graph, hidden, MS_NO_TENSOR);
}

ms_tensor ms_model_logits_of_row(const ms_model *model, ms_graph *graph, ms_tensor hidden, ms_tensor row) {
    return logits_of(model, graph, hidden, row);
}

ms_status ms_model_cache_init(const ms_model *model, int32_t n_texts, ms_model_cache *out) {
    const ms_model_config *c = &model->config;
    if (n_texts < 1 || n_texts > INT32_MAX / c->sequence_length)
        return MS_FAIL(MS_INVALID, "model: a cache for %d texts of %d tokens, must be 1 to %d texts", n_texts,
                       c->sequence_length, INT32_MAX / c->sequence_length);
    ms_shape shape = ms_shape_3(c->layers, (int64_t)n_texts * c->sequence_length, (int64_t)c->kv_heads * c->head_size);
    out->n_texts = n_texts;
    MS_TRY(ms_variables_add(model->variables, "cache.k", MS_VARIABLE_STATE, c->storage, shape, &out->k));
    return ms_variables_add(model->variables, "cache.v", MS_VARIABLE_STATE, c->storage, shape, &out->v);
}

ms_tensor ms_model_prefill(const ms_model *model, ms_graph *graph, const ms_model_cache *cache, ms_tensor tokens,
                           ms_tensor rows, int sequence) {
    return forward(
        (forward_pass){.model = model, .graph = graph, .batch = 1, .sequence = sequence, .cache = cache, .rows = rows},
        tokens);
}

ms_tensor ms_model_decode(const ms_model *model, ms_graph *graph, const ms_model_cache *cache,
                          const ms_decode_request *request) {
    /* Row n of a table of the positions' rows is row n % n of it: rotation asks for no more. */
    ms_tensor table = ms_embed(graph, ms_view_all(graph, model->rope_table), request->positions, 1);
    return forward((forward_pass){.model = model,
                                  .graph = graph,
                                  .batch = 1,
                                  .sequence = request->n,
                                  .cache = cache,
                                  .rows = request->rows,
                                  .decodes = true,
                                  .rope_table = table},
                   request->tokens);
}
