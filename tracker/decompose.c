#include "tracker/decompose.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "tracker/bisection.h"

enum {
    PANEL = 512, /* elements of the longer side that are converted to f64 at a time */
    BLOCK = 12,  /* of DSYTRD: 4 to 21 % less time for sides of 96 to 768 than with 32, its default */
    WORK = 64,   /* columns of work memory: DSTEIN and DORMTR need less */
    N_PERCENTS = MS_DECOMPOSE_N_PERCENTS,
    N_SINGLE = 1 + 2 * N_PERCENTS, /* values that are reported, or made anew: the smallest, two a quantile */
    N_FOUND = MS_DECOMPOSE_VECTORS + N_SINGLE, /* vectors by inverse iteration at once */
    N_JOINED = N_FOUND + MS_DECOMPOSE_ALSO     /* vectors that are multiplied at once */
};

const int ms_decompose_percents[N_PERCENTS] = {1, 10, 50, 90};

struct ms_decompose_scratch {
    int smaller, longer;
    double *memory;       /* one allocation, cut into the arrays below */
    double *panel;        /* [smaller, PANEL] */
    double *gram;         /* [smaller, smaller], column-major, lower; then the reflectors of DSYTRD */
    double *diagonal;     /* [smaller] tridiagonal form */
    double *off_diagonal; /* [smaller] */
    double *scalars;      /* [smaller] reflector scalars */
    double *work;         /* [WORK * smaller] */
    double *found;        /* [smaller] eigenvalues for DSTEIN; off_diagonal or its squares for what finds all or some */
    double *vectors;      /* [smaller, N_FOUND] in the tridiagonal basis */
    double *joined;       /* [smaller, N_JOINED] vectors of the smaller side that are multiplied */
    double *product;      /* [longer, N_JOINED] */
    lapack_int *integers; /* [6 * smaller] block numbers, splits, work, failures */
};

/* A matrix in work. */
typedef struct matrix {
    const ms_decompose_source *source;
    int smaller, longer;
    bool wide; /* rows <= cols: the smaller side is the left one */
} matrix;

static size_t scratch_doubles(size_t smaller, size_t longer) {
    return smaller * PANEL + smaller * smaller + 4 * smaller + WORK * smaller + smaller * (N_FOUND + N_JOINED) +
           longer * N_JOINED;
}

static bool are_sides(int smaller, int longer) { return smaller >= 1 && longer >= smaller; }

/* From 2^30 on, smaller^2 doubles are more than half of what size_t counts. */
size_t ms_decompose_scratch_bytes(int smaller, int longer) {
    if (!are_sides(smaller, longer)) return 0;
    if (smaller >= 1 << 30) return SIZE_MAX;
    return sizeof(ms_decompose_scratch) + sizeof(double) * scratch_doubles((size_t)smaller, (size_t)longer) +
           sizeof(lapack_int) * 6 * (size_t)smaller;
}

ms_status ms_decompose_scratch_create(int smaller, int longer, ms_decompose_scratch **out) {
    *out = NULL;
    if (!are_sides(smaller, longer)) return MS_FAIL(MS_INVALID, "spectrum scratch: sides %d and %d", smaller, longer);
    if (ms_decompose_scratch_bytes(smaller, longer) == SIZE_MAX)
        return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum scratch: sides %d and %d need more bytes than can be addressed",
                       smaller, longer);
    MS_TRY(ms_blas_prepare());
    MS_TRY(ms_blas_reserve(1));
    size_t s = (size_t)smaller, l = (size_t)longer;
    ms_decompose_scratch *scratch = calloc(1, sizeof *scratch);
    double *memory = malloc(sizeof(double) * scratch_doubles(s, l));
    lapack_int *integers = malloc(sizeof(lapack_int) * 6 * s);
    if (!scratch || !memory || !integers) {
        free(scratch);
        free(memory);
        free(integers);
        return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum scratch: %zu bytes", ms_decompose_scratch_bytes(smaller, longer));
    }
    scratch->smaller = smaller;
    scratch->longer = longer;
    scratch->memory = memory;
    scratch->integers = integers;
    struct {
        double **place;
        size_t n;
    } parts[] = {{&scratch->panel, s * PANEL},     {&scratch->gram, s * s},          {&scratch->diagonal, s},
                 {&scratch->off_diagonal, s},      {&scratch->scalars, s},           {&scratch->found, s},
                 {&scratch->work, WORK * s},       {&scratch->vectors, s * N_FOUND}, {&scratch->joined, s * N_JOINED},
                 {&scratch->product, l * N_JOINED}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = memory;
        memory += parts[i].n;
    }
    *out = scratch;
    return MS_OK;
}

void ms_decompose_scratch_destroy(ms_decompose_scratch *scratch) {
    if (!scratch) return;
    free(scratch->memory);
    free(scratch->integers);
    free(scratch);
}

void ms_quantile_place(int n, int percent, int *out_first, int *out_second, double *out_weight) {
    /* from below: the place (n - 1) percent / 100 */
    int64_t hundredths = (int64_t)(n - 1) * percent;
    int below = (int)(hundredths / 100);
    *out_first = n - 1 - below;
    *out_second = *out_first > 0 ? *out_first - 1 : 0;
    *out_weight = (double)(hundredths % 100) / 100;
}

/* out -= factor * minus, from element `first` on. */
static void subtract(const ms_decompose_source *source, size_t first, size_t n, double *out) {
    double minus[PANEL];
    for (size_t done = 0; done < n; done += PANEL) {
        size_t width = n - done < PANEL ? n - done : PANEL;
        ms_elements_to_f64(source->minus_type, source->minus, first + done, width, minus);
        for (size_t i = 0; i < width; i++) out[done + i] -= source->factor * minus[i];
    }
}

/* Tensors of files begin anywhere. */
static double f32_at(const void *array, size_t i) {
    float value;
    memcpy(&value, (const char *)array + i * sizeof value, sizeof value);
    return value;
}

/* out[i] = element first + i of the flat matrix, in f64.  The difference of two f32 matrices, which each snapshot has,
   in one pass. */
static void convert(const matrix *m, size_t first, size_t n, double *out) {
    const ms_decompose_source *source = m->source;
    const void *plus = source->plus, *minus = source->minus;
    double factor = source->factor;
    if (minus && source->plus_type == MS_ELEMENT_F32 && source->minus_type == MS_ELEMENT_F32) {
        for (size_t i = 0; i < n; i++) out[i] = f32_at(plus, first + i) - factor * f32_at(minus, first + i);
        return;
    }
    ms_elements_to_f64(source->plus_type, plus, first, n, out);
    if (minus) subtract(source, first, n, out);
}

/* Converts `width` elements of the longer side, from `first` on.  Wide: rows' slices become columns of a column-major
   [width, smaller] panel.  Tall: whole rows become columns of a column-major [smaller, width] panel. */
static void load_panel(const matrix *m, int first, int width, double *panel) {
    if (!m->wide) {
        convert(m, (size_t)first * m->smaller, (size_t)width * m->smaller, panel);
        return;
    }
    for (int i = 0; i < m->smaller; i++) convert(m, (size_t)i * m->longer + first, width, panel + (size_t)i * width);
}

/* gram = the Gram matrix over the smaller side, lower triangle. */
static void compute_gram(ms_decompose_scratch *scratch, const matrix *m) {
    int s = m->smaller;
    for (int first = 0; first < m->longer; first += PANEL) {
        int width = m->longer - first < PANEL ? m->longer - first : PANEL;
        load_panel(m, first, width, scratch->panel);
        cblas_dsyrk(CblasColMajor, CblasLower, m->wide ? CblasTrans : CblasNoTrans, s, width, 1, scratch->panel,
                    m->wide ? width : s, first > 0 ? 1 : 0, scratch->gram, s);
    }
}

/* out [longer, n] = the matrix, seen from its longer side, times x [smaller, n]: W^T x if wide, W x if tall. */
static void multiply(ms_decompose_scratch *scratch, const matrix *m, const double *x, int n, double *out) {
    int s = m->smaller;
    for (int first = 0; first < m->longer; first += PANEL) {
        int width = m->longer - first < PANEL ? m->longer - first : PANEL;
        load_panel(m, first, width, scratch->panel);
        cblas_dgemm(CblasColMajor, m->wide ? CblasNoTrans : CblasTrans, CblasNoTrans, width, n, s, 1, scratch->panel,
                    m->wide ? width : s, x, s, 0, out + first, m->longer);
    }
}

/* MS_NUMERIC names an element of plus, or of minus, that is not finite. */
static ms_status check_finite(const ms_decompose_source *source, bool minus) {
    const void *data = minus ? source->minus : source->plus;
    ms_element type = minus ? source->minus_type : source->plus_type;
    size_t cols = (size_t)source->cols;
    for (size_t i = 0; i < (size_t)source->rows * cols; i++) {
        double element;
        ms_elements_to_f64(type, data, i, 1, &element);
        if (!isfinite(element))
            return MS_FAIL(MS_NUMERIC, "spectrum of %s [%d, %d]: element (%zu, %zu)%s is %g", source->name,
                           source->rows, source->cols, i / cols, i % cols, minus ? source->minus_is : source->plus_is,
                           element);
    }
    return MS_OK;
}

/* Below it a sum of squares may be of numbers that lost bits: f64 elements of about 1e-154.  What comes from f32 is 0
   or far above. */
static const double smallest_squares = 1e-280;

static ms_status check_squares(const matrix *m, double squares) {
    const ms_decompose_source *source = m->source;
    if (isfinite(squares) && squares >= smallest_squares) return MS_OK;
    MS_TRY(check_finite(source, false));
    if (source->minus) MS_TRY(check_finite(source, true));
    double largest = 0, element;
    for (size_t i = 0; i < (size_t)source->rows * (size_t)source->cols; i++) {
        convert(m, i, 1, &element);
        largest = fmax(largest, fabs(element));
    }
    if (largest == 0) return MS_OK;
    return MS_FAIL(MS_NUMERIC, "spectrum of %s [%d, %d]: squares of elements up to %g are beyond f64: scale the matrix",
                   source->name, source->rows, source->cols, largest);
}

static ms_status check_lapack(lapack_int info, const char *routine, const matrix *m) {
    if (info == 0) return MS_OK;
    return MS_FAIL(MS_INTERNAL, "spectrum of %s [%d, %d]: %s returned %d", m->source->name, m->source->rows,
                   m->source->cols, routine, (int)info);
}

/* Brings vectors [smaller, n] from the tridiagonal basis to that of the matrix. */
static ms_status transform_back(ms_decompose_scratch *scratch, const matrix *m, int n, double *vectors) {
    lapack_int s = m->smaller;
    return check_lapack(LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', 'L', 'N', s, n, scratch->gram, s, scratch->scalars,
                                            vectors, s, scratch->work, WORK * s),
                        "DORMTR", m);
}

/* The vectors of the values at n places (ascending places: descending values), which DSTERF found, where the
   tridiagonal form is one block, into `out` [smaller, n]. */
static ms_status vectors_of_values(ms_decompose_scratch *scratch, const matrix *m, const double *values,
                                   const int *places, int n, double *out) {
    lapack_int s = m->smaller;
    lapack_int *block = scratch->integers, *split = block + s, *work = split + s, *failed = work + 3 * s;
    for (int k = 0; k < n; k++) {
        double value = values[places[n - 1 - k]];
        scratch->found[k] = value * value; /* ascending, as DSTEIN wants */
        block[k] = 1;
    }
    split[0] = s;
    MS_TRY(check_lapack(LAPACKE_dstein_work(LAPACK_COL_MAJOR, s, scratch->diagonal, scratch->off_diagonal, n,
                                            scratch->found, block, split, scratch->vectors, s, scratch->work, work,
                                            failed),
                        "DSTEIN", m));
    for (int k = 0; k < n; k++)
        memcpy(out + (size_t)k * s, scratch->vectors + (size_t)(n - 1 - k) * s, sizeof(double) * s);
    return transform_back(scratch, m, n, out);
}

/* The n_values largest eigenvalues of the tridiagonal form into `values` as singular values, descending; vectors of the
   first n_vectors into `vectors` [smaller, n_vectors], in the basis of the matrix. */
static ms_status leading_vectors(ms_decompose_scratch *scratch, const matrix *m, int n_values, double *values,
                                 int n_vectors, double *vectors) {
    lapack_int s = m->smaller, n_found = 0, n_split = 0;
    lapack_int *block = scratch->integers, *split = block + s, *work = split + s, *failed = work + 3 * s;
    MS_TRY(check_lapack(LAPACKE_dstebz_work('I', 'B', s, 0, 0, s - n_values + 1, s, 0, scratch->diagonal,
                                            scratch->off_diagonal, &n_found, &n_split, scratch->found, block, split,
                                            scratch->work, work),
                        "DSTEBZ", m));
    if (n_found != n_values) return check_lapack(n_found + 1, "DSTEBZ (number found + 1)", m);
    MS_TRY(check_lapack(LAPACKE_dstein_work(LAPACK_COL_MAJOR, s, scratch->diagonal, scratch->off_diagonal, n_found,
                                            scratch->found, block, split, scratch->vectors, s, scratch->work, work,
                                            failed),
                        "DSTEIN", m));
    bool taken[MS_DECOMPOSE_VECTORS + 1] = {false}; /* DSTEBZ orders within blocks: sort over all of them */
    for (int k = 0; k < n_values; k++) {
        int best = -1;
        for (int i = 0; i < n_values; i++)
            if (!taken[i] && (best < 0 || scratch->found[i] > scratch->found[best])) best = i;
        taken[best] = true;
        values[k] = sqrt(fmax(scratch->found[best], 0));
        if (k < n_vectors) memcpy(vectors + (size_t)k * s, scratch->vectors + (size_t)best * s, sizeof(double) * s);
    }
    return transform_back(scratch, m, n_vectors, vectors);
}

/* Tridiagonal form of the Gram matrix: diagonal, off_diagonal; reflectors stay in gram and scalars. */
static ms_status tridiagonalise(ms_decompose_scratch *scratch, const matrix *m) {
    lapack_int s = m->smaller;
    return check_lapack(LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, 'L', s, scratch->gram, s, scratch->diagonal,
                                            scratch->off_diagonal, scratch->scalars, scratch->work, BLOCK * s),
                        "DSYTRD", m);
}

/* All singular values, descending, from the tridiagonal form. */
static ms_status all_values(ms_decompose_scratch *scratch, const matrix *m, double *values) {
    int s = m->smaller;
    memcpy(values, scratch->diagonal, sizeof(double) * s);
    memcpy(scratch->found, scratch->off_diagonal, sizeof(double) * s);
    MS_TRY(check_lapack(LAPACKE_dsterf_work(s, values, scratch->found), "DSTERF", m)); /* ascending */
    for (int i = 0, j = s - 1; i <= j; i++, j--) {
        double low = values[i], high = values[j];
        values[i] = sqrt(fmax(high, 0));
        values[j] = sqrt(fmax(low, 0));
    }
    return MS_OK;
}

/* The values at n places, from the tridiagonal form. */
static void some_values(ms_decompose_scratch *scratch, const matrix *m, const int *places, int n, double *values) {
    double found[MS_BISECTION_PLACES];
    for (int i = 0; i + 1 < m->smaller; i++) scratch->found[i] = scratch->off_diagonal[i] * scratch->off_diagonal[i];
    ms_bisect(scratch->diagonal, scratch->found, m->smaller, places, n, found);
    for (int k = 0; k < n; k++) values[places[k]] = sqrt(fmax(found[k], 0));
}

/* Whether the tridiagonal form falls apart into blocks (by the rule of DSTEBZ). */
static bool splits(const ms_decompose_scratch *scratch, int s) {
    for (int i = 0; i + 1 < s; i++) {
        double link = scratch->off_diagonal[i] / DBL_EPSILON;
        if (link * link < fabs(scratch->diagonal[i] * scratch->diagonal[i + 1])) return true;
    }
    return false;
}

/* Values, and with_vectors too, by a direct SVD: slow, good to rounding times s1. */
static ms_status decompose_directly(const matrix *m, bool with_vectors, const ms_decompose_request *request,
                                    ms_decomposition *out) {
    lapack_int rows = m->source->rows, cols = m->source->cols, s = m->smaller;
    size_t n = (size_t)rows * cols, n_vectors = with_vectors ? (size_t)s * (rows + cols) : 0;
    /* Column-major LAPACK sees W^T [cols, rows]: its left vectors are the right ones of W. */
    double *memory = malloc(sizeof(double) * (n + n_vectors + s));
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum of %s: direct SVD", m->source->name);
    double *values = memory + n, *right = values + s, *left = right + (size_t)cols * s;
    convert(m, 0, n, memory);
    ms_status status = check_lapack(LAPACKE_dgesdd(LAPACK_COL_MAJOR, with_vectors ? 'S' : 'N', cols, rows, memory, cols,
                                                   values, right, cols, left, s),
                                    "DGESDD", m);
    if (status == MS_OK) {
        out->n_values = request->values == MS_DECOMPOSE_LEADING ? out->n_values : s;
        memcpy(out->values, values, sizeof(double) * out->n_values);
        double *left_out = m->wide ? out->small_vectors : out->long_vectors;
        double *right_out = m->wide ? out->long_vectors : out->small_vectors;
        for (int k = 0; with_vectors && k < out->n_vectors; k++) {
            memcpy(right_out + (size_t)k * cols, right + (size_t)k * cols, sizeof(double) * (size_t)cols);
            for (lapack_int i = 0; i < rows; i++) left_out[(size_t)k * rows + i] = left[(size_t)i * s + k];
        }
    }
    free(memory);
    out->floor = MS_DECOMPOSE_DIRECT_FLOOR * out->values[0];
    out->tolerance = m->longer * DBL_EPSILON * out->values[0];
    return status;
}

/* Bound on the error of the entropy of s / sum s that comes from squaring: an eigenvalue is off by about E s1^2, so a
   value s is off by E s1^2 / (2 s), at most sqrt(E) s1; p log p then by up to 30 times that over sum s. */
static double entropy_error(const double *values, int r) {
    const double e = MS_DECOMPOSE_EIGENVALUE;
    double sum = 0, error = 0, first = values[0];
    for (int i = 0; i < r; i++) {
        sum += values[i];
        error += fmin(e * first * first / (2 * fmax(values[i], 1e-300 * first)), sqrt(e) * first);
    }
    return r > 1 ? 30 * error / (sum * log(r)) : 0;
}

/* Bound on the relative error of the value at `place` after it was made anew: tracker/decompose.h. */
static double anew_error(const double *values, int r, int place) {
    double e = MS_DECOMPOSE_EIGENVALUE * values[0] * values[0], own = values[place] * values[place], error = 0;
    for (int i = 0; i < r; i++) {
        if (i == place) continue;
        double gap = fabs(values[i] * values[i] - own);
        error += gap > 2 * e ? e * e / (gap - e) : e; /* the gap itself is known to e */
    }
    return error / (2 * own);
}

/* The places of the values that are reported by themselves, ascending, each once. */
static int single_places(int r, int out[N_SINGLE]) {
    int n = 0;
    for (int i = N_PERCENTS; i >= 0; i--) {
        int first = r - 1, second = r - 1;
        double weight;
        if (i > 0) ms_quantile_place(r, ms_decompose_percents[i - 1], &first, &second, &weight);
        if (n == 0 || second > out[n - 1]) out[n++] = second;
        if (first > out[n - 1]) out[n++] = first;
    }
    return n;
}

/* Those of them that are made anew; those above SMALL need it not, and those in the noise of the Gram matrix have no
   vectors that would serve. */
static int places_of_small_values(const double *values, int r, int first_free, int out[N_SINGLE]) {
    const double high = MS_DECOMPOSE_SMALL * values[0], low = MS_DECOMPOSE_DIRECT_FLOOR * values[0];
    int single[N_SINGLE], n = single_places(r, single), n_out = 0;
    for (int i = 0; i < n; i++)
        if (single[i] >= first_free && values[single[i]] < high && values[single[i]] > low) out[n_out++] = single[i];
    return n_out;
}

/* Where what is wanted comes from. */
typedef enum way { BY_GRAM, VALUES_DIRECTLY, ALL_DIRECTLY } way;

/* Whether each value that is reported by itself is good to 1e-8, made anew or not. */
static bool are_single_values_good(const ms_decomposition *of, bool is_split) {
    int r = of->n_values, single[N_SINGLE], n = single_places(r, single);
    double floor = (is_split ? MS_DECOMPOSE_SPLIT_FLOOR : MS_DECOMPOSE_FLOOR) * of->values[0];
    for (int i = 0; i < n; i++) {
        double value = of->values[single[i]];
        if (value >= floor) continue;
        if (is_split || value <= MS_DECOMPOSE_DIRECT_FLOOR * of->values[0]) return false;
        if (anew_error(of->values, r, single[i]) > 1e-8) return false;
    }
    return true;
}

/* Sets out->floor. */
static way choose_way(const ms_decompose_request *request, bool is_split, ms_decomposition *out) {
    const double *values = out->values;
    out->floor = (is_split ? MS_DECOMPOSE_SPLIT_FLOOR : MS_DECOMPOSE_FLOOR) * values[0];
    if (out->n_vectors > 0 && values[out->n_vectors - 1] < MS_DECOMPOSE_VECTORS_FLOOR * values[0]) return ALL_DIRECTLY;
    if (request->values != MS_DECOMPOSE_ACCURATE) return BY_GRAM;
    if (!are_single_values_good(out, is_split) || entropy_error(values, out->n_values) > MS_DECOMPOSE_ENTROPY)
        return VALUES_DIRECTLY;
    if (!is_split) out->floor = MS_DECOMPOSE_DIRECT_FLOOR * values[0];
    return BY_GRAM;
}

/* out->long_vectors, the small values at `places` anew, and request->also_product, from one product with the matrix.
   joined: out's small vectors, then those of the places. */
static void multiply_all(ms_decompose_scratch *scratch, const matrix *m, const ms_decompose_request *request,
                         const int *places, int n_places, ms_decomposition *out) {
    size_t s = (size_t)m->smaller, l = (size_t)m->longer;
    int n = out->n_vectors + n_places, n_also = request->also ? request->n_also : 0;
    if (n_also > 0) memcpy(scratch->joined + (size_t)n * s, request->also, sizeof(double) * s * (size_t)n_also);
    if (n + n_also > 0) multiply(scratch, m, scratch->joined, n + n_also, scratch->product);
    for (int k = 0; k < out->n_vectors; k++) { /* a vector whose value is 0 to rounding becomes 0 */
        double *column = out->long_vectors + (size_t)k * l;
        memcpy(column, scratch->product + (size_t)k * l, sizeof(double) * l);
        cblas_dscal((int)l, out->values[k] > out->tolerance ? 1 / out->values[k] : 0, column, 1);
    }
    for (int k = 0; k < n_places; k++)
        out->values[places[k]] = cblas_dnrm2((int)l, scratch->product + (size_t)(out->n_vectors + k) * l, 1);
    if (n_also > 0)
        memcpy(request->also_product, scratch->product + (size_t)n * l, sizeof(double) * l * (size_t)n_also);
}

/* The values that are asked for, from the tridiagonal form. */
static ms_status find_values(ms_decompose_scratch *scratch, const matrix *m, const ms_decompose_request *request,
                             ms_decomposition *out) {
    int s = m->smaller, places[MS_BISECTION_PLACES], n = 0;
    bool is_leading = request->values == MS_DECOMPOSE_LEADING;
    for (int i = 0; i < out->n_values; i++) out->values[i] = NAN;
    if (request->values >= MS_DECOMPOSE_ALL) MS_TRY(all_values(scratch, m, out->values));
    if (request->values == MS_DECOMPOSE_ACCURATE) return MS_OK;
    while (n < s && n < (is_leading ? out->n_values : MS_DECOMPOSE_VECTORS)) {
        places[n] = n;
        n++;
    }
    if (!is_leading) {
        int single[N_SINGLE], n_single = single_places(s, single);
        for (int i = 0; i < n_single; i++)
            if (single[i] >= MS_DECOMPOSE_VECTORS) places[n++] = single[i];
    }
    some_values(scratch, m, places, n, out->values);
    return MS_OK;
}

/* Vectors on the smaller side in scratch->joined: the leading ones, then those of values that are made anew. */
static ms_status find_vectors(ms_decompose_scratch *scratch, const matrix *m, bool is_split, const int *places,
                              int n_places, const ms_decomposition *of) {
    int n = of->n_vectors, wanted[N_FOUND];
    double unused[MS_DECOMPOSE_VECTORS + 1]; /* the same as of->values, by another method */
    if (is_split) return n > 0 ? leading_vectors(scratch, m, n, unused, n, scratch->joined) : MS_OK;
    for (int k = 0; k < n; k++) wanted[k] = k;
    for (int k = 0; k < n_places; k++) wanted[n + k] = places[k];
    n += n_places;
    return n > 0 ? vectors_of_values(scratch, m, of->values, wanted, n, scratch->joined) : MS_OK;
}

/* Everything of a matrix that is not 0, from its Gram matrix where that will do. */
static ms_status find(ms_decompose_scratch *scratch, const matrix *m, const ms_decompose_request *request,
                      ms_decomposition *out) {
    int places[N_SINGLE], n_places = 0;
    MS_TRY(tridiagonalise(scratch, m));
    bool is_split = splits(scratch, m->smaller);
    MS_TRY(find_values(scratch, m, request, out));
    out->tolerance = m->longer * DBL_EPSILON * out->values[0];
    way chosen = choose_way(request, is_split, out);
    if (chosen == ALL_DIRECTLY) {
        MS_TRY(decompose_directly(m, true, request, out));
        ms_decomposition nothing = {.n_vectors = 0};
        multiply_all(scratch, m, request, NULL, 0, &nothing);
        return MS_OK;
    }
    if (chosen == BY_GRAM && !is_split && request->values != MS_DECOMPOSE_LEADING)
        n_places = places_of_small_values(out->values, m->smaller, out->n_vectors, places);
    MS_TRY(find_vectors(scratch, m, is_split, places, n_places, out));
    if (out->n_vectors > 0) /* memcpy takes no NULL */
        memcpy(out->small_vectors, scratch->joined, sizeof(double) * (size_t)m->smaller * out->n_vectors);
    if (chosen == VALUES_DIRECTLY) MS_TRY(decompose_directly(m, false, request, out));
    multiply_all(scratch, m, request, places, n_places, out);
    return MS_OK;
}

ms_status ms_decompose(ms_decompose_scratch *scratch, const ms_decompose_source *source,
                       const ms_decompose_request *request, ms_decomposition *out) {
    bool wide = source->rows <= source->cols;
    const matrix m = {source, wide ? source->rows : source->cols, wide ? source->cols : source->rows, wide};
    int s = m.smaller;
    if (s < 1 || s > scratch->smaller || m.longer > scratch->longer)
        return MS_FAIL(MS_INVALID, "spectrum of %s: shape [%d, %d] but scratch for sides %d and %d", source->name,
                       source->rows, source->cols, scratch->smaller, scratch->longer);
    out->n_vectors = request->n_vectors < s ? request->n_vectors : s;
    bool is_leading = request->values == MS_DECOMPOSE_LEADING && out->n_vectors < s;
    out->n_values = is_leading ? out->n_vectors + 1 : s;
    out->squares = out->floor = out->tolerance = 0;
    memset(out->values, 0, sizeof(double) * out->n_values);
    compute_gram(scratch, &m);
    for (int i = 0; i < s; i++) out->squares += scratch->gram[(size_t)i * s + i];
    MS_TRY(check_squares(&m, out->squares));
    if (out->squares > 0) return find(scratch, &m, request, out);
    out->n_vectors = 0;
    multiply_all(scratch, &m, request, NULL, 0, out);
    return MS_OK;
}
