/* Configuration checks and the variables of a model. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "platform/choice.h"

const char *const ms_activation_names[] = {
    [MS_ACTIVATION_RELU2] = "relu2", [MS_ACTIVATION_SWIGLU] = "swiglu", [MS_ACTIVATION_GELU_TANH] = "gelu_tanh", NULL};
const char *const ms_rope_layout_names[] = {
    [MS_ROPE_INTERLEAVED] = "interleaved", [MS_ROPE_HALF_SPLIT] = "half_split", NULL};
const char *const ms_rope_scaling_names[] = {
    [MS_ROPE_SCALING_NONE] = "none", [MS_ROPE_SCALING_LINEAR] = "linear", [MS_ROPE_SCALING_LLAMA3] = "llama3", NULL};
const char *const ms_residual_scale_names[] = {[MS_RESIDUAL_FIXED] = "fixed",
                                               [MS_RESIDUAL_LEARNED_LAYER] = "learned_layer",
                                               [MS_RESIDUAL_LEARNED_BRANCH] = "learned_branch",
                                               NULL};
const char *const ms_init_scheme_names[] = {
    [MS_INIT_NORMAL] = "normal", [MS_INIT_SLOPE] = "slope", [MS_INIT_STRETCHED] = "stretched", NULL};
const char *const ms_storage_names[] = {[MS_DTYPE_F32] = "f32", [MS_DTYPE_BF16] = "bf16", NULL};

float ms_model_embedding_scale(const ms_model_config *config) {
    return config->embedding_scale > 0 ? config->embedding_scale : (float)sqrt((double)config->width);
}

static ms_status check_choices(const ms_model_config *c) {
    MS_TRY(ms_choice_check("model: activation", (int)c->activation, ms_activation_names));
    MS_TRY(ms_choice_check("model: storage", (int)c->storage, ms_storage_names));
    MS_TRY(ms_choice_check("model: rope_layout", (int)c->rope_layout, ms_rope_layout_names));
    MS_TRY(ms_choice_check("model: rope_scaling", (int)c->rope_scaling, ms_rope_scaling_names));
    MS_TRY(ms_choice_check("model: residual_scale", (int)c->residual_scale, ms_residual_scale_names));
    return ms_choice_check("model: init_scheme", (int)c->init_scheme, ms_init_scheme_names);
}

static ms_status check_rope(const ms_model_config *c) {
    if (c->rope_scaling == MS_ROPE_SCALING_NONE) return MS_OK;
    if (!(c->rope_factor >= 1) || !isfinite(c->rope_factor))
        return MS_FAIL(MS_INVALID, "model: rope_factor is %g, must be at least 1", c->rope_factor);
    if (c->rope_scaling == MS_ROPE_SCALING_LINEAR) return MS_OK;
    if (!(c->rope_low > 0) || !(c->rope_high > c->rope_low) || !isfinite(c->rope_high) || c->rope_original_length < 1)
        return MS_FAIL(MS_INVALID,
                       "model: rope_scaling llama3 needs 0 < low < high and an original length, not %g, %g and %d",
                       c->rope_low, c->rope_high, c->rope_original_length);
    return MS_OK;
}

static ms_status check_config(const ms_model_config *c) {
    MS_TRY(check_rope(c));
    const struct {
        const char *name;
        int32_t value;
    } sizes[] = {{"layers", c->layers},         {"width", c->width},
                 {"heads", c->heads},           {"kv_heads", c->kv_heads},
                 {"head_size", c->head_size},   {"feed_forward", c->feed_forward},
                 {"vocabulary", c->vocabulary}, {"sequence_length", c->sequence_length}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < 1)
            return MS_FAIL(MS_INVALID, "model: %s is %d, must be at least 1", sizes[i].name, sizes[i].value);
    if (c->heads % c->kv_heads != 0)
        return MS_FAIL(MS_INVALID, "model: %d heads are not a multiple of %d kv_heads", c->heads, c->kv_heads);
    if (c->head_size % 2 != 0)
        return MS_FAIL(MS_INVALID, "model: head_size %d is odd, rotary embedding needs pairs", c->head_size);
    if (c->merged && c->heads * c->head_size != c->width)
        return MS_FAIL(MS_INVALID,
                       "model: a merged attention matrix needs heads * head_size = width, but %d * %d is not %d",
                       c->heads, c->head_size, c->width);
    if (c->sequence_length < 2)
        return MS_FAIL(MS_INVALID, "model: sequence_length %d leaves no token to predict", c->sequence_length);
    const struct {
        const char *name;
        float value;
    } reals[] = {
        {"norm_epsilon", c->norm_epsilon}, {"rope_base", c->rope_base}, {"init_depth_factor", c->init_depth_factor}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!(reals[i].value > 0) || !isfinite(reals[i].value))
            return MS_FAIL(MS_INVALID, "model: %s is %g, must be positive", reals[i].name, (double)reals[i].value);
    for (int i = 0; i < MS_N_PROJECTIONS; i++)
        if (!(c->init_sigma[i] >= 0) || !isfinite(c->init_sigma[i]))
            return MS_FAIL(MS_INVALID, "model: init_sigma of %s is %g, must be 0 or positive", ms_projection_names[i],
                           (double)c->init_sigma[i]);
    if (!(c->embedding_scale >= 0) || !isfinite(c->embedding_scale))
        return MS_FAIL(MS_INVALID, "model: embedding_scale is %g, must be positive, or 0 for sqrt(width)",
                       (double)c->embedding_scale);
    if (!(c->init_std >= 0) || !isfinite(c->init_std) || !isfinite(c->residual_scale_init))
        return MS_FAIL(MS_INVALID, "model: init std %g and residual scale %g must be finite, std not negative",
                       (double)c->init_std, (double)c->residual_scale_init);
    return MS_OK;
}

/* Adds a parameter and its gradient. */
static ms_status add_parameter(ms_model *model, const char *name, ms_parameter_role role, ms_shape shape,
                               int32_t *out_variable) {
    char gradient_name[96];
    int variable, gradient;
    MS_TRY(ms_variables_add(model->variables, name, MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shape, &variable));
    snprintf(gradient_name, sizeof gradient_name, "gradient.%s", name);
    MS_TRY(ms_variables_add(model->variables, gradient_name, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shape, &gradient));
    ms_parameter *parameter = &model->parameters[model->n_parameters++];
    *parameter = (ms_parameter){.variable = variable, .gradient = gradient, .role = role};
    model->parameter_count += ms_shape_count(&shape);
    *out_variable = variable;
    return MS_OK;
}

/* Adds a matrix [L, rows, columns] of one row group. */
static ms_status add_matrix(ms_model *model, const char *name, const char *group, int64_t rows, int64_t columns,
                            int32_t *out_variable) {
    MS_TRY(add_parameter(model, name, MS_ROLE_MATRIX, ms_shape_3(model->config.layers, rows, columns), out_variable));
    ms_parameter *parameter = &model->parameters[model->n_parameters - 1];
    parameter->n_groups = 1;
    parameter->group_rows[0] = rows;
    parameter->group_names[0] = group;
    return MS_OK;
}

static ms_status add_attention(ms_model *model) {
    const ms_model_config *c = &model->config;
    int64_t q_rows = (int64_t)c->heads * c->head_size, kv_rows = (int64_t)c->kv_heads * c->head_size;
    if (!c->merged) {
        MS_TRY(add_matrix(model, "blocks.attention.q.weight", "q", q_rows, c->width, &model->q));
        MS_TRY(add_matrix(model, "blocks.attention.k.weight", "k", kv_rows, c->width, &model->k));
        MS_TRY(add_matrix(model, "blocks.attention.v.weight", "v", kv_rows, c->width, &model->v));
        return add_matrix(model, "blocks.attention.o.weight", "o", c->width, q_rows, &model->o);
    }
    MS_TRY(add_matrix(model, "blocks.attention.qkvo.weight", "q", q_rows + 2 * kv_rows + c->width, c->width,
                      &model->qkvo));
    ms_parameter *parameter = &model->parameters[model->n_parameters - 1];
    const int64_t rows[] = {q_rows, kv_rows, kv_rows, c->width};
    static const char *const names[] = {"q", "k", "v", "o"};
    parameter->n_groups = 4;
    for (int i = 0; i < 4; i++) {
        parameter->group_rows[i] = rows[i];
        parameter->group_names[i] = names[i];
    }
    return MS_OK;
}

static ms_status add_biases(ms_model *model) {
    const ms_model_config *c = &model->config;
    ms_shape queries = ms_shape_2(c->layers, (int64_t)c->heads * c->head_size);
    ms_shape keys = ms_shape_2(c->layers, (int64_t)c->kv_heads * c->head_size);
    if (!c->qkv_bias) return MS_OK;
    MS_TRY(add_parameter(model, "blocks.attention.q.bias", MS_ROLE_BIAS, queries, &model->q_bias));
    MS_TRY(add_parameter(model, "blocks.attention.k.bias", MS_ROLE_BIAS, keys, &model->k_bias));
    return add_parameter(model, "blocks.attention.v.bias", MS_ROLE_BIAS, keys, &model->v_bias);
}

static ms_status add_norms_and_scales(ms_model *model) {
    const ms_model_config *c = &model->config;
    ms_shape per_layer = ms_shape_2(c->layers, c->width), per_head = ms_shape_2(c->layers, c->head_size);
    MS_TRY(add_parameter(model, "blocks.attention_norm.weight", MS_ROLE_NORM, per_layer, &model->attention_norm));
    MS_TRY(add_parameter(model, "blocks.feed_forward_norm.weight", MS_ROLE_NORM, per_layer, &model->feed_forward_norm));
    if (c->qk_norm) {
        MS_TRY(add_parameter(model, "blocks.attention.q_norm.weight", MS_ROLE_NORM, per_head, &model->q_norm));
        MS_TRY(add_parameter(model, "blocks.attention.k_norm.weight", MS_ROLE_NORM, per_head, &model->k_norm));
    }
    if (c->residual_scale != MS_RESIDUAL_FIXED) {
        bool per_branch = c->residual_scale == MS_RESIDUAL_LEARNED_BRANCH;
        ms_shape shape = per_branch ? ms_shape_2(c->layers, 2) : ms_shape_1(c->layers);
        MS_TRY(add_parameter(model, "blocks.residual_scale", MS_ROLE_SCALE, shape, &model->residual_scale));
    }
    return add_parameter(model, "final_norm.weight", MS_ROLE_NORM, ms_shape_1(c->width), &model->final_norm);
}

ms_status ms_model_init(const ms_model_config *config, ms_variables *variables, ms_model *out) {
    MS_TRY(check_choices(config));
    MS_TRY(check_config(config));
    const ms_model_config *c = config;
    memset(out, 0, sizeof *out);
    out->config = *config;
    out->variables = variables;
    int32_t *absent[] = {&out->q_norm, &out->k_norm, &out->residual_scale, &out->qkvo,      &out->q,      &out->k,
                         &out->v,      &out->o,      &out->gate,           &out->logit_max, &out->q_bias, &out->k_bias,
                         &out->v_bias};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) *absent[i] = -1;
    ms_shape table = ms_shape_2(c->vocabulary, c->width);
    MS_TRY(add_parameter(out, "embedding.weight", MS_ROLE_EMBEDDING, table, &out->embedding));
    out->head = out->embedding;
    if (!c->tied_head) MS_TRY(add_parameter(out, "head.weight", MS_ROLE_HEAD, table, &out->head));
    MS_TRY(add_attention(out));
    MS_TRY(add_biases(out));
    MS_TRY(add_matrix(out, "blocks.feed_forward.up.weight", "up", c->feed_forward, c->width, &out->up));
    if (c->activation == MS_ACTIVATION_SWIGLU)
        MS_TRY(add_matrix(out, "blocks.feed_forward.gate.weight", "gate", c->feed_forward, c->width, &out->gate));
    MS_TRY(add_matrix(out, "blocks.feed_forward.down.weight", "down", c->width, c->feed_forward, &out->down));
    MS_TRY(add_norms_and_scales(out));
    MS_TRY(ms_variables_add(variables, "rope.table", MS_VARIABLE_CONSTANT, MS_DTYPE_F32,
                            ms_shape_2(c->sequence_length, c->head_size), &out->rope_table));
    if (!c->keep_logit_max) return MS_OK;
    return ms_variables_add(variables, "attention_logit_max", MS_VARIABLE_OUTPUT, MS_DTYPE_F32,
                            ms_shape_2(c->layers, c->heads), &out->logit_max);
}

const char *ms_model_layout(const ms_model *model, char out[MS_MODEL_LAYOUT_SIZE]) {
    size_t n = 0;
    for (int i = 0; i < model->n_parameters; i++) {
        const ms_parameter *parameter = &model->parameters[i];
        if (parameter->n_groups < 2) continue;
        const char *name = ms_variables_get(model->variables, parameter->variable)->name;
        n += (size_t)snprintf(out + n, MS_MODEL_LAYOUT_SIZE - n, "%s\"blocks.*.%s\": {", n == 0 ? "{" : ", ",
                              name + strlen("blocks."));
        long long row = 0;
        for (int j = 0; j < parameter->n_groups; j++) {
            long long end = row + (long long)parameter->group_rows[j];
            n += (size_t)snprintf(out + n, MS_MODEL_LAYOUT_SIZE - n, "%s\"%s\": [%lld, %lld]", j == 0 ? "" : ", ",
                                  parameter->group_names[j], row, end);
            row = end;
        }
        n += (size_t)snprintf(out + n, MS_MODEL_LAYOUT_SIZE - n, "}");
    }
    if (n == 0) return NULL;
    snprintf(out + n, MS_MODEL_LAYOUT_SIZE - n, "}");
    return out;
}
