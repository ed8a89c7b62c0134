/* One number of a run, out of the lines of its JSONL files: what a hypothesis about runs is tested on, with the seed as
   the replicate.  The formulas are in docs/studies.md.  Nothing is filled in: a value that is null, where one is
   needed, leaves the run without a number.  Thread-safe. */
#ifndef MS_TRACKER_COMPARE_MEASURE_H
#define MS_TRACKER_COMPARE_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/compare/series.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_measure_kind {
    MS_MEASURE_LAST,                   /* mean over layers and projections at the last snapshot */
    MS_MEASURE_DEPTH_SLOPE,            /* least-squares slope over layers of the mean over projections, there */
    MS_MEASURE_PROJECTION_DIFFERENCE,  /* mean over layers of the first projection minus the second, there */
    MS_MEASURE_DIFFERENCE_CORRELATION, /* Pearson's r of the first differences of two quantities over the snapshots of a
                                          matrix; mean over matrices */
    MS_MEASURE_KINDS
} ms_measure_kind;

/* "last", "depth_slope", "projection_difference", "difference_correlation".  Static. */
const char *ms_measure_kind_name(ms_measure_kind kind);

/* What a line gives: a key of a file (an array: the mean of its numbers), or one of

       log_over_null      ln(sigma_max / noise_null)
       alignment_excess   (alignment_left - alignment_random + alignment_right - alignment_random_right) / 2
       relative_growth    growth / (sigma_max - growth): of s1, over s1 at the last snapshot */
typedef struct ms_quantity {
    ms_series_metric metric; /* a line without its key gives nothing */
    int derived;             /* -1: the metric itself */
    bool is_change;          /* since the last snapshot: it is not differenced again */
} ms_quantity;

typedef struct ms_measure {
    ms_measure_kind kind;
    ms_quantity of, with;             /* with: of MS_MEASURE_DIFFERENCE_CORRELATION alone */
    const char *layers, *projections; /* NULL: all; borrowed */
    int64_t from;                     /* first step that the correlation takes */
} ms_measure;

/* The names that are no keys, for i from 0; NULL after the last.  Static. */
const char *ms_quantity_derived_name(int i);
/* Errors of ms_series_metric_find; MS_USAGE: a key of sigma_max.jsonl, whose lines are of all matrices. */
ms_status ms_quantity_find(const char *name, ms_quantity *out);

/* Whether the parts fit together.  MS_INVALID names what does not. */
ms_status ms_measure_check(const ms_measure *measure);

/* The formula in one line; returns out. */
const char *ms_measure_formula(const ms_measure *measure, char *out, size_t size);

enum { MS_MEASURE_WHY_SIZE = 240 };

/* The number of one run. */
typedef struct ms_measured {
    double value;                  /* NaN: it has none */
    int64_t step;                  /* the last that was used; -1: none */
    char why[MS_MEASURE_WHY_SIZE]; /* there is none; "" */
} ms_measured;

/* Takes n measures of the run in `folder` into out[n]; each file is read once.  MS_IO, MS_OUT_OF_MEMORY: a run that has
   no number is none. */
ms_status ms_measures_take(const ms_measure *const *measures, size_t n, const char *folder, ms_measured *out);

#ifdef __cplusplus
}
#endif

#endif
