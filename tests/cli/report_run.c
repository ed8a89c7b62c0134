#include "tests/cli/report_run.h"

#include <stdlib.h>
#include <string.h>

#include "cli/report/report.h"
#include "platform/directory.h"
#include "tests/support/suite.h"
#include "tracker/metrics.h"

const struct report_plan report_null_plan = {40, 8, 20, 1, 0, 1.0, 0, 0, 0.8, 8.0, 1.0, false, false};

char report_folder[64];

FILE *report_run_open(const char *name, const char *mode) {
    char path[192];
    snprintf(path, sizeof path, "%s/%s", report_folder, name);
    FILE *stream = fopen(path, mode);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

void report_run_write(const char *name, const char *text) {
    FILE *stream = report_run_open(name, "w");
    fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

static void write_validation(FILE *stream, int step, double loss, double frequent, double rare) {
    fprintf(stream, "{\"step\":%d,\"tokens\":%d,\"validation_loss\":%.6f,\"loss_by_frequency\":[", step, 1000 * step,
            loss);
    for (int d = 0; d < 10; d++) fprintf(stream, "%s%.6f", d ? "," : "", frequent + (rare - frequent) * d / 9);
    fprintf(stream, "]}\n");
}

static void write_metrics(const struct report_plan *plan) {
    FILE *stream = report_run_open("metrics.jsonl", "w");
    write_validation(stream, 0, 8.0, 8.0, 8.01);
    for (int step = 1; step <= plan->n_steps; step++) {
        fprintf(stream, "{\"step\":%d,\"tokens\":%d,\"loss\":%.17g,\"lr\":0.02,\"ms\":10,\"tokens_per_second\":100}\n",
                step, 1000 * step, 8.0 - 4.0 * step / plan->n_steps);
        if (step == plan->n_steps / 2) write_validation(stream, step, plan->validation_end - 0.01, 4, 6);
    }
    write_validation(stream, plan->n_steps, plan->validation_end, 1.0, plan->rare_end);
    ck_assert_int_eq(fclose(stream), 0);
}

static int step_of(const struct report_plan *plan, int snapshot) {
    return snapshot * plan->n_steps / (plan->n_snapshots - 1);
}

static void write_matrix(FILE *stream, const struct report_plan *plan, int snapshot, int layer,
                         const char *projection) {
    int step = step_of(plan, snapshot);
    double first = 0.95 + 0.002 * layer / plan->n_layers, t = (double)snapshot / (plan->n_snapshots - 1);
    bool is_above = layer >= plan->from && (plan->drifts ? snapshot : 7 * snapshot) % 20 < plan->above;
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

static void write_spectra(const struct report_plan *plan) {
    static const char *const projections[] = {"q", "k", "v", "o", "up", "down"};
    FILE *spectra = report_run_open("spectra.jsonl", "w"), *probes = report_run_open("probes.jsonl", "w");
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

void report_run_make(const struct report_plan *plan) {
    char config[128];
    snprintf(config, sizeof config, "train: {seed: 7, steps: %d}\nmodel: {vocabulary: 2981}\n", plan->n_steps);
    report_run_write("config.yaml", config);
    write_metrics(plan);
    write_spectra(plan);
}

void report_run_begin(void) {
    strcpy(report_folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(report_folder));
}

void report_run_end(void) { ms_must(ms_directory_remove(report_folder)); }

/* The data of the run; the caller drops it. */
json_t *report_run_data(void) {
    char *text;
    size_t size;
    json_error_t error;
    ms_must(ms_report_data(report_folder, &text, &size));
    ck_assert_uint_eq(strlen(text), size);
    json_t *data = json_loadb(text, size, 0, &error);
    ck_assert_msg(data != NULL, "%s", error.text);
    free(text);
    return data;
}

json_t *report_get(const json_t *data, const char *a, const char *b) {
    return json_object_get(json_object_get(data, a), b);
}

double report_at(const json_t *column, size_t i) { return json_number_value(json_array_get(column, i)); }

bool report_is_noted(const json_t *data, const char *part) {
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(data, "notes"), i, note) if (strstr(json_string_value(note), part)) return true;
    return false;
}

/* The sentences of a rule; how many. */
int report_count_said(const json_t *data, const char *rule, const char *part) {
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

bool report_is_silent(const json_t *data, const char *rule) {
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(data, "silent"), i,
                       entry) if (strcmp(json_string_value(json_object_get(entry, "rule")), rule) == 0) return true;
    return false;
}
