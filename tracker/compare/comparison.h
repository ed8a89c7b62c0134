/* Runs in groups, paired by seed, compared at one place: the same step, the same number of tokens, or the same training
   loss.  The seed is the replicate: a run gives one number for each metric.  Definitions: docs/compare.md.
   Not thread-safe on one object. */
#ifndef MS_TRACKER_COMPARE_COMPARISON_H
#define MS_TRACKER_COMPARE_COMPARISON_H

#include "tracker/compare/paired.h"
#include "tracker/compare/series.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_compared_run {
    int i_group;
    int64_t seed;  /* no two runs of a group have the same */
    bool finished; /* made all steps that it was to make */
    int64_t last_step;
    double last_tokens;
    ms_series *series; /* [n_metrics] those of every step smoothed */
    ms_series loss;    /* smoothed training loss, which says where a loss is reached */
} ms_compared_run;

/* What is compared; all borrowed. */
typedef struct ms_compared_runs {
    const ms_compared_run *runs;
    size_t n_runs;
    const ms_series_metric *metrics;
    size_t n_metrics;
    int n_groups, i_baseline;
} ms_compared_runs;

/* One metric in one group. */
typedef struct ms_comparison_cell {
    ms_paired values;     /* over the seeds of the group: mean, deviation, t interval of the mean */
    ms_paired difference; /* to the baseline, over the seeds that both have; n 0 in the baseline itself */
    double p_holm;        /* difference.p corrected for all tests of the table; NaN where that is NaN */
} ms_comparison_cell;

/* One metric in all groups. */
typedef struct ms_comparison_row {
    char name[MS_SERIES_NAME_SIZE];
    double place;              /* step, tokens or loss where it is taken: at most the table's */
    double *values;            /* [n_runs]; NaN: the run has none there */
    ms_comparison_cell *cells; /* [n_groups] */
} ms_comparison_row;

typedef enum ms_comparison_at { MS_AT_STEP, MS_AT_TOKENS, MS_AT_LOSS, MS_AT_KINDS } ms_comparison_at;
/* "step", "tokens", "loss".  A function: a program that reads a table of the shared library takes a copy of it. */
const char *ms_comparison_at_name(ms_comparison_at at);

typedef struct ms_comparison {
    ms_comparison_at at;
    double place; /* step, tokens or loss; NaN: no run has any */
    ms_comparison_row *rows;
    size_t n_rows;
    int n_tests; /* p-values that Holm's correction is over */
    int n_groups;
} ms_comparison;

/* Whether the runs take unlike numbers of tokens a step. */
bool ms_comparison_tokens_differ(const ms_compared_runs *runs);

/* Where to compare when nothing is asked for: the last step, or tokens, that all finished runs have reached (all runs
   where none is finished), or the lowest smoothed loss that they all reach.  NaN: there is none. */
double ms_comparison_place(const ms_compared_runs *runs, ms_comparison_at at);

/* Whether a run goes as far as the place; one that does not is in no pair there. */
bool ms_comparison_reaches(const ms_compared_run *run, ms_comparison_at at, double place);

/* Compares at a place.  Step and tokens: a metric is taken there, or at the last place before it where all runs that
   reach it have the metric.  Loss: each run at the first step whose smoothed loss is at most `place`; the first row is
   that step
   ("steps to loss"), then, where runs take unlike numbers of tokens a step, "tokens to loss".  ms_comparison_finish
   frees; `out` is zeroed on failure.  MS_OUT_OF_MEMORY. */
ms_status ms_comparison_init(const ms_compared_runs *runs, ms_comparison_at at, double place, double confidence,
                             ms_comparison *out);
void ms_comparison_finish(ms_comparison *comparison);

/* Differences of a row to the baseline in one group, seed by seed, into out[n_runs]; how many there are. */
size_t ms_comparison_differences(const ms_compared_runs *runs, const double *values, int i_group, double *out);

#ifdef __cplusplus
}
#endif

#endif
