#include "tracker/null.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"
#include "tests/support/suite.h"
#include "tests/tracker/null_simulation.h"

/* Against the committed simulation: four shapes and more, merged slices, all coefficient sets, with and without decay,
   rates that vary. */
START_TEST(test_simulated) {
    static const struct {
        int i_cell, i_slice, step;
        double sigma, error;
    } simulated[] = {
#define SIMULATED(i_cell, i_slice, step, sigma, error) {i_cell, i_slice, step, sigma, error},
#include "tests/tracker/null_simulated.def"
#undef SIMULATED
    };
    int n = (int)(sizeof simulated / sizeof *simulated);
    ck_assert_int_eq(simulated[n - 1].i_cell, NULL_CELLS - 1);
    for (int i = 0; i < n; i++) {
        const null_cell *cell = &null_cells[simulated[i].i_cell];
        int rows = cell->slices[simulated[i].i_slice];
        double found, bound = simulated[i].step < 300 ? 0.045 : 0.03;
        ms_must(null_expected(cell, rows, simulated[i].step, &found));
        ck_assert_msg(fabs(found / simulated[i].sigma - 1) < bound,
                      "%d of %d x %d, %s, step %d: %.4f, simulated %.4f +- %.4f", rows, cell->rows, cell->cols,
                      ms_coefficients_names[cell->coefficients], simulated[i].step, found, simulated[i].sigma,
                      simulated[i].error);
        ck_assert_double_lt(simulated[i].error, 0.03 * simulated[i].sigma);
    }
}
END_TEST

enum { N_STEPS = 60 };

/* Rates, decay and momentum of no pattern. */
static ms_null_step step_at(int i, bool nesterov) {
    double rate = 0.01 + ms_random_uniform(1, 1, (uint64_t)i);
    return (ms_null_step){rate, 1 - 0.1 * rate, 0.9, nesterov};
}

/* Correlation of the inputs of two orthogonalisations, from the weights of every gradient in them. */
static double correlation(int s, int t, bool nesterov) {
    double cross = 0, ss = 0, tt = 0;
    for (int i = 0; i <= s || i <= t; i++) {
        double x = i <= s ? pow(0.9, s - i) * (nesterov ? 0.9 : 1) + (nesterov && i == s ? 1 : 0) : 0;
        double y = i <= t ? pow(0.9, t - i) * (nesterov ? 0.9 : 1) + (nesterov && i == t ? 1 : 0) : 0;
        cross += x * y;
        ss += x * x;
        tt += y * y;
    }
    return cross / sqrt(ss * tt);
}

/* The recursion is the sum over all pairs of steps. */
START_TEST(test_pairs) {
    const int orders[MS_NULL_ORDERS] = {1, 3, 9};
    bool nesterov = _i;
    ms_null_state state = {0};
    double weights[N_STEPS] = {0};
    for (int i = 0; i < N_STEPS; i++) {
        ms_null_step step = step_at(i, nesterov);
        ms_null_advance(&state, &step);
        for (int j = 0; j < i; j++) weights[j] *= step.kept;
        weights[i] = step.rate;
    }
    ck_assert_int_eq(state.steps, N_STEPS);
    for (int k = 0; k < MS_NULL_ORDERS; k++) {
        double sum = 0;
        for (int s = 0; s < N_STEPS; s++)
            for (int t = 0; t < N_STEPS; t++)
                sum += weights[s] * weights[t] * pow(correlation(s, t, nesterov), orders[k]);
        ck_assert_double_eq_tol(state.variance[k], sum, 1e-11 * sum);
    }
}
END_TEST

/* Long runs against the closed forms: (1+b)/(1-b) T, and (1+ba)/(1-ba) / (1-a^2) under decay. */
START_TEST(test_closed_forms) {
    double b = 0.95, lr = 0.02, a = 1 - lr * 0.2;
    ms_null_state free_growth = {0}, decayed = {0};
    for (int i = 0; i < 20000; i++) {
        ms_null_advance(&free_growth, &(ms_null_step){lr, 1, b, false});
        ms_null_advance(&decayed, &(ms_null_step){lr, a, b, false});
    }
    ck_assert_double_eq_tol(free_growth.variance[0] / (lr * lr * (20000 * 39 - 2 * b / (0.05 * 0.05))), 1, 1e-3);
    ck_assert_double_eq_tol(decayed.variance[0] / (lr * lr * (1 + b * a) / (1 - b * a) / (1 - a * a)), 1, 1e-9);
}
END_TEST

/* One update of a whole matrix has s1 near 1, whatever the shape.  A state that was kept goes on with the same bits. */
START_TEST(test_first_and_continued) {
    const ms_coefficient_set *set = ms_coefficients_get(MS_COEFFICIENTS_JORDAN_CONVERGENT);
    const int shapes[][2] = {{64, 64}, {16, 512}, {300, 100}, {1, 64}, {1, 1}};
    ms_null_shape shape;
    ms_null_state state = {0};
    for (int i = 0; i < 5; i++) {
        state = (ms_null_state){0};
        ms_null_matrix matrix = {shapes[i][0], shapes[i][1], shapes[i][0], shapes[i][1], 2, set->n_steps, set->triples};
        ms_must(ms_null_shape_init(&matrix, &shape));
        ck_assert_double_eq(ms_null_sigma(&state, &shape), 0);
        ms_null_advance(&state, &(ms_null_step){0.5, 1, 0.95, true});
        double bound = i < 3 ? 0.16 : 0.35; /* the density is that of large matrices */
        ck_assert_double_eq_tol(ms_null_sigma(&state, &shape), 1, bound);
    }
    ms_null_state straight = {0}, first = {0}, second;
    for (int i = 0; i < N_STEPS; i++) {
        ms_null_step step = step_at(i, true);
        ms_null_advance(&straight, &step);
        if (i < N_STEPS / 2) ms_null_advance(&first, &step);
    }
    second = first;
    for (int i = N_STEPS / 2; i < N_STEPS; i++) {
        ms_null_step step = step_at(i, true);
        ms_null_advance(&second, &step);
    }
    ck_assert(ms_null_sigma(&second, &shape) == ms_null_sigma(&straight, &shape));
    ck_assert_int_eq(memcmp(&second, &straight, sizeof second), 0);
}
END_TEST

/* Heads that are orthogonalised alone are as many independent matrices. */
START_TEST(test_pieces) {
    const ms_coefficient_set *set = ms_coefficients_get(MS_COEFFICIENTS_POLAR_EXPRESS);
    ms_null_shape head, all;
    ms_must(ms_null_shape_init(&(ms_null_matrix){32, 128, 32, 128, 1, set->n_steps, set->triples}, &head));
    ms_must(ms_null_shape_init(&(ms_null_matrix){128, 128, 32, 128, 1, set->n_steps, set->triples}, &all));
    ck_assert_double_eq(head.entry, all.entry);
    ck_assert_double_eq(all.pieces, 4);
    ck_assert_double_gt(all.edge, head.edge);
}
END_TEST

START_TEST(test_refused) {
    const ms_coefficient_set *set = ms_coefficients_get(MS_COEFFICIENTS_JORDAN);
    ms_null_shape shape;
    ms_null_matrix good = {64, 64, 64, 64, 1, set->n_steps, set->triples}, bad[6];
    for (int i = 0; i < 6; i++) bad[i] = good;
    bad[0].rows = 0;
    bad[1].cols = 32;
    bad[2].rows = 96; /* one and a half pieces */
    bad[3].n_steps = 0;
    bad[4].triples = NULL;
    bad[5].whole_rows = -64;
    for (int i = 0; i < 6; i++) ck_assert_int_eq(ms_null_shape_init(&bad[i], &shape), MS_INVALID);
    ms_must(ms_null_shape_init(&good, &shape));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("null");
    TCase *tcase = tcase_create("null");
    tcase_add_test(tcase, test_simulated);
    tcase_add_loop_test(tcase, test_pairs, 0, 2);
    tcase_add_test(tcase, test_closed_forms);
    tcase_add_test(tcase, test_first_and_continued);
    tcase_add_test(tcase, test_pieces);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
