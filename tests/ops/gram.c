/* gram: `exact` bit for bit the matmul of x with itself by the scalar definition, both triangles; `fast` within its
   bound. */
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

START_TEST(exact_is_the_definition) { ms_case_check_all(MS_OP_GRAM, reference); }
END_TEST

START_TEST(fast_is_within_its_bound) {
    ms_op_case test;
    for (int i = 0; ms_case_make(MS_OP_GRAM, i, &test); i++) ms_fast_check(&test);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gram");
    TCase *tcase = tcase_create("gram");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, exact_is_the_definition);
    tcase_add_test(tcase, fast_is_within_its_bound);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
