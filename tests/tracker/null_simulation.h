/* Simulation of noise under Muon, apart from the trainer: Gaussian gradients, momentum, orthogonalisation, decay, and
   the largest singular values of what adds up.  For tracker/null.h to be held against. */
#ifndef MS_TESTS_TRACKER_NULL_SIMULATION_H
#define MS_TESTS_TRACKER_NULL_SIMULATION_H

#include "optim/orthogonalise.h"
#include "tracker/null.h"

enum { NULL_SLICES = 3, NULL_MARKS = 3, NULL_SEEDS = 5, NULL_STEPS = 1000 };

typedef struct null_cell {
    int rows, cols;          /* of the matrix that is orthogonalised */
    int slices[NULL_SLICES]; /* rows of the slices that are looked at; 0: no more */
    ms_coefficients coefficients;
    double momentum;
    bool nesterov;
    double decay;
    bool varying; /* the rate: 0.024, or a warm-up of 100 steps and then linearly down to a tenth at step 1000 */
} null_cell;

enum {
#define CELL(...) +1
    NULL_CELLS = 0
#include "tests/tracker/null_cells.def"
#undef CELL
};
extern const null_cell null_cells[NULL_CELLS];
/* After these steps. */
extern const int null_marks[NULL_MARKS];

/* The update of a step that counts from 0. */
ms_null_step null_step_of(const null_cell *cell, int step);

/* What tracker/null.h expects of the first `rows` rows after so many steps. */
ms_status null_expected(const null_cell *cell, int rows, int steps, double *out_sigma);

/* Mean of s1 over NULL_SEEDS runs and its standard error, by mark and slice.  Errors of the tracker's parts. */
ms_status null_simulate(const null_cell *cell, double out_mean[NULL_MARKS][NULL_SLICES],
                        double out_error[NULL_MARKS][NULL_SLICES]);

#endif
