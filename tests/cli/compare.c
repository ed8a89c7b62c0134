/* Synthetic runs as `muonscope compare` reads them, against SciPy: tests/golden/compare/make_compare.py. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare/plots.h"
#include "cli/compare/print.h"
#include "cli/compare/runs.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"
#include "tracker/compare/group_plot.h"

enum { MOST_RUNS = 32 };

static char folder[64];
static char paths[MOST_RUNS][128];
static char *path_list[MOST_RUNS];
static json_t *golden;

static double number(const json_t *array, size_t i) { return json_number_value(json_array_get(array, i)); }
static const json_t *get(const json_t *object, const char *key) { return json_object_get(object, key); }

static FILE *open_file(const char *run, const char *name) {
    char path[192];
    snprintf(path, sizeof path, "%s/%s", run, name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    return stream;
}

/* A run folder with what is compared, as a run of muonscope would have written it. */
static void write_run(const json_t *run, const char *path) {
    const json_t *loss = get(run, "loss"), *snapshots = get(run, "snapshots"), *matrices = get(golden, "matrices");
    long long tokens = json_integer_value(get(run, "tokens_per_step"));
    ms_must(ms_directory_create(path));
    FILE *config = open_file(path, "config.yaml");
    fprintf(config, "train: {seed: %lld, steps: %zu, batch_sequences: %lld}\nmuon: {split: %s}\n",
            (long long)json_integer_value(get(run, "seed")), json_array_size(loss), tokens / 64,
            json_string_value(get(run, "group")));
    ck_assert_int_eq(fclose(config), 0);
    FILE *metrics = open_file(path, "metrics.jsonl"), *spectra = open_file(path, "spectra.jsonl");
    size_t i_snapshot = 0;
    for (size_t step = 0; step <= json_array_size(loss); step++) {
        if (step > 0)
            fprintf(metrics, "{\"step\":%zu,\"tokens\":%lld,\"loss\":%.17g,\"lr\":0.1}\n", step,
                    (long long)step * tokens, number(loss, step - 1));
        if ((size_t)number(snapshots, i_snapshot) != step) continue;
        fprintf(metrics, "{\"step\":%zu,\"tokens\":%lld,\"validation_loss\":%.17g}\n", step, (long long)step * tokens,
                number(get(run, "validation_loss"), i_snapshot));
        for (size_t m = 0; m < json_array_size(matrices); m++)
            fprintf(spectra,
                    "{\"step\":%zu,\"tokens\":%lld,\"layer\":%lld,\"projection\":\"%s\",\"sigma_max\":%.17g}\n", step,
                    (long long)step * tokens, (long long)number(json_array_get(matrices, m), 0),
                    json_string_value(json_array_get(json_array_get(matrices, m), 1)),
                    number(json_array_get(get(run, "sigma_max"), i_snapshot), m));
        if (i_snapshot + 1 < json_array_size(snapshots)) i_snapshot++;
    }
    ck_assert(fclose(metrics) == 0 && fclose(spectra) == 0);
}

static void write_runs(void) {
    json_error_t error;
    json_t *root = json_load_file("tests/golden/compare/compare.json", 0, &error), *run;
    ck_assert_msg(root != NULL, "%s", error.text);
    golden = json_incref(json_object_get(root, "synthetic"));
    json_decref(root);
    snprintf(folder, sizeof folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    size_t i;
    json_array_foreach(json_object_get(golden, "runs"), i, run) {
        snprintf(paths[i], sizeof paths[i], "%s/%s-%lld", folder, json_string_value(get(run, "group")),
                 (long long)json_integer_value(get(run, "seed")));
        path_list[i] = paths[i];
        write_run(run, paths[i]);
    }
}

static void remove_runs(void) {
    ck_assert_int_eq(ms_directory_remove(folder), MS_OK);
    json_decref(golden);
}

static ms_compare_request make_request(void) {
    static const char *const names[] = {"validation_loss", "loss", "sigma_max"};
    ms_compare_request request = {.paths = path_list,
                                  .n_paths = (int)json_array_size(get(golden, "runs")),
                                  .smoothing = json_number_value(get(golden, "smoothing"))};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ms_must(ms_series_metric_find(names[i], &request.metrics[request.n_metrics++]));
    request.by[request.n_by++] = ms_config_find("muon.split");
    return request;
}

static void must_agree(double found, const json_t *expected, const char *metric, const char *what) {
    double value = json_is_number(expected) ? json_number_value(expected) : NAN;
    if (isnan(value) && isnan(found)) return;
    ck_assert_msg(fabs(found - value) <= 1e-9 * fmax(1, fabs(value)), "%s of %s: %.17g, SciPy has %.17g", what, metric,
                  found, value);
}

static void check_row(const ms_comparison_row *row, const json_t *expected) {
    const char *metric = json_string_value(get(expected, "metric"));
    ck_assert_str_eq(row->name, metric);
    for (size_t i = 0; i < json_array_size(get(expected, "values")); i++)
        must_agree(row->values[i], json_array_get(get(expected, "values"), i), metric, "value");
    for (size_t g = 0; g < 2; g++) {
        const json_t *group = json_array_get(get(expected, "groups"), g);
        const ms_paired *values = &row->cells[g].values;
        ck_assert_int_eq(values->n, (int)number(group, 0));
        must_agree(values->mean, json_array_get(group, 1), metric, "mean");
        must_agree(values->deviation, json_array_get(group, 2), metric, "deviation");
        must_agree(values->low, json_array_get(group, 3), metric, "low end");
        must_agree(values->high, json_array_get(group, 4), metric, "high end");
    }
    const ms_paired *difference = &row->cells[1].difference;
    ck_assert_int_eq(difference->n, (int)json_integer_value(get(expected, "pairs")));
    must_agree(difference->mean, get(expected, "difference"), metric, "difference");
    must_agree(difference->low, json_array_get(get(expected, "interval"), 0), metric, "low end of the difference");
    must_agree(difference->high, json_array_get(get(expected, "interval"), 1), metric, "high end of the difference");
    must_agree(difference->p, get(expected, "p"), metric, "p");
    must_agree(row->cells[1].p_holm, get(expected, "p_holm"), metric, "p (Holm)");
}

START_TEST(test_scipy) {
    ms_compare_request request = make_request();
    ms_compare_set set;
    ms_must(ms_compare_set_init(&request, &set));
    ck_assert_uint_eq(set.n, 15);
    ck_assert_int_eq(set.n_groups, 2);
    ck_assert_str_eq(set.labels[set.i_baseline], "merged");
    ms_compared_runs runs = ms_compare_set_runs(&set);
    const json_t *table;
    size_t i, k;
    json_array_foreach(get(golden, "tables"), i, table) {
        ms_comparison comparison;
        int at = 0;
        while (strcmp(ms_comparison_at_name(at), json_string_value(get(table, "at"))) != 0) at++;
        double place = json_number_value(get(table, "place"));
        if (i != 1)
            must_agree(ms_comparison_place(&runs, (ms_comparison_at)at), get(table, "place"), "a table", "place");
        if (at == MS_AT_LOSS) place = ms_comparison_place(&runs, MS_AT_LOSS);
        ms_must(ms_comparison_init(&runs, (ms_comparison_at)at, place, 0.95, &comparison));
        ck_assert_uint_eq(comparison.n_rows, json_array_size(get(table, "rows")));
        for (k = 0; k < comparison.n_rows; k++) check_row(&comparison.rows[k], json_array_get(get(table, "rows"), k));
        ms_comparison_finish(&comparison);
    }
    ck_assert_uint_eq(i, 4);
    ms_compare_set_finish(&set);
}
END_TEST

/* A picture's data are what the table has, at the same tokens where groups take unlike numbers of them a step. */
/* What is said of p-values is said of the metrics that are tested, whose pairs are at most 40. */
START_TEST(test_more_pairs_than_are_tested) {
    static char labels[2][MS_COMPARE_LABEL_SIZE] = {"merged", "split"};
    ms_comparison_cell cells[2][2] = {0};
    cells[0][1] = (ms_comparison_cell){.difference = {.n = 45, .mean = 1, .p = NAN}, .p_holm = NAN};
    cells[1][1] = (ms_comparison_cell){.difference = {.n = 8, .mean = 1, .p = 0.01}, .p_holm = 0.01};
    ms_comparison_row rows[2] = {{.name = "loss", .place = 4, .cells = cells[0]},
                                 {.name = "sigma_max", .place = 4, .cells = cells[1]}};
    ms_comparison comparison = {.place = 4, .rows = rows, .n_rows = 2, .n_tests = 1, .n_groups = 2};
    const ms_compare_set set = {.labels = labels, .n_groups = 2};
    char *text = NULL;
    for (int n_rows = 2; n_rows >= 1; n_rows--) {
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        comparison.n_rows = (size_t)n_rows; /* 1: nothing is tested here, though something is in another group */
        ms_must(ms_compare_print_text(&(ms_compare_result){&set, &comparison, 1, 0.95}, stream));
        ck_assert_int_eq(fclose(stream), 0);
        ck_assert_msg(strstr(text, "  More than 40 pairs are not tested") != NULL, "%s", text);
        bool is_told =
            strstr(text, "  p: all 2^8 sign patterns; the smallest that 8 pairs can reach is 0.00781, and 0.00781 "
                         "after Holm's correction for 1 test.\n") != NULL;
        ck_assert_msg(is_told == (n_rows == 2), "%s", text);
        ck_assert_msg(!strstr(text, "2^4"), "%s", text);
        free(text);
    }
}
END_TEST

START_TEST(test_plots) {
    ms_compare_request request = make_request();
    ms_compare_set set;
    ms_comparison comparison;
    char plots[128], path[192], *script, *drawn;
    size_t size;
    request.n_metrics = 1;
    ms_must(ms_compare_set_init(&request, &set));
    ms_compared_runs runs = ms_compare_set_runs(&set);
    ms_must(ms_comparison_init(&runs, MS_AT_TOKENS, 4096, 0.9, &comparison)); /* a snapshot of one group alone */
    snprintf(plots, sizeof plots, "%s/plots", folder);
    FILE *stream = open_memstream(&drawn, &size);
    ms_must(ms_compare_draw(&set, 0.9, (ms_page_style){0}, plots, stream));
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_ptr_nonnull(strstr(drawn, "/plots/validation_loss.png, .svg"));
    free(drawn);
    snprintf(path, sizeof path, "%s/validation_loss.png", plots);
    ck_assert(ms_file_exists(path));
    snprintf(path, sizeof path, "%s/validation_loss.gp", plots);
    ms_must(ms_file_read(path, &script, &size));
    const char *group = strstr(script, "$group1 << EOD"), *row = group ? strstr(group, "\n4096 ") : NULL;
    ck_assert_ptr_nonnull(row);
    double mean, low, high, difference, ends[2];
    ck_assert_int_eq(sscanf(row, " %*f %lf %lf %lf %lf %lf %lf", &mean, &low, &high, &difference, &ends[0], &ends[1]),
                     6);
    const ms_comparison_cell *cell = &comparison.rows[0].cells[1];
    ck_assert_double_eq_tol(mean, cell->values.mean, 1e-7);
    ck_assert_double_eq_tol(difference, cell->difference.mean, 1e-7);
    ck_assert_double_eq_tol(ends[0], cell->difference.low, 1e-7);
    ck_assert_double_eq_tol(ends[1], cell->difference.high, 1e-7);
    ck_assert(low < mean && mean < high);
    ck_assert_ptr_nonnull(strstr(script, "title 'merged (8 seeds)'"));
    ck_assert_ptr_nonnull(strstr(script, "'minus merged, paired by seed: mean and 90 % interval of each place'"));
    free(script);
    /* A label is no command, and its quotes end no text. */
    const char *labels[] = {"it's'; system('x')", "b\n"};
    ms_group_plot plot = {.runs = &runs, .labels = labels, .keys = "data.directory", .confidence = 0.95};
    char name[MS_GROUP_PLOT_NAME_SIZE];
    ms_picture_options options = {.formats = MS_PLOT_PNG};
    ms_must(ms_group_plot_draw(&plot, &options, plots, name));
    ms_must(ms_file_read(path, &script, &size));
    ck_assert_ptr_nonnull(strstr(script, "title 'it''s''; system(''x'') (8 seeds)'"));
    free(script);
    /* For a column: its width, the title in lines, the legend below the panels. */
    options.style.width_mm = 85;
    ms_must(ms_group_plot_draw(&plot, &options, plots, name));
    ms_must(ms_file_read(path, &script, &size));
    ck_assert_ptr_nonnull(
        strstr(script, "set label 1 \"validation_loss by data.directory: mean and\\nrange over seeds\""));
    const char *key = strstr(script, "set key at screen 0.0"), *bottom = strstr(script, "set bmargin screen 0.1");
    ck_assert(key && bottom && strtod(strchr(key, ',') + 1, NULL) < strtod(strstr(bottom, "0.1"), NULL));
    free(script);
    options.style.untitled = true;
    ms_must(ms_group_plot_draw(&plot, &options, plots, name));
    ms_must(ms_file_read(path, &script, &size));
    ck_assert_ptr_null(strstr(script, "\nset label 1"));
    free(script);
    ms_comparison_finish(&comparison);
    ms_compare_set_finish(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("compare");
    TCase *runs = tcase_create("synthetic runs");
    tcase_add_checked_fixture(runs, write_runs, remove_runs);
    tcase_add_test(runs, test_scipy);
    tcase_add_test(runs, test_more_pairs_than_are_tested);
    tcase_add_test(runs, test_plots);
    suite_add_tcase(suite, runs);
    return ms_suite_run(suite);
}
