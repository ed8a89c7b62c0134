#include "tests/ops/cases.h"

/* x, gelu_tanh(x) and its slope, by PyTorch (tests/golden/make_gelu.py). */
static const double golden[][3] = {
#define GELU(x, y, slope) {x, y, slope},
#include "tests/golden/gelu_tanh.def"
#undef GELU
};
enum { N_GOLDEN = sizeof golden / sizeof *golden };

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float x = ((const float *)in[0])[i], inner = x + (0.044715f * (x * x)) * x;
        ((float *)out[0])[i] = (0.5f * x) * (1.0f + ms_tanh(0.797884561f * inner));
    }
}

static void run(ms_op op, double *x, double *dy, double *result) {
    ms_operand in[MS_MAX_INPUTS] = {{0}}, out[MS_MAX_OUTPUTS] = {{0}};
    in[0].data = x, in[1].data = dy, out[0].data = result;
    in[0].shape = in[1].shape = out[0].shape = ms_shape_1(N_GOLDEN);
    ms_cpu_call call = {.in = in, .out = out};
    ck_assert_int_eq(ms_pool_create(1, &call.pool), MS_OK);
    ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_ORACLE, op).run(&call), MS_OK);
    ms_pool_destroy(call.pool);
}

/* The f64 oracle has PyTorch's values and slopes. */
static void check_golden(void) {
    double x[N_GOLDEN], y[N_GOLDEN], one[N_GOLDEN], slope[N_GOLDEN];
    for (int i = 0; i < N_GOLDEN; i++) x[i] = golden[i][0], one[i] = 1;
    run(MS_OP_GELU_TANH, x, NULL, y);
    run(MS_OP_GELU_TANH_GRAD, x, one, slope);
    for (int i = 0; i < N_GOLDEN; i++) {
        ck_assert_msg(fabs(y[i] - golden[i][1]) <= 1e-15 * fmax(1, fabs(x[i])), "gelu_tanh %g = %.17g, not %.17g", x[i],
                      y[i], golden[i][1]);
        ck_assert_msg(fabs(slope[i] - golden[i][2]) <= 1e-14, "slope of gelu_tanh at %g = %.17g, not %.17g", x[i],
                      slope[i], golden[i][2]);
    }
}

void ms_test_gelu_tanh(void) {
    ms_case_check_all(MS_OP_GELU_TANH, reference);
    check_golden();
}
