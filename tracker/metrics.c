#include "tracker/metrics.h"

static const ms_metric metrics[] = {
#define ABOUT(key, ...) {MS_METRIC_ABOUT, #key, __VA_ARGS__},
#define LIST(key, capacity, ...) {MS_METRIC_LIST, #key, __VA_ARGS__},
#define SCALAR(key, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#define SLOT(key, ...) {MS_METRIC_SLOT, #key, __VA_ARGS__},
#include "tracker/metrics.def"
};

static const ms_metric probe_keys[] = {
#define ABOUT(key, ...) {MS_METRIC_ABOUT, #key, __VA_ARGS__},
#define HEAD(key, part, field, ...) {MS_METRIC_LIST, #key, __VA_ARGS__},
#define HEAD_TOP(key, part, ...) {MS_METRIC_LIST, #key, __VA_ARGS__},
#define LAYER(key, part, field, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#include "tracker/probe.def"
};

static const ms_metric run_keys[] = {
#define KEY(kind, key, ...) {MS_METRIC_##kind, #key, __VA_ARGS__},
#include "tracker/run_metrics.def"
};

static const ms_metric full_keys[] = {
#define KEY(key, unit, text) {MS_METRIC_ABOUT, #key, unit, text, "", ""},
#include "tracker/full_spectra.def"
};

/* Those that spectra.jsonl has not. */
static const ms_metric analysis_keys[] = {
#define ABOUT(key, ...) {MS_METRIC_ABOUT, #key, __VA_ARGS__},
#define LIST(key)
#define METRIC(key)
#define LEVEL(key, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#define UPDATE_LIST(key)
#define UPDATE_METRIC(key)
#define UPDATE_LEVEL(key, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#include "tracker/analysis.def"
};

static const ms_metric step_keys[] = {
#define ABOUT(key, ...) {MS_METRIC_ABOUT, #key, __VA_ARGS__},
#define BY_PROJECTION(key, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#include "tracker/step_sigma.def"
};

const ms_metric_file *ms_metric_files(size_t *out_n) {
    static const ms_metric_file files[] = {
        {"spectra.jsonl", metrics, sizeof metrics / sizeof *metrics},
        {"probes.jsonl", probe_keys, sizeof probe_keys / sizeof *probe_keys},
        {"metrics.jsonl", run_keys, sizeof run_keys / sizeof *run_keys},
        {"spectra/index.jsonl", full_keys, sizeof full_keys / sizeof *full_keys},
        {"muonscope analyze", analysis_keys, sizeof analysis_keys / sizeof *analysis_keys},
        {"sigma_max.jsonl", step_keys, sizeof step_keys / sizeof *step_keys},
    };
    *out_n = sizeof files / sizeof *files;
    return files;
}

const ms_metric *ms_metrics(size_t *out_n) {
    *out_n = sizeof metrics / sizeof *metrics;
    return metrics;
}
