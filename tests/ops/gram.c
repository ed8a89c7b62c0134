/* gram: `exact` bit for bit the matmul of x with itself by the scalar definition, both triangles; `fast` within its
 * bound. */
#include <check.h>
#include <math.h>

#include "tests/ops/fast.h"
#include "tests/support/suite.h"

typedef struct gram_view {
    int64_t batch, n, depth, columns, step;
    const float *x;
    bool transpose;
} gram_view;

static gram_view view_of(const ms_op_case *test, const void *const *in) {
    ms_matrix_shape x = ms_shape_matrix(&test->shape[0]);
    bool transpose = test->attributes.gram.transpose;
    return (gram_view){
        x.batch,  transpose ? x.columns : x.rows, transpose ? x.rows : x.columns, x.columns, x.rows * x.columns, in[0],
        transpose};
}

static float element(const gram_view *g, int64_t batch, int64_t i, int64_t k) {
    return g->x[batch * g->step + (g->transpose ? k * g->columns + i : i * g->columns + k)];
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    gram_view g = view_of(test, in);
    for (int64_t e = 0; e < g.batch * g.n * g.n; e++) {
        int64_t batch = e / (g.n * g.n), i = e / g.n % g.n, j = e % g.n;
        float total = 0;
        for (int64_t chunk = 0; chunk < g.depth; chunk += 512) {
            float sum = element(&g, batch, i, chunk) * element(&g, batch, j, chunk);
            for (int64_t k = chunk + 1; k < g.depth && k < chunk + 512; k++)
                sum = sum + element(&g, batch, i, k) * element(&g, batch, j, k);
            total = chunk == 0 ? sum : total + sum;
        }
        ((float *)out[0])[e] = total;
    }
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    gram_view g = view_of(test, in);
    for (int64_t e = 0; e < g.batch * g.n * g.n; e++) {
        int64_t batch = e / (g.n * g.n), i = e / g.n % g.n, j = e % g.n;
        double sum = 0;
        for (int64_t k = 0; k < g.depth; k++)
            sum += fabs((double)element(&g, batch, i, k) * (double)element(&g, batch, j, k));
        out[0][e] = sqrt((double)g.depth) * sum;
    }
}

typedef struct sizes {
    int64_t batch, rows, columns;
} sizes;

static const sizes table[] = {{1, 1, 1}, {1, 3, 70}, {2, 37, 5}, {3, 65, 33}, {1, 193, 31}, {1, 5, 1027}, {1, 400, 17}};

static ms_op_case case_of(int i, bool transpose) {
    ms_op_case test = ms_case_of(MS_OP_GRAM);
    test.attributes.gram.transpose = transpose;
    ms_case_input(&test, MS_DTYPE_F32, ms_shape_3(table[i].batch, table[i].rows, table[i].columns), MS_CASE_SPARSE);
    test.reference = reference;
    test.magnitude = magnitude;
    test.bound = 4;
    return test;
}

/* Without the transpose of a long row: the scalar reference would take seconds. */
static bool too_slow(int i, bool transpose) { return transpose && table[i].columns > 512; }

START_TEST(exact_is_the_definition) {
    for (int transpose = 0; transpose < 2; transpose++) {
        if (too_slow(_i, transpose)) continue;
        ms_op_case test = case_of(_i, transpose);
        ms_case_check(&test);
    }
}
END_TEST

START_TEST(fast_is_within_its_bound) {
    static const ms_fast_kernels kernels = {ms_cpu_fast_gram, ms_cpu_f64_gram, ms_cpu_fast_gram_workspace,
                                            ms_cpu_f64_gram_workspace};
    for (int transpose = 0; transpose < 2; transpose++) {
        if (too_slow(_i, transpose)) continue;
        ms_op_case test = case_of(_i, transpose);
        ms_fast_check(&test, &kernels);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gram");
    TCase *tcase = tcase_create("gram");
    tcase_set_timeout(tcase, 120);
    int n = (int)(sizeof table / sizeof *table);
    tcase_add_loop_test(tcase, exact_is_the_definition, 0, n);
    tcase_add_loop_test(tcase, fast_is_within_its_bound, 0, n);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
