/* The data and the page of `muonscope report`: numbers against the files, size, escaping, damaged runs, studies. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/columns.h"
#include "cli/report/report.h"
#include "platform/directory.h"
#include "tests/cli/report_run.h"
#include "tests/support/suite.h"

/* --- data --- */

START_TEST(data_are_those_of_the_files) {
    report_run_begin();
    report_run_make(&report_null_plan);
    report_run_write(
        "run.log",
        "2026-01-31T12:00:00Z info    device: cpu, 2 threads\n2026-01-31T12:00:01Z info    step 1/40  loss 8\n"
        "2026-01-31T12:00:02Z warning the loss spikes: 9\n"
        "2026-01-31T12:00:03Z info    step 40: checkpoint saved, weights_sha256 "
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef optimizer_state_sha256 0\n");
    report_run_write("samples.txt", "-- step 40, 5 bytes: temperature 0.8, top_k 50, seed 42\nAdam\n\n\n");
    json_t *data = report_run_data(), *spectra = json_object_get(data, "spectra");
    ck_assert_str_eq(json_string_value(json_object_get(data, "kind")), "run");
    ck_assert_int_eq(json_integer_value(report_get(data, "facts", "step")), 40);
    ck_assert_int_eq(json_integer_value(report_get(data, "facts", "steps")), 40);
    ck_assert_str_eq(json_string_value(report_get(data, "facts", "device")), "cpu, 2 threads");
    ck_assert_int_eq(strncmp(json_string_value(report_get(data, "facts", "weights_sha256")), "0123456789abcdef", 16),
                     0);
    json_t *losses = json_object_get(report_get(data, "steps", "keys"), "loss");
    ck_assert_uint_eq(json_array_size(losses), 40);
    for (int i = 0; i < 40; i++) ck_assert_double_eq_tol(report_at(losses, (size_t)i), 8.0 - 0.1 * (i + 1), 5e-5);
    ck_assert_double_eq_tol(
        report_at(json_object_get(report_get(data, "validations", "keys"), "loss_by_frequency[9]"), 0), 8.01, 1e-4);
    ck_assert_uint_eq(json_array_size(json_object_get(spectra, "matrices")), 8);
    ck_assert_uint_eq(json_array_size(json_object_get(spectra, "step")), 20);
    json_t *entropy = report_get(spectra, "keys", "spectral_entropy");
    ck_assert_uint_eq(json_array_size(entropy), 160);
    ck_assert_double_eq_tol(report_at(entropy, 19 * 8 + 5), 0.95 + 0.002 * 5 / 8, 1e-5);
    ck_assert(json_is_null(json_array_get(report_get(spectra, "keys", "noise_null"), 0)));
    ck_assert_ptr_null(report_get(spectra, "keys", "gap")); /* null in every line */
    ck_assert_double_eq_tol(report_at(report_get(spectra, "random", "spectral_entropy"), 0),
                            1 - 64 / (2.0 * 256 * log(64)), 1e-4);
    ck_assert_uint_eq(json_array_size(report_get(json_object_get(data, "probes"), "keys", "attention_entropy[1]")),
                      160);
    ck_assert_uint_eq(json_array_size(json_object_get(data, "warnings")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(data, "messages")), 3); /* no step line */
    json_t *sample = json_array_get(json_object_get(data, "samples"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(sample, "text")), "Adam\n");
    ck_assert_uint_eq(json_array_size(json_object_get(data, "notes")), 0);
    json_decref(data);
    report_run_end();
}
END_TEST

/* The k-th text between two others in the page. */
static const char *find(const char *page, const char *before) {
    const char *found = strstr(page, before);
    ck_assert_msg(found != NULL, "no '%s'", before);
    return found + strlen(before);
}

START_TEST(no_text_of_a_file_ends_the_script) {
    static const char nasty[] = "</script><script>alert(1)</script><!-- & \xE2\x80\xA8 <img src=x onerror=alert(2)>";
    char text[512], *json, *page;
    size_t json_size, page_size, empty_size;
    report_run_begin();
    report_run_make(&report_null_plan);
    snprintf(text, sizeof text, "-- step 40, %zu bytes: temperature 0.8, top_k 50, seed 42\n%s\xFF\n\n",
             strlen(nasty) + 1, nasty);
    report_run_write("samples.txt", text);
    snprintf(text, sizeof text, "2026-01-31T12:00:02Z warning %s\n", nasty);
    report_run_write("run.log", text);
    FILE *config = report_run_open("config.yaml", "a");
    fprintf(config, "data: {directory: \"</script><b>\"}\n");
    ck_assert_int_eq(fclose(config), 0);
    ms_must(ms_report_data(report_folder, &json, &json_size));
    ms_must(ms_report_page(json, json_size, &page, &page_size));
    ck_assert_uint_eq(strlen(page), page_size);

    const char *data = find(page, "<script type=\"application/json\" id=\"data\">");
    size_t size = (size_t)(strstr(data, "</script>") - data);
    ck_assert_ptr_null(memchr(data, '<', size));
    json_t *inside = json_loadb(data, size, 0, NULL), *outside = json_loadb(json, json_size, 0, NULL);
    ck_assert(inside && json_equal(inside, outside));
    json_t *sample = json_array_get(json_object_get(inside, "samples"), 0);
    const char *read = json_string_value(json_object_get(sample, "text"));
    ck_assert_int_eq(strncmp(read, nasty, strlen(nasty)), 0);
    ck_assert_str_eq(read + strlen(nasty), "\xEF\xBF\xBD");
    json_decref(inside);
    json_decref(outside);
    free(page);

    /* Nothing is loaded: no address in what loads, and a policy that forbids it. */
    ms_must(ms_report_page(NULL, 0, &page, &empty_size));
    ck_assert_uint_lt(empty_size, page_size);
    (void)find(page, "content=\"default-src 'none'; ");
    (void)find(page, "Permission is hereby granted, free of charge");
    static const char *const loads[] = {"src=\"", "@import", "url(", "href=\"http", "importScripts", "XMLHttpRequest"};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        ck_assert_msg(strstr(page, loads[i]) == NULL, "'%s' is in the page", loads[i]);
    free(page);
    free(json);
    ms_expect(ms_report_page("[1]", 3, &page, &page_size), MS_INVALID, "no JSON object");
    report_run_end();
}
END_TEST

START_TEST(long_runs_are_downsampled) {
    double values[5000];
    size_t *chosen, n, most = 0;
    for (int i = 0; i < 5000; i++) values[i] = sin(i);
    values[3333] = 50;
    values[1234] = NAN;
    ms_must(ms_report_choose_extremes(values, 5000, 400, &chosen, &n));
    ck_assert(n <= 400 && n > 300);
    bool spike = false;
    for (size_t i = 0; i < n; i++) {
        ck_assert(i == 0 || chosen[i] > chosen[i - 1]);
        spike |= chosen[i] == 3333;
    }
    ck_assert(spike && chosen[0] == 0 && chosen[n - 1] == 4999);
    free(chosen);
    for (size_t count = 0; count < 60; count++)
        for (most = 2; most < 70; most++) {
            ms_must(ms_report_choose(count, most, &chosen, &n));
            ck_assert(n <= most && n <= count && (count == 0 || (chosen[0] == 0 && chosen[n - 1] == count - 1)));
            free(chosen);
        }
}
END_TEST

/* 600 steps, 6 layers, every tenth step a snapshot, all keys; and more snapshots than are shown. */
START_TEST(pages_are_small) {
    char *json, *page;
    size_t json_size, page_size;
    struct report_plan plan = report_null_plan;
    plan.n_steps = 600;
    plan.n_layers = 6;
    plan.n_snapshots = 61;
    plan.all_keys = true;
    report_run_begin();
    report_run_make(&plan);
    json_t *data = report_run_data();
    ck_assert_uint_eq(json_array_size(report_get(data, "spectra", "step")), 61);
    ck_assert(!report_is_noted(data, "snapshots of spectra.jsonl are shown"));
    json_decref(data);
    ms_must(ms_report_data(report_folder, &json, &json_size));
    ms_must(ms_report_page(json, json_size, &page, &page_size));
    ck_assert_uint_lt(page_size, 3000000);
    free(page);
    free(json);
    report_run_end();

    plan.n_steps = 2500;
    plan.n_snapshots = 251;
    report_run_begin();
    report_run_make(&plan);
    ms_must(ms_report_data(report_folder, &json, &json_size));
    ck_assert_uint_lt(json_size, 2700000);
    free(json);
    data = report_run_data();
    ck_assert(report_is_noted(data, "of 251 snapshots of spectra.jsonl are shown"));
    ck_assert(report_is_noted(data, "of 2500 lines of metrics.jsonl"));
    size_t n = json_array_size(report_get(data, "spectra", "step"));
    ck_assert(n > 60 && n < 120);
    ck_assert_double_eq(report_at(report_get(data, "spectra", "step"), 0), 0);
    ck_assert_double_eq(report_at(report_get(data, "spectra", "step"), n - 1), 2500);
    json_decref(data);
    report_run_end();
}
END_TEST

/* --- bad input --- */

static void append_text(const char *name, const char *text) {
    FILE *stream = report_run_open(name, "a");
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

START_TEST(damaged_runs_have_reports) {
    char *json;
    size_t size;
    struct report_plan plan = report_null_plan;
    report_run_begin();
    ms_expect(ms_report_data("/nowhere/at/all", &json, &size), MS_NOT_FOUND, "does not exist");
    ms_expect(ms_report_data(report_folder, &json, &size), MS_NOT_FOUND,
              "neither a run (no config.yaml, no metrics.jsonl) nor a study");

    report_run_make(&plan); /* nothing has been trained */
    report_run_write("metrics.jsonl", "");
    report_run_write("spectra.jsonl", "");
    report_run_write("probes.jsonl", "");
    json_t *data = report_run_data();
    ck_assert(report_is_noted(data, "it has made 0 of 40 steps"));
    ck_assert_uint_eq(json_array_size(json_object_get(data, "findings")), 0);
    ck_assert_uint_eq(json_array_size(report_get(data, "spectra", "step")), 0);
    json_decref(data);

    report_run_make(&plan); /* unfinished, lines of nobody, a line cut in the middle, a snapshot not complete */
    report_run_write("config.yaml", "train: {steps: 100}\n");
    append_text("metrics.jsonl",
                "nonsense\n{\"step\":3}\n{\"step\":41,\"tokens\":41000,\"loss\":null}\n{\"step\":42,\"tok");
    append_text(
        "spectra.jsonl",
        "{\"step\":50,\"tokens\":50000,\"layer\":0,\"projection\":\"v\",\"sigma_max\":null}\n{\"step\":50,\"tok");
    data = report_run_data();
    ck_assert(report_is_noted(data, "metrics.jsonl: 2 lines"));
    ck_assert(report_is_noted(data, "it has made 41 of 100 steps"));
    ck_assert(report_is_noted(data, "the last snapshot is not complete"));
    ck_assert(report_is_noted(data, "no change points: "));
    json_t *losses = json_object_get(report_get(data, "steps", "keys"), "loss");
    ck_assert(json_array_size(losses) == 41 && json_is_null(json_array_get(losses, 40)));
    ck_assert_uint_eq(json_array_size(report_get(data, "spectra", "step")), 20);
    json_decref(data);

    report_run_write("config.yaml", "nobody: {knows: this}\n"); /* of another version */
    report_run_write("samples.txt", "no sample\n");
    report_run_write("spectra.jsonl",
                     "{\"step\":1,\"tokens\":1,\"layer\":-1,\"projection\":\"v\"}\n{\"step\":1,\"tokens\":1,"
                     "\"layer\":0,\"projection\":\"</b>\"}\n");
    data = report_run_data();
    ck_assert(report_is_noted(data, "its configuration is not shown"));
    ck_assert(report_is_noted(data, "is no sample"));
    ck_assert_ptr_null(json_object_get(data, "configuration"));
    ck_assert_uint_eq(json_array_size(report_get(data, "spectra", "matrices")), 0);
    json_decref(data);
    report_run_end();
}
END_TEST

/* --- studies --- */

static const char study_head[] = "{\"format\": \"muonscope-study\", \"version\": 1, \"name\": \"s\", \"finished\": "
                                 "false, \"confidence\": 0.95, \"plan\": ["
                                 "{\"run\": \"a-1\", \"kind\": \"arm\", \"arm\": \"a\", \"seed\": 1}, {\"run\": "
                                 "\"a-2\", \"kind\": \"arm\", \"arm\": \"a\", \"seed\": 2},"
                                 "{\"run\": \"../a-3\", \"kind\": \"arm\", \"arm\": \"a\", \"seed\": 3}, {\"run\": "
                                 "\"t\", \"kind\": \"tuning\", \"arm\": \"a\", \"seed\": 4},"
                                 "{\"run\": \"a-5\", \"kind\": \"arm\", \"arm\": \"a\", \"seed\": 5}], \"arms\": "
                                 "[{\"arm\": \"a\", \"control\": false}], \"hypotheses\": [";

/* A hypothesis with the mean of a control, as JSON. */
static void write_hypothesis(FILE *stream, const char *name, double low, double high, const char *holm,
                             const char *control) {
    fprintf(stream,
            "{\"name\": \"%s\", \"statement\": \"It is so.\", \"arm\": \"a\", \"against\": null, \"expected\": 0, "
            "\"n\": 8, \"mean\": %g, "
            "\"low\": %g, \"high\": %g, \"p\": 0.0078, \"p_holm\": %s, \"controls\": [{\"arm\": \"noise\", \"mean\": "
            "%s}]}%s",
            name, (low + high) / 2, low, high, holm, control, strcmp(name, "end") == 0 ? "" : ",");
}

static void write_study(void) {
    static const struct report_plan plan = {40, 8, 20, 1, 0, 1.0, 0, 0, 0.8, 4.0, 1.0, false, false};
    char study[64];
    report_run_begin();
    strcpy(study, report_folder);
    for (int i = 1; i <= 2; i++) {
        snprintf(report_folder, sizeof report_folder, "%.40s/a-%d", study, i);
        ms_must(ms_directory_create(report_folder));
        report_run_make(&plan);
    }
    strcpy(report_folder, study);
    report_run_write("study.yaml", "name: s\n");
    FILE *stream = report_run_open("results.json", "w");
    fputs(study_head, stream);
    write_hypothesis(stream, "there", 0.1, 0.3, "0.039", "0.01");
    write_hypothesis(stream, "below", -0.3, -0.1, "0.039", "0.5");
    write_hypothesis(stream, "none", -0.1, 0.3, "0.5", "0");
    write_hypothesis(stream, "holm", 0.1, 0.3, "0.06", "0");
    write_hypothesis(stream, "control", 0.1, 0.3, "0.039", "0.15");
    write_hypothesis(stream, "end", 0.1, 0.3, "null", "null");
    fputs("]}", stream);
    ck_assert_int_eq(fclose(stream), 0);
}

START_TEST(studies_have_reports) {
    write_study();
    json_t *data = report_run_data();
    ck_assert_str_eq(json_string_value(json_object_get(data, "kind")), "study");
    ck_assert_int_eq(
        report_count_said(data, "there",
                          "there: It is so. a gives 0.2 (interval 0.1 to 0.3, 8 seeds), where 0 is expected"),
        1);
    ck_assert_int_eq(report_count_said(data, "below", "gives -0.2"), 1);
    ck_assert_int_eq(report_count_said(data, "end", "gives 0.2"), 1); /* without p the interval stands alone */
    ck_assert(report_is_silent(data, "none") && report_is_silent(data, "holm") && report_is_silent(data, "control"));
    json_t *said = json_object_get(data, "findings");
    ck_assert_uint_eq(json_array_size(said), 3);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(json_object_get(json_array_get(said, 0), "control")), "; control noise: 0.01"));
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(json_array_get(said, 2), "control")),
                                 "; control noise: no value yet"));
    json_t *curve = report_get(report_get(json_object_get(data, "curves"), "validation_loss", "arms"), "a", "mean");
    ck_assert_uint_eq(json_array_size(curve), 3);
    ck_assert_double_eq_tol(report_at(curve, 2), 4, 1e-4);
    json_t *n = report_get(report_get(json_object_get(data, "curves"), "validation_loss", "arms"), "a", "n");
    ck_assert_double_eq(report_at(n, 2), 2); /* neither the tuning run nor a path out of the study */
    json_decref(data);
    report_run_write("results.json", "{\"format\": \"muonscope-study\", \"version\": 2}");
    char *text;
    size_t size;
    ms_expect(ms_report_data(report_folder, &text, &size), MS_CORRUPT, "are not muonscope-study and 1");
    report_run_write("results.json", "{\"format\": \"muon");
    ms_expect(ms_report_data(report_folder, &text, &size), MS_CORRUPT, "results.json line 1");
    report_run_end();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_test(tests, data_are_those_of_the_files);
    tcase_add_test(tests, no_text_of_a_file_ends_the_script);
    tcase_add_test(tests, long_runs_are_downsampled);
    tcase_add_test(tests, pages_are_small);
    tcase_add_test(tests, damaged_runs_have_reports);
    tcase_add_test(tests, studies_have_reports);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
