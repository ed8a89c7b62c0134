/* Initial weights and constants. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"
#include "platform/random.h"

static double layer_deviation(const ms_model_config *config, int layer) {
    double t = config->layers > 1 ? (double)layer / (config->layers - 1) : 0;
    switch (config->init_scheme) {
    case MS_INIT_SLOPE:
        return config->init_std * (1 + (config->init_depth_factor - 1) * t);
    case MS_INIT_STRETCHED:
        return config->init_std * pow(config->init_depth_factor, t);
    case MS_INIT_NORMAL:
        break;
    }
    return config->init_std;
}

/* Values of a whole variable, computed on the host. */
static void initial_values(const ms_model *model, const ms_parameter *parameter, uint64_t seed, int64_t count,
                           float *out) {
    const ms_model_config *config = &model->config;
    const ms_variable *variable = ms_variables_get(model->variables, parameter->variable);
    if (parameter->role == MS_ROLE_NORM || parameter->role == MS_ROLE_SCALE) {
        float value = parameter->role == MS_ROLE_NORM ? 1 : config->residual_scale_init;
        for (int64_t i = 0; i < count; i++) out[i] = value;
        return;
    }
    ms_random_normal_fill(seed, ms_name_hash(variable->name), 1, (size_t)count, out);
    int64_t layers = parameter->role == MS_ROLE_MATRIX ? variable->shape.dim[0] : 1;
    for (int64_t layer = 0; layer < layers; layer++) {
        double deviation =
            parameter->role == MS_ROLE_MATRIX ? layer_deviation(config, (int)layer) : (double)config->init_std;
        for (int64_t i = layer * (count / layers); i < (layer + 1) * (count / layers); i++)
            out[i] = (float)(deviation * (double)out[i]);
    }
}

ms_status ms_model_upload_initial(const ms_model *model, uint64_t seed, ms_store *store) {
    for (int i = 0; i < model->n_parameters; i++) {
        const ms_parameter *parameter = &model->parameters[i];
        const ms_variable *variable = ms_variables_get(model->variables, parameter->variable);
        int64_t count = ms_shape_count(&variable->shape);
        float *values = malloc((size_t)count * sizeof *values);
        if (!values)
            return MS_FAIL(MS_OUT_OF_MEMORY, "init: no memory for %lld values of %s", (long long)count, variable->name);
        initial_values(model, parameter, seed, count, values);
        ms_status status = ms_store_upload(store, parameter->variable, 0, count, values);
        free(values);
        MS_TRY(status);
    }
    return ms_model_upload_constants(model, store);
}

ms_status ms_model_upload_constants(const ms_model *model, ms_store *store) {
    int64_t length = model->config.sequence_length, size = model->config.head_size;
    float *table = malloc((size_t)(length * size) * sizeof *table);
    if (!table)
        return MS_FAIL(MS_OUT_OF_MEMORY, "init: no memory for a RoPE table of %lld positions", (long long)length);
    for (int64_t position = 0; position < length; position++) {
        for (int64_t i = 0; i < size / 2; i++) {
            double angle = (double)position * pow(model->config.rope_base, -2.0 * (double)i / (double)size);
            table[position * size + i] = (float)cos(angle);
            table[position * size + size / 2 + i] = (float)sin(angle);
        }
    }
    ms_status status = ms_store_upload(store, model->rope_table, 0, length * size, table);
    free(table);
    return status;
}
