#include "optim/noise.h"

#include <stdio.h>

#include "backend/ir/build.h"
#include "optim/draw.h"
#include "optim/norms.h"
#include "platform/random.h"

/* Where noise goes in the layers that are updated here. */
typedef struct range {
    int64_t first_row;    /* of the stack, that layer 0 here is */
    int64_t first, count; /* layers with noise, counted from there */
} range;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Noise as large as x [n,r,C], matrix by matrix. */
static ms_tensor draw(ms_graph *graph, const ms_noise *noise, int64_t first_row, int i_group, ms_tensor x) {
    char name[160];
    ms_shape shape = ms_graph_tensor(graph, x)->shape;
    snprintf(name, sizeof name, "noise.%d.%s", i_group, noise->name);
    const ms_random_normal_attributes normal = {.deviation = ms_constant(1),
                                                .seed = noise->seed,
                                                .stream = ms_name_hash(name),
                                                .step_scalar = noise->step_scalar,
                                                .shape = ms_shape_3(noise->layers, shape.dim[1], shape.dim[2])};
    ms_tensor drawn = ms_draw_layers(graph, &normal, first_row, shape.dim[0]);
    return ms_with_norms(graph, drawn, ms_squares_of(graph, x));
}

/* x [n,r,C] with noise in the layers of the range. */
static ms_tensor with_noise(ms_graph *graph, const ms_noise *noise, const range *in, int i_group, ms_tensor x) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, x)->shape;
    ms_coefficient one = ms_constant(1), strength = ms_constant(noise->strength);
    ms_tensor drawn = draw(graph, noise, in->first_row, i_group, x);
    if (in->count == shape.dim[0]) return ms_axpby(graph, one, x, strength, drawn);
    ms_shape by_layer = ms_shape_2(shape.dim[0], shape.dim[1] * shape.dim[2]);
    ms_tensor all = ms_reshape(graph, x, by_layer);
    ms_tensor some = ms_slice(graph, all, in->first, in->count);
    ms_tensor part = ms_slice(graph, ms_reshape(graph, drawn, by_layer), in->first, in->count);
    all = ms_insert(graph, all, ms_axpby(graph, one, some, strength, part), in->first);
    return ms_reshape(graph, all, shape);
}

ms_tensor ms_noise_add(ms_graph *graph, const ms_noise *noise, const ms_optimizer_parameter *parameter, ms_tensor x) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    int64_t n = ms_graph_tensor(graph, x)->shape.dim[0], layers = noise->layers, begin = 0;
    int64_t first = noise->first_layer, last = noise->last_layer < 0 ? layers - 1 : noise->last_layer;
    if (first < 0 || first > last || last >= layers) {
        ms_graph_fail(graph, MS_FAIL(MS_INVALID, "intervention: noise in layers %lld to %lld of %lld, counted from 0",
                                     (long long)first, (long long)last, (long long)layers));
        return MS_NO_TENSOR;
    }
    range in = {.first_row = parameter->first_row,
                .first = first > parameter->first_row ? first - parameter->first_row : 0};
    in.count = smaller(last + 1 - in.first_row, n) - in.first;
    ms_tensor result = x;
    if (in.count <= 0) return result;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++]) {
        if (!parameter->noisy[i]) continue;
        ms_tensor rows = ms_slice(graph, x, begin, parameter->group_rows[i]);
        result = ms_insert(graph, result, with_noise(graph, noise, &in, i, rows), begin);
    }
    return result;
}
