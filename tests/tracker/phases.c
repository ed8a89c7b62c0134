#include "tracker/phases.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/random.h"
#include "tests/support/suite.h"
#include "tracker/change_points.h"

enum { MOST = 400 };

/* First-order autoregressive noise of variance 1. */
static void noise_fill(uint64_t seed, double autocorrelation, int n, double *out) {
    float shocks[MOST + 100];
    double e = 0;
    ms_random_normal_fill(seed, 7, 1, (size_t)n + 100, shocks);
    for (int i = 0; i < n + 100; i++) {
        e = autocorrelation * e + sqrt(1 - autocorrelation * autocorrelation) * shocks[i];
        if (i >= 100) out[i - 100] = e;
    }
}

/* --- change points --- */

START_TEST(test_ruptures) {
    json_error_t error;
    json_t *root = json_load_file("tests/golden/phases/phases.json", 0, &error), *one;
    ck_assert_msg(root != NULL, "%s", error.text);
    size_t i_case;
    json_array_foreach(json_object_get(root, "cases"), i_case, one) {
        const json_t *list = json_object_get(one, "values"), *expected = json_object_get(one, "begins");
        int n = (int)json_array_size(list), begins[MOST], n_found;
        double values[MOST];
        for (int i = 0; i < n; i++) values[i] = json_number_value(json_array_get(list, (size_t)i));
        ms_must(ms_change_points(values, n, json_number_value(json_object_get(one, "penalty")), begins, &n_found));
        ck_assert_msg(n_found == (int)json_array_size(expected), "case %zu: %d changes", i_case, n_found);
        for (int i = 0; i < n_found; i++)
            ck_assert_int_eq(begins[i], json_integer_value(json_array_get(expected, (size_t)i)));
    }
    ck_assert_uint_eq(i_case, 12);
    json_decref(root);
}
END_TEST

static double segment_cost(const double *values, int begin, int end) {
    double mean = 0, sum = 0;
    for (int i = begin; i < end; i++) mean += values[i] / (end - begin);
    for (int i = begin; i < end; i++) sum += (values[i] - mean) * (values[i] - mean);
    return sum;
}

/* Nothing is lost by what PELT leaves out: the cost is that of the best of all splits. */
START_TEST(test_best_of_all) {
    for (int round = 0; round < 60; round++) {
        int n = 3 + round, begins[MOST], n_found;
        double values[MOST], best[MOST + 1], penalty = 0.3 * (round % 12), found = 0;
        noise_fill((uint64_t)round + 1, 0.5, n, values);
        for (int i = n / 2; i < n; i++) values[i] += round % 3;
        best[0] = -penalty;
        for (int end = 1; end <= n; end++) {
            best[end] = INFINITY;
            for (int begin = 0; begin <= end - MS_CHANGE_SHORTEST; begin++)
                best[end] = fmin(best[end], best[begin] + segment_cost(values, begin, end) + penalty);
        }
        ms_must(ms_change_points(values, n, penalty, begins, &n_found));
        for (int i = 0; i <= n_found; i++) {
            int begin = i ? begins[i - 1] : 0, end = i < n_found ? begins[i] : n;
            ck_assert_int_ge(end - begin, MS_CHANGE_SHORTEST);
            found += segment_cost(values, begin, end) + penalty;
        }
        ck_assert_double_eq_tol(found - penalty, best[n], 1e-9);
    }
}
END_TEST

static bool has_change(const double *values, int n, double factor) {
    int begins[MOST], n_found;
    ms_series_noise noise;
    ms_must(ms_series_noise_of(values, n, &noise));
    ms_must(ms_change_points(values, n, ms_change_penalty(&noise, n, factor), begins, &n_found));
    return n_found > 0;
}

/* The table of docs/phases.md, in per cent of 1000 series of noise each. */
START_TEST(test_false_alarms) {
    static const struct {
        double autocorrelation;
        int n;
        double most;
    } cells[] = {{0, 24, 1},   {0, 100, 1},   {0, 400, 1},   {0.3, 24, 3},  {0.3, 100, 3},  {0.3, 400, 1},
                 {0.6, 24, 9}, {0.6, 100, 6}, {0.6, 400, 2}, {0.8, 24, 13}, {0.8, 100, 11}, {0.8, 400, 5}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        double values[MOST];
        int n_alarms = 0;
        for (uint64_t seed = 1; seed <= 1000; seed++) {
            noise_fill(seed, cells[i].autocorrelation, cells[i].n, values);
            n_alarms += has_change(values, cells[i].n, MS_CHANGE_FACTOR);
        }
        printf("false alarms: autocorrelation %g, %d values: %.1f %%\n", cells[i].autocorrelation, cells[i].n,
               n_alarms / 10.0);
        ck_assert_double_le(n_alarms / 10.0, cells[i].most);
    }
}
END_TEST

/* A mean that moves by 3 deviations of the noise, halfway of 50 values. */
START_TEST(test_planted) {
    int n_found = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        double values[MOST];
        noise_fill(seed, 0, 50, values);
        for (int i = 25; i < 50; i++) values[i] += 3;
        n_found += has_change(values, 50, MS_CHANGE_FACTOR);
    }
    ck_assert_int_ge(n_found, 90);
}
END_TEST

START_TEST(test_noise) {
    double values[MOST];
    ms_series_noise noise;
    noise_fill(5, 0.5, MOST, values);
    for (int i = MOST / 2; i < MOST; i++) values[i] += 100; /* one jump does not count */
    ms_must(ms_series_noise_of(values, MOST, &noise));
    ck_assert_double_eq_tol(noise.autocorrelation, 0.5, 0.2);
    ck_assert_double_eq_tol(noise.variance, 1, 0.35);
    for (int i = 0; i < MOST; i++) values[i] = 0.1;
    ms_must(ms_series_noise_of(values, MOST, &noise));
    ck_assert_double_eq(noise.variance, 0);
    int begins[MOST], n;
    ck_assert_int_eq(ms_series_noise_of(values, 0, &noise), MS_INVALID);
    ck_assert_int_eq(ms_change_points(values, 0, 1, begins, &n), MS_INVALID);
    ck_assert_int_eq(ms_change_points(values, 5, -1, begins, &n), MS_INVALID);
    ck_assert_int_eq(ms_change_points(values, 5, NAN, begins, &n), MS_INVALID);
    ms_must(ms_change_points(values, 2, 0, begins, &n));
    ck_assert_int_eq(n, 0);
}
END_TEST

/* Two series that drift and have nothing to do with each other correlate in levels, and not in differences. */
START_TEST(test_correlation) {
    double a[100], b[100], da[99], db[99], noise_a[100], noise_b[100];
    noise_fill(1, 0, 100, noise_a);
    noise_fill(2, 0, 100, noise_b);
    for (int i = 0; i < 100; i++) {
        a[i] = 0.1 * i + noise_a[i];
        b[i] = -0.1 * i + noise_b[i];
    }
    for (int i = 0; i < 99; i++) {
        da[i] = a[i + 1] - a[i];
        db[i] = b[i + 1] - b[i];
    }
    ck_assert_double_lt(ms_correlation(a, b, 100), -0.8);
    ck_assert_double_gt(ms_correlation_p(da, db, 99, 1), 0.05);
    for (int i = 0; i < 99; i++) db[i] = -da[i] + 0.5 * noise_b[i];
    ck_assert_double_lt(ms_correlation(da, db, 99), -0.9);
    ck_assert_double_eq_tol(ms_correlation_p(da, db, 99, 1), 1.0 / 99, 1e-12); /* the least there is */
    ck_assert_double_eq_tol(ms_correlation(da, da, 99), 1, 1e-12);
    for (int i = 0; i < 99; i++) db[i] = 0.1;
    ck_assert(isnan(ms_correlation(da, db, 99)));
    ck_assert(isnan(ms_correlation_p(da, db, 99, 1)));
    ck_assert(isnan(ms_correlation(da, da, 2)));
}
END_TEST

/* --- runs --- */

static char folder[64], metrics[96], spectra[96];

static void make_folder(void) {
    strcpy(folder, "/tmp/muonscope-phases-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", folder);
    snprintf(spectra, sizeof spectra, "%s/spectra.jsonl", folder);
}

static void remove_folder(void) {
    unlink(metrics);
    unlink(spectra);
    rmdir(folder);
}

/* A run of two matrices with a snapshot every 10 steps and one of step 0.  From step 310 on the alignment of the second
   is higher.  The gap is constant; the alignment of the first is null. */
static void write_run(int n_snapshots, const char *last_line) {
    double noise[3][MOST];
    for (uint64_t i = 0; i < 3; i++) noise_fill(i + 11, 0, MOST, noise[i]);
    FILE *file = fopen(metrics, "w");
    ck_assert_ptr_nonnull(file);
    for (int step = 1; step <= 10 * n_snapshots; step++) {
        fprintf(file, "{\"step\": %d, \"loss\": %.6f}\n", step, 5 - 0.001 * step + 0.01 * noise[0][step % MOST]);
        if (step == 50) fprintf(file, "{\"step\": 50, \"validation_loss\": 4.0}\n");
    }
    fclose(file);
    file = fopen(spectra, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i <= n_snapshots; i++)
        for (int j = 0; j < 2; j++) {
            char alignment[32] = "null";
            if (j == 1 && i > 0)
                snprintf(alignment, sizeof alignment, "%.6f", (i >= 31 ? 0.5 : 0.2) + 0.02 * noise[1][i]);
            fprintf(
                file,
                "{\"step\": %d, \"layer\": %d, \"projection\": \"q\", \"alignment_momentum_left\": %s, \"gap\": 1.5, "
                "\"spectral_entropy\": %.6f}\n",
                10 * i, j, alignment, 0.9 - 0.001 * i + 0.0005 * noise[2][i]);
        }
    fputs(last_line, file);
    fclose(file);
}

START_TEST(test_run) {
    ms_phases phases;
    write_run(60, "");
    ms_must(ms_phases_init(metrics, spectra, 0, &phases));
    ck_assert_int_eq(phases.n_snapshots, 60);
    ck_assert_int_eq(phases.first_step, 10);
    ck_assert_int_eq(phases.last_step, 600);
    ck_assert_int_eq(phases.n_series, 1 + 3 * 2);
    ck_assert_str_eq(phases.series[0].key, "loss");
    ck_assert_int_eq(phases.series[0].n, 59);
    ck_assert_int_eq(phases.series[0].n_changes, 0);
    const ms_phase_series *empty = &phases.series[1], *moved = &phases.series[2], *entropy = &phases.series[3],
                          *gap = &phases.series[5];
    ck_assert_int_eq(empty->n, 0);
    ck_assert(isnan(empty->correlation));
    ck_assert_int_eq(moved->layer, 1);
    ck_assert_int_eq(moved->n_changes, 1);
    ck_assert_int_eq(moved->changes[0], 310);
    ck_assert_int_eq(entropy->n_changes, 0);
    ck_assert_double_gt(entropy->correlation_levels, 0.9); /* both only drift */
    ck_assert_double_gt(entropy->p, 0.05);
    ck_assert_int_eq(gap->n, 60);
    ck_assert_int_eq(gap->n_changes, 0);
    ck_assert(isnan(gap->correlation) && isnan(gap->p));
    ms_phases_finish(&phases);
}
END_TEST

START_TEST(test_cut_and_bad) {
    ms_phases phases;
    write_run(20, "{\"step\": 210, \"layer\": 0, \"projection\": \"q\"}\n{\"step\": 210, \"la");
    ms_must(ms_phases_init(metrics, spectra, 0, &phases)); /* the last snapshot lacks a matrix */
    ck_assert_int_eq(phases.n_snapshots, 20);
    ms_phases_finish(&phases);
    /* Lines that are no JSON are left out, with what is left of their snapshots. */
    write_run(20, "nonsense\n{\"step\": 210, \"layer\": 0, \"projection\": \"q\"}\n"
                  "{\"step\": 210, \"layer\": 1, \"projection\": \"q\"}\n"
                  "{\"step\": 22\n{\"step\": 220, \"layer\": 1, \"projection\": \"q\"}\n"
                  "{\"step\": 230, \"layer\": 0, \"projection\": \"q\"}\n"
                  "{\"step\": 230, \"layer\": 1, \"projection\": \"q\"}\n");
    ms_must(ms_phases_init(metrics, spectra, 0, &phases));
    ck_assert_int_eq(phases.n_snapshots, 22);
    ck_assert_int_eq(phases.last_step, 230);
    ck_assert_int_eq(phases.bad.n, 2);
    ck_assert_ptr_nonnull(strstr(phases.bad.first, "line 43: "));
    ms_phases_finish(&phases);
    write_run(11, "");
    ck_assert_int_eq(ms_phases_init(metrics, spectra, 0, &phases), MS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "11 snapshots after step 0, phases need at least 12"));
    ck_assert_int_eq(ms_phases_init(metrics, spectra, -1, &phases), MS_INVALID);
    static const char *const bad[][2] = {
        {"{\"step\": 190, \"layer\": 0, \"projection\": \"q\"}\n", "step 190 after step 200"},
        {"{\"step\": 210, \"layer\": 1, \"projection\": \"q\"}\n", "layer 1 q is not what the first snapshot has"},
        {"{\"step\": 210, \"layer\": 0}\n", "no \"projection\""},
        {"{\"step\": 210, \"layer\": 0, \"projection\": \"q\", \"gap\": \"x\"}\n", "\"gap\" is no number"},
        {"{\"step\": 210, \"layer\": 0, \"projection\": \"q\"}\n{\"step\": 220, \"layer\": 0, \"projection\": \"q\"}\n",
         "the snapshot of step 210 has 1 of 2 matrices"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_run(20, bad[i][0]);
        ck_assert_int_eq(ms_phases_init(metrics, spectra, 0, &phases), MS_CORRUPT);
        ck_assert_msg(strstr(ms_status_message(), bad[i][1]) != NULL, "%s", ms_status_message());
    }
    write_run(20, "{\"step\": 230, \"layer\": 0, \"projection\": \"q\", \"gap\": 1e308}\n"
                  "{\"step\": 230, \"layer\": 1, \"projection\": \"q\", \"gap\": 1.5}\n");
    FILE *file = fopen(metrics, "a");
    ck_assert_ptr_nonnull(file);
    fputs("{\"step\": 230, \"loss\": 4.5}\n", file);
    fclose(file);
    ck_assert_int_eq(ms_phases_init(metrics, spectra, 0, &phases), MS_INVALID);
    ck_assert_msg(strstr(ms_status_message(), "\"gap\", q, layer 0, are too large"), "%s", ms_status_message());
    write_run(20, "");
    unlink(metrics);
    ck_assert_int_ne(ms_phases_init(metrics, spectra, 0, &phases), MS_OK);
    ck_assert_int_eq(phases.n_series, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("phases");
    TCase *series = tcase_create("series"), *runs = tcase_create("runs");
    tcase_add_test(series, test_ruptures);
    tcase_add_test(series, test_best_of_all);
    tcase_add_test(series, test_false_alarms);
    tcase_add_test(series, test_planted);
    tcase_add_test(series, test_noise);
    tcase_add_test(series, test_correlation);
    suite_add_tcase(suite, series);
    tcase_add_checked_fixture(runs, make_folder, remove_folder);
    tcase_add_test(runs, test_run);
    tcase_add_test(runs, test_cut_and_bad);
    suite_add_tcase(suite, runs);
    return ms_suite_run(suite);
}
