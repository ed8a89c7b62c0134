#include "train/matrices.h"

int ms_weight_matrices(const ms_trainer *trainer, ms_weight_matrix *out, int capacity) {
    int n = 0;
    for (int layer = 0; layer < trainer->model.config.layers; layer++) {
        for (int i = 0; i < trainer->model.n_parameters; i++) {
            const ms_parameter *parameter = &trainer->model.parameters[i];
            if (parameter->n_groups == 0) continue;
            ms_shape shape = ms_variables_get(trainer->variables, parameter->variable)->shape;
            int64_t row = (int64_t)layer * shape.dim[1], columns = shape.dim[2];
            for (int group = 0; group < parameter->n_groups; row += parameter->group_rows[group++]) {
                int64_t rows = parameter->group_rows[group];
                if (n++ >= capacity) continue;
                out[n - 1] = (ms_weight_matrix){.projection = parameter->group_names[group],
                                                .layer = layer,
                                                .rows = rows,
                                                .columns = columns,
                                                .i_parameter = i,
                                                .group = group,
                                                .part = {parameter->variable, row * columns, rows * columns}};
            }
        }
    }
    return n;
}
