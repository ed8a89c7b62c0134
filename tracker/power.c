#include "tracker/power.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/random.h"

enum { BLOCK = MS_POWER_BLOCK };

struct ms_power_scratch {
    int smaller, longer;
    double *matrix; /* [rows, cols] */
    double *block;  /* [smaller, BLOCK], orthonormal columns; rows are contiguous in all of these */
    double *image;  /* [longer, BLOCK]: the matrix, seen from its longer side, times block */
    double *next;   /* [smaller, BLOCK]: and back */
    float *random;  /* [smaller] */
};

/* The matrix in work. */
typedef struct power_work {
    ms_power_scratch *scratch;
    int rows, cols, smaller, longer, n_vectors;
} power_work;

void ms_power_scratch_destroy(ms_power_scratch *scratch) {
    if (!scratch) return;
    free(scratch->matrix);
    free(scratch->block);
    free(scratch->image);
    free(scratch->next);
    free(scratch->random);
    free(scratch);
}

size_t ms_power_scratch_bytes(int smaller, int longer) {
    if (smaller < 1 || smaller > longer) return 0;
    size_t s = (size_t)smaller, l = (size_t)longer;
    return sizeof(ms_power_scratch) + sizeof(double) * (s * l + (2 * s + l) * BLOCK) + sizeof(float) * s;
}

ms_status ms_power_scratch_create(int smaller, int longer, ms_power_scratch **out) {
    *out = NULL;
    if (smaller < 1 || smaller > longer)
        return MS_FAIL(MS_INVALID, "power iteration: sides %d and %d", smaller, longer);
    MS_TRY(ms_blas_prepare());
    size_t s = (size_t)smaller, l = (size_t)longer;
    ms_power_scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch) return MS_FAIL(MS_OUT_OF_MEMORY, "power iteration");
    scratch->smaller = smaller;
    scratch->longer = longer;
    scratch->matrix = calloc(s * l, sizeof(double));
    scratch->block = calloc(s * BLOCK, sizeof(double));
    scratch->image = calloc(l * BLOCK, sizeof(double));
    scratch->next = calloc(s * BLOCK, sizeof(double));
    scratch->random = calloc(s, sizeof(float));
    if (!scratch->matrix || !scratch->block || !scratch->image || !scratch->next || !scratch->random) {
        ms_power_scratch_destroy(scratch);
        return MS_FAIL(MS_OUT_OF_MEMORY, "power iteration: scratch for %d x %d", smaller, longer);
    }
    *out = scratch;
    return MS_OK;
}

size_t ms_power_directions(int rows, int cols) { return (size_t)BLOCK * (size_t)(rows < cols ? rows : cols); }

/* next = A A^T block, A the matrix with the smaller side first. */
static void multiply(const power_work *work) {
    const ms_power_scratch *scratch = work->scratch;
    bool wide = work->rows <= work->cols;
    cblas_dgemm(CblasRowMajor, wide ? CblasTrans : CblasNoTrans, CblasNoTrans, work->longer, work->n_vectors,
                work->smaller, 1, scratch->matrix, work->cols, scratch->block, BLOCK, 0, scratch->image, BLOCK);
    cblas_dgemm(CblasRowMajor, wide ? CblasNoTrans : CblasTrans, CblasNoTrans, work->smaller, work->n_vectors,
                work->longer, 1, scratch->matrix, work->cols, scratch->image, BLOCK, 0, scratch->next, BLOCK);
}

static double norm(const power_work *work, const double *column) { return cblas_dnrm2(work->smaller, column, BLOCK); }

/* Takes the parts along the columns before it out of a column, twice for the sake of rounding, and gives it length 1.
   False: nothing is left. */
static bool orthonormalise_column(const power_work *work, double *columns, int i) {
    double before = norm(work, columns + i);
    for (int round = 0; round < 2; round++)
        for (int j = 0; j < i; j++)
            cblas_daxpy(work->smaller, -cblas_ddot(work->smaller, columns + i, BLOCK, columns + j, BLOCK), columns + j,
                        BLOCK, columns + i, BLOCK);
    double after = norm(work, columns + i);
    if (!(after > 1e-13 * before)) return false;
    cblas_dscal(work->smaller, 1 / after, columns + i, BLOCK);
    return true;
}

static void draw_column(const power_work *work, double *columns, int i) {
    ms_random_normal_fill(1, (uint64_t)i, 1, (size_t)work->smaller, work->scratch->random);
    for (int row = 0; row < work->smaller; row++) columns[row * BLOCK + i] = (double)work->scratch->random[row];
}

/* Columns that depend on those before them begin anew. */
static void orthonormalise(const power_work *work, double *columns) {
    for (int i = 0; i < work->n_vectors; i++) {
        if (orthonormalise_column(work, columns, i)) continue;
        draw_column(work, columns, i);
        orthonormalise_column(work, columns, i);
    }
}

/* Singular value and residual from block and next.  The columns of block become the Ritz vectors, largest first. */
static ms_status rayleigh_ritz(const power_work *work, const char *name, ms_power_result *out) {
    const ms_power_scratch *scratch = work->scratch;
    int n = work->n_vectors;
    double projected[BLOCK * BLOCK], values[BLOCK], first[BLOCK], row_of[BLOCK], squares = 0;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, work->smaller, 1, scratch->block, BLOCK, scratch->next,
                BLOCK, 0, projected, BLOCK);
    lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', n, projected, BLOCK, values);
    if (info != 0) return MS_FAIL(MS_INTERNAL, "%s: DSYEV returned %d", name, (int)info);
    for (int i = 0; i < n; i++) first[i] = projected[i * BLOCK + n - 1];
    for (int row = 0; row < work->smaller; row++) {
        double *block = scratch->block + row * BLOCK;
        const double *next = scratch->next + row * BLOCK;
        double x = 0, image = 0;
        for (int i = 0; i < n; i++) {
            x += block[i] * first[i];
            image += next[i] * first[i];
        }
        squares += (image - values[n - 1] * x) * (image - values[n - 1] * x);
        for (int j = 0; j < n; j++) {
            row_of[j] = 0;
            for (int i = 0; i < n; i++) row_of[j] += block[i] * projected[i * BLOCK + n - 1 - j];
        }
        memcpy(block, row_of, (size_t)n * sizeof(double));
    }
    out->sigma = sqrt(fmax(0, values[n - 1]));
    out->residual = out->sigma > 0 ? sqrt(squares) / (out->sigma * out->sigma) : 0;
    return MS_OK;
}

/* The matrix in f64; whether it has anything but zeros. */
static ms_status read_matrix(const power_work *work, const char *name, const float *matrix, bool *out_is_zero) {
    size_t n = (size_t)work->rows * (size_t)work->cols;
    *out_is_zero = true;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(matrix[i]))
            return MS_FAIL(MS_NUMERIC, "%s: element [%zu, %zu] is %g", name, i / (size_t)work->cols,
                           i % (size_t)work->cols, (double)matrix[i]);
        if (matrix[i] != 0) *out_is_zero = false;
        work->scratch->matrix[i] = (double)matrix[i];
    }
    return MS_OK;
}

/* The directions of the last call as block; false: there are none. */
static bool read_directions(const power_work *work, const float *directions) {
    bool known = false;
    for (int i = 0; i < work->smaller * BLOCK; i++) {
        work->scratch->block[i] = (double)directions[i];
        known |= directions[i] != 0;
    }
    for (int i = 0; i < work->n_vectors && !known; i++) draw_column(work, work->scratch->block, i);
    orthonormalise(work, work->scratch->block);
    return known;
}

ms_status ms_power_sigma(ms_power_scratch *scratch, const ms_power_input *input, float *directions,
                         ms_power_result *out) {
    *out = (ms_power_result){0, 0};
    int rows = input->rows, cols = input->cols;
    int smaller = rows < cols ? rows : cols, longer = rows < cols ? cols : rows;
    if (smaller < 1 || smaller > scratch->smaller || longer > scratch->longer)
        return MS_FAIL(MS_INVALID, "%s: power iteration of [%d, %d], the scratch is for %d x %d", input->name, rows,
                       cols, scratch->smaller, scratch->longer);
    ms_blas_this_thread();
    power_work work = {scratch, rows, cols, smaller, longer, smaller < BLOCK ? smaller : BLOCK};
    bool is_zero;
    MS_TRY(read_matrix(&work, input->name, input->matrix, &is_zero));
    if (is_zero) return MS_OK;
    int passes = read_directions(&work, directions) ? MS_POWER_PASSES : MS_POWER_FIRST_PASSES;
    for (int i = 0; i < passes; i++) {
        multiply(&work);
        memcpy(scratch->block, scratch->next, (size_t)smaller * BLOCK * sizeof(double));
        orthonormalise(&work, scratch->block);
    }
    multiply(&work);
    MS_TRY(rayleigh_ritz(&work, input->name, out));
    for (int i = 0; i < smaller * BLOCK; i++) directions[i] = i % BLOCK < work.n_vectors ? (float)scratch->block[i] : 0;
    return MS_OK;
}
