#define _XOPEN_SOURCE 700
#include "cli/bench/tracker.h"

#include <cblas.h>
#include <jansson.h>
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/random.h"
#include "platform/signals.h"
#include "tracker/tracker.h"

enum { N_PER_LAYER = 6, N_SPIKES = 8 };

static const ms_tracked_matrix layer_matrices[N_PER_LAYER] = {{"q", 0, 512, 512, 0},   {"k", 0, 256, 512, 0},
                                                              {"v", 0, 256, 512, 0},   {"o", 0, 512, 512, 0},
                                                              {"up", 0, 2048, 512, 0}, {"down", 0, 512, 2048, 0}};

typedef struct bench {
    int n_matrices, n_threads;
    ms_tracked_matrix *matrices;
    float **before, **after; /* [n_matrices] */
    double *sigma_max;       /* [n_matrices] by the reference */
    char folder[32], path[64];
} bench;

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

/* x [rows, cols] becomes Muon's orthogonalised update: 5 Polar Express steps (Amsel et al. 2025), rows <= cols. */
static ms_status orthogonalise(float *x, int rows, int cols) {
    static const float steps[5][3] = {{8.156554524902461f, -22.48329292557795f, 15.878769915207462f},
                                      {4.042929935166739f, -2.808917465908714f, 0.5000178451051316f},
                                      {3.8916678022926607f, -2.772484153217685f, 0.5060648178503393f},
                                      {3.285753657755655f, -2.3681294933425376f, 0.46449024233003106f},
                                      {2.3465413258596377f, -1.7097828382687081f, 0.42323551169305323f}};
    size_t n = (size_t)rows * cols, square = (size_t)rows * rows;
    float *gram = malloc(sizeof(float) * (2 * square + n));
    if (!gram) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: orthogonalisation of [%d, %d]", rows, cols);
    float *polynomial = gram + square, *product = polynomial + square;
    cblas_sscal((int)n, 1 / (cblas_snrm2((int)n, x, 1) * 1.01f + 1e-7f), x, 1);
    for (int k = 0; k < 5; k++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, cols, 1, x, cols, x, cols, 0, gram, rows);
        memcpy(polynomial, gram, sizeof(float) * square);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, rows, rows, steps[k][2], gram, rows, gram, rows,
                    steps[k][1], polynomial, rows);
        memcpy(product, x, sizeof(float) * n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, cols, rows, 1, polynomial, rows, product, cols,
                    steps[k][0], x, cols);
    }
    free(gram);
    return MS_OK;
}

/* before: normal weights of 0.02 with N_SPIKES spikes; after: one Muon step further. */
static ms_status fill_matrix(uint64_t seed, const ms_tracked_matrix *matrix, float *before, float *after) {
    int rows = matrix->rows, cols = matrix->cols, smaller = rows < cols ? rows : cols;
    size_t n = (size_t)rows * cols;
    float *spikes = malloc(sizeof(float) * (size_t)(rows + cols));
    if (!spikes) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: [%d, %d]", rows, cols);
    normal(&seed, n, 0.02, before);
    for (int k = 0; k < N_SPIKES; k++) { /* a spike of about 4 / 2^k: u v^T has norm sqrt(rows cols) */
        normal(&seed, (size_t)(rows + cols), 1, spikes);
        cblas_sger(CblasRowMajor, rows, cols, 4 / (float)(1 << k) / sqrtf((float)n), spikes, 1, spikes + rows, 1,
                   before, cols);
    }
    free(spikes);
    normal(&seed, n, 1, after);
    /* made with its smaller side first, as Muon does, and transposed for a tall matrix */
    MS_TRY(orthogonalise(after, smaller, (int)(n / (size_t)smaller)));
    float rate = 0.024f * sqrtf(rows > cols ? (float)rows / (float)cols : 1);
    if (rows <= cols) {
        for (size_t i = 0; i < n; i++) after[i] = before[i] - rate * after[i];
        return MS_OK;
    }
    float *wide = malloc(sizeof(float) * n);
    if (!wide) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: [%d, %d]", rows, cols);
    memcpy(wide, after, sizeof(float) * n);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            after[(size_t)i * cols + j] = before[(size_t)i * cols + j] - rate * wide[(size_t)j * rows + i];
    free(wide);
    return MS_OK;
}

static void finish(bench *b) {
    for (int i = 0; i < b->n_matrices; i++) {
        if (b->before) free(b->before[i]);
        if (b->after) free(b->after[i]);
    }
    free(b->before);
    free(b->after);
    free(b->matrices);
    free(b->sigma_max);
    if (b->folder[0]) ms_directory_remove(b->folder);
}

static ms_status init(bench *b, int n_layers, int n_threads) {
    size_t n = (size_t)n_layers * N_PER_LAYER;
    b->n_matrices = (int)n;
    b->n_threads = n_threads;
    b->matrices = calloc(n, sizeof *b->matrices);
    b->before = calloc(n, sizeof *b->before);
    b->after = calloc(n, sizeof *b->after);
    b->sigma_max = calloc(n, sizeof *b->sigma_max);
    if (!b->matrices || !b->before || !b->after || !b->sigma_max) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker");
    for (size_t i = 0; i < n; i++) {
        b->matrices[i] = layer_matrices[i % N_PER_LAYER];
        b->matrices[i].layer = (int)(i / N_PER_LAYER);
        size_t bytes = sizeof(float) * (size_t)b->matrices[i].rows * (size_t)b->matrices[i].cols;
        b->before[i] = malloc(bytes);
        b->after[i] = malloc(bytes);
        if (!b->before[i] || !b->after[i]) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: matrix %zu of %zu", i, n);
        MS_TRY(fill_matrix(1000 + i, &b->matrices[i], b->before[i], b->after[i]));
    }
    strcpy(b->folder, "/tmp/ms_bench_XXXXXX");
    if (!mkdtemp(b->folder)) {
        b->folder[0] = '\0';
        return MS_FAIL(MS_IO, "bench tracker: cannot create a folder in /tmp");
    }
    snprintf(b->path, sizeof b->path, "%s/spectra.jsonl", b->folder);
    return MS_OK;
}

/* The reference algorithm on one matrix. */
static ms_status reference_matrix(const bench *b, int i, float *copy, float *left, float *right, float *values) {
    const int rows = b->matrices[i].rows, cols = b->matrices[i].cols, smaller = rows < cols ? rows : cols;
    size_t n = (size_t)rows * cols;
    static const char jobs[4] = {'N', 'N', 'S', 'S'};
    for (int k = 0; k < 4; k++) {
        MS_TRY(ms_signals_check("bench tracker"));
        memcpy(copy, b->after[i], sizeof(float) * n);
        if (k == 3) cblas_saxpy((int)n, -1, b->before[i], 1, copy, 1);
        /* column-major LAPACK sees the transpose, which has the same singular values */
        lapack_int info =
            LAPACKE_sgesdd(LAPACK_COL_MAJOR, jobs[k], cols, rows, copy, cols, values, left, cols, right, smaller);
        if (info != 0) return MS_FAIL(MS_INTERNAL, "bench tracker: SGESDD returned %d on matrix %d", (int)info, i);
        if (k == 0) b->sigma_max[i] = values[0];
    }
    return MS_OK;
}

static ms_status time_reference(const bench *b, double *out_s) {
    const size_t largest = 2048 * 512, side = 512 * 2048;
    float *memory = malloc(sizeof(float) * (largest + 2 * side + 512));
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: reference");
    ms_status status = MS_OK;
    double begin = ms_clock_seconds();
    for (int i = 0; i < b->n_matrices && status == MS_OK; i++)
        status = reference_matrix(b, i, memory, memory + largest, memory + largest + side, memory + largest + 2 * side);
    *out_s = ms_clock_seconds() - begin;
    free(memory);
    return status;
}

static ms_status time_ours(const bench *b, double *out_s) {
    ms_tracker_options options = {b->path, b->matrices, b->n_matrices, 1,     b->n_threads, false,
                                  -1,      0,           false,         false, NULL,         NULL};
    ms_tracker *tracker;
    MS_TRY(ms_tracker_create(&options, &tracker));
    ms_tracker_slot *slot;
    double begin = ms_clock_seconds();
    ms_status status = ms_tracker_acquire(tracker, &slot);
    for (int i = 0; i < b->n_matrices && status == MS_OK; i++) {
        size_t bytes = sizeof(float) * (size_t)b->matrices[i].rows * (size_t)b->matrices[i].cols;
        memcpy(slot->weight_before[i], b->before[i], bytes);
        memcpy(slot->weight_after[i], b->after[i], bytes);
    }
    if (status == MS_OK) status = ms_tracker_submit(tracker, slot, 1, 16384);
    if (status == MS_OK) status = ms_tracker_drain(tracker);
    *out_s = ms_clock_seconds() - begin;
    ms_status closed = ms_tracker_close(tracker);
    return status != MS_OK ? status : closed;
}

/* Largest relative difference of sigma_max between the file and the reference. */
static ms_status compare(const bench *b, double *out_difference) {
    char *text;
    size_t size, position = 0;
    MS_TRY_NOTE(ms_file_read(b->path, &text, &size), "bench tracker");
    double worst = 0;
    for (int i = 0; i < b->n_matrices; i++) {
        json_error_t error = {0}; /* its position: the bytes that were read */
        json_t *line = json_loadb(text + position, size - position, JSON_DISABLE_EOF_CHECK, &error);
        position += (size_t)error.position;
        double value = json_real_value(json_object_get(line, "sigma_max")); /* 0 for a missing line */
        worst = fmax(worst, fabs(value - b->sigma_max[i]) / b->sigma_max[i]);
        json_decref(line);
    }
    free(text);
    *out_difference = worst;
    return MS_OK;
}

static ms_status measure(const bench *b, int repetitions, FILE *out) {
    double ours = INFINITY, reference = INFINITY, single = INFINITY, seconds = 0, difference = 0;
    for (int k = 0; k < repetitions; k++) {
        MS_TRY(time_ours(b, &seconds));
        ours = fmin(ours, seconds);
        /* With few cores OpenBLAS can be slower threaded than not: the reference gets the better of both. */
        ms_blas_set_threads(b->n_threads);
        MS_TRY(time_reference(b, &seconds));
        reference = fmin(reference, seconds);
        if (b->n_threads == 1) continue;
        ms_blas_set_threads(1);
        MS_TRY(time_reference(b, &seconds));
        single = fmin(single, seconds);
    }
    MS_TRY(compare(b, &difference));
    double ratio = fmin(reference, single) / ours;
    fprintf(out, "snapshot of %d matrices of blueberry-88m, %d thread%s, best of %d, OpenBLAS kernels: %s\n",
            b->n_matrices, b->n_threads, b->n_threads == 1 ? "" : "s", repetitions, openblas_get_corename());
    fprintf(out, "  reference (4 SGESDD each)   %9.3f s, OpenBLAS on %d thread%s\n", reference, b->n_threads,
            b->n_threads == 1 ? "" : "s");
    if (b->n_threads > 1) fprintf(out, "                              %9.3f s, OpenBLAS on 1 thread\n", single);
    fprintf(out, "  muonscope tracker           %9.3f s\n", ours);
    fprintf(out, "  ratio                       %9.2f    to the faster of these (required: at least %d)\n", ratio,
            MS_BENCH_TRACKER_LIMIT);
    fprintf(out, "  sigma_max differs by        %9.1e    (relative, float32 reference)\n", difference);
    if (!(difference <= 1e-4))
        return MS_FAIL(MS_MISMATCH, "bench tracker: sigma_max differs by %.2g from the reference", difference);
    if (!(ratio >= MS_BENCH_TRACKER_LIMIT))
        return MS_FAIL(MS_MISMATCH, "bench tracker: %.2f times faster than the reference, required %d", ratio,
                       MS_BENCH_TRACKER_LIMIT);
    return MS_OK;
}

ms_status ms_bench_tracker_layers(int n_layers, int n_threads, int repetitions, FILE *out) {
    if (n_layers < 1 || n_layers > MS_BENCH_TRACKER_LAYERS || n_threads < 1 || repetitions < 1)
        return MS_FAIL(MS_INVALID, "bench tracker: %d layers (1 to %d), %d threads, %d repetitions", n_layers,
                       MS_BENCH_TRACKER_LAYERS, n_threads, repetitions);
    bench b = {0};
    MS_TRY(ms_blas_prepare());
    ms_blas_set_threads(n_threads);
    ms_status status = init(&b, n_layers, n_threads);
    if (status == MS_OK) status = measure(&b, repetitions, out);
    finish(&b);
    ms_blas_set_threads(1);
    return status;
}

ms_status ms_bench_tracker(int n_threads, int repetitions, FILE *out) {
    return ms_bench_tracker_layers(MS_BENCH_TRACKER_LAYERS, n_threads, repetitions, out);
}
