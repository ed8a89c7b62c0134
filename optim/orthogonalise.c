#include "optim/orthogonalise.h"

#include "backend/ir/build.h"
#include "platform/choice.h"

#define JORDAN                                                                                                         \
    { 3.4445, -4.7750, 2.0315 }
#define OVER_1024(a, b, c)                                                                                             \
    { (a) / 1024.0, (b) / 1024.0, (c) / 1024.0 }

const char *const ms_coefficients_names[] = {[MS_COEFFICIENTS_POLAR_EXPRESS] = "polar_express",
                                             [MS_COEFFICIENTS_JORDAN] = "jordan",
                                             [MS_COEFFICIENTS_MODULA] = "modula",
                                             [MS_COEFFICIENTS_JORDAN_CONVERGENT] = "jordan_convergent",
                                             NULL};

static const ms_coefficient_set sets[MS_COEFFICIENTS_COUNT] = {
    [MS_COEFFICIENTS_POLAR_EXPRESS] = {5,
                                       {{8.156554524902461, -22.48329292557795, 15.878769915207462},
                                        {4.042929935166739, -2.808917465908714, 0.5000178451051316},
                                        {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
                                        {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
                                        {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}},
                                       1.1412},
    [MS_COEFFICIENTS_JORDAN] = {5, {JORDAN, JORDAN, JORDAN, JORDAN, JORDAN}, 1.2031},
    [MS_COEFFICIENTS_MODULA] = {6,
                                {OVER_1024(3955, -8306, 5008), OVER_1024(3735, -6681, 3463),
                                 OVER_1024(3799, -6499, 3211), OVER_1024(4019, -6385, 2906),
                                 OVER_1024(2677, -3029, 1162), OVER_1024(2172, -1833, 682)},
                                1.0},
    [MS_COEFFICIENTS_JORDAN_CONVERGENT] =
        {10, {JORDAN, JORDAN, JORDAN, JORDAN, JORDAN, JORDAN, JORDAN, JORDAN, {2, -1.5, 0.5}, {2, -1.5, 0.5}}, 1.0011},
};

const ms_coefficient_set *ms_coefficients_get(ms_coefficients coefficients) {
    return (unsigned)coefficients < MS_COEFFICIENTS_COUNT ? &sets[coefficients] : NULL;
}

ms_tensor ms_orthogonalise(ms_graph *graph, ms_tensor u, ms_coefficients coefficients) {
    if (ms_graph_status(graph) != MS_OK || u == MS_NO_TENSOR) return MS_NO_TENSOR;
    ms_status known = ms_choice_check("orthogonalise: coefficients", (int)coefficients, ms_coefficients_names);
    if (known != MS_OK) {
        ms_graph_fail(graph, known);
        return MS_NO_TENSOR;
    }
    const ms_coefficient_set *set = &sets[coefficients];
    ms_matrix_shape shape = ms_shape_matrix(&ms_graph_tensor(graph, u)->shape);
    bool tall = shape.rows > shape.columns;
    ms_tensor squares = ms_sum_squares(graph, u, 1, &shape.rows);
    ms_tensor x = ms_scale_by_inverse_norm(graph, u, squares, 1.01f, 1e-7f);
    for (int i = 0; i < set->n_steps; i++) {
        float a = (float)set->triples[i][0], b = (float)set->triples[i][1], c = (float)set->triples[i][2];
        ms_tensor gram = ms_gram(graph, x, tall);
        ms_tensor polynomial = ms_matmul(graph, gram, gram, gram,
                                         &(ms_matmul_attributes){false, false, c, b, MS_DTYPE_F32}); /* b A + c A A */
        x = tall ? ms_matmul(graph, x, polynomial, x, &(ms_matmul_attributes){false, false, 1, a, MS_DTYPE_F32})
                 : ms_matmul(graph, polynomial, x, x, &(ms_matmul_attributes){false, false, 1, a, MS_DTYPE_F32});
    }
    return x;
}
