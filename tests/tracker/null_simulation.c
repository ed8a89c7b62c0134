#include "tests/tracker/null_simulation.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/random.h"
#include "tracker/spectrum.h"

const null_cell null_cells[NULL_CELLS] = {
#define CELL(rows, cols, a, b, c, set, momentum, nesterov, decay, varying)                                             \
    {rows, cols, {a, b, c}, MS_COEFFICIENTS_##set, momentum, nesterov, decay, varying},
#include "tests/tracker/null_cells.def"
#undef CELL
};
const int null_marks[NULL_MARKS] = {100, 300, NULL_STEPS};

ms_null_step null_step_of(const null_cell *cell, int step) {
    double rate = 0.024;
    if (cell->varying) rate *= step < 100 ? (step + 1) / 100.0 : 1 - 0.9 * (step - 99) / (NULL_STEPS - 100.0);
    return (ms_null_step){rate, 1 - rate * cell->decay, cell->momentum, cell->nesterov};
}

ms_status null_expected(const null_cell *cell, int rows, int steps, double *out_sigma) {
    const ms_coefficient_set *set = ms_coefficients_get(cell->coefficients);
    ms_null_matrix matrix = {rows, cell->cols, cell->rows, cell->cols, 1, set->n_steps, set->triples};
    ms_null_shape shape;
    MS_TRY(ms_null_shape_init(&matrix, &shape));
    ms_null_state state = {0};
    for (int step = 0; step < steps; step++) {
        ms_null_step update = null_step_of(cell, step);
        ms_null_advance(&state, &update);
    }
    *out_sigma = ms_null_sigma(&state, &shape);
    return MS_OK;
}

/* Matrices [rows, cols] of one run, and scratch. */
typedef struct noise_run {
    size_t n;
    float *weight, *momentum, *gradient, *x, *next, *gram, *polynomial;
} noise_run;

static bool run_init(const null_cell *cell, noise_run *out) {
    out->n = (size_t)cell->rows * (size_t)cell->cols;
    out->weight = calloc(7 * out->n, sizeof(float));
    if (!out->weight) return false;
    float **arrays[] = {&out->momentum, &out->gradient, &out->x, &out->next, &out->gram, &out->polynomial};
    for (size_t i = 0; i < 6; i++) *arrays[i] = out->weight + (i + 1) * out->n;
    return true;
}

/* run.x = the orthogonalised run.x, on the smaller side. */
static void orthogonalise(const null_cell *cell, noise_run *run) {
    const ms_coefficient_set *set = ms_coefficients_get(cell->coefficients);
    int rows = cell->rows, cols = cell->cols, side = rows < cols ? rows : cols;
    bool tall = rows > cols;
    double squares = 0;
    for (size_t i = 0; i < run->n; i++) squares += (double)run->x[i] * run->x[i];
    for (size_t i = 0; i < run->n; i++) run->x[i] /= (float)(sqrt(squares) * 1.01 + 1e-7);
    for (int i = 0; i < set->n_steps; i++) {
        float a = (float)set->triples[i][0], b = (float)set->triples[i][1], c = (float)set->triples[i][2];
        cblas_sgemm(CblasRowMajor, tall ? CblasTrans : CblasNoTrans, tall ? CblasNoTrans : CblasTrans, side, side,
                    tall ? rows : cols, 1, run->x, cols, run->x, cols, 0, run->gram, side);
        memcpy(run->polynomial, run->gram, (size_t)side * (size_t)side * sizeof(float));
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side, c, run->gram, side, run->gram, side, b,
                    run->polynomial, side);
        memcpy(run->next, run->x, run->n * sizeof(float));
        if (tall)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, side, side, 1, run->x, cols, run->polynomial,
                        side, a, run->next, cols);
        else
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, cols, side, 1, run->polynomial, side, run->x,
                        cols, a, run->next, cols);
        memcpy(run->x, run->next, run->n * sizeof(float));
    }
}

static void update(const null_cell *cell, noise_run *run, int step, int seed) {
    ms_null_step now = null_step_of(cell, step);
    float b = (float)now.momentum, kept = (float)now.kept, rate = (float)now.rate;
    ms_random_normal_fill((uint64_t)seed, (uint64_t)step, 1, run->n, run->gradient);
    for (size_t i = 0; i < run->n; i++) {
        run->momentum[i] = b * run->momentum[i] + (1 - b) * run->gradient[i];
        run->x[i] = now.nesterov ? (1 - b) * run->gradient[i] + b * run->momentum[i] : run->momentum[i];
    }
    orthogonalise(cell, run);
    for (size_t i = 0; i < run->n; i++) run->weight[i] = kept * run->weight[i] - rate * run->x[i];
}

static ms_status simulate_seed(const null_cell *cell, int seed, double out[NULL_MARKS][NULL_SLICES]) {
    noise_run run;
    if (!run_init(cell, &run)) return MS_FAIL(MS_OUT_OF_MEMORY, "simulation of [%d, %d]", cell->rows, cell->cols);
    ms_status status = MS_OK;
    for (int step = 0, mark = 0; step < NULL_STEPS && status == MS_OK; step++) {
        update(cell, &run, step, seed);
        if (step + 1 != null_marks[mark]) continue;
        for (int i = 0; i < NULL_SLICES && cell->slices[i] > 0 && status == MS_OK; i++) {
            double scalars[MS_SPECTRUM_N_SCALARS];
            status = ms_spectrum_of_matrix(run.weight, cell->slices[i], cell->cols, NULL, scalars);
            out[mark][i] = scalars[MS_SPECTRUM_INDEX_sigma_max];
        }
        mark++;
    }
    free(run.weight);
    return status;
}

ms_status null_simulate(const null_cell *cell, double out_mean[NULL_MARKS][NULL_SLICES],
                        double out_error[NULL_MARKS][NULL_SLICES]) {
    double found[NULL_SEEDS][NULL_MARKS][NULL_SLICES] = {{{0}}};
    MS_TRY(ms_blas_prepare());
    ms_blas_this_thread();
    for (int seed = 0; seed < NULL_SEEDS; seed++) MS_TRY(simulate_seed(cell, seed + 1, found[seed]));
    for (int mark = 0; mark < NULL_MARKS; mark++)
        for (int i = 0; i < NULL_SLICES; i++) {
            double sum = 0, squares = 0;
            for (int seed = 0; seed < NULL_SEEDS; seed++) sum += found[seed][mark][i];
            out_mean[mark][i] = sum / NULL_SEEDS;
            for (int seed = 0; seed < NULL_SEEDS; seed++)
                squares += (found[seed][mark][i] - out_mean[mark][i]) * (found[seed][mark][i] - out_mean[mark][i]);
            out_error[mark][i] = sqrt(squares / (NULL_SEEDS - 1) / NULL_SEEDS);
        }
    return MS_OK;
}
