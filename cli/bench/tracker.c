#define _XOPEN_SOURCE 700
#include "cli/bench/tracker.h"

#include <cblas.h>
#include <jansson.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/bench/probe.h"
#include "cli/bench/tracker_matrices.h"
#include "platform/blas.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "tracker/decompose.h"
#include "tracker/spectrum.h"

typedef struct bench {
    int n_threads;
    ms_bench_matrices matrices;
    double *sigma_max; /* [n] of W, by the reference */
    char folder[32], path[64];
} bench;

/* Of one snapshot; the least of the repetitions. */
typedef struct timing {
    double seconds, processor_seconds;
    double costs[MS_SPECTRUM_N_COSTS]; /* of the repetition with the least processor time */
} timing;

static void finish(bench *b) {
    ms_bench_matrices_finish(&b->matrices);
    free(b->sigma_max);
    if (b->folder[0]) ms_directory_remove(b->folder);
}

static ms_status init(bench *b, int n_layers, int n_threads) {
    b->n_threads = n_threads;
    MS_TRY(ms_bench_matrices_init(n_layers, &b->matrices));
    b->sigma_max = calloc((size_t)b->matrices.n, sizeof *b->sigma_max);
    if (!b->sigma_max) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker");
    strcpy(b->folder, "/tmp/ms_bench_XXXXXX");
    if (!mkdtemp(b->folder)) {
        b->folder[0] = '\0';
        return MS_FAIL(MS_IO, "bench tracker: cannot create a folder in /tmp");
    }
    snprintf(b->path, sizeof b->path, "%s/spectra.jsonl", b->folder);
    return MS_OK;
}

/* ---- the reference ---- */

static ms_status reference_matrix(const bench *b, int i, float *copy, float *left, float *right, float *values) {
    const ms_tracked_matrix *matrix = &b->matrices.matrices[i];
    const ms_bench_matrix *contents = &b->matrices.contents[i];
    const int rows = matrix->rows, cols = matrix->cols, smaller = rows < cols ? rows : cols;
    size_t n = (size_t)rows * cols;
    static const char jobs[4] = {'N', 'N', 'S', 'S'};
    for (int k = 0; k < 4; k++) {
        MS_TRY(ms_signals_check("bench tracker"));
        memcpy(copy, contents->after, sizeof(float) * n);
        if (k == 3) cblas_saxpy((int)n, -1, contents->before, 1, copy, 1);
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
    for (int i = 0; i < b->matrices.n && status == MS_OK; i++)
        status = reference_matrix(b, i, memory, memory + largest, memory + largest + side, memory + largest + 2 * side);
    *out_s = ms_clock_seconds() - begin;
    free(memory);
    return status;
}

/* ---- a plain snapshot ---- */

typedef struct plain {
    ms_decompose_scratch *scratch;
    double *values, *small, *longer, *product; /* of the largest matrix */
} plain;

static ms_status plain_matrix(const plain *p, const ms_tracked_matrix *matrix, const ms_bench_matrix *contents) {
    const ms_decompose_source weight = {
        .name = "W", .plus = contents->after, .plus_is = "", .rows = matrix->rows, .cols = matrix->cols};
    ms_decompose_source update = weight;
    update.minus = contents->before;
    update.minus_is = "";
    update.factor = 1;
    int smaller = matrix->rows < matrix->cols ? matrix->rows : matrix->cols;
    int longer = matrix->rows < matrix->cols ? matrix->cols : matrix->rows;
    ms_decomposition of_weight = {.values = p->values, .small_vectors = p->small, .long_vectors = p->longer};
    ms_decomposition of_update = {.values = p->values + smaller,
                                  .small_vectors = p->small + (size_t)MS_SPECTRUM_TOP * smaller,
                                  .long_vectors = p->longer + (size_t)MS_SPECTRUM_TOP * longer};
    MS_TRY(ms_decompose(p->scratch, &weight,
                        &(ms_decompose_request){.values = MS_DECOMPOSE_ALL, .n_vectors = MS_SPECTRUM_TOP}, &of_weight));
    return ms_decompose(p->scratch, &update,
                        &(ms_decompose_request){.n_vectors = MS_SPECTRUM_ALIGN,
                                                .also = of_weight.small_vectors,
                                                .n_also = of_weight.n_vectors,
                                                .also_product = p->product},
                        &of_update);
}

static ms_status time_plain(const bench *b, double *out_s) {
    enum { SMALLER = 512, LONGER = 2048, VECTORS = MS_SPECTRUM_TOP + MS_SPECTRUM_ALIGN };
    plain p = {0};
    MS_TRY(ms_decompose_scratch_create(SMALLER, LONGER, &p.scratch));
    p.values =
        calloc(2 * SMALLER + (size_t)(SMALLER + LONGER) * VECTORS + (size_t)LONGER * MS_SPECTRUM_TOP, sizeof(double));
    ms_status status = p.values ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker");
    p.small = p.values + 2 * SMALLER;
    p.longer = p.small + (size_t)SMALLER * VECTORS;
    p.product = p.longer + (size_t)LONGER * VECTORS;
    double begin = ms_clock_thread_seconds();
    for (int i = 0; i < b->matrices.n && status == MS_OK; i++) {
        status = ms_signals_check("bench tracker");
        if (status == MS_OK) status = plain_matrix(&p, &b->matrices.matrices[i], &b->matrices.contents[i]);
    }
    *out_s = fmin(*out_s, ms_clock_thread_seconds() - begin);
    free(p.values);
    ms_decompose_scratch_destroy(p.scratch);
    return status;
}

/* ---- the tracker ---- */

static ms_status submit(const bench *b, ms_tracker *tracker, int64_t step) {
    ms_tracker_slot *slot;
    MS_TRY(ms_tracker_acquire(tracker, &slot));
    slot->has_update = step > 0;
    if (slot->momentum) slot->decay_share = 0; /* as a step of Muon without decay, which shows u, has it */
    ms_bench_matrices_fill(&b->matrices, slot);
    MS_TRY(ms_tracker_submit(tracker, slot, step, step * 16384));
    return ms_tracker_drain(tracker);
}

/* The least of out and of a snapshot that follows that of step 0. */
static ms_status time_snapshot(const bench *b, ms_tracker *tracker, timing *out) {
    double before[MS_SPECTRUM_N_COSTS], after[MS_SPECTRUM_N_COSTS];
    MS_TRY(submit(b, tracker, 0));
    MS_TRY(ms_tracker_seconds(tracker, before));
    double begin = ms_clock_seconds();
    clock_t processor_begin = clock();
    MS_TRY(submit(b, tracker, 1));
    double processor_seconds = (double)(clock() - processor_begin) / CLOCKS_PER_SEC;
    out->seconds = fmin(out->seconds, ms_clock_seconds() - begin);
    MS_TRY(ms_tracker_seconds(tracker, after));
    if (processor_seconds >= out->processor_seconds) return MS_OK;
    out->processor_seconds = processor_seconds;
    for (int i = 0; i < MS_SPECTRUM_N_COSTS; i++) out->costs[i] = after[i] - before[i];
    return MS_OK;
}

/* with_captures: u and O too. */
static ms_status time_ours(const bench *b, bool with_captures, timing *out) {
    ms_tracker_options options = {.path = b->path,
                                  .matrices = b->matrices.matrices,
                                  .n_matrices = b->matrices.n,
                                  .n_slots = 1,
                                  .n_threads = b->n_threads,
                                  .when_behind = MS_WHEN_BEHIND_WAIT,
                                  .resume_after_step = -1,
                                  .has_momentum = with_captures,
                                  .has_orthogonal = with_captures,
                                  .stops_at_signal = true};
    ms_tracker *tracker;
    MS_TRY(ms_tracker_create(&options, &tracker));
    ms_status status = time_snapshot(b, tracker, out), closed = ms_tracker_close(tracker);
    return status != MS_OK ? status : closed;
}

/* Largest relative difference of sigma_max between the lines of step 1 and the reference. */
static ms_status compare(const bench *b, double *out_difference) {
    char *text;
    size_t size, position = 0;
    MS_TRY_NOTE(ms_file_read(b->path, &text, &size), "bench tracker");
    double worst = 0;
    for (int i = 0; i < 2 * b->matrices.n; i++) {
        json_error_t error = {0}; /* its position: the bytes that were read */
        json_t *line = json_loadb(text + position, size - position, JSON_DISABLE_EOF_CHECK, &error);
        position += (size_t)error.position;
        double value = json_real_value(json_object_get(line, "sigma_max")); /* 0 for a missing line */
        double expected = b->sigma_max[i % b->matrices.n];
        if (i >= b->matrices.n) worst = fmax(worst, fabs(value - expected) / expected);
        json_decref(line);
    }
    free(text);
    *out_difference = worst;
    return MS_OK;
}

/* ---- the report ---- */

typedef struct figures {
    double reference, single; /* with all threads, and on one where that is another number */
    timing weights, all;
    double plain, probe, difference;
} figures;

static ms_status repeat(const bench *b, int repetitions, figures *out) {
    for (int k = 0; k < repetitions; k++) {
        double seconds = 0;
        MS_TRY(time_plain(b, &out->plain));
        MS_TRY(ms_bench_probe(&b->matrices, &seconds));
        out->probe = fmin(out->probe, seconds);
        MS_TRY(time_ours(b, false, &out->weights));
        MS_TRY(time_ours(b, true, &out->all));
        /* With few cores OpenBLAS can be slower threaded than not: the reference gets the better of both. */
        ms_blas_set_threads(b->n_threads);
        MS_TRY(time_reference(b, &seconds));
        out->reference = fmin(out->reference, seconds);
        if (b->n_threads == 1) continue;
        ms_blas_set_threads(1);
        MS_TRY(time_reference(b, &seconds));
        out->single = fmin(out->single, seconds);
    }
    return compare(b, &out->difference);
}

static double print_costs(const figures *of, FILE *out) {
    static const char *const texts[] = {
#define COST(key, text) text,
#include "tracker/costs.def"
    };
    double total = of->all.processor_seconds, rest = total;
    fprintf(out, "processor time of a snapshot with every metric of spectra.jsonl\n");
    for (int i = 0; i < MS_SPECTRUM_N_COSTS; i++) {
        fprintf(out, "  %-48s %8.3f s\n", texts[i], of->all.costs[i]);
        rest -= of->all.costs[i];
    }
    fprintf(out, "  %-48s %8.3f s\n", "copies of the matrices, and waiting threads", rest);
    fprintf(out, "  %-48s %8.3f s\n", "all of these", total);
    fprintf(out, "  %-48s %8.3f s\n", "plain: values and ten vectors of W, five of dW", of->plain);
    fprintf(out, "  cost %48.2f    (required: at most %.2f)\n", total / of->plain, MS_BENCH_TRACKER_COST_LIMIT);
    fprintf(out, "  %-48s %8.3f s\n", "beside it, probes.jsonl: attention, activations", of->probe);
    return total / of->plain;
}

static ms_status measure(const bench *b, int repetitions, FILE *out) {
    figures of = {INFINITY, INFINITY, {INFINITY, INFINITY, {0}}, {INFINITY, INFINITY, {0}}, INFINITY, INFINITY, 0};
    MS_TRY(repeat(b, repetitions, &of));
    double ratio = fmin(of.reference, of.single) / of.weights.seconds;
    fprintf(out, "snapshot of %d matrices of blueberry-88m, %d thread%s, best of %d, OpenBLAS kernels: %s\n",
            b->matrices.n, b->n_threads, b->n_threads == 1 ? "" : "s", repetitions, openblas_get_corename());
    fprintf(out, "  reference (4 SGESDD each)   %9.3f s, OpenBLAS on %d thread%s\n", of.reference, b->n_threads,
            b->n_threads == 1 ? "" : "s");
    if (b->n_threads > 1) fprintf(out, "                              %9.3f s, OpenBLAS on 1 thread\n", of.single);
    fprintf(out, "  tracker, W0, W and dW       %9.3f s\n", of.weights.seconds);
    fprintf(out,
            "  ratio                       %9.2f    to the faster of these (required with 2 threads: at least %d)\n",
            ratio, MS_BENCH_TRACKER_LIMIT);
    fprintf(out, "  tracker, with u and O       %9.3f s\n", of.all.seconds);
    fprintf(out, "  sigma_max differs by        %9.1e    (relative, float32 reference)\n", of.difference);
    double cost = print_costs(&of, out);
    if (!(of.difference <= 1e-4))
        return MS_FAIL(MS_MISMATCH, "bench tracker: sigma_max differs by %.2g from the reference", of.difference);
    if (b->n_threads > 1 && !(ratio >= MS_BENCH_TRACKER_LIMIT))
        return MS_FAIL(MS_MISMATCH, "bench tracker: %.2f times faster than the reference, required %d", ratio,
                       MS_BENCH_TRACKER_LIMIT);
    if (!(cost <= MS_BENCH_TRACKER_COST_LIMIT))
        return MS_FAIL(MS_MISMATCH, "bench tracker: every metric takes %.2f times a plain snapshot, required %.2f",
                       cost, MS_BENCH_TRACKER_COST_LIMIT);
    return MS_OK;
}

ms_status ms_bench_tracker(int n_layers, int n_threads, int repetitions, FILE *out) {
    if (n_layers < 1 || n_layers > MS_BENCH_TRACKER_LAYERS || n_threads < 1 || repetitions < 1)
        return MS_FAIL(MS_INVALID, "bench tracker: %d layers (1 to %d), %d threads, %d repetitions", n_layers,
                       MS_BENCH_TRACKER_LAYERS, n_threads, repetitions);
    bench b = {0};
    MS_TRY(ms_blas_prepare());
    ms_blas_set_threads(n_threads);
    ms_status status = init(&b, n_layers, n_threads);
    ms_blas_set_threads(1); /* what follows, but for the reference */
    if (status == MS_OK) status = measure(&b, repetitions, out);
    finish(&b);
    ms_blas_set_threads(1);
    return status;
}
