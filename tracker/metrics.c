#include "tracker/metrics.h"

static const ms_metric metrics[] = {
#define ABOUT(key, ...) {MS_METRIC_ABOUT, #key, __VA_ARGS__},
#define LIST(key, capacity, ...) {MS_METRIC_LIST, #key, __VA_ARGS__},
#define SCALAR(key, ...) {MS_METRIC_SCALAR, #key, __VA_ARGS__},
#define SLOT(key, ...) {MS_METRIC_SLOT, #key, __VA_ARGS__},
#include "tracker/metrics.def"
};

const ms_metric *ms_metrics(size_t *out_n) {
    *out_n = sizeof metrics / sizeof *metrics;
    return metrics;
}
