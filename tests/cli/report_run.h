/* Synthetic runs for the tests of `muonscope report`, in a scratch folder, and what the report says of them. */
#ifndef MS_TESTS_CLI_REPORT_RUN_H
#define MS_TESTS_CLI_REPORT_RUN_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* What a synthetic run is like. */
struct report_plan {
    int n_steps, n_layers, n_snapshots;
    int above; /* of 20 snapshots, so many have an alignment above the percentile of chance, from layer `from` on */
    int from;
    double ratio, slope;   /* s1 over its null: ratio + slope * layer */
    double entropy;        /* how far the last snapshot's lies below the first's */
    double attention;      /* entropy of head 0 at the end; the others stay at .8 */
    double validation_end; /* loss; the beginning is 8 */
    double rare_end;       /* loss of the rarest tenth; of the most frequent 1 */
    bool all_keys;         /* of spectra.jsonl */
    bool drifts;           /* those that are above are one stretch, not spread over the snapshots */
};

/* A run that shows nothing. */
extern const struct report_plan report_null_plan;

extern char report_folder[64]; /* of the run; report_run_begin makes it, report_run_end removes it */
void report_run_begin(void);
void report_run_end(void);

/* Files of the folder. */
FILE *report_run_open(const char *name, const char *mode);
void report_run_write(const char *name, const char *text);
void report_run_make(const struct report_plan *plan);

/* The data of the report; the caller drops it. */
json_t *report_run_data(void);

json_t *report_get(const json_t *data, const char *a, const char *b);
double report_at(const json_t *column, size_t i);

/* Whether a text stands in the notes. */
bool report_is_noted(const json_t *data, const char *part);
/* How many sentences a rule says; each has `part` in it, and a control. */
int report_count_said(const json_t *data, const char *rule, const char *part);
bool report_is_silent(const json_t *data, const char *rule);

#endif
