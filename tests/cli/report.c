/* The data and the page of `muonscope report`, of synthetic runs: numbers against the files, size, escaping, and each
   rule of the findings on data that support it and on data that do not. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/columns.h"
#include "cli/report/findings.h"
#include "cli/report/report.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"
#include "tracker/metrics.h"

/* What a synthetic run is like. */
struct plan {
    int n_steps, n_layers, n_snapshots;
    int above; /* of 20 snapshots, so many have an alignment above the percentile of chance, from layer `from` on */
    int from;
    double ratio, slope;   /* s1 over its null: ratio + slope * layer */
    double entropy;        /* how far the last snapshot's lies below the first's */
    double attention;      /* entropy of head 0 at the end; the others stay at .8 */
    double validation_end; /* loss; the beginning is 8 */
    double rare_end;       /* loss of the rarest tenth; of the most frequent 1 */
    bool all_keys;         /* of spectra.jsonl */
};

static const struct plan null_plan = {40, 8, 20, 1, 0, 1.0, 0, 0, 0.8, 8.0, 1.0, false};

static char folder[64];

static FILE *open_file(const char *name, const char *mode) {
    char path[192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, mode);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

static void write_text(const char *name, const char *text) {
    FILE *stream = open_file(name, "w");
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

static void write_validation(FILE *stream, int step, double loss, double frequent, double rare) {
    fprintf(stream, "{\"step\":%d,\"tokens\":%d,\"validation_loss\":%.6f,\"loss_by_frequency\":[", step, 1000 * step,
            loss);
    for (int d = 0; d < 10; d++) fprintf(stream, "%s%.6f", d ? "," : "", frequent + (rare - frequent) * d / 9);
    fprintf(stream, "]}\n");
}

static void write_metrics(const struct plan *plan) {
    FILE *stream = open_file("metrics.jsonl", "w");
    write_validation(stream, 0, 8.0, 8.0, 8.01);
    for (int step = 1; step <= plan->n_steps; step++) {
        fprintf(stream, "{\"step\":%d,\"tokens\":%d,\"loss\":%.17g,\"lr\":0.02,\"ms\":10,\"tokens_per_second\":100}\n",
                step, 1000 * step, 8.0 - 4.0 * step / plan->n_steps);
        if (step == plan->n_steps / 2) write_validation(stream, step, plan->validation_end - 0.01, 4, 6);
    }
    write_validation(stream, plan->n_steps, plan->validation_end, 1.0, plan->rare_end);
    ck_assert_int_eq(fclose(stream), 0);
}

static int step_of(const struct plan *plan, int snapshot) { return snapshot * plan->n_steps / (plan->n_snapshots - 1); }

static void write_matrix(FILE *stream, const struct plan *plan, int snapshot, int layer, const char *projection) {
    int step = step_of(plan, snapshot);
    double first = 0.95 + 0.002 * layer / plan->n_layers, t = (double)snapshot / (plan->n_snapshots - 1);
    bool is_above = layer >= plan->from && snapshot % 20 < plan->above;
    fprintf(stream, "{\"step\":%d,\"tokens\":%d,\"layer\":%d,\"projection\":\"%s\",\"rows\":64,\"cols\":256", step,
            1000 * step, layer, projection);
    fprintf(stream, ",\"sigma_top\":[3,2,1],\"sigma_max\":%.9f,\"noise_null\":%s",
            snapshot == 0 ? 0.1 : plan->ratio + plan->slope * layer, snapshot == 0 ? "null" : "1.0");
    fprintf(stream,
            ",\"spectral_entropy\":%.9f,\"alignment_momentum_left\":%s,\"alignment_random_p95\":0.25,\"gap\":null",
            first - t * plan->entropy, is_above ? "0.5" : "0.2");
    size_t n_keys;
    const ms_metric *metrics = ms_metrics(&n_keys);
    for (size_t k = 0; plan->all_keys && k < n_keys; k++)
        if (metrics[k].kind == MS_METRIC_SCALAR || metrics[k].kind == MS_METRIC_SLOT)
            fprintf(stream, ",\"%s\":%.17g", metrics[k].key, 0.1234567 + 0.001 * layer + 1e-5 * (double)(k + 1) * step);
    fprintf(stream, "}\n");
}

static void write_spectra(const struct plan *plan) {
    static const char *const projections[] = {"q", "k", "v", "o", "up", "down"};
    FILE *spectra = open_file("spectra.jsonl", "w"), *probes = open_file("probes.jsonl", "w");
    for (int s = 0; s < plan->n_snapshots; s++)
        for (int layer = 0; layer < plan->n_layers; layer++) {
            for (int p = plan->all_keys ? 0 : 2; p < (plan->all_keys ? 6 : 3); p++)
                write_matrix(spectra, plan, s, layer, projections[p]);
            double head = 0.8 + (plan->attention - 0.8) * s / (plan->n_snapshots - 1);
            fprintf(probes,
                    "{\"step\":%d,\"tokens\":%d,\"layer\":%d,\"attention_entropy\":[%.6f,0.8],\"residual_rms\":1.5}\n",
                    step_of(plan, s), 1000 * step_of(plan, s), layer, layer == 3 ? head : 0.8);
        }
    ck_assert(fclose(spectra) == 0 && fclose(probes) == 0);
}

static void write_run(const struct plan *plan) {
    char config[128];
    snprintf(config, sizeof config, "train: {seed: 7, steps: %d}\nmodel: {vocabulary: 2981}\n", plan->n_steps);
    write_text("config.yaml", config);
    write_metrics(plan);
    write_spectra(plan);
}

static void begin(void) {
    strcpy(folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void end(void) { ms_must(ms_directory_remove(folder)); }

/* The data of the run; the caller drops it. */
static json_t *read_data(void) {
    char *text;
    size_t size;
    json_error_t error;
    ms_must(ms_report_data(folder, &text, &size));
    ck_assert_uint_eq(strlen(text), size);
    json_t *data = json_loadb(text, size, 0, &error);
    ck_assert_msg(data != NULL, "%s", error.text);
    free(text);
    return data;
}

static json_t *get(const json_t *data, const char *a, const char *b) {
    return json_object_get(json_object_get(data, a), b);
}

static double at(const json_t *column, size_t i) { return json_number_value(json_array_get(column, i)); }

/* Whether a text stands in a list of notes. */
static bool is_noted(const json_t *data, const char *part) {
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(data, "notes"), i, note) if (strstr(json_string_value(note), part)) return true;
    return false;
}

/* The sentences of a rule; how many. */
static int count_said(const json_t *data, const char *rule, const char *part) {
    size_t i;
    int n = 0;
    json_t *finding;
    json_array_foreach(json_object_get(data, "findings"), i, finding) {
        if (strcmp(json_string_value(json_object_get(finding, "rule")), rule) != 0) continue;
        const char *text = json_string_value(json_object_get(finding, "text"));
        ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
        ck_assert_uint_gt(strlen(json_string_value(json_object_get(finding, "control"))), 10);
        n++;
    }
    return n;
}

static bool is_silent(const json_t *data, const char *rule) {
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(data, "silent"), i,
                       entry) if (strcmp(json_string_value(json_object_get(entry, "rule")), rule) == 0) return true;
    return false;
}

/* --- data --- */

START_TEST(data_are_those_of_the_files) {
    begin();
    write_run(&null_plan);
    write_text("run.log",
               "2026-01-31T12:00:00Z info    device: cpu, 2 threads\n2026-01-31T12:00:01Z info    step 1/40  loss 8\n"
               "2026-01-31T12:00:02Z warning the loss spikes: 9\n"
               "2026-01-31T12:00:03Z info    step 40: checkpoint saved, weights_sha256 "
               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef optimizer_state_sha256 0\n");
    write_text("samples.txt", "-- step 40, 5 bytes: temperature 0.8, top_k 50, seed 42\nAdam\n\n\n");
    json_t *data = read_data(), *spectra = json_object_get(data, "spectra");
    ck_assert_str_eq(json_string_value(json_object_get(data, "kind")), "run");
    ck_assert_int_eq(json_integer_value(get(data, "facts", "step")), 40);
    ck_assert_int_eq(json_integer_value(get(data, "facts", "steps")), 40);
    ck_assert_str_eq(json_string_value(get(data, "facts", "device")), "cpu, 2 threads");
    ck_assert_int_eq(strncmp(json_string_value(get(data, "facts", "weights_sha256")), "0123456789abcdef", 16), 0);
    json_t *losses = json_object_get(get(data, "steps", "keys"), "loss");
    ck_assert_uint_eq(json_array_size(losses), 40);
    for (int i = 0; i < 40; i++) ck_assert_double_eq_tol(at(losses, (size_t)i), 8.0 - 0.1 * (i + 1), 5e-5);
    ck_assert_double_eq_tol(at(json_object_get(get(data, "validations", "keys"), "loss_by_frequency[9]"), 0), 8.01,
                            1e-4);
    ck_assert_uint_eq(json_array_size(json_object_get(spectra, "matrices")), 8);
    ck_assert_uint_eq(json_array_size(json_object_get(spectra, "step")), 20);
    json_t *entropy = get(spectra, "keys", "spectral_entropy");
    ck_assert_uint_eq(json_array_size(entropy), 160);
    ck_assert_double_eq_tol(at(entropy, 19 * 8 + 5), 0.95 + 0.002 * 5 / 8, 1e-5);
    ck_assert(json_is_null(json_array_get(get(spectra, "keys", "noise_null"), 0)));
    ck_assert_ptr_null(get(spectra, "keys", "gap")); /* null in every line */
    ck_assert_double_eq_tol(at(get(spectra, "random", "spectral_entropy"), 0), 1 - 64 / (2.0 * 256 * log(64)), 1e-4);
    ck_assert_uint_eq(json_array_size(get(json_object_get(data, "probes"), "keys", "attention_entropy[1]")), 160);
    ck_assert_uint_eq(json_array_size(json_object_get(data, "warnings")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(data, "messages")), 3); /* no step line */
    json_t *sample = json_array_get(json_object_get(data, "samples"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(sample, "text")), "Adam\n");
    ck_assert_uint_eq(json_array_size(json_object_get(data, "notes")), 0);
    json_decref(data);
    end();
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
    begin();
    write_run(&null_plan);
    snprintf(text, sizeof text, "-- step 40, %zu bytes: temperature 0.8, top_k 50, seed 42\n%s\xFF\n\n",
             strlen(nasty) + 1, nasty);
    write_text("samples.txt", text);
    snprintf(text, sizeof text, "2026-01-31T12:00:02Z warning %s\n", nasty);
    write_text("run.log", text);
    FILE *config = open_file("config.yaml", "a");
    fprintf(config, "data: {directory: \"</script><b>\"}\n");
    ck_assert_int_eq(fclose(config), 0);
    ms_must(ms_report_data(folder, &json, &json_size));
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
    end();
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
    struct plan plan = null_plan;
    plan.n_steps = 600;
    plan.n_layers = 6;
    plan.n_snapshots = 61;
    plan.all_keys = true;
    begin();
    write_run(&plan);
    json_t *data = read_data();
    ck_assert_uint_eq(json_array_size(get(data, "spectra", "step")), 61);
    ck_assert(!is_noted(data, "snapshots of spectra.jsonl are shown"));
    json_decref(data);
    ms_must(ms_report_data(folder, &json, &json_size));
    ms_must(ms_report_page(json, json_size, &page, &page_size));
    ck_assert_uint_lt(page_size, 3000000);
    free(page);
    free(json);
    end();

    plan.n_steps = 2500;
    plan.n_snapshots = 251;
    begin();
    write_run(&plan);
    ms_must(ms_report_data(folder, &json, &json_size));
    ck_assert_uint_lt(json_size, 2700000);
    free(json);
    data = read_data();
    ck_assert(is_noted(data, "of 251 snapshots of spectra.jsonl are shown"));
    ck_assert(is_noted(data, "of 2500 lines of metrics.jsonl"));
    size_t n = json_array_size(get(data, "spectra", "step"));
    ck_assert(n > 60 && n < 120);
    ck_assert_double_eq(at(get(data, "spectra", "step"), 0), 0);
    ck_assert_double_eq(at(get(data, "spectra", "step"), n - 1), 2500);
    json_decref(data);
    end();
}
END_TEST

/* --- findings --- */

static json_t *findings_of(const struct plan *plan) {
    begin();
    write_run(plan);
    json_t *data = read_data();
    end();
    return data;
}

START_TEST(no_rule_speaks_of_chance) {
    static const char *const rules[] = {"rise",    "size",      "depth",   "alignment",
                                        "entropy", "attention", "changes", "correlation"};
    struct plan plan = null_plan;
    plan.n_steps = 300;
    json_t *data = findings_of(&plan);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        ck_assert_msg(count_said(data, rules[i], "") == 0, "%s says something", rules[i]);
        ck_assert_msg(is_silent(data, rules[i]), "%s does not say why it is silent", rules[i]);
    }
    json_decref(data);
}
END_TEST

START_TEST(rules_speak_of_what_is_there) {
    struct plan plan = {300, 8, 20, 15, 4, 1.3, 0.05, 0.05, 0.3, 4.0, 7.0, false};
    json_t *data = findings_of(&plan);
    ck_assert_int_eq(
        count_said(data, "alignment",
                   "Alignment of the momentum with the weights of v in layers 4 to 7 exceeds the 95th percentile of "
                   "chance in 60 of 80 snapshots (by chance 4), in the other layers in 0 of 80."),
        1);
    ck_assert_int_eq(
        count_said(data, "size",
                   "At step 300 the largest singular value of v is above its noise null in 8 of 8 layers: median 1.50 "
                   "times it (1.30 to 1.65)."),
        1);
    ck_assert_int_eq(count_said(data, "depth",
                                "of v over its noise null rises with depth: from 1.30 in layer 0 to 1.65 in layer 7 "
                                "(rank correlation 1.00"),
                     1);
    ck_assert_int_eq(
        count_said(data, "entropy",
                   "The spectral entropy of v is below that of a random matrix in 8 of 8 layers at step 300: 0.9009"),
        1);
    ck_assert_int_eq(
        count_said(data, "attention", "of 1 of 16 heads fell below half of what it began at, most in layer 3 (1 of 2)"),
        1);
    ck_assert_int_eq(
        count_said(data, "loss",
                   "The validation loss fell from 8 to 4 nats per token in 300 steps (0.3 million tokens)."),
        1);
    ck_assert_int_eq(count_said(data, "frequency", "fell by 7 nats, that of the rarest by 1.01"), 1);
    ck_assert(is_silent(data, "rise")); /* .01 of 4 is less than 1 % */
    json_decref(data);

    plan.ratio = 0.5;
    plan.slope = 0;
    plan.validation_end = 0.5; /* .49 before */
    data = findings_of(&plan);
    ck_assert_int_eq(count_said(data, "size", "is below its noise null in 8 of 8 layers"), 1);
    ck_assert_int_eq(count_said(data, "depth", ""), 0);
    ck_assert_int_eq(count_said(data, "rise", "has risen by 2 %: from 0.49 nats at step 150 to 0.5 at step 300."), 1);
    json_decref(data);

    plan.n_steps = 60; /* before step 100 the null is up to 20 % off */
    data = findings_of(&plan);
    ck_assert_int_eq(count_said(data, "size", ""), 0);
    json_decref(data);
}
END_TEST

/* Matrices of one projection, of which some change at step 50 or go with the loss. */
static json_t *findings_of_series(int n_changed, int n_low, int n_values) {
    enum { N = 24 };
    static int64_t step = 50;
    ms_phase_series series[1 + MS_PHASE_N_KEYS * N] = {{.key = "loss"}};
    for (int k = 0; k < MS_PHASE_N_KEYS; k++)
        for (int i = 0; i < N; i++) {
            bool is_entropy = k == MS_PHASE_spectral_entropy;
            series[1 + k * N + i] = (ms_phase_series){.key = is_entropy ? "spectral_entropy" : "gap",
                                                      .rates = is_entropy,
                                                      .layer = i,
                                                      .projection = "v",
                                                      .n = n_values,
                                                      .n_changes = i < n_changed,
                                                      .changes = &step,
                                                      .correlation = -0.5,
                                                      .p = is_entropy && i < n_low ? 0.01 : 0.5};
        }
    ms_phases phases = {.n_series = 1 + MS_PHASE_N_KEYS * N, .series = series};
    ms_report_run run = {.folder = folder};
    json_t *data = json_object();
    ms_findings findings = {&run, &phases, json_array(), json_array()};
    ms_must(ms_finding_changes(&findings));
    ms_must(ms_finding_correlation(&findings));
    ck_assert_int_eq(json_object_set_new(data, "findings", findings.said), 0);
    ck_assert_int_eq(json_object_set_new(data, "silent", findings.silent), 0);
    return data;
}

START_TEST(rules_of_series_know_their_noise) {
    json_t *data = findings_of_series(12, 9, 30);
    ck_assert_int_eq(
        count_said(data, "changes",
                   "The slope of spectral_entropy changes in 12 of 24 matrices, most often at step 50 (12 of them)."),
        1);
    ck_assert_int_eq(
        count_said(data, "correlation",
                   "Differences of spectral_entropy from snapshot to snapshot go with those of the training loss in 9 "
                   "of 24 matrices (p at most .05): median r -0.50."),
        1);
    json_decref(data);
    data = findings_of_series(4, 4, 30); /* 17 % change: less than twice the noise; 4 of 24: below 1.2 + 3.2 */
    ck_assert(is_silent(data, "changes") && is_silent(data, "correlation"));
    json_decref(data);
    data = findings_of_series(12, 9, 20); /* series too short for the known share of noise */
    ck_assert(is_silent(data, "changes") && !is_silent(data, "correlation"));
    json_decref(data);
}
END_TEST

START_TEST(figures_of_rules) {
    static const int layers[] = {0, 3, 5, 6, 7};
    char text[128];
    double p, rising[] = {1, 2, 3, 4, 5, 6, 7}, mixed[] = {4, 1, 6, 3, 7, 2, 5}, flat[] = {2, 2, 2, 2, 2, 2},
              ties[] = {1, 1, 2, 2};
    ck_assert_str_eq(ms_findings_layers(layers, 5, text, sizeof text), "layers 0, 3 and 5 to 7");
    ck_assert_str_eq(ms_findings_layers(layers, 1, text, sizeof text), "layer 0");
    ck_assert_str_eq(ms_findings_layers(layers + 2, 3, text, sizeof text), "layers 5 to 7");
    ck_assert_double_eq_tol(ms_findings_rank_correlation(rising, 7), 1, 1e-12);
    ck_assert_double_eq_tol(ms_findings_rank_correlation(mixed, 7), 0.2142857142857143,
                            1e-12); /* scipy.stats.spearmanr */
    ck_assert_double_eq_tol(ms_findings_rank_correlation(ties, 4), 0.8944271909999159, 1e-12);
    ck_assert_double_nan(ms_findings_rank_correlation(flat, 6));
    ms_must(ms_findings_shuffle_p(rising, 7, &p)); /* 2 of 7! orders are as extreme: .0004 */
    ck_assert(p >= 1e-4 && p < 1.5e-3);
    ms_must(ms_findings_shuffle_p(mixed, 7, &p)); /* exact: .6615 */
    ck_assert_double_eq_tol(p, 0.6615, 0.02);
    ms_must(ms_findings_shuffle_p(flat, 6, &p));
    ck_assert_double_nan(p);
}
END_TEST

/* --- bad input --- */

static void append_text(const char *name, const char *text) {
    FILE *stream = open_file(name, "a");
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

START_TEST(damaged_runs_have_reports) {
    char *json;
    size_t size;
    struct plan plan = null_plan;
    begin();
    ms_expect(ms_report_data("/nowhere/at/all", &json, &size), MS_NOT_FOUND, "does not exist");
    ms_expect(ms_report_data(folder, &json, &size), MS_NOT_FOUND,
              "neither a run (no config.yaml, no metrics.jsonl) nor a study");

    write_run(&plan); /* nothing has been trained */
    write_text("metrics.jsonl", "");
    write_text("spectra.jsonl", "");
    write_text("probes.jsonl", "");
    json_t *data = read_data();
    ck_assert(is_noted(data, "it has made 0 of 40 steps"));
    ck_assert_uint_eq(json_array_size(json_object_get(data, "findings")), 0);
    ck_assert_uint_eq(json_array_size(get(data, "spectra", "step")), 0);
    json_decref(data);

    write_run(&plan); /* unfinished, lines of nobody, a line cut in the middle, a snapshot not complete */
    write_text("config.yaml", "train: {steps: 100}\n");
    append_text("metrics.jsonl",
                "nonsense\n{\"step\":3}\n{\"step\":41,\"tokens\":41000,\"loss\":null}\n{\"step\":42,\"tok");
    append_text(
        "spectra.jsonl",
        "{\"step\":50,\"tokens\":50000,\"layer\":0,\"projection\":\"v\",\"sigma_max\":null}\n{\"step\":50,\"tok");
    data = read_data();
    ck_assert(is_noted(data, "metrics.jsonl: 2 lines"));
    ck_assert(is_noted(data, "it has made 41 of 100 steps"));
    ck_assert(is_noted(data, "the last snapshot is not complete"));
    ck_assert(is_noted(data, "no change points: "));
    json_t *losses = json_object_get(get(data, "steps", "keys"), "loss");
    ck_assert(json_array_size(losses) == 41 && json_is_null(json_array_get(losses, 40)));
    ck_assert_uint_eq(json_array_size(get(data, "spectra", "step")), 20);
    json_decref(data);

    write_text("config.yaml", "nobody: {knows: this}\n"); /* of another version */
    write_text("samples.txt", "no sample\n");
    write_text("spectra.jsonl", "{\"step\":1,\"tokens\":1,\"layer\":-1,\"projection\":\"v\"}\n{\"step\":1,\"tokens\":1,"
                                "\"layer\":0,\"projection\":\"</b>\"}\n");
    data = read_data();
    ck_assert(is_noted(data, "its configuration is not shown"));
    ck_assert(is_noted(data, "is no sample"));
    ck_assert_ptr_null(json_object_get(data, "configuration"));
    ck_assert_uint_eq(json_array_size(get(data, "spectra", "matrices")), 0);
    json_decref(data);
    end();
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

/* A hypothesis with the mean of a control. */
static void write_hypothesis(FILE *stream, const char *name, double low, double high, const char *holm,
                             double control) {
    fprintf(stream,
            "{\"name\": \"%s\", \"statement\": \"It is so.\", \"arm\": \"a\", \"against\": null, \"expected\": 0, "
            "\"n\": 8, \"mean\": %g, "
            "\"low\": %g, \"high\": %g, \"p\": 0.0078, \"p_holm\": %s, \"controls\": [{\"arm\": \"noise\", \"mean\": "
            "%g}]}%s",
            name, (low + high) / 2, low, high, holm, control, strcmp(name, "end") == 0 ? "" : ",");
}

static void write_study(void) {
    static const struct plan plan = {40, 8, 20, 1, 0, 1.0, 0, 0, 0.8, 4.0, 1.0, false};
    char study[64];
    begin();
    strcpy(study, folder);
    for (int i = 1; i <= 2; i++) {
        snprintf(folder, sizeof folder, "%.40s/a-%d", study, i);
        ms_must(ms_directory_create(folder));
        write_run(&plan);
    }
    strcpy(folder, study);
    write_text("study.yaml", "name: s\n");
    FILE *stream = open_file("results.json", "w");
    fputs(study_head, stream);
    write_hypothesis(stream, "there", 0.1, 0.3, "0.039", 0.01);
    write_hypothesis(stream, "below", -0.3, -0.1, "0.039", 0.5);
    write_hypothesis(stream, "none", -0.1, 0.3, "0.5", 0);
    write_hypothesis(stream, "holm", 0.1, 0.3, "0.06", 0);
    write_hypothesis(stream, "control", 0.1, 0.3, "0.039", 0.15);
    write_hypothesis(stream, "end", 0.1, 0.3, "null", 0);
    fputs("]}", stream);
    ck_assert_int_eq(fclose(stream), 0);
}

START_TEST(studies_have_reports) {
    write_study();
    json_t *data = read_data();
    ck_assert_str_eq(json_string_value(json_object_get(data, "kind")), "study");
    ck_assert_int_eq(
        count_said(data, "there", "there: It is so. a gives 0.2 (interval 0.1 to 0.3, 8 seeds), where 0 is expected"),
        1);
    ck_assert_int_eq(count_said(data, "below", "gives -0.2"), 1);
    ck_assert_int_eq(count_said(data, "end", "gives 0.2"), 1); /* without p the interval stands alone */
    ck_assert(is_silent(data, "none") && is_silent(data, "holm") && is_silent(data, "control"));
    ck_assert_uint_eq(json_array_size(json_object_get(data, "findings")), 3);
    json_t *curve = get(get(json_object_get(data, "curves"), "validation_loss", "arms"), "a", "mean");
    ck_assert_uint_eq(json_array_size(curve), 3);
    ck_assert_double_eq_tol(at(curve, 2), 4, 1e-4);
    json_t *n = get(get(json_object_get(data, "curves"), "validation_loss", "arms"), "a", "n");
    ck_assert_double_eq(at(n, 2), 2); /* neither the tuning run nor a path out of the study */
    json_decref(data);
    write_text("results.json", "{\"format\": \"muonscope-study\", \"version\": 2}");
    char *text;
    size_t size;
    ms_expect(ms_report_data(folder, &text, &size), MS_CORRUPT, "are not muonscope-study and 1");
    write_text("results.json", "{\"format\": \"muon");
    ms_expect(ms_report_data(folder, &text, &size), MS_CORRUPT, "results.json line 1");
    end();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_test(tests, data_are_those_of_the_files);
    tcase_add_test(tests, no_text_of_a_file_ends_the_script);
    tcase_add_test(tests, long_runs_are_downsampled);
    tcase_add_test(tests, pages_are_small);
    tcase_add_test(tests, no_rule_speaks_of_chance);
    tcase_add_test(tests, rules_speak_of_what_is_there);
    tcase_add_test(tests, rules_of_series_know_their_noise);
    tcase_add_test(tests, figures_of_rules);
    tcase_add_test(tests, damaged_runs_have_reports);
    tcase_add_test(tests, studies_have_reports);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
