#include "optim/orthogonalise.h"

#include <math.h>

#include "backend/ir/build.h"
#include "optim/norms.h"
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

const char *const ms_exponent_names[] = {[MS_EXPONENT_0] = "0",      [MS_EXPONENT_QUARTER] = "0.25",
                                         [MS_EXPONENT_HALF] = "0.5", [MS_EXPONENT_THREE_QUARTERS] = "0.75",
                                         [MS_EXPONENT_1] = "1",      NULL};

static const ms_exponent_set exponents[MS_EXPONENT_COUNT] = {
    [MS_EXPONENT_QUARTER] = {{{8.24726268556, -22.9971097658, 16.5247716098},
                              {4.03209505013, -2.83611303796, 0.511612165388},
                              {3.80313385103, -2.77424040487, 0.524365744687},
                              {3.06152735128, -2.33286085846, 0.492708905335},
                              {2.14791650504, -1.62330392978, 0.471879125504}},
                             {0.576009342088, 0.135464913279, 0.0855672258873, 0.0573104278207, 0.00449704587763,
                              0.198335613747},
                             0.1138},
    [MS_EXPONENT_HALF] = {{{7.6398033187, -19.2937198887, 13.3202096515},
                           {3.81589094476, -2.55366367553, 0.466681695358},
                           {3.62318369381, -2.68697081642, 0.524558705429},
                           {2.52955694403, -2.20205765672, 0.527255878055},
                           {1.92791114133, -1.3273711156, 0.689315849058}},
                          {0.780030835931, 0.103647701188, 0.0602235905923, 0.0269075226386, -0.0823850028286,
                           0.0929119388066},
                          0.0672},
    [MS_EXPONENT_THREE_QUARTERS] = {{{7.3979692943, -18.011760215, 12.1490047425},
                                     {3.57145904005, -2.49967611056, 0.467296867925},
                                     {3.24334751493, -2.70985297772, 0.61970672596},
                                     {1.65583046098, -1.99922363593, 0.661500606481},
                                     {1.70612969636, -0.809004991966, 1.37190467322}},
                                    {0.917311715935, 0.0585972940497, 0.0199608043219, 0.0088313832837, -0.147090386822,
                                     0.0988445624375},
                                    0.0311},
};

const ms_exponent_set *ms_exponent_get(ms_exponent exponent) {
    return (unsigned)exponent < MS_EXPONENT_COUNT ? &exponents[exponent] : NULL;
}

/* a X + (b A + c A A) X with A = X X^T, or on the other side where that is smaller. */
static ms_tensor quintic(ms_graph *graph, ms_tensor x, const double triple[3], bool tall) {
    float a = (float)triple[0], b = (float)triple[1], c = (float)triple[2];
    ms_tensor gram = ms_gram(graph, x, tall);
    ms_tensor polynomial =
        ms_matmul(graph, gram, gram, gram, &(ms_matmul_attributes){false, false, c, b, MS_DTYPE_F32}); /* b A + c A A */
    return tall ? ms_matmul(graph, x, polynomial, x, &(ms_matmul_attributes){false, false, 1, a, MS_DTYPE_F32})
                : ms_matmul(graph, polynomial, x, x, &(ms_matmul_attributes){false, false, 1, a, MS_DTYPE_F32});
}

/* False, and a status in the graph: no such choice. */
static bool is_known(ms_graph *graph, const char *what, int value, const char *const *names) {
    ms_status known = ms_choice_check(what, value, names);
    if (known != MS_OK) ms_graph_fail(graph, known);
    return known == MS_OK;
}

ms_tensor ms_orthogonalise(ms_graph *graph, ms_tensor u, ms_coefficients coefficients) {
    if (ms_graph_status(graph) != MS_OK || u == MS_NO_TENSOR) return MS_NO_TENSOR;
    if (!is_known(graph, "orthogonalise: coefficients", (int)coefficients, ms_coefficients_names)) return MS_NO_TENSOR;
    const ms_coefficient_set *set = &sets[coefficients];
    ms_matrix_shape shape = ms_shape_matrix(&ms_graph_tensor(graph, u)->shape);
    ms_tensor squares = ms_sum_squares(graph, u, 1, &shape.rows);
    ms_tensor x = ms_scale_by_inverse_norm(graph, u, squares, 1.01f, 1e-7f);
    for (int i = 0; i < set->n_steps; i++) x = quintic(graph, x, set->triples[i], shape.rows > shape.columns);
    return x;
}

/* P of u. */
static ms_tensor power_of(ms_graph *graph, ms_tensor u, const ms_exponent_set *set) {
    ms_shape shape = ms_graph_tensor(graph, u)->shape;
    ms_tensor x = ms_scale_by_inverse_norm(graph, u, ms_squares_of(graph, u), 1.01f, 1e-7f);
    ms_tensor sum = ms_axpby(graph, ms_constant((float)set->weights[0]), x, ms_constant(0), MS_NO_TENSOR);
    for (int i = 0; i < 5; i++) {
        x = quintic(graph, x, set->triples[i], shape.dim[1] > shape.dim[2]);
        sum = ms_axpby(graph, ms_constant(1), sum, ms_constant((float)set->weights[i + 1]), x);
    }
    return sum;
}

ms_tensor ms_spectral_power(ms_graph *graph, ms_tensor u, ms_exponent exponent, ms_coefficients coefficients) {
    if (exponent == MS_EXPONENT_0) return ms_orthogonalise(graph, u, coefficients);
    if (ms_graph_status(graph) != MS_OK || u == MS_NO_TENSOR) return MS_NO_TENSOR;
    if (!is_known(graph, "orthogonalise: exponent", (int)exponent, ms_exponent_names)) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, u)->shape;
    double rank = (double)(shape.dim[1] < shape.dim[2] ? shape.dim[1] : shape.dim[2]);
    ms_tensor power = exponent == MS_EXPONENT_1 ? u : power_of(graph, u, &exponents[exponent]);
    return ms_scale_by_inverse_norm(graph, power, ms_squares_of(graph, power), (float)(1 / sqrt(rank)), 1e-15f);
}
