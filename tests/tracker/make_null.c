/* Prints tests/tracker/null_simulated.def: what the cells of null_cells.def give in simulation.  With the argument
   `constants`: the table of docs/noise-null.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/tracker/null_simulation.h"

static ms_status print_simulated(void) {
    printf(
        "/* Made by tests/tracker/make_null.c: mean of s1 over %d runs of Gaussian gradients, and its standard error.\n"
        "   SIMULATED(i_cell, i_slice, step, s1, error) */\n",
        NULL_SEEDS);
    for (int i = 0; i < NULL_CELLS; i++) {
        double mean[NULL_MARKS][NULL_SLICES], error[NULL_MARKS][NULL_SLICES];
        MS_TRY(null_simulate(&null_cells[i], mean, error));
        for (int mark = 0; mark < NULL_MARKS; mark++)
            for (int j = 0; j < NULL_SLICES && null_cells[i].slices[j] > 0; j++)
                printf("SIMULATED(%d, %d, %d, %.5f, %.5f)\n", i, j, null_marks[mark], mean[mark][j], error[mark][j]);
        fflush(stdout);
    }
    return MS_OK;
}

/* s1 over sqrt((1+b)/(1-b) sum lr^2 / max(R, C)) (sqrt m + sqrt n) of a whole matrix, b 0.95, many steps. */
static ms_status print_constants(void) {
    static const int aspects[] = {1, 2, 3, 4, 8}, sides[] = {32, 64, 128, 256, 512, 1024};
    enum { STEPS = 100000 };
    printf("| set | aspect |");
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) printf(" side %d |", sides[i]);
    for (int set = 0; set < MS_COEFFICIENTS_COUNT; set++)
        for (size_t i = 0; i < sizeof aspects / sizeof *aspects; i++) {
            printf("\n| `%s` | %d:1 |", ms_coefficients_names[set], aspects[i]);
            for (size_t j = 0; j < sizeof sides / sizeof *sides; j++) {
                int m = sides[j], n = m * aspects[i];
                null_cell cell = {m, n, {m}, (ms_coefficients)set, 0.95, true, 0, false};
                double sigma;
                MS_TRY(null_expected(&cell, m, STEPS, &sigma));
                printf(" %.3f |", sigma / (0.024 * sqrt(39.0 * STEPS / n) * (sqrt(m) + sqrt(n))));
            }
        }
    printf("\n");
    return MS_OK;
}

int main(int argc, char **argv) {
    ms_status status = argc > 1 && strcmp(argv[1], "constants") == 0 ? print_constants() : print_simulated();
    if (status != MS_OK) fprintf(stderr, "make_null: %s\n", ms_status_message());
    return status == MS_OK ? 0 : 1;
}
