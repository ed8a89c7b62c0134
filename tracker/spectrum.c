#include "tracker/spectrum.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"

enum {
    PANEL = 512,                  /* elements of the longer side that are converted to f64 at a time */
    N_UPDATE = MS_SPECTRUM_ALIGN, /* vectors wanted of dW (one value more, for the margin) */
    N_WEIGHT = MS_SPECTRUM_TOP,   /* vectors wanted of W */
    BLOCK = 32,                   /* DSYTRD block size: OpenBLAS' own */
    N_VECTORS = N_UPDATE + N_WEIGHT
};

struct ms_spectrum_scratch {
    int smaller, longer;
    double *memory;        /* one allocation, cut into the arrays below */
    double *panel;         /* [smaller, PANEL] */
    double *gram;          /* [smaller, smaller], column-major, lower; then the reflectors of DSYTRD */
    double *values;        /* [smaller] */
    double *diagonal;      /* [smaller] tridiagonal form */
    double *off_diagonal;  /* [smaller] */
    double *scalars;       /* [smaller] reflector scalars; also a copy of off_diagonal for DSTERF, which destroys it */
    double *work;          /* [2 * BLOCK * smaller] */
    double *found;         /* [smaller] eigenvalues by DSTEBZ */
    double *found_vectors; /* [smaller, N_WEIGHT] their vectors in the tridiagonal basis */
    double *small_vectors; /* [smaller, N_VECTORS]: N_UPDATE of dW, then N_WEIGHT of W */
    double *long_product;  /* [longer, N_VECTORS]: dW times all of them; the first N_UPDATE become vectors of dW */
    double *long_vectors;  /* [longer, N_WEIGHT] of W */
    lapack_int *integers;  /* [6 * smaller] block numbers, splits, work, failures */
};

/* A matrix to decompose: `after`, or after - before where before is given.  Shapes as in ms_spectrum_input. */
typedef struct source {
    const ms_spectrum_input *input;
    bool is_update;
    int smaller, longer;
    bool wide; /* rows <= cols: the smaller side is the left one */
} source;

/* What a decomposition leaves: values descending; vectors are columns in the scratch. */
typedef struct decomposition {
    double *values; /* [n_values] */
    int n_values;
    double trace;          /* sum of squares of all elements */
    double *small_vectors; /* [smaller, n_vectors] */
    double *long_vectors;  /* [longer, n_vectors] */
    int n_vectors;
} decomposition;

static size_t scratch_doubles(size_t smaller, size_t longer) {
    return smaller * PANEL + smaller * smaller + 5 * smaller + 2 * BLOCK * smaller + smaller * (N_WEIGHT + N_VECTORS) +
           longer * (N_VECTORS + N_WEIGHT);
}

static bool are_sides(int smaller, int longer) { return smaller >= 1 && longer >= smaller; }

/* From 2^30 on, smaller^2 doubles are more than half of what size_t counts. */
size_t ms_spectrum_scratch_bytes(int smaller, int longer) {
    if (!are_sides(smaller, longer)) return 0;
    if (smaller >= 1 << 30) return SIZE_MAX;
    return sizeof(ms_spectrum_scratch) + sizeof(double) * scratch_doubles((size_t)smaller, (size_t)longer) +
           sizeof(lapack_int) * 6 * (size_t)smaller;
}

ms_status ms_spectrum_scratch_create(int smaller, int longer, ms_spectrum_scratch **out) {
    *out = NULL;
    if (!are_sides(smaller, longer)) return MS_FAIL(MS_INVALID, "spectrum scratch: sides %d and %d", smaller, longer);
    if (ms_spectrum_scratch_bytes(smaller, longer) == SIZE_MAX)
        return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum scratch: sides %d and %d need more bytes than can be addressed",
                       smaller, longer);
    MS_TRY(ms_blas_prepare());
    MS_TRY(ms_blas_reserve(1));
    size_t s = (size_t)smaller, l = (size_t)longer;
    ms_spectrum_scratch *scratch = calloc(1, sizeof *scratch);
    double *memory = malloc(sizeof(double) * scratch_doubles(s, l));
    lapack_int *integers = malloc(sizeof(lapack_int) * 6 * s);
    if (!scratch || !memory || !integers) {
        free(scratch);
        free(memory);
        free(integers);
        return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum scratch: %zu bytes", ms_spectrum_scratch_bytes(smaller, longer));
    }
    scratch->smaller = smaller;
    scratch->longer = longer;
    scratch->memory = memory;
    scratch->integers = integers;
    struct {
        double **place;
        size_t n;
    } parts[] = {{&scratch->panel, s * PANEL},
                 {&scratch->gram, s * s},
                 {&scratch->values, s},
                 {&scratch->diagonal, s},
                 {&scratch->off_diagonal, s},
                 {&scratch->scalars, s},
                 {&scratch->found, s},
                 {&scratch->work, 2 * BLOCK * s},
                 {&scratch->found_vectors, s * N_WEIGHT},
                 {&scratch->small_vectors, s * N_VECTORS},
                 {&scratch->long_product, l * N_VECTORS},
                 {&scratch->long_vectors, l * N_WEIGHT}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = memory;
        memory += parts[i].n;
    }
    *out = scratch;
    return MS_OK;
}

void ms_spectrum_scratch_destroy(ms_spectrum_scratch *scratch) {
    if (!scratch) return;
    free(scratch->memory);
    free(scratch->integers);
    free(scratch);
}

double ms_alignment_random(int dimension) {
    if (dimension <= MS_SPECTRUM_ALIGN) return 1;
    static const double PI = 3.14159265358979323846;
    return 8 / (3 * PI) * sqrt((double)MS_SPECTRUM_ALIGN / dimension);
}

/* out[i] = element first + i of the flat matrix, in f64. */
static void convert(const source *matrix, size_t first, size_t n, double *out) {
    const float *after = matrix->input->after + first;
    if (matrix->is_update) {
        const float *before = matrix->input->before + first;
        for (size_t i = 0; i < n; i++) out[i] = (double)after[i] - (double)before[i];
    } else {
        for (size_t i = 0; i < n; i++) out[i] = after[i];
    }
}

/* Converts `width` elements of the longer side, from `first` on.  Wide: rows' slices become columns of a column-major
   [width, smaller] panel.  Tall: whole rows become columns of a column-major [smaller, width] panel. */
static void load_panel(const source *matrix, int first, int width, double *panel) {
    if (!matrix->wide) {
        convert(matrix, (size_t)first * matrix->smaller, (size_t)width * matrix->smaller, panel);
        return;
    }
    for (int i = 0; i < matrix->smaller; i++)
        convert(matrix, (size_t)i * matrix->longer + first, width, panel + (size_t)i * width);
}

/* gram = the Gram matrix over the smaller side, lower triangle. */
static void compute_gram(ms_spectrum_scratch *scratch, const source *matrix) {
    int s = matrix->smaller;
    for (int first = 0; first < matrix->longer; first += PANEL) {
        int width = matrix->longer - first < PANEL ? matrix->longer - first : PANEL;
        load_panel(matrix, first, width, scratch->panel);
        cblas_dsyrk(CblasColMajor, CblasLower, matrix->wide ? CblasTrans : CblasNoTrans, s, width, 1, scratch->panel,
                    matrix->wide ? width : s, first > 0 ? 1 : 0, scratch->gram, s);
    }
}

/* out [longer, n] = the matrix, seen from its longer side, times x [smaller, n]: W^T x if wide, W x if tall. */
static void multiply(ms_spectrum_scratch *scratch, const source *matrix, const double *x, int n, double *out) {
    int s = matrix->smaller;
    for (int first = 0; first < matrix->longer; first += PANEL) {
        int width = matrix->longer - first < PANEL ? matrix->longer - first : PANEL;
        load_panel(matrix, first, width, scratch->panel);
        cblas_dgemm(CblasColMajor, matrix->wide ? CblasNoTrans : CblasTrans, CblasNoTrans, width, n, s, 1,
                    scratch->panel, matrix->wide ? width : s, x, s, 0, out + first, matrix->longer);
    }
}

/* Scales the columns of `products` (W^T U_k or W V_k) to vectors; a column whose value is 0 to rounding becomes 0. */
static void scale_columns(double *products, int longer, const double *values, int n, double tolerance) {
    for (int k = 0; k < n; k++)
        cblas_dscal(longer, values[k] > tolerance ? 1 / values[k] : 0, products + (size_t)k * longer, 1);
}

/* A value at most this is 0 to rounding (the rule of numpy.linalg.matrix_rank). */
static double rank_tolerance(const source *matrix, double sigma_max) {
    return matrix->longer * DBL_EPSILON * sigma_max;
}

static ms_status check_finite(const source *matrix, double trace) {
    if (isfinite(trace)) return MS_OK;
    const ms_spectrum_input *input = matrix->input;
    for (int state = 0; state < 2; state++) {
        const float *data = state ? input->before : input->after;
        for (size_t i = 0; i < (size_t)input->rows * input->cols; i++)
            if (!isfinite(data[i]))
                return MS_FAIL(MS_NUMERIC, "spectrum of %s [%d, %d]: element (%zu, %zu)%s is %g", input->name,
                               input->rows, input->cols, i / input->cols, i % input->cols,
                               input->before == input->after ? ""
                               : state                       ? " before the update"
                                                             : " after the update",
                               data[i]);
    }
    return MS_FAIL(MS_INTERNAL, "spectrum of %s: the Gram matrix overflows", input->name);
}

static ms_status check_lapack(lapack_int info, const char *routine, const source *matrix) {
    if (info == 0) return MS_OK;
    return MS_FAIL(MS_INTERNAL, "spectrum of %s [%d, %d]: %s returned %d", matrix->input->name, matrix->input->rows,
                   matrix->input->cols, routine, (int)info);
}

/* Brings vectors [smaller, n] from the tridiagonal basis to that of the matrix. */
static ms_status transform_back(ms_spectrum_scratch *scratch, const source *matrix, int n, double *vectors) {
    lapack_int s = matrix->smaller;
    return check_lapack(LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', 'L', 'N', s, n, scratch->gram, s, scratch->scalars,
                                            vectors, s, scratch->work, 2 * BLOCK * s),
                        "DORMTR", matrix);
}

/* The vectors of result->values, which DSTERF found, where the tridiagonal form is one block. */
static ms_status vectors_of_values(ms_spectrum_scratch *scratch, const source *matrix, decomposition *result) {
    lapack_int s = matrix->smaller, n = result->n_vectors;
    lapack_int *block = scratch->integers, *split = block + s, *work = split + s, *failed = work + 3 * s;
    for (int k = 0; k < n; k++) {
        scratch->found[k] = result->values[n - 1 - k] * result->values[n - 1 - k]; /* ascending, as DSTEIN wants */
        block[k] = 1;
    }
    split[0] = s;
    MS_TRY(check_lapack(LAPACKE_dstein_work(LAPACK_COL_MAJOR, s, scratch->diagonal, scratch->off_diagonal, n,
                                            scratch->found, block, split, scratch->found_vectors, s, scratch->work,
                                            work, failed),
                        "DSTEIN", matrix));
    for (int k = 0; k < n; k++)
        memcpy(result->small_vectors + (size_t)k * s, scratch->found_vectors + (size_t)(n - 1 - k) * s,
               sizeof(double) * s);
    return transform_back(scratch, matrix, n, result->small_vectors);
}

/* The n_values largest eigenvalues of the tridiagonal form into `values` as singular values, descending; vectors of the
   first n_vectors into `vectors` [smaller, n_vectors], in the basis of the matrix. */
static ms_status leading_vectors(ms_spectrum_scratch *scratch, const source *matrix, int n_values, double *values,
                                 int n_vectors, double *vectors) {
    lapack_int s = matrix->smaller, n_found = 0, n_split = 0;
    lapack_int *block = scratch->integers, *split = block + s, *work = split + s, *failed = work + 3 * s;
    MS_TRY(check_lapack(LAPACKE_dstebz_work('I', 'B', s, 0, 0, s - n_values + 1, s, 0, scratch->diagonal,
                                            scratch->off_diagonal, &n_found, &n_split, scratch->found, block, split,
                                            scratch->work, work),
                        "DSTEBZ", matrix));
    if (n_found != n_values) return check_lapack(n_found + 1, "DSTEBZ (number found + 1)", matrix);
    MS_TRY(check_lapack(LAPACKE_dstein_work(LAPACK_COL_MAJOR, s, scratch->diagonal, scratch->off_diagonal, n_found,
                                            scratch->found, block, split, scratch->found_vectors, s, scratch->work,
                                            work, failed),
                        "DSTEIN", matrix));
    bool taken[MS_SPECTRUM_TOP] = {false}; /* DSTEBZ orders within blocks: sort over all of them */
    for (int k = 0; k < n_values; k++) {
        int best = -1;
        for (int i = 0; i < n_values; i++)
            if (!taken[i] && (best < 0 || scratch->found[i] > scratch->found[best])) best = i;
        taken[best] = true;
        values[k] = sqrt(fmax(scratch->found[best], 0));
        if (k < n_vectors)
            memcpy(vectors + (size_t)k * s, scratch->found_vectors + (size_t)best * s, sizeof(double) * s);
    }
    return transform_back(scratch, matrix, n_vectors, vectors);
}

/* Tridiagonal form of the Gram matrix: diagonal, off_diagonal; reflectors stay in gram and scalars. */
static ms_status tridiagonalise(ms_spectrum_scratch *scratch, const source *matrix) {
    lapack_int s = matrix->smaller;
    return check_lapack(LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, 'L', s, scratch->gram, s, scratch->diagonal,
                                            scratch->off_diagonal, scratch->scalars, scratch->work, 2 * BLOCK * s),
                        "DSYTRD", matrix);
}

/* All singular values, descending, from the tridiagonal form.  `copy` [smaller] is destroyed. */
static ms_status all_values(ms_spectrum_scratch *scratch, const source *matrix, double *copy, double *values) {
    int s = matrix->smaller;
    memcpy(values, scratch->diagonal, sizeof(double) * s);
    memcpy(copy, scratch->off_diagonal, sizeof(double) * s);
    MS_TRY(check_lapack(LAPACKE_dsterf_work(s, values, copy), "DSTERF", matrix)); /* ascending */
    for (int i = 0, j = s - 1; i <= j; i++, j--) {
        double low = values[i], high = values[j];
        values[i] = sqrt(fmax(high, 0));
        values[j] = sqrt(fmax(low, 0));
    }
    return MS_OK;
}

/* Whether the tridiagonal form falls apart into blocks (by the rule of DSTEBZ). */
static bool splits(const ms_spectrum_scratch *scratch, int s) {
    for (int i = 0; i + 1 < s; i++) {
        double link = scratch->off_diagonal[i] / DBL_EPSILON;
        if (link * link < fabs(scratch->diagonal[i] * scratch->diagonal[i + 1])) return true;
    }
    return false;
}

/* Bound on the error of entropy_l1 that comes from squaring: an eigenvalue is off by about E s1^2, E = 2e-15, so a
   value s is off by E s1^2 / (2 s), at most sqrt(E) s1; p log p then by up to 30 times that over sum s. */
static double entropy_error(const double *values, int r) {
    static const double E = 2e-15;
    double sum = 0, error = 0, first = values[0];
    for (int i = 0; i < r; i++) {
        sum += values[i];
        error += fmin(E * first * first / (2 * fmax(values[i], 1e-300 * first)), sqrt(E) * first);
    }
    return r > 1 ? 30 * error / (sum * log(r)) : 0;
}

/* Replaces the values and vectors of `result` by those of a direct SVD: slow, good to rounding times s1. */
static ms_status decompose_directly(const source *matrix, decomposition *result) {
    lapack_int rows = matrix->input->rows, cols = matrix->input->cols, s = matrix->smaller;
    size_t n = (size_t)rows * cols;
    /* Column-major LAPACK sees W^T [cols, rows]: its left vectors are the right ones of W. */
    double *memory = malloc(sizeof(double) * (n + (size_t)s * (rows + cols) + s));
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum of %s: direct SVD", matrix->input->name);
    double *right = memory + n, *left = right + (size_t)cols * s, *values = left + (size_t)s * rows;
    convert(matrix, 0, n, memory);
    ms_status status =
        check_lapack(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', cols, rows, memory, cols, values, right, cols, left, s),
                     "DGESDD", matrix);
    if (status == MS_OK) {
        memcpy(result->values, values, sizeof(double) * result->n_values);
        double *left_out = matrix->wide ? result->small_vectors : result->long_vectors;
        double *right_out = matrix->wide ? result->long_vectors : result->small_vectors;
        memcpy(right_out, right, sizeof(double) * (size_t)cols * result->n_vectors);
        for (int k = 0; k < result->n_vectors; k++)
            for (lapack_int i = 0; i < rows; i++) left_out[(size_t)k * rows + i] = left[(size_t)i * s + k];
    }
    free(memory);
    return status;
}

/* Gram matrix and trace; zeroes what is left of `result`. */
static ms_status begin(ms_spectrum_scratch *scratch, const source *matrix, decomposition *result) {
    compute_gram(scratch, matrix);
    result->trace = 0;
    for (int i = 0; i < matrix->smaller; i++) result->trace += scratch->gram[(size_t)i * matrix->smaller + i];
    MS_TRY(check_finite(matrix, result->trace));
    memset(result->values, 0, sizeof(double) * result->n_values);
    return MS_OK;
}

/* W: all values, N_WEIGHT vectors on both sides.  W = 0 gives values 0 and no vectors. */
static ms_status decompose_weight(ms_spectrum_scratch *scratch, const source *matrix, decomposition *result) {
    int s = matrix->smaller;
    result->values = scratch->values;
    result->n_values = s;
    result->small_vectors = scratch->small_vectors + (size_t)N_UPDATE * s;
    result->long_vectors = scratch->long_vectors;
    result->n_vectors = s < N_WEIGHT ? s : N_WEIGHT;
    MS_TRY(begin(scratch, matrix, result));
    if (result->trace == 0) {
        result->n_vectors = 0;
        return MS_OK;
    }
    MS_TRY(tridiagonalise(scratch, matrix));
    MS_TRY(all_values(scratch, matrix, scratch->found, result->values));
    if (entropy_error(result->values, s) > MS_SPECTRUM_DIRECT_ENTROPY ||
        result->values[result->n_vectors - 1] < MS_SPECTRUM_DIRECT_VECTORS * result->values[0])
        return decompose_directly(matrix, result);
    if (splits(scratch, s)) {
        double leading[N_WEIGHT]; /* the same as values[0..], by the other method */
        MS_TRY(leading_vectors(scratch, matrix, result->n_vectors, leading, result->n_vectors, result->small_vectors));
    } else {
        MS_TRY(vectors_of_values(scratch, matrix, result));
    }
    multiply(scratch, matrix, result->small_vectors, result->n_vectors, result->long_vectors);
    scale_columns(result->long_vectors, matrix->longer, result->values, result->n_vectors,
                  rank_tolerance(matrix, result->values[0]));
    return MS_OK;
}

/* dW: N_UPDATE + 1 values and N_UPDATE vectors on the smaller side; none where dW = 0 or r < N_UPDATE.  The long
   vectors come with the velocities, except after a direct SVD (*out_direct), which gives them here. */
static ms_status decompose_update(ms_spectrum_scratch *scratch, const source *matrix, double *values,
                                  decomposition *result, bool *out_direct) {
    int s = matrix->smaller;
    *out_direct = false;
    result->values = values;
    result->n_values = s < N_UPDATE + 1 ? s : N_UPDATE + 1;
    result->small_vectors = scratch->small_vectors;
    result->long_vectors = scratch->long_product;
    result->n_vectors = N_UPDATE;
    MS_TRY(begin(scratch, matrix, result));
    if (result->trace == 0 || s < N_UPDATE) {
        result->n_vectors = 0;
        return MS_OK;
    }
    MS_TRY(tridiagonalise(scratch, matrix));
    MS_TRY(leading_vectors(scratch, matrix, result->n_values, values, N_UPDATE, result->small_vectors));
    *out_direct = values[N_UPDATE - 1] < MS_SPECTRUM_DIRECT_ALIGN * values[0];
    return *out_direct ? decompose_directly(matrix, result) : MS_OK;
}

/* Mean cosine of the principal angles between the spans of two orthonormal sets of MS_SPECTRUM_ALIGN columns. */
static ms_status mean_cosine(const source *matrix, const double *x, const double *y, int length, double *out) {
    enum { K = MS_SPECTRUM_ALIGN };
    double overlap[K * K], cosines[K], unused[K];
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, K, K, length, 1, x, length, y, length, 0, overlap, K);
    MS_TRY(check_lapack(LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'N', 'N', K, K, overlap, K, cosines, NULL, K, NULL, K, unused),
                        "DGESVD", matrix));
    double sum = 0;
    for (int k = 0; k < K; k++) sum += fmin(cosines[k], 1);
    *out = sum / K;
    return MS_OK;
}

/* -sum p log p with p = x / total; terms of x = 0 are 0. */
static double entropy(const double *values, int n, bool squared, double total) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double p = (squared ? values[i] * values[i] : values[i]) / total;
        if (p > 0) sum -= p * log(p);
    }
    return sum;
}

/* The metrics of W alone. */
static void describe_weight(const source *matrix, const decomposition *weight, ms_spectrum *out) {
    int r = weight->n_values;
    const double *s = weight->values;
    double sum = 0, sum_squares = 0;
    for (int i = 0; i < r; i++) {
        sum += s[i];
        sum_squares += s[i] * s[i];
    }
    out->sigma_max = s[0];
    out->sigma_mean = sum / r;
    out->frobenius = sqrt(sum_squares);
    out->n_top = r < MS_SPECTRUM_TOP ? r : MS_SPECTRUM_TOP;
    memcpy(out->sigma_top, s, sizeof(double) * out->n_top);
    out->gap = r >= 2 && s[1] > rank_tolerance(matrix, s[0]) ? s[0] / s[1] : NAN;
    out->alignment_random = ms_alignment_random(matrix->input->rows);
    out->alignment_random_right = ms_alignment_random(matrix->input->cols);
    out->stable_rank = out->effective_rank = out->spectral_entropy = out->entropy_l1 = out->orthogonality_error = NAN;
    if (s[0] == 0) return;
    out->stable_rank = sum_squares / (s[0] * s[0]);
    double entropy_l1 = entropy(s, r, false, sum);
    out->effective_rank = exp(entropy_l1);
    if (r > 1) {
        out->entropy_l1 = entropy_l1 / log(r);
        out->spectral_entropy = entropy(s, r, true, sum_squares) / log(r);
    }
    double error = 0;
    for (int i = 0; i < r; i++) {
        double normalised = s[i] / s[0], deviation = normalised * normalised - 1;
        error += deviation * deviation;
    }
    out->orthogonality_error = sqrt(error / r);
}

/* <W, dW> in 8 lanes, so that it vectorises without reassociation. */
static double inner_product(const ms_spectrum_input *input) {
    double lanes[8] = {0}, sum = 0;
    size_t n = (size_t)input->rows * input->cols, i = 0;
    for (; i + 8 <= n; i += 8)
        for (int l = 0; l < 8; l++)
            lanes[l] += (double)input->after[i + l] * ((double)input->after[i + l] - (double)input->before[i + l]);
    for (; i < n; i++) sum += (double)input->after[i] * ((double)input->after[i] - (double)input->before[i]);
    for (int l = 0; l < 8; l++) sum += lanes[l];
    return sum;
}

/* velocity_top, cosine, update_ratio, alignment: what needs both W and dW. */
static ms_status describe_update(ms_spectrum_scratch *scratch, const source *matrix, const decomposition *weight,
                                 ms_spectrum *out) {
    double values[N_UPDATE + 1];
    decomposition update;
    bool direct = false;
    MS_TRY(decompose_update(scratch, matrix, values, &update, &direct));
    int s = matrix->smaller, l = matrix->longer;
    double tolerance = rank_tolerance(matrix, weight->values[0]);
    out->alignment_left = out->alignment_right = out->alignment_margin = out->cosine = out->update_ratio = NAN;

    /* One product gives the long vectors of dW and the velocities: the small vectors lie side by side. */
    bool both = update.n_vectors > 0 && !direct;
    int first = both ? 0 : N_UPDATE;
    multiply(scratch, matrix, scratch->small_vectors + (size_t)first * s, N_UPDATE - first + weight->n_vectors,
             scratch->long_product + (size_t)first * l);
    if (both) scale_columns(update.long_vectors, l, values, N_UPDATE, rank_tolerance(matrix, values[0]));
    const double *weight_product = scratch->long_product + (size_t)N_UPDATE * l;
    for (int k = 0; k < out->n_top; k++)
        out->velocity_top[k] =
            weight->values[k] > tolerance && weight->n_vectors > k
                ? cblas_ddot(l, weight_product + (size_t)k * l, 1, weight->long_vectors + (size_t)k * l, 1)
                : NAN;

    if (weight->trace > 0) out->update_ratio = sqrt(update.trace / weight->trace);
    if (weight->trace > 0 && update.trace > 0)
        out->cosine = inner_product(matrix->input) / (sqrt(weight->trace) * sqrt(update.trace));
    if (update.n_vectors > 0 && update.n_values > N_UPDATE) out->alignment_margin = (values[4] - values[5]) / values[0];
    if (update.n_vectors == 0 || weight->n_vectors < MS_SPECTRUM_ALIGN ||
        weight->values[MS_SPECTRUM_ALIGN - 1] <= tolerance ||
        values[MS_SPECTRUM_ALIGN - 1] <= rank_tolerance(matrix, values[0]))
        return MS_OK;
    double *small_out = matrix->wide ? &out->alignment_left : &out->alignment_right;
    double *long_out = matrix->wide ? &out->alignment_right : &out->alignment_left;
    MS_TRY(mean_cosine(matrix, weight->small_vectors, update.small_vectors, s, small_out));
    return mean_cosine(matrix, weight->long_vectors, update.long_vectors, l, long_out);
}

ms_status ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out) {
    memset(out, 0, sizeof *out);
    bool wide = input->rows <= input->cols;
    source weight_source = {input, false, wide ? input->rows : input->cols, wide ? input->cols : input->rows, wide};
    source update_source = weight_source;
    update_source.is_update = true;
    if (weight_source.smaller < 1 || weight_source.smaller > scratch->smaller || weight_source.longer > scratch->longer)
        return MS_FAIL(MS_INVALID, "spectrum of %s: shape [%d, %d] but scratch for sides %d and %d", input->name,
                       input->rows, input->cols, scratch->smaller, scratch->longer);
    ms_blas_this_thread();
    decomposition weight;
    MS_TRY(decompose_weight(scratch, &weight_source, &weight));
    describe_weight(&weight_source, &weight, out);
    return describe_update(scratch, &update_source, &weight, out);
}

const char *ms_spectrum_scalar_name(int i) {
    static const char *const names[] = {
#define X(name) #name,
        MS_SPECTRUM_SCALARS(X)
#undef X
    };
    return i >= 0 && i < MS_SPECTRUM_N_SCALARS ? names[i] : NULL;
}

ms_status ms_spectrum_of_matrix(const float *matrix, int rows, int cols, double *out_singular_values,
                                double *out_scalars) {
    int smaller = rows < cols ? rows : cols, longer = rows < cols ? cols : rows;
    if (smaller < 1) return MS_FAIL(MS_INVALID, "spectrum of a matrix [%d, %d]: it is empty", rows, cols);
    if (!matrix) return MS_FAIL(MS_INVALID, "spectrum of a matrix [%d, %d]: no values are given", rows, cols);
    const ms_spectrum_input input = {"a matrix", matrix, matrix, rows, cols};
    ms_spectrum_scratch *scratch;
    ms_spectrum spectrum;
    MS_TRY(ms_spectrum_scratch_create(smaller, longer, &scratch));
    ms_status status = ms_spectrum_compute(scratch, &input, &spectrum);
    if (status == MS_OK && out_singular_values)
        memcpy(out_singular_values, scratch->values, sizeof(double) * (size_t)smaller);
    if (status == MS_OK && out_scalars) {
#define X(name) out_scalars[MS_SPECTRUM_INDEX_##name] = spectrum.name;
        MS_SPECTRUM_SCALARS(X)
#undef X
    }
    ms_spectrum_scratch_destroy(scratch);
    return status;
}
