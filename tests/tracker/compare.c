/* Student's t, t intervals, sign-flip tests and Holm's correction against SciPy; rates of false positives; series. */
#include "tracker/compare/comparison.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/random.h"
#include "tests/support/suite.h"
#include "tracker/compare/student.h"

enum { MOST = 64 };

static json_t *golden;

static void load_golden(void) {
    json_error_t error;
    golden = json_load_file("tests/golden/compare/compare.json", 0, &error);
    ck_assert_msg(golden != NULL, "%s", error.text);
}

static void free_golden(void) { json_decref(golden); }

static double number(const json_t *array, size_t i) {
    const json_t *value = json_array_get(array, i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double field(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static size_t numbers(const json_t *array, double *out) {
    size_t n = json_array_size(array);
    ck_assert_uint_le(n, MOST);
    for (size_t i = 0; i < n; i++) out[i] = number(array, i);
    return n;
}

/* To 1e-10 of the value; both NaN is alike. */
static void must_agree(double found, double expected, const char *what, size_t i) {
    if (isnan(expected) && isnan(found)) return;
    ck_assert_msg(fabs(found - expected) <= 1e-10 * fmax(fabs(expected), 1e-3), "%s %zu: %.17g, not %.17g", what, i,
                  found, expected);
}

START_TEST(test_student) {
    const json_t *student = json_object_get(golden, "student");
    const json_t *tails = json_object_get(student, "tails"), *quantiles = json_object_get(student, "quantiles"), *row;
    size_t i;
    ck_assert_uint_eq(json_array_size(tails), 64);
    ck_assert_uint_eq(json_array_size(quantiles), 45);
    json_array_foreach(tails, i, row)
        must_agree(ms_student_two_sided(number(row, 1), (int)number(row, 0)) / fmax(number(row, 2), 1e-300),
                   number(row, 2) > 0, "tail over SciPy's", i);
    json_array_foreach(quantiles, i, row)
        must_agree(ms_student_quantile(number(row, 1), (int)number(row, 0)), number(row, 2), "quantile", i);
}
END_TEST

START_TEST(test_paired) {
    const json_t *cases = json_object_get(golden, "paired"), *one, *interval;
    size_t i, k;
    ck_assert_uint_eq(json_array_size(cases), 14);
    json_array_foreach(cases, i, one) {
        double values[MOST];
        ms_paired paired;
        size_t n = numbers(json_object_get(one, "differences"), values);
        ms_must(ms_paired_test(values, n, 0.95, &paired));
        ck_assert_int_eq(paired.n, (int)n);
        must_agree(paired.mean, field(one, "mean"), "mean", i);
        must_agree(paired.p, field(one, "p"), "p", i);
        ck_assert_double_eq(paired.p_least, ldexp(2, -(int)n));
        json_array_foreach(json_object_get(one, "intervals"), k, interval) {
            ms_must(ms_paired_test(values, n, number(interval, 0), &paired));
            double tolerance = 1e-10 * fmax(fabs(paired.low), fabs(paired.high));
            ck_assert_double_eq_tol(paired.low, number(interval, 1), tolerance);
            ck_assert_double_eq_tol(paired.high, number(interval, 2), tolerance);
        }
    }
}
END_TEST

/* What SciPy's is not asked: few pairs, none, all alike, and more than its enumeration takes. */
START_TEST(test_paired_ends) {
    double values[MS_PAIRED_MOST + 1];
    ms_paired paired;
    for (int i = 0; i <= MS_PAIRED_MOST; i++) values[i] = 1 + 0.01 * i;
    ms_must(ms_paired_test(values, 0, 0.95, &paired));
    ck_assert(isnan(paired.mean) && isnan(paired.low) && isnan(paired.p) && isnan(paired.p_least));
    ms_must(ms_paired_test(values, 1, 0.95, &paired));
    ck_assert(paired.mean == 1 && isnan(paired.low) && isnan(paired.deviation) && isnan(paired.p) &&
              paired.p_least == 1);
    ms_must(ms_paired_test(values, MS_PAIRED_LEAST - 1, 0.95, &paired));
    ck_assert(!isnan(paired.low) && isnan(paired.p) && paired.p_least == 0.0625);
    for (int n = MS_PAIRED_LEAST; n <= 30; n++) { /* all of one sign: the least p that n pairs can reach */
        ms_must(ms_paired_test(values, (size_t)n, 0.95, &paired));
        ck_assert_double_eq(paired.p, paired.p_least);
    }
    ms_must(ms_paired_test(values, MS_PAIRED_MOST + 1, 0.95, &paired));
    ck_assert(!isnan(paired.low) && isnan(paired.p));
    double zeros[8] = {0};
    ms_must(ms_paired_test(zeros, 8, 0.95, &paired));
    ck_assert(paired.p == 1 && paired.low == 0 && paired.high == 0);
}
END_TEST

START_TEST(test_holm) {
    const json_t *families = json_object_get(golden, "holm"), *family;
    size_t i;
    ck_assert_uint_eq(json_array_size(families), 4);
    json_array_foreach(families, i, family) {
        double p[MOST], corrected[MOST], expected[MOST];
        size_t n = numbers(json_object_get(family, "p"), p);
        numbers(json_object_get(family, "corrected"), expected);
        ms_must(ms_holm(p, n, corrected));
        for (size_t k = 0; k < n; k++) must_agree(corrected[k], expected[k], "Holm", i);
    }
}
END_TEST

/* --- nothing to be found --- */

/* Two groups of n_pairs seeds with n_metrics metrics, all of one law: nothing differs. */
struct null_set {
    ms_compared_run runs[2 * MOST];
    ms_series_metric *metrics;
    ms_compared_runs set;
};

static void make_null(uint64_t seed, size_t n_pairs, size_t n_metrics, struct null_set *out) {
    memset(out, 0, sizeof *out);
    out->metrics = calloc(n_metrics, sizeof *out->metrics);
    float *draws = malloc(2 * n_pairs * n_metrics * sizeof *draws);
    ck_assert(out->metrics && draws);
    ms_random_normal_fill(seed, 3, 1, 2 * n_pairs * n_metrics, draws);
    for (size_t i = 0; i < 2 * n_pairs; i++) {
        ms_compared_run *run = &out->runs[i];
        *run = (ms_compared_run){.i_group = (int)(i % 2), .seed = (int64_t)(i / 2), true, 1, 1, NULL, {0}};
        run->series = calloc(n_metrics, sizeof *run->series);
        for (size_t k = 0; k < n_metrics; k++) {
            run->series[k] = (ms_series){.points = malloc(sizeof(ms_series_point)), .n = 1};
            run->series[k].points[0] = (ms_series_point){1, 1, draws[k * 2 * n_pairs + i]};
        }
    }
    for (size_t k = 0; k < n_metrics; k++) out->metrics[k] = (ms_series_metric){.name = "null", .file = "", .key = ""};
    out->set = (ms_compared_runs){out->runs, 2 * n_pairs, out->metrics, n_metrics, 2, 0};
    free(draws);
}

static void free_null(struct null_set *set) {
    for (size_t i = 0; i < set->set.n_runs; i++) {
        for (size_t k = 0; k < set->set.n_metrics; k++) ms_series_finish(&set->runs[i].series[k]);
        free(set->runs[i].series);
    }
    free(set->metrics);
}

/* The share of n that a rate gives, within three standard deviations. */
static void must_be_rate(int count, int n, double rate, const char *what) {
    double tolerance = 3 * sqrt(rate * (1 - rate) / n);
    ck_assert_msg(fabs((double)count / n - rate) <= tolerance, "%s: %d of %d, expected %.4f +- %.4f", what, count, n,
                  rate, tolerance);
}

/* Of 1,000 comparisons of nothing, as many are below 0.05 as the sign patterns have room for, and 5 % of the intervals
   miss 0.  Draws of a counter, so that each number is the same every time. */
START_TEST(test_false_positives) {
    static const size_t pairs[] = {6, 7, 8, 10, 13};
    for (size_t c = 0; c < sizeof pairs / sizeof *pairs; c++) {
        struct null_set null;
        ms_comparison comparison;
        int n_low = 0, n_missed = 0;
        make_null(20 + c, pairs[c], 1000, &null);
        ms_must(ms_comparison_init(&null.set, MS_AT_STEP, 1, 0.95, &comparison));
        ck_assert_int_eq(comparison.n_tests, 1000);
        for (size_t k = 0; k < comparison.n_rows; k++) {
            const ms_paired *difference = &comparison.rows[k].cells[1].difference;
            ck_assert_int_eq(difference->n, (int)pairs[c]);
            n_low += difference->p <= 0.05;
            n_missed += difference->low > 0 || difference->high < 0;
        }
        double patterns = ldexp(1, (int)pairs[c]), level = 2 * floor(0.05 * patterns / 2) / patterns;
        must_be_rate(n_low, 1000, level, "p <= 0.05");
        must_be_rate(n_missed, 1000, 0.05, "intervals without 0");
        ms_comparison_finish(&comparison);
        free_null(&null);
    }
}
END_TEST

/* Holm's correction keeps the rate of families with any false positive. */
START_TEST(test_families) {
    int n_false = 0, n_uncorrected = 0;
    for (uint64_t family = 0; family < 500; family++) {
        struct null_set null;
        ms_comparison comparison;
        bool found = false, uncorrected = false;
        make_null(1000 + family, 10, 5, &null);
        ms_must(ms_comparison_init(&null.set, MS_AT_STEP, 1, 0.95, &comparison));
        for (size_t k = 0; k < comparison.n_rows; k++) {
            found |= comparison.rows[k].cells[1].p_holm <= 0.05;
            uncorrected |= comparison.rows[k].cells[1].difference.p <= 0.05;
        }
        n_false += found;
        n_uncorrected += uncorrected;
        ms_comparison_finish(&comparison);
        free_null(&null);
    }
    must_be_rate(n_false, 500, 1 - pow(1 - 10.0 / 1024, 5),
                 "families with p (Holm) <= 0.05"); /* the first step decides */
    must_be_rate(n_uncorrected, 500, 1 - pow(1 - 50.0 / 1024, 5), "families with p <= 0.05");
}
END_TEST

/* --- series --- */

static char folder[64];

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

static void put(const char *file, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    ms_must(ms_file_write(path, text, strlen(text)));
}

static void read_one(const char *name, const char *layers, const char *projections, ms_series *out,
                     ms_run_line_faults *faults) {
    ms_series_metric metric;
    ms_series_selection selection = {layers, projections};
    ms_must(ms_series_metric_find(name, &metric));
    ms_must(ms_series_read(folder, &metric, 1, &selection, out, faults));
}

#define SPECTRUM(step, layer, projection, value)                                                                       \
    "{\"step\":" #step ",\"tokens\":1" #step ",\"layer\":" #layer ",\"projection\":\"" projection                      \
    "\",\"sigma_max\":" #value ",\"sigma_top\":[9,8]}\n"

static const char spectra[] =
    SPECTRUM(0, 0, "q", 1) SPECTRUM(0, 0, "v", 2) SPECTRUM(0, 1, "q", 3) SPECTRUM(0, 1, "v", 4) SPECTRUM(5, 0, "q", 2)
        SPECTRUM(5, 0, "v", null) SPECTRUM(5, 1, "q", 4) SPECTRUM(5, 1, "v", 6) SPECTRUM(9, 0, "q", 7);

START_TEST(test_averages) {
    static const struct {
        const char *layers, *projections;
        double first, second;
        int n_dropped; /* step 9 has the line of layer 0 q alone */
    } cases[] = {{NULL, NULL, 2.5, 4, 1},
                 {"1", NULL, 3.5, 5, 0},
                 {NULL, "q", 2, 3, 1},
                 {"0-1", "v", 3, 6, 0},
                 {"0", "q,v", 1.5, 2, 1}};
    put("spectra.jsonl", spectra);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_series series;
        ms_run_line_faults faults;
        read_one("sigma_max", cases[i].layers, cases[i].projections, &series, &faults);
        ck_assert_int_eq(faults.n_bad, 0);
        ck_assert_uint_eq(series.n, 2);
        ck_assert_double_eq(series.points[0].value, cases[i].first);
        ck_assert_double_eq(series.points[1].value, cases[i].second);
        ck_assert_double_eq(series.points[1].tokens, 15);
        ck_assert_int_eq(series.n_dropped, cases[i].n_dropped);
        ms_series_finish(&series);
    }
    ms_series_metric metric;
    ms_series series;
    ms_run_line_faults faults;
    ms_must(ms_series_metric_find("sigma_top[1]", &metric));
    ms_series_selection none = {"7", NULL}, beyond = {"0-2", NULL}, wrong = {"x", NULL}, unknown = {NULL, "w"};
    ms_expect(ms_series_read(folder, &metric, 1, &none, &series, &faults), MS_NOT_FOUND, "no layer 7");
    ms_expect(ms_series_read(folder, &metric, 1, &beyond, &series, &faults), MS_NOT_FOUND, "no layer 2; it has 0 to 1");
    ms_expect(ms_series_read(folder, &metric, 1, &wrong, &series, &faults), MS_USAGE, "'x' is no layer");
    ms_expect(ms_series_read(folder, &metric, 1, &unknown, &series, &faults), MS_NOT_FOUND,
              "no projection 'w'; it has q, v");
    read_one("sigma_top[1]", NULL, NULL, &series, &faults);
    ck_assert_double_eq(series.points[0].value, 8);
    ms_series_finish(&series);
}
END_TEST

START_TEST(test_heads) {
    ms_series series;
    ms_run_line_faults faults;
    put("probes.jsonl",
        "{\"step\":0,\"tokens\":0,\"layer\":0,\"attention_entropy\":[0.5,0.7],\"qk_sigma\":[[4,1],[6,2]]}\n"
        "{\"step\":0,\"tokens\":0,\"layer\":1,\"attention_entropy\":[0.1,0.3],\"qk_sigma\":[[8,1],[2,2]]}\n");
    read_one("attention_entropy", NULL, NULL, &series, &faults);
    ck_assert_double_eq_tol(series.points[0].value, 0.4, 1e-15);
    ms_series_finish(&series);
    read_one("qk_sigma[0]", "0", NULL, &series, &faults);
    ck_assert_double_eq(series.points[0].value, 5);
    ms_series_finish(&series);
}
END_TEST

/* All matrices in one line: sigma_max.jsonl. */
START_TEST(test_matrices_of_a_line) {
    ms_series series;
    ms_run_line_faults faults;
    put("sigma_max.jsonl", "{\"step\":0,\"tokens\":0,\"update_sigma_max\":{\"q\":[null,null],\"v\":[null,null]}}\n"
                           "{\"step\":1,\"tokens\":9,\"update_sigma_max\":{\"q\":[1,2],\"v\":[3,6]}}\n");
    read_one("update_sigma_max", NULL, NULL, &series, &faults);
    ck_assert_uint_eq(series.n, 1);
    ck_assert_double_eq(series.points[0].value, 3);
    ms_series_finish(&series);
    read_one("sigma_max.update_sigma_max", "1", "v", &series, &faults);
    ck_assert_double_eq(series.points[0].value, 6);
    ms_series_finish(&series);
}
END_TEST

/* Lines that are cut in the middle, repeated, out of order or not finite are passed over; the rest counts. */
START_TEST(test_bad_lines) {
    ms_series series;
    ms_run_line_faults faults;
    put("metrics.jsonl",
        "{\"step\":1,\"tokens\":8,\"loss\":4}\n{\"step\":2,\"tok\n{\"step\":3,\"tokens\":24,\"loss\":null}\n"
        "{\"step\":4,\"tokens\":32,\"loss\":2.0}\n{\"step\":4,\"tokens\":32,\"loss\":2.5}\n"
        "{\"step\":2,\"tokens\":16,\"loss\":3}\n[1]\n{\"step\":5,\"loss\":1}\n{\"step\":6,\"tokens\":48,\"loss\":NaN}\n"
        "{\"step\":7,\"tokens\":56,\"loss\":1}\n{\"step\":8,\"tokens\":64,\"lo");
    read_one("loss", NULL, NULL, &series, &faults);
    ck_assert_int_eq(faults.n_bad, 6);
    ck_assert_str_eq(faults.first_bad, "metrics.jsonl line 2");
    ck_assert_uint_eq(series.n, 3);
    ck_assert_double_eq(series.points[1].value, 2);
    ck_assert_double_eq(ms_series_at(&series, MS_SERIES_STEPS, 4), 2);
    ck_assert_double_eq(ms_series_at(&series, MS_SERIES_TOKENS, 20), 3);
    ck_assert(isnan(ms_series_at(&series, MS_SERIES_STEPS, 0.5)) && isnan(ms_series_at(&series, MS_SERIES_STEPS, 8)));
    ck_assert_int_eq(ms_series_reach(&series, 2.5)->step, 4);
    ck_assert_ptr_null(ms_series_reach(&series, 0.5));
    ms_series_finish(&series);
    read_one("update_ratio", NULL, NULL, &series, &faults); /* no file */
    ck_assert_uint_eq(series.n, 0);
    ms_series_finish(&series);
}
END_TEST

START_TEST(test_smoothing) {
    ms_series series;
    ms_run_line_faults faults;
    put("metrics.jsonl", "{\"step\":1,\"tokens\":10,\"loss\":8}\n{\"step\":2,\"tokens\":20,\"loss\":4}\n"
                         "{\"step\":3,\"tokens\":30,\"loss\":6}\n{\"step\":4,\"tokens\":40,\"loss\":1}\n");
    read_one("loss", NULL, NULL, &series, &faults);
    ms_must(ms_series_smooth(&series, 0)); /* nothing */
    ck_assert_uint_eq(series.n, 4);
    ck_assert_double_eq(series.points[0].value, 8);
    ms_must(ms_series_smooth(&series, 20));
    ck_assert_uint_eq(series.n, 3); /* the first passes 10 tokens */
    ck_assert_int_eq(series.points[0].step, 2);
    ck_assert_double_eq(series.points[0].value, 6);
    ck_assert_double_eq(series.points[1].value, 5);
    ck_assert_double_eq(series.points[2].value, 3.5);
    ms_series_finish(&series);
}
END_TEST

START_TEST(test_names) {
    static const struct {
        const char *name, *file, *key;
        int entry;
    } good[] = {{"loss", "metrics.jsonl", "loss", -1},
                {"grad_norm", "metrics.jsonl", "grad_norm", -1},
                {"spectra.grad_norm", "spectra.jsonl", "grad_norm", -1},
                {"sigma_top[3]", "spectra.jsonl", "sigma_top", 3},
                {"probes.attention_entropy", "probes.jsonl", "attention_entropy", -1},
                {"loss_by_frequency[9]", "metrics.jsonl", "loss_by_frequency", 9}};
    static const struct {
        const char *name, *part;
        ms_status status;
    } bad[] = {{"lss", "no file of a run has", MS_NOT_FOUND},
               {"metrics.sigma_max", "no file of a run", MS_NOT_FOUND},
               {"", "no file", MS_NOT_FOUND},
               {"step", "no metric", MS_USAGE},
               {"sigma_top", "sigma_top[0]", MS_USAGE},
               {"sigma_top[", "is written [0]", MS_USAGE},
               {"update_sigma_max[0]", "--layers and --projections", MS_USAGE},
               {"sigma_top[x]", "is written [0]", MS_USAGE},
               {"sigma_top[1]2", "is written [0]", MS_USAGE},
               {"sigma_top[99999]", "is written [0]", MS_USAGE},
               {"loss[0]", "is a number", MS_USAGE},
               {"qk_sigma", "is an array", MS_USAGE}};
    ms_series_metric metric;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ms_must(ms_series_metric_find(good[i].name, &metric));
        ck_assert_str_eq(metric.file, good[i].file);
        ck_assert_str_eq(metric.key, good[i].key);
        ck_assert_int_eq(metric.entry, good[i].entry);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ms_expect(ms_series_metric_find(bad[i].name, &metric), bad[i].status, bad[i].part);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("compare");
    TCase *scipy = tcase_create("against SciPy"), *null = tcase_create("nothing to find"),
          *series = tcase_create("series");
    tcase_add_checked_fixture(scipy, load_golden, free_golden);
    tcase_add_test(scipy, test_student);
    tcase_add_test(scipy, test_paired);
    tcase_add_test(scipy, test_paired_ends);
    tcase_add_test(scipy, test_holm);
    suite_add_tcase(suite, scipy);
    tcase_add_test(null, test_false_positives);
    tcase_add_test(null, test_families);
    suite_add_tcase(suite, null);
    tcase_add_checked_fixture(series, make_folder, remove_folder);
    tcase_add_test(series, test_averages);
    tcase_add_test(series, test_heads);
    tcase_add_test(series, test_matrices_of_a_line);
    tcase_add_test(series, test_bad_lines);
    tcase_add_test(series, test_smoothing);
    tcase_add_test(series, test_names);
    suite_add_tcase(suite, series);
    return ms_suite_run(suite);
}
