#include "optim/norms.h"

#include "backend/ir/build.h"

static const float epsilon = 1e-15f;

ms_tensor ms_squares_of(ms_graph *graph, ms_tensor x) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, x)->shape;
    return ms_sum_squares(graph, x, 1, &shape.dim[1]);
}

ms_tensor ms_with_norms(ms_graph *graph, ms_tensor x, ms_tensor wanted) {
    ms_tensor squares = ms_squares_of(graph, x);
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    int64_t n = ms_graph_tensor(graph, x)->shape.dim[0];
    /* x / sqrt(its squares / wanted), and a division is two by the root. */
    ms_tensor ratio = ms_reshape(graph, squares, ms_shape_3(n, 1, 1));
    for (int i = 0; i < 2; i++) ratio = ms_scale_by_inverse_norm(graph, ratio, wanted, 1, epsilon);
    return ms_scale_by_inverse_norm(graph, x, ms_reshape(graph, ratio, ms_shape_2(n, 1)), 1, epsilon);
}
