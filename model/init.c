/* Initial weights and constants. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"
#include "model/spectral_norm.h"
#include "platform/random.h"

/* By which the scheme multiplies the first layer's deviation. */
static double depth_factor(const ms_model_config *config, int layer) {
    double t = config->layers > 1 ? (double)layer / (config->layers - 1) : 0;
    switch (config->init_scheme) {
    case MS_INIT_SLOPE:
        return 1 + (config->init_depth_factor - 1) * t;
    case MS_INIT_STRETCHED:
        return pow(config->init_depth_factor, t);
    case MS_INIT_NORMAL:
        break;
    }
    return 1;
}

/* What standard normal numbers [rows,columns] of a projection are multiplied by: the deviation, or what gives them the
   largest singular value that is asked for. */
static ms_status projection_factor(const ms_model_config *config, const char *projection, const float *values,
                                   ms_shape shape, double *io_factor) {
    double norm, wanted = (double)config->init_sigma[ms_projection_find(projection, -1)];
    if (wanted == 0) {
        *io_factor = config->init_std * *io_factor;
        return MS_OK;
    }
    MS_TRY(ms_spectral_norm(values, shape.dim[0], shape.dim[1], &norm));
    *io_factor = wanted * *io_factor / norm;
    return MS_OK;
}

/* Every projection of every layer of a stack of matrices, from standard normal numbers. */
static ms_status scale_matrices(const ms_model_config *config, const ms_parameter *parameter, const ms_shape *shape,
                                float *values) {
    for (int64_t layer = 0; layer < shape->dim[0]; layer++)
        for (int group = 0; group < parameter->n_groups; group++) {
            ms_shape projection = ms_shape_2(parameter->group_rows[group], shape->dim[2]);
            double factor = depth_factor(config, (int)layer);
            MS_TRY(projection_factor(config, parameter->group_names[group], values, projection, &factor));
            int64_t count = ms_shape_count(&projection);
            for (int64_t i = 0; i < count; i++) values[i] = (float)(factor * (double)values[i]);
            values += count;
        }
    return MS_OK;
}

/* Values of a whole variable, computed on the host. */
static ms_status initial_values(const ms_model *model, const ms_parameter *parameter, uint64_t seed, int64_t count,
                                float *out) {
    const ms_model_config *config = &model->config;
    const ms_variable *variable = ms_variables_get(model->variables, parameter->variable);
    if (parameter->role == MS_ROLE_NORM || parameter->role == MS_ROLE_SCALE || parameter->role == MS_ROLE_BIAS) {
        float value = parameter->role == MS_ROLE_NORM    ? 1
                      : parameter->role == MS_ROLE_SCALE ? config->residual_scale_init
                                                         : 0;
        for (int64_t i = 0; i < count; i++) out[i] = value;
        return MS_OK;
    }
    ms_random_normal_fill(seed, ms_name_hash(variable->name), 1, (size_t)count, out);
    if (parameter->role == MS_ROLE_MATRIX) return scale_matrices(config, parameter, &variable->shape, out);
    for (int64_t i = 0; i < count; i++) out[i] = (float)((double)config->init_std * (double)out[i]);
    return MS_OK;
}

ms_status ms_model_upload_initial(const ms_model *model, uint64_t seed, ms_store *store) {
    for (int i = 0; i < model->n_parameters; i++) {
        const ms_parameter *parameter = &model->parameters[i];
        const ms_variable *variable = ms_variables_get(model->variables, parameter->variable);
        int64_t count = ms_shape_count(&variable->shape);
        float *values = malloc((size_t)count * sizeof *values);
        if (!values)
            return MS_FAIL(MS_OUT_OF_MEMORY, "init: no memory for %lld values of %s", (long long)count, variable->name);
        ms_status status = initial_values(model, parameter, seed, count, values);
        if (status == MS_OK) status = ms_store_upload(store, parameter->variable, 0, count, values);
        free(values);
        MS_TRY(status);
    }
    return ms_model_upload_constants(model, store);
}

/* f_i of the pair i, scaled as the configuration says.  llama3: as transformers' modeling_rope_utils.py has it. */
static double rope_frequency(const ms_model_config *config, int64_t i) {
    double frequency = pow(config->rope_base, -2.0 * (double)i / (double)config->head_size);
    if (config->rope_scaling == MS_ROPE_SCALING_NONE) return frequency;
    double scaled = frequency / config->rope_factor;
    if (config->rope_scaling == MS_ROPE_SCALING_LINEAR) return scaled;
    const double pi = 3.14159265358979323846;
    double waves = (double)config->rope_original_length * frequency / (2 * pi); /* in the original length */
    if (waves < config->rope_low) return scaled;
    if (waves > config->rope_high) return frequency;
    double share = (waves - config->rope_low) / (config->rope_high - config->rope_low);
    return (1 - share) * scaled + share * frequency;
}

ms_status ms_model_upload_constants(const ms_model *model, ms_store *store) {
    int64_t length = model->config.sequence_length, size = model->config.head_size;
    float *table = malloc((size_t)(length * size) * sizeof *table);
    if (!table)
        return MS_FAIL(MS_OUT_OF_MEMORY, "init: no memory for a RoPE table of %lld positions", (long long)length);
    for (int64_t i = 0; i < size / 2; i++) {
        double frequency = rope_frequency(&model->config, i);
        for (int64_t position = 0; position < length; position++) {
            double angle = (double)position * frequency;
            table[position * size + i] = (float)cos(angle);
            table[position * size + size / 2 + i] = (float)sin(angle);
        }
    }
    ms_status status = ms_store_upload(store, model->rope_table, 0, length * size, table);
    free(table);
    return status;
}
