#include "cli/bench/tracker_matrices.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/orthogonalise.h"
#include "platform/random.h"
#include "platform/signals.h"

enum { N_PER_LAYER = 6, N_SPIKES = 8 };

static const ms_tracked_matrix layer_matrices[N_PER_LAYER] = {{"q", 0, 512, 512, 1},   {"k", 0, 256, 512, 1},
                                                              {"v", 0, 256, 512, 1},   {"o", 0, 512, 512, 1},
                                                              {"up", 0, 2048, 512, 0}, {"down", 0, 512, 2048, 0}};

static size_t elements(const ms_tracked_matrix *matrix) { return (size_t)matrix->rows * (size_t)matrix->cols; }

/* In (0, 1): the logarithm is finite. */
static double uniform(uint64_t *state) { return ms_split_mix_uniform(state) + 0x1p-54; }

/* n standard normal numbers times scale (Box-Muller, both of a pair). */
static void normal(uint64_t *state, size_t n, double scale, float *out) {
    for (size_t i = 0; i < n; i += 2) {
        double radius = scale * sqrt(-2 * log(uniform(state))), angle = 6.283185307179586 * uniform(state);
        out[i] = (float)(radius * cos(angle));
        if (i + 1 < n) out[i + 1] = (float)(radius * sin(angle));
    }
}

/* x [rows, cols], rows <= cols, becomes Muon's orthogonalised update, as optim/orthogonalise.h has it. */
static ms_status orthogonalise(float *x, int rows, int cols) {
    const ms_coefficient_set *set = ms_coefficients_get(MS_COEFFICIENTS_POLAR_EXPRESS);
    size_t n = (size_t)rows * cols, square = (size_t)rows * rows;
    float *gram = malloc(sizeof(float) * (2 * square + n));
    if (!gram) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: orthogonalisation of [%d, %d]", rows, cols);
    float *polynomial = gram + square, *product = polynomial + square;
    cblas_sscal((int)n, 1 / (cblas_snrm2((int)n, x, 1) * 1.01f + 1e-7f), x, 1);
    for (int k = 0; k < set->n_steps; k++) {
        const double *triple = set->triples[k];
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, cols, 1, x, cols, x, cols, 0, gram, rows);
        memcpy(polynomial, gram, sizeof(float) * square);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, rows, rows, (float)triple[2], gram, rows, gram,
                    rows, (float)triple[1], polynomial, rows);
        memcpy(product, x, sizeof(float) * n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, cols, rows, 1, polynomial, rows, product, cols,
                    (float)triple[0], x, cols);
    }
    free(gram);
    return MS_OK;
}

/* The transpose of x [rows, cols], for which out has room. */
static void transpose(const float *x, int rows, int cols, float *out) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) out[(size_t)j * rows + i] = x[(size_t)i * cols + j];
}

/* O of u [rows, cols], on the smaller side as Muon does it. */
static ms_status orthogonalise_any(const float *u, int rows, int cols, float *out) {
    size_t n = (size_t)rows * cols;
    if (rows <= cols) {
        memcpy(out, u, sizeof(float) * n);
        return orthogonalise(out, rows, cols);
    }
    float *wide = malloc(sizeof(float) * n);
    if (!wide) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: [%d, %d]", rows, cols);
    transpose(u, rows, cols, wide);
    ms_status status = orthogonalise(wide, cols, rows);
    if (status == MS_OK) transpose(wide, cols, rows, out);
    free(wide);
    return status;
}

static ms_status fill_before(uint64_t *seed, const ms_tracked_matrix *matrix, float *before) {
    int rows = matrix->rows, cols = matrix->cols;
    size_t n = elements(matrix);
    float *spikes = malloc(sizeof(float) * (size_t)(rows + cols));
    if (!spikes) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: [%d, %d]", rows, cols);
    normal(seed, n, 0.02, before);
    for (int k = 0; k < N_SPIKES; k++) { /* a spike of about 4 / 2^k: u v^T has norm sqrt(rows cols) */
        normal(seed, (size_t)(rows + cols), 1, spikes);
        cblas_sger(CblasRowMajor, rows, cols, 4 / (float)(1 << k) / sqrtf((float)n), spikes, 1, spikes + rows, 1,
                   before, cols);
    }
    free(spikes);
    return MS_OK;
}

/* The updates of n matrices that are stored as one and lie behind each other. */
static ms_status update(const ms_tracked_matrix *matrices, const ms_bench_matrix *contents, int n) {
    int rows = 0, cols = matrices[0].cols;
    for (int i = 0; i < n; i++) rows += matrices[i].rows;
    MS_TRY(orthogonalise_any(contents[0].momentum, rows, cols, contents[0].orthogonal));
    float rate = 0.024f * sqrtf(rows > cols ? (float)rows / (float)cols : 1);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < elements(&matrices[i]); k++)
            contents[i].after[k] = contents[i].before[k] - rate * contents[i].orthogonal[k];
    return MS_OK;
}

static ms_status init(int n_layers, ms_bench_matrices *out) {
    size_t n = (size_t)n_layers * N_PER_LAYER, n_elements = 0;
    out->matrices = calloc(n, sizeof *out->matrices);
    out->contents = calloc(n, sizeof *out->contents);
    if (!out->matrices || !out->contents) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: %zu matrices", n);
    for (size_t i = 0; i < n; i++) {
        out->matrices[i] = layer_matrices[i % N_PER_LAYER];
        out->matrices[i].layer = (int)(i / N_PER_LAYER);
        if (out->matrices[i].whole) out->matrices[i].whole += out->matrices[i].layer;
        n_elements += elements(&out->matrices[i]);
    }
    float *memory = malloc(4 * sizeof(float) * n_elements);
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: %d layers", n_layers);
    out->n = (int)n;
    for (size_t i = 0; i < n; i++) {
        out->contents[i] =
            (ms_bench_matrix){memory, memory + n_elements, memory + 2 * n_elements, memory + 3 * n_elements};
        memory += elements(&out->matrices[i]);
        MS_TRY(ms_signals_check("bench tracker"));
        uint64_t seed = 1000 + i;
        MS_TRY(fill_before(&seed, &out->matrices[i], out->contents[i].before));
        normal(&seed, elements(&out->matrices[i]), 1, out->contents[i].momentum);
    }
    for (size_t i = 0, k; i < n; i += k) {
        for (k = 1; i + k < n && out->matrices[i].whole && out->matrices[i + k].whole == out->matrices[i].whole;) k++;
        MS_TRY(ms_signals_check("bench tracker"));
        MS_TRY(update(&out->matrices[i], &out->contents[i], (int)k));
    }
    return MS_OK;
}

ms_status ms_bench_matrices_init(int n_layers, ms_bench_matrices *out) {
    *out = (ms_bench_matrices){.n = 0};
    return init(n_layers, out);
}

void ms_bench_matrices_finish(ms_bench_matrices *matrices) {
    if (matrices->n > 0) free(matrices->contents[0].before); /* the others follow it */
    free(matrices->contents);
    free(matrices->matrices);
    *matrices = (ms_bench_matrices){.n = 0};
}

void ms_bench_matrices_fill(const ms_bench_matrices *matrices, ms_tracker_slot *slot) {
    for (int i = 0; i < matrices->n; i++) {
        size_t bytes = sizeof(float) * elements(&matrices->matrices[i]);
        const ms_bench_matrix *from = &matrices->contents[i];
        memcpy(slot->weight_before[i], from->before, bytes);
        memcpy(slot->weight_after[i], from->after, bytes);
        if (slot->momentum) memcpy(slot->momentum[i], from->momentum, bytes);
        if (slot->orthogonal) memcpy(slot->orthogonal[i], from->orthogonal, bytes);
    }
}
