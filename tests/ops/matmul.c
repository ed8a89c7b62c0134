/* matmul: `exact` against the scalar definition, `fast` against the oracle within c * sqrt(K) * u * |A||B|. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ops/fast.h"
#include "tests/support/suite.h"

typedef struct matmul {
    int64_t batch, m, n, k, step_a, step_b; /* step: elements between matrices, 0 when shared */
    const float *a, *b, *c;
    const ms_matmul_attributes *attributes;
} matmul;

static matmul matmul_of(const ms_op_case *test, const void *const *in) {
    ms_matrix_shape a = ms_shape_matrix(&test->shape[0]), b = ms_shape_matrix(&test->shape[1]);
    matmul p = {.a = in[0], .b = in[1], .c = in[2], .attributes = &test->attributes.matmul};
    p.batch = a.batch > b.batch ? a.batch : b.batch;
    p.m = p.attributes->transpose_a ? a.columns : a.rows;
    p.k = p.attributes->transpose_a ? a.rows : a.columns;
    p.n = p.attributes->transpose_b ? b.rows : b.columns;
    p.step_a = a.batch > 1 ? a.rows * a.columns : 0;
    p.step_b = b.batch > 1 ? b.rows * b.columns : 0;
    return p;
}

static float factor_a(const matmul *p, int64_t batch, int64_t i, int64_t k) {
    return p->a[batch * p->step_a + (p->attributes->transpose_a ? k * p->m + i : i * p->k + k)];
}

static float factor_b(const matmul *p, int64_t batch, int64_t k, int64_t j) {
    return p->b[batch * p->step_b + (p->attributes->transpose_b ? j * p->k + k : k * p->n + j)];
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    matmul p = matmul_of(test, in);
    for (int64_t e = 0; e < p.batch * p.m * p.n; e++) {
        int64_t batch = e / (p.m * p.n), i = e / p.n % p.m, j = e % p.n;
        float total = 0;
        for (int64_t chunk = 0; chunk < p.k; chunk += 512) {
            float sum = factor_a(&p, batch, i, chunk) * factor_b(&p, batch, chunk, j);
            for (int64_t k = chunk + 1; k < p.k && k < chunk + 512; k++)
                sum = sum + factor_a(&p, batch, i, k) * factor_b(&p, batch, k, j);
            total = chunk == 0 ? sum : total + sum;
        }
        float y = p.attributes->alpha * total;
        ((float *)out[0])[e] = p.c ? y + p.attributes->beta * p.c[e] : y;
    }
}

static int count_cases(void) {
    ms_op_case test;
    int n = 0;
    while (ms_case_make(MS_OP_MATMUL, n, &test)) n++;
    return n;
}

START_TEST(exact_is_the_definition) {
    ms_op_case test;
    ck_assert(ms_case_make(MS_OP_MATMUL, _i, &test));
    ms_case_check(&test, reference);
}
END_TEST

START_TEST(fast_is_within_its_bound) {
    ms_op_case test;
    ck_assert(ms_case_make(MS_OP_MATMUL, _i, &test));
    ms_fast_check(&test);
}
END_TEST

/* A sum of negative zeros stays negative: sums start from their first term. */
START_TEST(keeps_negative_zero) {
    enum { N = 40 };
    float a[N], b[N], y = 1;
    for (int i = 0; i < N; i++) a[i] = -0.0f, b[i] = 1.0f;
    ms_op_call resolved = {.op = MS_OP_MATMUL};
    resolved.attributes.matmul = (ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32};
    resolved.in[0] = (ms_operand){.data = a, .shape = ms_shape_2(1, N)};
    resolved.in[1] = (ms_operand){.data = b, .shape = ms_shape_2(N, 1)};
    resolved.out[0] = (ms_operand){.data = &y, .shape = ms_shape_2(1, 1)};
    resolved.gemm = ms_gemm_of(resolved.op, &resolved.attributes, &resolved.in[0].shape, &resolved.in[1].shape);
    ms_cpu_call call = ms_cpu_call_of(&resolved, NULL);
    ck_assert_int_eq(
        posix_memalign(&call.workspace, 64, ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_MATMUL).workspace(&call)), 0);
    ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_MATMUL).run(&call), MS_OK);
    ck_assert(y == 0 && signbit(y));
    free(call.workspace);
}
END_TEST

/* The harness can fail: one bit of one output is wrong. */
static ms_status planted_fault(const ms_cpu_call *call) {
    ms_status status = ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_MATMUL).run(call);
    float *y = call->out[0].data;
    if (y) y[0] = nextafterf(y[0], INFINITY);
    return status;
}

START_TEST(harness_sees_one_wrong_bit) {
    ms_op_test test = {.reference = reference, .kernel = planted_fault};
    ck_assert(ms_case_make(MS_OP_MATMUL, 20, &test.c));
    ck_assert(ms_case_failure(&test)[0] != 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("matmul");
    TCase *tcase = tcase_create("matmul");
    tcase_set_timeout(tcase, 120);
    int n = count_cases();
    tcase_add_loop_test(tcase, exact_is_the_definition, 0, n);
    tcase_add_loop_test(tcase, fast_is_within_its_bound, 0, n);
    tcase_add_test(tcase, keeps_negative_zero);
    tcase_add_test(tcase, harness_sees_one_wrong_bit);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
