/* Spectral metrics against NumPy goldens (tests/golden/spectra), and the defined results of degenerate matrices. */
#include "tracker/spectrum.h"

#include <check.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

/* The numbers of make_spectra.py. */
static double *uniform(uint64_t seed, size_t n) {
    double *out = malloc(sizeof(double) * n);
    for (size_t i = 0; i < n; i++) out[i] = ms_congruential_uniform(&seed);
    return out;
}

/* sum over k of decay^k x_k y_k^T; the caller frees it. */
static double *planted(uint64_t seed, int rows, int cols, int rank, double decay) {
    double *x = uniform(seed, (size_t)rows * rank), *y = uniform(seed + 1, (size_t)rank * cols);
    double *total = calloc((size_t)rows * cols, sizeof(double));
    for (int k = 0; k < rank; k++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++) total[i * cols + j] += pow(decay, k) * x[i * rank + k] * y[k * cols + j];
    free(x);
    free(y);
    return total;
}

static double number(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static int integer(const json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key));
}

/* The first rows and columns of Sylvester's matrix: the sign of the number of common bits. */
static double hadamard(int i, int j) { return __builtin_popcount((unsigned)(i & j)) % 2 ? -1 : 1; }

/* base() of make_spectra.py. */
static double *make_base(const json_t *golden, const char *kind, int rows, int cols, double scale) {
    uint64_t seed = (uint64_t)integer(golden, "seed");
    size_t n = (size_t)rows * cols;
    double *noise = uniform(seed, n);
    double *base = planted(seed + 1, rows, cols, integer(golden, "rank"), number(golden, "decay"));
    bool is_orthogonal = strcmp(kind, "orthogonal") == 0, has_ties = strcmp(kind, "ties") == 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            double *x = &base[(size_t)i * cols + j];
            *x = scale * (number(golden, "noise") * noise[(size_t)i * cols + j] + *x);
            if (strcmp(kind, "zero") == 0) *x = 0;
            if (strcmp(kind, "identity") == 0) *x = i == j ? 3 : 0;
            if (is_orthogonal || has_ties) *x = hadamard(i, j) * (has_ties ? 1 + i % 4 : 1);
        }
    free(noise);
    return base;
}

static void make_matrices(const json_t *golden, float *before, float *after) {
    int rows = integer(golden, "rows"), cols = integer(golden, "cols"), update_rank = integer(golden, "update_rank");
    const char *kind = json_string_value(json_object_get(golden, "kind"));
    uint64_t seed = (uint64_t)integer(golden, "seed");
    size_t n = (size_t)rows * cols;
    double scale = strcmp(kind, "large") == 0 ? 0x1p60 : strcmp(kind, "denormal") == 0 ? 0x1p-140 : 1;
    double *base = make_base(golden, kind, rows, cols, scale);
    double *change = update_rank ? planted(seed + 3, rows, cols, update_rank, 0.9) : uniform(seed + 3, n);
    double sum = 0, size = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            size_t k = (size_t)i * cols + j;
            if (update_rank == 0) change[k] *= scale;
            if (strcmp(kind, "orthogonal_update") == 0) change[k] = hadamard(i, j);
            before[k] = (float)base[k];
            after[k] = (float)((double)before[k] + number(golden, "update") * change[k]);
            sum += after[k];
            size += fabs(after[k]);
        }
    ck_assert_double_le(fabs(sum - number(golden, "sum_after")), 1e-7 * size);
    free(base);
    free(change);
}

/* captured() of make_spectra.py; the caller frees both. */
static void make_captured(const json_t *golden, size_t index, ms_spectrum_input *input, float **out_both) {
    int rows = input->rows, cols = input->cols, r = rows < cols ? rows : cols;
    const char *kind = json_string_value(json_object_get(golden, "kind"));
    uint64_t seed = (uint64_t)integer(golden, "seed") + 5;
    size_t n = (size_t)rows * cols;
    double scale = strcmp(kind, "large") == 0 ? 0x1p60 : strcmp(kind, "denormal") == 0 ? 0x1p-140 : 1;
    if (strcmp(kind, "zero") == 0) scale = 0;
    double *noise = uniform(seed, n), *part = planted(seed + 1, rows, cols, r < 12 ? r : 12, 0.6);
    double *flat = uniform(seed + 3, n);
    float *momentum = malloc(2 * sizeof(float) * n), *orthogonal = momentum + n;
    for (size_t k = 0; k < n; k++) {
        momentum[k] = (float)(scale * (1e-3 * noise[k] + part[k]));
        orthogonal[k] = (float)(flat[k] * sqrt(3.0 / (rows > cols ? rows : cols)));
    }
    input->momentum = *out_both = momentum;
    input->orthogonal = orthogonal;
    input->decay_share = index % 2 ? 0 : 0.0625;
    free(noise);
    free(part);
    free(flat);
}

static void compute_input(const ms_spectrum_input *input, ms_spectrum *out) {
    ms_spectrum_scratch *scratch;
    int smaller = input->rows < input->cols ? input->rows : input->cols, longer = input->rows + input->cols - smaller;
    ck_assert_int_eq(ms_spectrum_scratch_create(smaller, longer, &scratch), MS_OK);
    ms_status status = ms_spectrum_compute(scratch, input, out);
    ck_assert_msg(status == MS_OK, "%s: %s", input->name, ms_status_message());
    ms_spectrum_scratch_destroy(scratch);
}

/* As if W0 were the last snapshot, so many steps before. */
static void compute_after(int64_t steps, const ms_spectrum_input *input, ms_spectrum *out) {
    ms_last_snapshot last;
    ms_must(ms_last_snapshot_init(&(ms_tracked_matrix){"q", 0, input->rows, input->cols, 0}, 1, &last));
    ms_spectrum_input old = {.name = input->name,
                             .after = input->before,
                             .rows = input->rows,
                             .cols = input->cols,
                             .last = &last.matrices[0]};
    ms_spectrum_input now = *input;
    compute_input(&old, out);
    ck_assert(isnan(out->persistence_left) && isnan(out->persistence_right));
    ck_assert(isnan(out->rotation_per_step) && isnan(out->growth));
    now.last = old.last;
    now.steps_since_last = steps;
    compute_input(&now, out);
    ck_assert_double_eq(last.matrices[0].sigma_max, out->sigma_max);
    ms_last_snapshot_finish(&last);
}

static void compute(const char *name, const float *before, const float *after, int rows, int cols, ms_spectrum *out) {
    const ms_spectrum_input input = {
        .name = name, .before = before, .after = after, .rows = rows, .cols = cols, .decay_share = NAN};
    compute_input(&input, out);
}

/* What one golden matrix is compared with. */
typedef struct expectation {
    const char *name;
    const json_t *metrics;
    double sigma_max;
} expectation;

/* Within `absolute`; null means NaN. */
static void check_within(const expectation *of, const char *key, double actual, const json_t *expected,
                         double absolute) {
    ck_assert_msg(expected != NULL, "%s: golden lacks %s", of->name, key);
    if (json_is_null(expected)) {
        ck_assert_msg(isnan(actual), "%s: %s is %g, expected undefined", of->name, key, actual);
        return;
    }
    double value = json_number_value(expected);
    ck_assert_msg(fabs(actual - value) <= absolute, "%s: %s is %.17g, golden %.17g, %.3g apart, allowed %.3g", of->name,
                  key, actual, value, fabs(actual - value), absolute);
}

static void check_values(const expectation *of, const char *key, const double *actual, int n, double scale) {
    const json_t *expected = json_object_get(of->metrics, key);
    ck_assert_int_eq(n, (int)json_array_size(expected));
    for (int k = 0; k < n; k++) check_within(of, key, actual[k], json_array_get(expected, (size_t)k), 1e-12 * scale);
}

/* The margin that flags a metric of subspaces: the smaller of both matrices'; 1 for any other metric. */
static double margin_of(const expectation *of, const char *key) {
    bool has_weight = strncmp(key, "alignment_published", 19) == 0;
    bool has_momentum = strncmp(key, "alignment_momentum", 18) == 0;
    bool has_last = strncmp(key, "persistence_", 12) == 0 || strcmp(key, "rotation_per_step") == 0;
    if (!has_weight && !has_momentum && !has_last && strcmp(key, "alignment_left") != 0 &&
        strcmp(key, "alignment_right") != 0)
        return 1;
    const json_t *one = json_object_get(of->metrics, has_weight ? "margin_after" : "alignment_margin_weight");
    const json_t *other = json_object_get(of->metrics, has_momentum ? "alignment_margin_momentum"
                                                       : has_last   ? "margin_after"
                                                                    : "alignment_margin");
    if (!json_is_number(one) || !json_is_number(other)) return 1;
    return fmin(json_number_value(one), json_number_value(other));
}

/* Values: within 1e-12 s1.  The rest: within 1e-8, relative above 1, but what a margin below 1e-4 flags; below 1e-6
   it says nothing. */
static void check_scalar(const expectation *of, const char *key, double actual) {
    if (strncmp(key, "alignment_random", 16) == 0) return; /* tests/tracker/chance.c */
    if (strstr(key, "_merged")) return;                    /* ms_spectrum_set_merged */
    const json_t *expected = json_object_get(of->metrics, key);
    double margin = margin_of(of, key);
    if (margin < 1e-6) return;
    double absolute = margin < 1e-4 ? 1e-12 / margin : 1e-8 * fmax(1, fabs(json_number_value(expected)));
    if (strcmp(key, "rotation_per_step") == 0) absolute = fmax(absolute, 1e-7); /* made from cosines */
    if (strcmp(key, "growth") == 0) absolute = 1e-12 * (of->sigma_max + fabs(json_number_value(expected)));
    if (strncmp(key, "sigma_", 6) == 0) absolute = 1e-12 * of->sigma_max;
    if (strcmp(key, "frobenius") == 0 || strstr(key, "_norm")) absolute = 1e-8 * of->sigma_max;
    check_within(of, key, actual, expected, absolute);
}

static void check_velocities(const expectation *of, const ms_spectrum *actual, double update_norm) {
    const json_t *expected = json_object_get(of->metrics, "velocity_top");
    const json_t *separation = json_object_get(of->metrics, "separation");
    ck_assert_int_eq(actual->n_velocity_top, (int)json_array_size(expected));
    for (size_t k = 0; k < (size_t)actual->n_velocity_top; k++) {
        double apart = json_number_value(json_array_get(separation, k));
        if (json_is_number(json_array_get(expected, k)) && apart > 1e-10)
            check_within(of, "velocity_top", actual->velocity_top[k], json_array_get(expected, k),
                         fmax(1e-8, 1e-14 / apart) * update_norm);
    }
}

static void check_captured(const expectation *of, const ms_spectrum *actual) {
    const json_t *scales = json_object_get(of->metrics, "captured_scales");
    double orthogonal = json_number_value(json_array_get(scales, 1));
    double update = json_number_value(json_array_get(json_object_get(of->metrics, "update_sigma"), 0));
    check_values(of, "update_sigma", actual->update_sigma, actual->n_update_sigma, update);
    check_values(of, "update_sigma_quantiles", actual->update_sigma_quantiles, actual->n_update_sigma_quantiles,
                 update);
    check_values(of, "momentum_quantiles", actual->momentum_quantiles, actual->n_momentum_quantiles, 1);
    check_values(of, "orthogonality_of_update", actual->orthogonality_of_update, actual->n_orthogonality_of_update,
                 orthogonal);
}

/* The quality alone is that of the whole spectrum, and goes to the keys of the merged matrix. */
START_TEST(quality) {
    float weights[2][9 * 7], captured[2][9 * 7];
    for (int i = 0; i < 63; i++) {
        weights[0][i] = (float)sin(i * i + 1);
        weights[1][i] = (float)sin(i * i + 2);
        captured[0][i] = (float)cos(i * i + 1);
        captured[1][i] = (float)cos(3 * i * i + 1);
    }
    ms_spectrum_input input = {.name = "some",
                               .before = weights[0],
                               .after = weights[1],
                               .rows = 9,
                               .cols = 7,
                               .momentum = captured[0],
                               .orthogonal = captured[1],
                               .decay_share = NAN};
    ms_spectrum out;
    compute_input(&input, &out);
    ck_assert(isnan(out.update_rank_merged) && isnan(out.orthogonality_of_update_merged[5]));
    ck_assert(isnan(out.decay_norm) && isnan(out.update_sigma[0]));
    ms_spectrum_scratch *scratch;
    ms_update_quality alone;
    ms_must(ms_spectrum_scratch_create(7, 9, &scratch));
    ms_must(ms_spectrum_quality(scratch, &input, &alone));
    ms_spectrum_set_merged(&alone, &out);
    ck_assert_double_eq(out.update_rank_merged, out.update_rank);
    ck_assert_double_eq(out.momentum_small_share_merged, out.momentum_small_share);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(out.orthogonality_of_update_merged[i], out.orthogonality_of_update[i]);
    for (int i = 0; i < 4; i++) ck_assert_double_eq(out.momentum_quantiles_merged[i], out.momentum_quantiles[i]);
    captured[1][9] = NAN;
    ck_assert_int_eq(ms_spectrum_quality(scratch, &input, &alone), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "element (1, 2) of the orthogonalised update is nan"));
    ms_spectrum_scratch_destroy(scratch);
}
END_TEST

START_TEST(goldens) {
    json_error_t error;
    json_t *file = json_load_file("tests/golden/spectra/spectra.json", 0, &error);
    ck_assert_msg(file != NULL, "%s", error.text);
    json_t *cases = json_object_get(file, "cases"), *golden;
    ck_assert_uint_ge(json_array_size(cases), 40);
    size_t i;
    json_array_foreach(cases, i, golden) {
        int rows = integer(golden, "rows"), cols = integer(golden, "cols");
        float *before = malloc(sizeof(float) * rows * cols), *after = malloc(sizeof(float) * rows * cols);
        make_matrices(golden, before, after);
        ms_spectrum actual;
        expectation of = {json_string_value(json_object_get(golden, "name")), json_object_get(golden, "metrics"), 0};
        of.sigma_max = number(of.metrics, "sigma_max");
        ms_spectrum_input input = {.name = of.name, .before = before, .after = after, .rows = rows, .cols = cols};
        float *captured;
        make_captured(golden, i, &input, &captured);
        compute_after(3, &input, &actual);
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...) check_scalar(&of, #key, actual.key);
#define SLOT(key, ...)
#include "tracker/metrics.def"
        check_values(&of, "sigma_top", actual.sigma_top, actual.n_sigma_top, of.sigma_max);
        check_values(&of, "sigma_quantiles", actual.sigma_quantiles, actual.n_sigma_quantiles, of.sigma_max);
        check_captured(&of, &actual);
        double update_norm = 0;
        for (int k = 0; k < rows * cols; k++) update_norm = hypot(update_norm, (double)after[k] - before[k]);
        check_velocities(&of, &actual, update_norm);
        free(captured);
        free(before);
        free(after);
    }
    json_decref(file);
}
END_TEST

START_TEST(zero_matrix) {
    float zero[8 * 12] = {0};
    ms_spectrum out;
    compute("zero", zero, zero, 8, 12, &out);
    ck_assert_double_eq(out.sigma_max, 0);
    ck_assert_double_eq(out.sigma_mean, 0);
    ck_assert_double_eq(out.frobenius, 0);
    ck_assert_int_eq(out.n_sigma_top, 8);
    ck_assert_double_eq(out.sigma_top[7], 0);
    ck_assert(isnan(out.gap) && isnan(out.stable_rank) && isnan(out.effective_rank) && isnan(out.entropy_l1));
    ck_assert(isnan(out.spectral_entropy) && isnan(out.orthogonality_error) && isnan(out.alignment_left));
    ck_assert(isnan(out.alignment_right) && isnan(out.alignment_margin) && isnan(out.cosine));
    ck_assert(isnan(out.update_ratio) && isnan(out.velocity_top[0]));
}
END_TEST

START_TEST(no_update) {
    float weight[9 * 7];
    for (int i = 0; i < 63; i++) weight[i] = (float)sin(i * i + 1);
    ms_spectrum out;
    compute("still", weight, weight, 9, 7, &out);
    ck_assert(isnan(out.alignment_left) && isnan(out.alignment_right) && isnan(out.alignment_margin));
    ck_assert(isnan(out.cosine));
    ck_assert_double_eq(out.update_ratio, 0);
    for (int k = 0; k < 7; k++) ck_assert_double_eq(out.velocity_top[k], 0);
    ck_assert(out.sigma_max > 0);
}
END_TEST

START_TEST(first_update_of_zero) {
    float zero[9 * 7] = {0}, weight[9 * 7];
    for (int i = 0; i < 63; i++) weight[i] = (float)sin(i * i + 1);
    ms_spectrum out;
    compute("first", zero, weight, 9, 7, &out); /* dW = W, which W0 knows nothing of */
    ck_assert_double_eq_tol(out.alignment_published_left, 1, 1e-12);
    ck_assert_double_eq_tol(out.alignment_published_right, 1, 1e-12);
    ck_assert(isnan(out.alignment_left) && isnan(out.alignment_right) && isnan(out.alignment_margin_weight));
    ck_assert(isnan(out.cosine) && isnan(out.update_ratio));
    for (int k = 0; k < 7; k++) ck_assert_double_eq_tol(out.velocity_top[k], out.sigma_top[k], 1e-10);
}
END_TEST

/* The state before any update: W is there, and nothing that tells of an update. */
START_TEST(without_update) {
    float weight[9 * 7];
    for (int i = 0; i < 63; i++) weight[i] = (float)sin(i * i + 1);
    ms_spectrum out, still;
    compute("start", NULL, weight, 9, 7, &out);
    compute("still", weight, weight, 9, 7, &still);
    ck_assert_double_eq(out.sigma_max, still.sigma_max);
    ck_assert_double_eq(out.condition, still.condition);
    ck_assert_int_eq(out.n_velocity_top, 7);
    for (int k = 0; k < 7; k++) ck_assert(isnan(out.velocity_top[k]));
    ck_assert(isnan(out.update_ratio) && isnan(out.cosine) && isnan(out.alignment_margin_weight));
    ck_assert(isnan(out.alignment_published_left));
}
END_TEST

/* The fifth left vector turns by a known angle. */
START_TEST(known_rotation) {
    enum { ROWS = 16, COLS = 32, STEPS = 25 };
    const double angle = 0.3;
    static const double values[] = {10, 9, 8, 7, 6, 1};
    float before[ROWS * COLS] = {0}, after[ROWS * COLS] = {0}, *sides[2] = {before, after};
    for (int wide = 1; wide >= 0; wide--) {
        int rows = wide ? ROWS : COLS, cols = ROWS + COLS - rows;
        for (int k = 0; k < 2; k++) memset(sides[k], 0, sizeof before);
        for (int i = 0; i < 6; i++) before[i * cols + i] = after[i * cols + i] = (float)values[i];
        after[0] = 12.5f;
        /* U5 turns by `angle` towards U6; the right vectors stay. */
        after[4 * cols + 4] = (float)(6 * cos(angle));
        after[5 * cols + 4] = (float)(6 * sin(angle));
        after[4 * cols + 5] = (float)(-sin(angle));
        after[5 * cols + 5] = (float)cos(angle);
        ms_spectrum out;
        ms_spectrum_input input = {
            .name = "turned", .before = before, .after = after, .rows = rows, .cols = cols, .decay_share = NAN};
        compute_after(STEPS, &input, &out);
        ck_assert_double_eq_tol(out.persistence_left, (4 + cos(angle)) / 5, 1e-7); /* f32 weights */
        ck_assert_double_eq_tol(out.persistence_right, 1, 1e-7);
        ck_assert_double_eq_tol(out.rotation_per_step, angle / 10 / STEPS, 1e-7);
        ck_assert_double_eq(out.growth, 2.5);
    }
}
END_TEST

/* Growth is there where the top-5 subspace is not, and a later snapshot is compared with the one before it. */
START_TEST(low_rank_at_last) {
    float low[9 * 7] = {0}, full[9 * 7];
    for (int i = 0; i < 4; i++) low[i * 8] = 2;
    for (int i = 0; i < 63; i++) full[i] = (float)sin(i * i + 1);
    ms_spectrum out;
    ms_spectrum_input input = {.name = "low", .before = low, .after = full, .rows = 9, .cols = 7, .decay_share = NAN};
    compute_after(1, &input, &out);
    ck_assert_double_eq(out.growth, out.sigma_max - 2);
    ck_assert(isnan(out.persistence_left) && isnan(out.persistence_right) && isnan(out.rotation_per_step));
    input.before = full;
    input.after = low;
    compute_after(1, &input, &out);
    ck_assert_double_lt(out.growth, 0);
    ck_assert(isnan(out.persistence_left) && isnan(out.persistence_right) && isnan(out.rotation_per_step));
}
END_TEST

/* H diag(s) H / N with Sylvester's H, which f32 holds exactly, has the values s, descending. */
static void check_smallest(const double *expected) {
    enum { N = 64 };
    float weight[N * N];
    double values[N], scalars[MS_SPECTRUM_N_SCALARS], condition = expected[0] / expected[N - 1];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++) sum += hadamard(i, k) * expected[k] * hadamard(k, j);
            weight[i * N + j] = (float)(sum / N);
            ck_assert_double_eq(weight[i * N + j], sum / N);
        }
    ms_must(ms_spectrum_of_matrix(weight, N, N, values, scalars));
    ck_assert_double_eq_tol(scalars[MS_SPECTRUM_INDEX_sigma_min], expected[N - 1], 1e-14);
    ck_assert_double_eq_tol(scalars[MS_SPECTRUM_INDEX_condition], condition, 1e-8 * condition);
}

/* Which a Gram matrix alone would give to 1e-8 s1: many of a matrix of condition 4e3; one, far from all others, of 1e5;
   and a pair of it with another such value beside it. */
START_TEST(small_values) {
    double many[64], one[64], pair[64];
    for (int i = 0; i < 64; i++) {
        many[i] = ldexp(1, -i / 5);
        pair[i] = one[i] = ldexp(1, -i / 16);
    }
    pair[63] = one[63] = ldexp(1, -17);
    pair[62] = 5 * ldexp(1, -19);
    check_smallest(many);
    check_smallest(one);
    check_smallest(pair);
}
END_TEST

START_TEST(rank_one) {
    float before[20 * 16], after[20 * 16];
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 16; j++) {
            before[i * 16 + j] = (float)((i + 1) * (j + 1)); /* integers: exactly rank 1 */
            after[i * 16 + j] = 2 * before[i * 16 + j];
        }
    ms_spectrum out;
    compute("rank one", before, after, 20, 16, &out);
    double expected = 2 * sqrt(2870.0 * 1496.0); /* sums of squares 1..20 and 1..16 */
    ck_assert_double_eq_tol(out.sigma_max, expected, 1e-9 * expected);
    ck_assert_double_eq_tol(out.velocity_top[0], expected / 2, 1e-9 * expected);
    ck_assert_double_eq_tol(out.stable_rank, 1, 1e-12);
    ck_assert_double_eq_tol(out.effective_rank, 1, 1e-9);
    ck_assert_double_eq_tol(out.entropy_l1, 0, 1e-9);
    ck_assert(isnan(out.gap) && isnan(out.alignment_left) && isnan(out.alignment_right));
    ck_assert(isnan(out.velocity_top[1]));
    ck_assert_double_eq_tol(out.alignment_margin, 0, 1e-12);
}
END_TEST

START_TEST(identity) {
    float zero[12 * 12] = {0}, unit[12 * 12] = {0};
    for (int i = 0; i < 12; i++) unit[i * 13] = 3;
    ms_spectrum out;
    compute("identity", zero, unit, 12, 12, &out); /* fully degenerate, and the tridiagonal form splits everywhere */
    ck_assert_double_eq_tol(out.sigma_max, 3, 1e-12);
    ck_assert_double_eq_tol(out.gap, 1, 1e-12);
    ck_assert_double_eq_tol(out.orthogonality_error, 0, 1e-12);
    ck_assert_double_eq_tol(out.spectral_entropy, 1, 1e-12);
    ck_assert_double_eq_tol(out.effective_rank, 12, 1e-9);
    ck_assert_double_eq_tol(out.alignment_margin, 0, 1e-12);
}
END_TEST

START_TEST(single_element) {
    float before = 2, after = -3;
    ms_spectrum out;
    compute("scalar", &before, &after, 1, 1, &out);
    ck_assert_double_eq(out.sigma_max, 3);
    ck_assert_double_eq(out.stable_rank, 1);
    ck_assert_double_eq(out.velocity_top[0], 5); /* |s| grew by 5 to first order: u v = -1, dW = -5 */
    ck_assert(isnan(out.gap) && isnan(out.entropy_l1) && isnan(out.spectral_entropy));
    ck_assert_double_eq(out.alignment_random, 1);
}
END_TEST

START_TEST(non_finite) {
    float before[6 * 8], after[6 * 8];
    for (int i = 0; i < 48; i++) before[i] = after[i] = (float)cos(i * i);
    ms_spectrum_scratch *scratch;
    ck_assert_int_eq(ms_spectrum_scratch_create(6, 8, &scratch), MS_OK);
    ms_spectrum_input input = {.name = "layer 3 up", .before = before, .after = after, .rows = 6, .cols = 8};
    ms_spectrum out;
    after[19] = NAN;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 3 up"));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "(2, 3) after"));
    after[19] = 1;
    before[8] = INFINITY;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "(1, 0) before"));
    input.rows = 9;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_INVALID);
    ms_spectrum_scratch_destroy(scratch);
    ck_assert_int_eq(ms_spectrum_scratch_create(9, 8, &scratch), MS_INVALID);
    ck_assert_ptr_null(scratch);
}
END_TEST

START_TEST(scratch_of_sides_that_are_none) {
    static const int refused[][2] = {{-1, -1}, {0, 0}, {0, 8}, {9, 8}, {INT_MIN, INT_MIN}};
    ms_spectrum_scratch *scratch;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_uint_eq(ms_spectrum_scratch_bytes(refused[i][0], refused[i][1]), 0);
        ck_assert_int_eq(ms_spectrum_scratch_create(refused[i][0], refused[i][1], &scratch), MS_INVALID);
    }
    ck_assert_uint_gt(ms_spectrum_scratch_bytes(1, 1), 0);
    ck_assert_uint_gt(ms_spectrum_scratch_bytes((1 << 30) - 1, INT_MAX), (size_t)1 << 62);
    ck_assert_uint_eq(ms_spectrum_scratch_bytes(1 << 30, INT_MAX), SIZE_MAX);
    ck_assert_int_eq(ms_spectrum_scratch_create(INT_MAX, INT_MAX, &scratch), MS_OUT_OF_MEMORY);
    ck_assert_ptr_null(scratch);
}
END_TEST

START_TEST(extreme_scales) {
    float before[7 * 7] = {0}, after[7 * 7];
    const float scales[] = {1e-38f, 1e37f};
    double stable_rank[2];
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 49; i++) after[i] = scales[k] * (float)((i * 37) % 64 - 31);
        ms_spectrum out;
        compute("extreme", before, after, 7, 7, &out);
        stable_rank[k] = out.stable_rank;
    }
    ck_assert_double_eq_tol(stable_rank[0], stable_rank[1], 1e-5);
}
END_TEST

/* The flat call gives what ms_spectrum_compute gives, and all values; rank 12 of 40 goes through the direct SVD. */
START_TEST(of_matrix) {
    enum { ROWS = 40, COLS = 56 };
    for (int rank = 12; rank <= ROWS; rank += ROWS - 12) {
        double *planted_matrix = planted(3, ROWS, COLS, rank, 0.9), values[ROWS], scalars[MS_SPECTRUM_N_SCALARS];
        float matrix[ROWS * COLS];
        for (int i = 0; i < ROWS * COLS; i++) matrix[i] = (float)planted_matrix[i];
        free(planted_matrix);
        ms_spectrum expected;
        compute("expected", NULL, matrix, ROWS, COLS, &expected);
        ms_must(ms_spectrum_of_matrix(matrix, ROWS, COLS, values, scalars));
        double squares = 0;
        for (int i = 0; i < ROWS; i++) {
            ck_assert(i == 0 || values[i] <= values[i - 1]);
            if (i < MS_SPECTRUM_TOP) ck_assert_double_eq(values[i], expected.sigma_top[i]);
            squares += values[i] * values[i];
        }
        ck_assert_double_eq_tol(sqrt(squares), expected.frobenius, 1e-12 * expected.frobenius);
        ck_assert(rank == ROWS || values[rank - 1] > 1e3 * values[rank]);
        ck_assert_double_eq(scalars[MS_SPECTRUM_INDEX_sigma_max], expected.sigma_max);
        ck_assert_double_eq(scalars[MS_SPECTRUM_INDEX_effective_rank], expected.effective_rank);
        ck_assert(isnan(scalars[MS_SPECTRUM_INDEX_cosine]));
        ms_must(ms_spectrum_of_matrix(matrix, ROWS, COLS, NULL, NULL));
    }
    float some[6] = {1, 2, 3, 4, NAN, 6};
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 0, 1, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [0, 1]: it is empty");
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 3, -2, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, -2]: it is empty");
    ck_assert_int_eq(ms_spectrum_of_matrix(NULL, 3, 2, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, 2]: no values are given");
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 3, 2, NULL, NULL), MS_NUMERIC);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, 2]: element (2, 0) is nan");
    ck_assert_str_eq(ms_spectrum_scalar_name(0), "sigma_max");
    ck_assert_str_eq(ms_spectrum_scalar_name(MS_SPECTRUM_N_SCALARS - 1), "weight_norm");
    ck_assert_ptr_null(ms_spectrum_scalar_name(MS_SPECTRUM_N_SCALARS));
    ck_assert_ptr_null(ms_spectrum_scalar_name(-1));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("spectrum");
    tcase_add_test(tests, goldens);
    tcase_add_test(tests, zero_matrix);
    tcase_add_test(tests, no_update);
    tcase_add_test(tests, first_update_of_zero);
    tcase_add_test(tests, rank_one);
    tcase_add_test(tests, identity);
    tcase_add_test(tests, single_element);
    tcase_add_test(tests, non_finite);
    tcase_add_test(tests, scratch_of_sides_that_are_none);
    tcase_add_test(tests, extreme_scales);
    tcase_add_test(tests, without_update);
    tcase_add_test(tests, quality);
    tcase_add_test(tests, small_values);
    tcase_add_test(tests, known_rotation);
    tcase_add_test(tests, low_rank_at_last);
    tcase_add_test(tests, of_matrix);
    Suite *suite = suite_create("tracker/spectrum");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
