/* Simulates some cells again: the committed values are what the committed program gives. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/suite.h"
#include "tests/tracker/null_simulation.h"

START_TEST(test_simulated_again) {
    static const double committed[NULL_CELLS][NULL_SLICES][NULL_STEPS + 1] = {
#define SIMULATED(i_cell, i_slice, step, sigma, error) [i_cell][i_slice][step] = sigma,
#include "tests/tracker/null_simulated.def"
#undef SIMULATED
    };
    const int again[] = {0, 1, 24}; /* 64 x 64 without and with decay, slices of 192 x 64 */
    for (int i = 0; i < 3; i++) {
        const null_cell *cell = &null_cells[again[i]];
        double mean[NULL_MARKS][NULL_SLICES], error[NULL_MARKS][NULL_SLICES];
        ms_must(null_simulate(cell, mean, error));
        for (int mark = 0; mark < NULL_MARKS; mark++)
            for (int j = 0; j < NULL_SLICES && cell->slices[j] > 0; j++)
                /* Other kernels of OpenBLAS round otherwise, which small singular values of u feel. */
                ck_assert_double_eq_tol(mean[mark][j] / committed[again[i]][j][null_marks[mark]], 1, 2e-3);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("null_again");
    TCase *tcase = tcase_create("null_again");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, test_simulated_again);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
