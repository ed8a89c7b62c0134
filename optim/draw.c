#include "optim/draw.h"

#include "backend/ir/build.h"

ms_tensor ms_draw_layers(ms_graph *graph, const ms_random_normal_attributes *of_stack, int64_t first, int64_t n) {
    int64_t layers = of_stack->shape.dim[0], rows = of_stack->shape.dim[1], columns = of_stack->shape.dim[2];
    ms_tensor all = ms_random_normal(graph, of_stack);
    if (n == layers) return all;
    ms_tensor part = ms_slice(graph, ms_reshape(graph, all, ms_shape_2(layers, rows * columns)), first, n);
    return ms_reshape(graph, part, ms_shape_3(n, rows, columns));
}
