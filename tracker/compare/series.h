/* Metrics of a run over its steps, read from its JSONL files by name: one number a step, after the average over layers,
   projections and heads.  Not thread-safe on one object. */
#ifndef MS_TRACKER_COMPARE_SERIES_H
#define MS_TRACKER_COMPARE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/compare/run_lines.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_SERIES_NAME_SIZE = 96 };

/* What is read: a key of a file that ms_metric_files (tracker/metrics.h) lists. */
typedef struct ms_series_metric {
    char name[MS_SERIES_NAME_SIZE]; /* as it was asked for */
    const char *file, *key;         /* "spectra.jsonl", "sigma_top"; static */
    int entry;                      /* of an array; -1: a number, or the mean of all (of the heads in probes.jsonl) */
    bool by_layer, by_projection;   /* a line is of one layer, of one matrix: a step's value is the mean over them */
} ms_series_metric;

/* Finds "KEY", "KEY[i]" (an entry of an array; of a nested one, of each head), or "FILE.KEY" where two files have the
   key
   ("spectra.grad_norm"; without FILE metrics.jsonl comes first).  MS_NOT_FOUND: no file has the
   key.  MS_USAGE: an array of which no entry is chosen, a key that is no number. */
ms_status ms_series_metric_find(const char *name, ms_series_metric *out);

/* One step. */
typedef struct ms_series_point {
    int64_t step;
    double tokens; /* seen so far */
    double value;  /* finite */
} ms_series_point;

typedef struct ms_series {
    ms_series_point *points; /* [n] ascending by step; a step without any number has none */
    size_t n;
    int n_averaged;    /* the most numbers that a point is the mean of */
    int64_t n_partial; /* points whose mean is of fewer, since others are null */
    int64_t n_dropped; /* snapshots that lack lines: they have no point */
} ms_series;

/* Chosen parts of a metric that has them; NULL: all.  Names and ranges as `muonscope plot` takes them: "q,v",
   "0,5,18-21". */
typedef struct ms_series_selection {
    const char *layers, *projections;
} ms_series_selection;

/* Reads n metrics of the run in `folder` into out[n]; ms_series_finish frees each.  A file that is not there, or no
   value in it, gives an empty series; a partial last line is left out; bad lines are counted and passed over. MS_USAGE:
   a selection that is none.  MS_NOT_FOUND: a layer or projection that is chosen and that no line has. MS_IO,
   MS_OUT_OF_MEMORY; all of `out` is empty then. */
ms_status ms_series_read(const char *folder, const ms_series_metric *metrics, size_t n,
                         const ms_series_selection *selection, ms_series *out, ms_run_line_faults *out_faults);
void ms_series_finish(ms_series *series);

/* What a place in a run is measured in. */
typedef enum ms_series_axis { MS_SERIES_STEPS, MS_SERIES_TOKENS } ms_series_axis;

double ms_series_place(const ms_series_point *point, ms_series_axis axis);

/* The value at a place: that of the point there, else linear between its neighbours; NaN before the first point and
   after the last. */
double ms_series_at(const ms_series *series, ms_series_axis axis, double place);

/* Trailing means in place: each value becomes the mean of those of the last `tokens` tokens, its own among them. Points
   before `tokens` tokens are passed are dropped.  MS_OUT_OF_MEMORY: the series is unchanged. */
ms_status ms_series_smooth(ms_series *series, double tokens);

/* The first point whose value is at most `level`; NULL: there is none. */
const ms_series_point *ms_series_reach(const ms_series *series, double level);

#ifdef __cplusplus
}
#endif

#endif
