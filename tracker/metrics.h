/* What every key of a line of a run's files is: the rows of tracker/metrics.def (spectra.jsonl), tracker/probe.def
   (probes.jsonl), tracker/run_metrics.def (metrics.jsonl), tracker/full_spectra.def (spectra/index.jsonl) and
   tracker/step_sigma.def (sigma_max.jsonl) as tables; and of a line of `muonscope analyze`, tracker/analysis.def. */
#ifndef MS_TRACKER_METRICS_H
#define MS_TRACKER_METRICS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_metric_kind {
    MS_METRIC_ABOUT,  /* of the line itself */
    MS_METRIC_LIST,   /* an array */
    MS_METRIC_SCALAR, /* a number that tracker/spectrum.h computes */
    MS_METRIC_SLOT    /* a number that comes with the snapshot */
} ms_metric_kind;

/* Texts are static; "" where there is nothing to say. */
typedef struct ms_metric {
    ms_metric_kind kind;
    const char *key, *unit, *text, *null_when, *source;
} ms_metric;

/* The keys of one file, in the order of a line. */
typedef struct ms_metric_file {
    const char *name;
    const ms_metric *keys;
    size_t n_keys;
} ms_metric_file;

/* The files; *out_n: how many.  Static.  Thread-safe. */
const ms_metric_file *ms_metric_files(size_t *out_n);

/* Those of spectra.jsonl, in the order of a line; *out_n: how many.  Static.  Thread-safe. */
const ms_metric *ms_metrics(size_t *out_n);

#ifdef __cplusplus
}
#endif

#endif
