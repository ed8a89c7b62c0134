#include "optim/noise.h"

#include <stdio.h>

#include "backend/ir/build.h"
#include "optim/norms.h"
#include "platform/random.h"

/* Noise as large as x [L,r,C], matrix by matrix. */
static ms_tensor draw(ms_graph *graph, const ms_noise *noise, int i_group, ms_tensor x) {
    char name[160];
    snprintf(name, sizeof name, "noise.%d.%s", i_group, noise->name);
    const ms_random_normal_attributes normal = {.deviation = ms_constant(1),
                                                .seed = noise->seed,
                                                .stream = ms_name_hash(name),
                                                .step_scalar = noise->step_scalar,
                                                .shape = ms_graph_tensor(graph, x)->shape};
    return ms_with_norms(graph, ms_random_normal(graph, &normal), ms_squares_of(graph, x));
}

/* x [L,r,C] with noise in `count` layers from `first` on. */
static ms_tensor with_noise(ms_graph *graph, const ms_noise *noise, int i_group, ms_tensor x, int64_t count) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, x)->shape;
    ms_coefficient one = ms_constant(1), strength = ms_constant(noise->strength);
    ms_tensor drawn = draw(graph, noise, i_group, x);
    if (count == shape.dim[0]) return ms_axpby(graph, one, x, strength, drawn);
    ms_shape by_layer = ms_shape_2(shape.dim[0], shape.dim[1] * shape.dim[2]);
    ms_tensor all = ms_reshape(graph, x, by_layer);
    ms_tensor some = ms_slice(graph, all, noise->first_layer, count);
    ms_tensor part = ms_slice(graph, ms_reshape(graph, drawn, by_layer), noise->first_layer, count);
    all = ms_insert(graph, all, ms_axpby(graph, one, some, strength, part), noise->first_layer);
    return ms_reshape(graph, all, shape);
}

ms_tensor ms_noise_add(ms_graph *graph, const ms_noise *noise, const ms_optimizer_parameter *parameter, ms_tensor x) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    int64_t layers = ms_graph_tensor(graph, x)->shape.dim[0], begin = 0;
    int64_t first = noise->first_layer, last = noise->last_layer < 0 ? layers - 1 : noise->last_layer;
    if (first < 0 || first > last || last >= layers) {
        ms_graph_fail(graph, MS_FAIL(MS_INVALID, "intervention: noise in layers %lld to %lld of %lld, counted from 0",
                                     (long long)first, (long long)last, (long long)layers));
        return MS_NO_TENSOR;
    }
    ms_tensor result = x;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++]) {
        if (!parameter->noisy[i]) continue;
        ms_tensor rows = ms_slice(graph, x, begin, parameter->group_rows[i]);
        result = ms_insert(graph, result, with_noise(graph, noise, i, rows, last - first + 1), begin);
    }
    return result;
}
