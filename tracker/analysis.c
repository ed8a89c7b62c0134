#include "tracker/analysis.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "tracker/entropy.h"
#include "tracker/random_matrix.h"

/* ---- memory and cost ---- */

static int smaller_side(int rows, int cols) { return rows < cols ? rows : cols; }
static int longer_side(int rows, int cols) { return rows < cols ? cols : rows; }

size_t ms_analysis_bytes(int rows, int cols) {
    return ms_spectrum_scratch_bytes(smaller_side(rows, cols), longer_side(rows, cols));
}

/* A Gram matrix takes r^2 l; its tridiagonal form 4/3 r^3, half of them in matrix times vector, which are as slow as
   about four in a product of matrices.  With W0 there are three of them: W, W0, dW. */
double ms_analysis_cost(int rows, int cols, bool has_before) {
    double r = smaller_side(rows, cols), l = longer_side(rows, cols);
    return (has_before ? 3 : 1) * (r * r * l + 4 * r * r * r);
}

/* ---- W and dW alone ---- */

/* Mean square and standard deviation of W, or of W - W0. */
typedef struct moments {
    double squares, std;
} moments;

static moments moments_of(const ms_analysis_input *input, bool of_update) {
    enum { BLOCK = 512, LANES = 8 };
    double after[BLOCK], before[BLOCK] = {0}, sums[LANES] = {0}, squares[LANES] = {0};
    size_t n = (size_t)input->rows * (size_t)input->cols;
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t width = n - first < BLOCK ? n - first : BLOCK;
        ms_elements_to_f64(input->after_type, input->after, first, width, after);
        if (of_update) ms_elements_to_f64(input->before_type, input->before, first, width, before);
        for (size_t i = width; i < BLOCK; i++) after[i] = before[i] = 0;
        for (size_t i = 0; i < BLOCK; i += LANES)
            for (size_t l = 0; l < LANES; l++) {
                double x = after[i + l] - before[i + l];
                sums[l] += x;
                squares[l] += x * x;
            }
    }
    moments out = {0};
    double sum = 0;
    for (int l = 0; l < LANES; l++) {
        sum += sums[l];
        out.squares += squares[l];
    }
    double mean = sum / (double)n;
    out.std = sqrt(fmax(out.squares / (double)n - mean * mean, 0));
    return out;
}

/* How many of the descending values of a rows x cols matrix are above the edge and above rounding, max(rows, cols) eps
   s1 as in NumPy's matrix_rank: where all elements are equal, the edge is 0.  NaN where there is no spectrum to speak
   of. */
static double count_spikes(const double *values, int rows, int cols, double edge) {
    int r = smaller_side(rows, cols);
    if (r == 1 || values[0] == 0) return NAN;
    double least = fmax(edge, (rows > cols ? rows : cols) * DBL_EPSILON * values[0]);
    int n = 0;
    while (n < r && values[n] > least) n++;
    return n;
}

/* ---- beside chance ---- */

static void describe_weight(const ms_analysis_input *input, ms_analysis *out) {
    int rows = input->rows, cols = input->cols, r = smaller_side(rows, cols);
    out->std = moments_of(input, false).std;
    out->stable_rank_random = ms_random_stable_rank(rows, cols);
    out->effective_rank_random = ms_random_effective_rank(rows, cols);
    out->spectral_entropy_random = ms_random_spectral_entropy(rows, cols);
    if (r > 1) {
        out->entropy_l1_random = log(out->effective_rank_random) / log(r);
        out->sigma_max_random = out->std * ms_random_edge(rows, cols);
        out->spikes = count_spikes(out->values, rows, cols, out->sigma_max_random);
    }
}

static void describe_update(const ms_analysis_input *input, ms_analysis *out) {
    int r = smaller_side(input->rows, input->cols);
    const double *values = out->update_values;
    moments update = moments_of(input, true);
    out->update_norm = sqrt(update.squares);
    if (r > 1) {
        out->update_sigma_max_random = update.std * ms_random_edge(input->rows, input->cols);
        out->update_spikes = count_spikes(values, input->rows, input->cols, out->update_sigma_max_random);
    }
    if (update.squares > 0) {
        out->update_stable_rank = update.squares / (values[0] * values[0]);
        if (r > 1) out->update_spectral_entropy = ms_entropy(values, r, true, update.squares) / log(r);
    }
}

/* ---- all of it ---- */

static ms_status compute(ms_spectrum_scratch *scratch, const ms_analysis_input *input, ms_analysis *out) {
    double *complete[MS_SPECTRUM_OF_COUNT] = {
        [MS_SPECTRUM_OF_WEIGHT] = out->values, [MS_SPECTRUM_OF_UPDATE] = out->update_values};
    const ms_spectrum_input of = {.name = input->name,
                                  .after = input->after,
                                  .after_type = input->after_type,
                                  .before = input->before,
                                  .before_type = input->before_type,
                                  .before_is_last = input->before != NULL,
                                  .rows = input->rows,
                                  .cols = input->cols,
                                  .complete = complete};
    MS_TRY(ms_spectrum_compute(scratch, &of, &out->spectrum));
    out->n_values = smaller_side(input->rows, input->cols);
    describe_weight(input, out);
    if (input->before) describe_update(input, out);
    return MS_OK;
}

/* Memory for all values. */
static ms_status reserve(const ms_analysis_input *input, ms_analysis *out) {
    size_t r = (size_t)smaller_side(input->rows, input->cols);
    out->values = malloc(r * sizeof *out->values);
    if (input->before) out->update_values = malloc(r * sizeof *out->update_values);
    if (out->values && (out->update_values || !input->before)) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "spectrum of %s: no memory for %zu values", input->name, r);
}

void ms_analysis_clear(ms_analysis *out) {
    *out = (ms_analysis){0};
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...) out->spectrum.key = NAN;
#define SLOT(key, ...)
#include "tracker/metrics.def"
#define ABOUT(key, ...)
#define LIST(key)
#define METRIC(key)
#define LEVEL(key, ...) out->key = NAN;
#define UPDATE_LIST(key)
#define UPDATE_METRIC(key)
#define UPDATE_LEVEL(key, ...) out->key = NAN;
#include "tracker/analysis.def"
}

ms_status ms_analysis_compute(const ms_analysis_input *input, ms_analysis *out) {
    ms_analysis_clear(out);
    ms_spectrum_scratch *scratch;
    MS_TRY(ms_spectrum_scratch_create(smaller_side(input->rows, input->cols), longer_side(input->rows, input->cols),
                                      &scratch));
    ms_status status = reserve(input, out);
    if (status == MS_OK) status = compute(scratch, input, out);
    ms_spectrum_scratch_destroy(scratch);
    return status;
}

void ms_analysis_keep_top(ms_analysis *analysis, int n_top) {
    double **lists[] = {&analysis->values, &analysis->update_values};
    if (n_top >= analysis->n_values) return;
    analysis->n_values = n_top;
    for (int i = 0; i < 2; i++) {
        double *smaller = *lists[i] ? realloc(*lists[i], ((size_t)n_top + 1) * sizeof **lists[i]) : NULL;
        if (smaller) *lists[i] = smaller;
    }
}

void ms_analysis_finish(ms_analysis *analysis) {
    free(analysis->values);
    free(analysis->update_values);
    *analysis = (ms_analysis){0};
}
