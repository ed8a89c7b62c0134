#include "tracker/spectrum.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/clock.h"
#include "tracker/decompose.h"
#include "tracker/entropy.h"

enum { TOP = MS_SPECTRUM_TOP, ALIGN = MS_SPECTRUM_ALIGN };

const char *const ms_spectrum_of_names[] = {[MS_SPECTRUM_OF_WEIGHT] = "weight",
                                            [MS_SPECTRUM_OF_UPDATE] = "update",
                                            [MS_SPECTRUM_OF_MOMENTUM] = "momentum",
                                            [MS_SPECTRUM_OF_ORTHOGONAL] = "orthogonal",
                                            NULL};

/* The decompositions of one matrix, and how many vectors each keeps. */
enum { WEIGHT, BEFORE, UPDATE, WITHOUT_DECAY, MOMENTUM, ORTHOGONAL, N_DECOMPOSITIONS };
static const int n_kept[N_DECOMPOSITIONS] = {[WEIGHT] = TOP, [BEFORE] = ALIGN, [UPDATE] = ALIGN, [MOMENTUM] = ALIGN};
enum { N_KEPT = TOP + 3 * ALIGN };
static const ms_spectrum_cost cost_of[N_DECOMPOSITIONS] = {
    [WEIGHT] = MS_SPECTRUM_COST_weight,     [BEFORE] = MS_SPECTRUM_COST_before,
    [UPDATE] = MS_SPECTRUM_COST_update,     [WITHOUT_DECAY] = MS_SPECTRUM_COST_without_decay,
    [MOMENTUM] = MS_SPECTRUM_COST_momentum, [ORTHOGONAL] = MS_SPECTRUM_COST_orthogonal};

struct ms_spectrum_scratch {
    ms_decompose_scratch *decompose;
    double *memory;                   /* one allocation, cut into what follows */
    double *values[N_DECOMPOSITIONS]; /* [smaller] */
    double *small[N_DECOMPOSITIONS];  /* [smaller, n_kept] */
    double *longer[N_DECOMPOSITIONS]; /* [longer, n_kept] */
    double *product;                  /* [longer, TOP]: dW times the small vectors of W */
    double seconds[MS_SPECTRUM_N_COSTS];
    double charged_until; /* of the thread's processor time */
};

const double *ms_spectrum_seconds(const ms_spectrum_scratch *scratch) { return scratch->seconds; }

/* What the thread has worked since the last charge was for this. */
static void charge(ms_spectrum_scratch *scratch, ms_spectrum_cost cost) {
    double now = ms_clock_thread_seconds();
    scratch->seconds[cost] += now - scratch->charged_until;
    scratch->charged_until = now;
}

static size_t scratch_doubles(size_t smaller, size_t longer) {
    return smaller * (N_DECOMPOSITIONS + N_KEPT) + longer * (N_KEPT + TOP);
}

size_t ms_spectrum_scratch_bytes(int smaller, int longer) {
    size_t bytes = ms_decompose_scratch_bytes(smaller, longer);
    if (bytes == 0 || bytes == SIZE_MAX) return bytes;
    return bytes + sizeof(ms_spectrum_scratch) + sizeof(double) * scratch_doubles((size_t)smaller, (size_t)longer);
}

ms_status ms_spectrum_scratch_create(int smaller, int longer, ms_spectrum_scratch **out) {
    *out = NULL;
    ms_decompose_scratch *decompose;
    MS_TRY(ms_decompose_scratch_create(smaller, longer, &decompose));
    size_t s = (size_t)smaller, l = (size_t)longer;
    ms_spectrum_scratch *scratch = calloc(1, sizeof *scratch);
    double *memory = malloc(sizeof(double) * scratch_doubles(s, l));
    if (!scratch || !memory) {
        ms_decompose_scratch_destroy(decompose);
        free(scratch);
        free(memory);
        return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum scratch: %zu bytes", ms_spectrum_scratch_bytes(smaller, longer));
    }
    scratch->decompose = decompose;
    scratch->memory = memory;
    for (int i = 0; i < N_DECOMPOSITIONS; i++) {
        scratch->values[i] = memory;
        scratch->small[i] = scratch->values[i] + s;
        scratch->longer[i] = scratch->small[i] + s * (size_t)n_kept[i];
        memory = scratch->longer[i] + l * (size_t)n_kept[i];
    }
    scratch->product = memory;
    *out = scratch;
    return MS_OK;
}

void ms_spectrum_scratch_destroy(ms_spectrum_scratch *scratch) {
    if (!scratch) return;
    ms_decompose_scratch_destroy(scratch->decompose);
    free(scratch->memory);
    free(scratch);
}

/* A matrix in work: its decompositions as far as they are made. */
typedef struct spectrum_work {
    ms_spectrum_scratch *scratch;
    const ms_spectrum_input *input;
    int smaller, longer;
    bool wide;     /* rows <= cols: the smaller side is the left one */
    bool is_whole; /* a whole stored matrix, of which only the quality is asked for */
    ms_decomposition parts[N_DECOMPOSITIONS];
} spectrum_work;

static spectrum_work begin(ms_spectrum_scratch *scratch, const ms_spectrum_input *input) {
    bool wide = input->rows <= input->cols;
    ms_blas_this_thread();
    scratch->charged_until = ms_clock_thread_seconds();
    return (spectrum_work){.scratch = scratch,
                           .input = input,
                           .smaller = wide ? input->rows : input->cols,
                           .longer = wide ? input->cols : input->rows,
                           .wide = wide};
}

static ms_status decompose(spectrum_work *work, int part, const ms_decompose_source *source,
                           const ms_decompose_request *request) {
    ms_spectrum_scratch *scratch = work->scratch;
    ms_decomposition *out = &work->parts[part];
    *out = (ms_decomposition){
        .values = scratch->values[part], .small_vectors = scratch->small[part], .long_vectors = scratch->longer[part]};
    charge(scratch, MS_SPECTRUM_COST_comparisons);
    ms_status status = ms_decompose(scratch->decompose, source, request, out);
    charge(scratch, work->is_whole ? MS_SPECTRUM_COST_merged : cost_of[part]);
    return status;
}

/* Which values of a part are needed. */
static ms_decompose_values reported(const spectrum_work *work, ms_spectrum_of what) {
    bool is_complete = work->input->complete && work->input->complete[what];
    return is_complete ? MS_DECOMPOSE_ALL : MS_DECOMPOSE_REPORTED;
}

/* A part with all its values. */
static void give_complete(const spectrum_work *work, ms_spectrum_of what, const ms_decomposition *of) {
    double *to = work->input->complete ? work->input->complete[what] : NULL;
    if (to) memcpy(to, of->values, sizeof *to * (size_t)of->n_values);
}

/* W or W0. */
static ms_decompose_source weights(const spectrum_work *work, bool before) {
    const ms_spectrum_input *input = work->input;
    return (ms_decompose_source){.name = input->name,
                                 .plus = before ? input->before : input->after,
                                 .plus_type = before ? input->before_type : input->after_type,
                                 .plus_is = !input->before ? ""
                                            : before       ? " before the update"
                                                           : " after the update",
                                 .rows = input->rows,
                                 .cols = input->cols};
}

static ms_status check_lapack(lapack_int info, const char *routine, const spectrum_work *work) {
    if (info == 0) return MS_OK;
    return MS_FAIL(MS_INTERNAL, "spectrum of %s [%d, %d]: %s returned %d", work->input->name, work->input->rows,
                   work->input->cols, routine, (int)info);
}

enum { N_PERCENTS = MS_DECOMPOSE_N_PERCENTS };

/* --- W alone --- */

/* Share of the sum of squares in the first ceil(percent r / 100) values. */
static double energy(const double *values, int r, int percent, double sum_squares) {
    int n = (int)(((int64_t)r * percent + 99) / 100);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += values[i] * values[i];
    return sum / sum_squares;
}

/* The quantile in percent; NaN where one of its values is below `floor` and not 0. */
static double quantile(const ms_decomposition *of, int percent, double floor) {
    int first, second;
    double weight;
    ms_quantile_place(of->n_values, percent, &first, &second, &weight);
    if (weight == 0) second = first;
    if (of->values[first] < floor || of->values[second] < floor) return NAN;
    return (1 - weight) * of->values[first] + weight * of->values[second];
}

static double orthogonality_error(const double *values, int r) {
    double error = 0;
    for (int i = 0; i < r; i++) {
        double normalised = values[i] / values[0], deviation = normalised * normalised - 1;
        error += deviation * deviation;
    }
    return sqrt(error / r);
}

static void describe_values(const ms_decomposition *weight, ms_spectrum *out) {
    int r = weight->n_values;
    const double *s = weight->values;
    out->n_sigma_top = r < TOP ? r : TOP;
    memcpy(out->sigma_top, s, sizeof(double) * out->n_sigma_top);
    out->n_sigma_quantiles = N_PERCENTS;
    for (int i = 0; i < N_PERCENTS; i++) out->sigma_quantiles[i] = quantile(weight, ms_decompose_percents[i], 0);
    out->sigma_max = s[0];
    out->sigma_min = s[r - 1];
    if (s[r - 1] > 0 && s[r - 1] >= weight->floor) out->condition = s[0] / s[r - 1];
    if (r >= 2 && s[1] > weight->tolerance) out->gap = s[0] / s[1];
    out->weight_norm = sqrt(weight->squares);
}

static void describe_weight(const ms_decomposition *weight, ms_spectrum *out) {
    int r = weight->n_values;
    const double *s = weight->values;
    double sum = 0, sum_squares = 0;
    for (int i = 0; i < r; i++) {
        sum += s[i];
        sum_squares += s[i] * s[i];
    }
    describe_values(weight, out);
    out->sigma_mean = sum / r;
    out->frobenius = sqrt(sum_squares);
    if (s[0] == 0) return;
    out->stable_rank = sum_squares / (s[0] * s[0]);
    double entropy_l1 = ms_entropy(s, r, false, sum);
    out->effective_rank = exp(entropy_l1);
    if (r > 1) {
        out->entropy_l1 = entropy_l1 / log(r);
        out->spectral_entropy = ms_entropy(s, r, true, sum_squares) / log(r);
    }
    out->energy_1 = energy(s, r, 1, sum_squares);
    out->energy_10 = energy(s, r, 10, sum_squares);
    out->energy_50 = energy(s, r, 50, sum_squares);
    out->orthogonality_error = orthogonality_error(s, r);
}

/* --- subspaces --- */

/* Cosines of the principal angles between the spans of two orthonormal sets of ALIGN columns (Bjorck & Golub 1973). */
static ms_status principal_cosines(const spectrum_work *work, const double *x, const double *y, int length,
                                   double cosines[ALIGN]) {
    double overlap[ALIGN * ALIGN], unused[ALIGN];
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, ALIGN, ALIGN, length, 1, x, length, y, length, 0, overlap,
                ALIGN);
    MS_TRY(check_lapack(LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'N', 'N', ALIGN, ALIGN, overlap, ALIGN, cosines, NULL, ALIGN,
                                       NULL, ALIGN, unused),
                        "DGESVD", work));
    for (int k = 0; k < ALIGN; k++) cosines[k] = fmin(cosines[k], 1);
    return MS_OK;
}

static double mean(const double values[ALIGN]) {
    double sum = 0;
    for (int k = 0; k < ALIGN; k++) sum += values[k];
    return sum / ALIGN;
}

static ms_status mean_cosine(const spectrum_work *work, const double *x, const double *y, int length, double *out) {
    double cosines[ALIGN];
    MS_TRY(principal_cosines(work, x, y, length, cosines));
    *out = mean(cosines);
    return MS_OK;
}

/* Whether there are ALIGN vectors with values that are not 0 to rounding. */
static bool has_subspace(const ms_decomposition *of) {
    return of->n_vectors >= ALIGN && of->values[ALIGN - 1] > of->tolerance;
}

static ms_status align(const spectrum_work *work, int one, int other, double *out_left, double *out_right) {
    const ms_decomposition *x = &work->parts[one], *y = &work->parts[other];
    if (!has_subspace(x) || !has_subspace(y)) return MS_OK;
    double *small_out = work->wide ? out_left : out_right, *long_out = work->wide ? out_right : out_left;
    MS_TRY(mean_cosine(work, x->small_vectors, y->small_vectors, work->smaller, small_out));
    return mean_cosine(work, x->long_vectors, y->long_vectors, work->longer, long_out);
}

/* (s5 - s6) / s1. */
static double margin(const ms_decomposition *of) {
    if (of->n_values <= ALIGN || !(of->values[0] > 0)) return NAN;
    return (of->values[ALIGN - 1] - of->values[ALIGN]) / of->values[0];
}

/* --- W, W0 and dW --- */

/* <W0, dW> in 8 lanes, so that it vectorises without reassociation. */
static double inner_product(const ms_spectrum_input *input) {
    enum { LANES = 8, BLOCK = 512 };
    double lanes[LANES] = {0}, sum = 0, before[BLOCK], after[BLOCK];
    size_t n = (size_t)input->rows * input->cols;
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t width = n - first < BLOCK ? n - first : BLOCK, i = 0;
        ms_elements_to_f64(input->before_type, input->before, first, width, before);
        ms_elements_to_f64(input->after_type, input->after, first, width, after);
        for (; i + LANES <= width; i += LANES)
            for (int l = 0; l < LANES; l++) lanes[l] += before[i + l] * (after[i + l] - before[i + l]);
        for (; i < width; i++) sum += before[i] * (after[i] - before[i]);
    }
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

static void describe_velocities(const spectrum_work *work, ms_spectrum *out) {
    const ms_decomposition *weight = &work->parts[WEIGHT];
    int l = work->longer;
    for (int k = 0; k < out->n_sigma_top; k++)
        if (k < weight->n_vectors && weight->values[k] > weight->tolerance)
            out->velocity_top[k] =
                cblas_ddot(l, work->scratch->product + (size_t)k * l, 1, weight->long_vectors + (size_t)k * l, 1);
}

/* --- u and O --- */

/* A quantile below this is not reported; the same whether or not a direct SVD was made. */
static double least(const ms_decomposition *of) { return fmax(of->floor, MS_DECOMPOSE_FLOOR * of->values[0]); }

static void describe_momentum(const ms_decomposition *momentum, ms_update_quality *out) {
    const double *s = momentum->values;
    int r = momentum->n_values, n_small = 0;
    double norm = sqrt(momentum->squares), sum = 0;
    if (!(norm > 0)) return;
    for (int i = 0; i < r; i++) {
        sum += s[i];
        n_small += s[i] < 1e-3 * norm;
    }
    for (int i = 0; i < N_PERCENTS; i++)
        out->momentum_quantiles[i] = quantile(momentum, ms_decompose_percents[i], least(momentum)) / norm;
    out->momentum_small_share = (double)n_small / r;
    out->update_rank = exp(ms_entropy(s, r, false, sum));
}

static ms_decompose_source captured(const spectrum_work *work, const float *matrix, const char *what) {
    const ms_spectrum_input *input = work->input;
    return (ms_decompose_source){
        .name = input->name, .plus = matrix, .plus_is = what, .rows = input->rows, .cols = input->cols};
}

static ms_status compute_quality(spectrum_work *work, int n_vectors, ms_update_quality *out) {
    for (int i = 0; i < N_PERCENTS; i++) out->momentum_quantiles[i] = NAN;
    for (int i = 0; i < N_PERCENTS + 2; i++) out->orthogonality_of_update[i] = NAN;
    out->momentum_small_share = out->update_rank = NAN;
    if (work->input->momentum) {
        ms_decompose_source source = captured(work, work->input->momentum, " of the momentum");
        MS_TRY(decompose(work, MOMENTUM, &source,
                         &(ms_decompose_request){.values = MS_DECOMPOSE_ACCURATE, .n_vectors = n_vectors}));
        describe_momentum(&work->parts[MOMENTUM], out);
        give_complete(work, MS_SPECTRUM_OF_MOMENTUM, &work->parts[MOMENTUM]);
    }
    if (!work->input->orthogonal) return MS_OK;
    ms_decompose_source source = captured(work, work->input->orthogonal, " of the orthogonalised update");
    MS_TRY(decompose(work, ORTHOGONAL, &source,
                     &(ms_decompose_request){.values = reported(work, MS_SPECTRUM_OF_ORTHOGONAL)}));
    const ms_decomposition *of = &work->parts[ORTHOGONAL];
    give_complete(work, MS_SPECTRUM_OF_ORTHOGONAL, of);
    double smallest = of->values[of->n_values - 1];
    out->orthogonality_of_update[0] = smallest >= least(of) ? smallest : NAN;
    for (int i = 0; i < N_PERCENTS; i++)
        out->orthogonality_of_update[1 + i] = quantile(of, ms_decompose_percents[i], least(of));
    out->orthogonality_of_update[1 + N_PERCENTS] = of->values[0];
    return MS_OK;
}

/* The spectrum of dW + c W0. */
static ms_status describe_without_decay(spectrum_work *work, ms_spectrum *out) {
    double share = work->input->decay_share;
    const ms_decomposition *of = &work->parts[UPDATE];
    if (isnan(share)) return MS_OK;
    if (work->parts[BEFORE].squares > 0) out->decay_norm = fabs(share) * sqrt(work->parts[BEFORE].squares);
    if (share != 0) {
        ms_decompose_source source = weights(work, false);
        source.minus = work->input->before;
        source.minus_type = work->input->before_type;
        source.minus_is = " before the update";
        source.factor = 1 - share;
        MS_TRY(decompose(work, WITHOUT_DECAY, &source,
                         &(ms_decompose_request){.values = reported(work, MS_SPECTRUM_OF_UPDATE)}));
        of = &work->parts[WITHOUT_DECAY];
    }
    give_complete(work, MS_SPECTRUM_OF_UPDATE, of);
    /* Below it a Gram matrix does not give a value to 1e-12 s1, and only a few are made anew. */
    for (int i = 0; i < out->n_sigma_top; i++)
        if (of->values[i] >= 1e-3 * of->values[0]) out->update_sigma[i] = of->values[i];
    for (int i = 0; i < N_PERCENTS; i++)
        out->update_sigma_quantiles[i] = quantile(of, ms_decompose_percents[i], least(of));
    return MS_OK;
}

static ms_status describe_update(spectrum_work *work, ms_spectrum *out) {
    const ms_decomposition *weight = &work->parts[WEIGHT], *before = &work->parts[BEFORE],
                           *update = &work->parts[UPDATE];
    ms_decompose_source source = weights(work, true);
    MS_TRY(decompose(work, BEFORE, &source, &(ms_decompose_request){.n_vectors = ALIGN}));
    source = weights(work, false);
    source.minus = work->input->before;
    source.minus_type = work->input->before_type;
    source.minus_is = " before the update";
    source.factor = 1;
    ms_decompose_values values =
        work->input->decay_share == 0 ? reported(work, MS_SPECTRUM_OF_UPDATE) : MS_DECOMPOSE_LEADING;
    MS_TRY(decompose(work, UPDATE, &source,
                     &(ms_decompose_request){.values = values,
                                             .n_vectors = ALIGN,
                                             .also = weight->small_vectors,
                                             .n_also = weight->n_vectors,
                                             .also_product = work->scratch->product}));
    describe_velocities(work, out);
    if (before->squares > 0) out->update_ratio = sqrt(update->squares / before->squares);
    if (before->squares > 0 && update->squares > 0)
        out->cosine = inner_product(work->input) / (sqrt(before->squares) * sqrt(update->squares));
    out->alignment_margin = margin(update);
    out->alignment_margin_weight = margin(before);
    MS_TRY(align(work, WEIGHT, UPDATE, &out->alignment_published_left, &out->alignment_published_right));
    MS_TRY(align(work, BEFORE, UPDATE, &out->alignment_left, &out->alignment_right));
    MS_TRY(describe_without_decay(work, out));
    ms_update_quality quality;
    MS_TRY(compute_quality(work, ALIGN, &quality));
    memcpy(out->momentum_quantiles, quality.momentum_quantiles, sizeof out->momentum_quantiles);
    memcpy(out->orthogonality_of_update, quality.orthogonality_of_update, sizeof out->orthogonality_of_update);
    out->momentum_small_share = quality.momentum_small_share;
    out->update_rank = quality.update_rank;
    if (!work->input->momentum) return MS_OK;
    out->alignment_margin_momentum = margin(&work->parts[MOMENTUM]);
    return align(work, BEFORE, MOMENTUM, &out->alignment_momentum_left, &out->alignment_momentum_right);
}

ms_status ms_spectrum_quality(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_update_quality *out) {
    spectrum_work work = begin(scratch, input);
    work.is_whole = true;
    return compute_quality(&work, 0, out);
}

void ms_spectrum_set_merged(const ms_update_quality *whole, ms_spectrum *spectrum) {
    memcpy(spectrum->momentum_quantiles_merged, whole->momentum_quantiles, sizeof whole->momentum_quantiles);
    memcpy(spectrum->orthogonality_of_update_merged, whole->orthogonality_of_update,
           sizeof whole->orthogonality_of_update);
    spectrum->momentum_small_share_merged = whole->momentum_small_share;
    spectrum->update_rank_merged = whole->update_rank;
}

/* --- W and what it was at the last snapshot --- */

static const double *left_of(const spectrum_work *work, int part) {
    return work->wide ? work->parts[part].small_vectors : work->parts[part].long_vectors;
}

static const double *right_of(const spectrum_work *work, int part) {
    return work->wide ? work->parts[part].long_vectors : work->parts[part].small_vectors;
}

static ms_status describe_change(const spectrum_work *work, const ms_last_matrix *last, int64_t steps,
                                 ms_spectrum *out) {
    double cosines[2][ALIGN], angles[ALIGN];
    out->growth = work->parts[WEIGHT].values[0] - last->sigma_max;
    if (!last->has_vectors || !has_subspace(&work->parts[WEIGHT])) return MS_OK;
    MS_TRY(principal_cosines(work, last->left, left_of(work, WEIGHT), last->rows, cosines[0]));
    MS_TRY(principal_cosines(work, last->right, right_of(work, WEIGHT), last->cols, cosines[1]));
    out->persistence_left = mean(cosines[0]);
    out->persistence_right = mean(cosines[1]);
    for (int k = 0; k < ALIGN; k++) angles[k] = (acos(cosines[0][k]) + acos(cosines[1][k])) / 2;
    out->rotation_per_step = mean(angles) / (double)steps;
    return MS_OK;
}

static ms_status compare_with_last(const spectrum_work *work, ms_spectrum *out) {
    ms_last_matrix *last = work->input->last;
    const ms_decomposition *now = &work->parts[WEIGHT];
    if (work->input->steps_since_last > 0) MS_TRY(describe_change(work, last, work->input->steps_since_last, out));
    last->sigma_max = now->values[0];
    last->has_vectors = has_subspace(now);
    if (!last->has_vectors) return MS_OK;
    memcpy(last->left, left_of(work, WEIGHT), sizeof(double) * ALIGN * (size_t)last->rows);
    memcpy(last->right, right_of(work, WEIGHT), sizeof(double) * ALIGN * (size_t)last->cols);
    return MS_OK;
}

static ms_status compare_with_before(const spectrum_work *work, ms_spectrum *out) {
    const ms_last_matrix before = {.rows = work->input->rows,
                                   .cols = work->input->cols,
                                   .sigma_max = work->parts[BEFORE].values[0],
                                   .has_vectors = has_subspace(&work->parts[BEFORE]),
                                   .left = (double *)left_of(work, BEFORE),
                                   .right = (double *)right_of(work, BEFORE)};
    return describe_change(work, &before, 1, out);
}

/* --- the whole --- */

static void fill_with_nan(ms_spectrum *out) {
    memset(out, 0, sizeof *out);
#define ABOUT(key, ...)
#define LIST(key, capacity, ...)                                                                                       \
    for (int i = 0; i < (capacity); i++) out->key[i] = NAN;
#define SCALAR(key, ...) out->key = NAN;
#define SLOT(key, ...)
#include "tracker/metrics.def"
}

ms_status ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out) {
    fill_with_nan(out);
    spectrum_work work = begin(scratch, input);
    ms_decompose_source source = weights(&work, false);
    int n_vectors = input->before || input->last ? TOP : 0;
    MS_TRY(decompose(&work, WEIGHT, &source,
                     &(ms_decompose_request){.values = MS_DECOMPOSE_ACCURATE, .n_vectors = n_vectors}));
    describe_weight(&work.parts[WEIGHT], out);
    give_complete(&work, MS_SPECTRUM_OF_WEIGHT, &work.parts[WEIGHT]);
    out->n_velocity_top = out->n_update_sigma = out->n_sigma_top;
    out->n_update_sigma_quantiles = out->n_momentum_quantiles = out->n_momentum_quantiles_merged = N_PERCENTS;
    out->n_orthogonality_of_update = out->n_orthogonality_of_update_merged = N_PERCENTS + 2;
    out->alignment_random = ms_alignment_random(input->rows);
    out->alignment_random_p95 = ms_alignment_random_p95(input->rows);
    out->alignment_random_right = ms_alignment_random(input->cols);
    out->alignment_random_right_p95 = ms_alignment_random_p95(input->cols);
    if (input->before) MS_TRY(describe_update(&work, out));
    if (input->before_is_last)
        MS_TRY(compare_with_before(&work, out));
    else if (input->last)
        MS_TRY(compare_with_last(&work, out));
    charge(scratch, MS_SPECTRUM_COST_comparisons);
    return MS_OK;
}

const char *ms_spectrum_scalar_name(int i) {
    static const char *const names[] = {
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...) #key,
#define SLOT(key, ...)
#include "tracker/metrics.def"
    };
    return i >= 0 && i < MS_SPECTRUM_N_SCALARS ? names[i] : NULL;
}

ms_status ms_spectrum_of_matrix(const float *matrix, int rows, int cols, double *out_singular_values,
                                double *out_scalars) {
    int smaller = rows < cols ? rows : cols, longer = rows < cols ? cols : rows;
    if (smaller < 1) return MS_FAIL(MS_INVALID, "spectrum of a matrix [%d, %d]: it is empty", rows, cols);
    if (!matrix) return MS_FAIL(MS_INVALID, "spectrum of a matrix [%d, %d]: no values are given", rows, cols);
    const ms_spectrum_input input = {.name = "a matrix", .after = matrix, .rows = rows, .cols = cols};
    ms_spectrum_scratch *scratch;
    ms_spectrum spectrum;
    MS_TRY(ms_spectrum_scratch_create(smaller, longer, &scratch));
    ms_status status = ms_spectrum_compute(scratch, &input, &spectrum);
    if (status == MS_OK && out_singular_values)
        memcpy(out_singular_values, scratch->values[WEIGHT], sizeof(double) * (size_t)smaller);
    if (status == MS_OK && out_scalars) {
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...) out_scalars[MS_SPECTRUM_INDEX_##key] = spectrum.key;
#define SLOT(key, ...)
#include "tracker/metrics.def"
    }
    ms_spectrum_scratch_destroy(scratch);
    return status;
}
