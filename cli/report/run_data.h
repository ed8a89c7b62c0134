/* What the files of a run say, as numbers.  Not thread-safe on one object. */
#ifndef MS_CLI_REPORT_RUN_DATA_H
#define MS_CLI_REPORT_RUN_DATA_H

#include <stdbool.h>

#include "cli/config/config.h"
#include "cli/report/table.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_REPORT_NAME_SIZE = 32, MS_REPORT_HEADS = 64, MS_REPORT_LAYERS = 4096 /* as model.layers */ };

typedef struct ms_report_matrix {
    int layer;
    char projection[MS_REPORT_NAME_SIZE];
    int rows, cols; /* 0: the lines do not say */
} ms_report_matrix;

/* A file whose lines tell of subjects (matrices, layers) at snapshots: which line tells of which. */
typedef struct ms_report_grid {
    size_t n_snapshots, n_subjects;
    size_t *first;    /* [n_snapshots] a line of each */
    int64_t *line_of; /* [n_snapshots][n_subjects] line of the table; -1: none */
    bool has_partial; /* a last snapshot that lacks lines was left out */
} ms_report_grid;

typedef struct ms_report_run {
    const char *folder;    /* borrowed */
    bool has_config;       /* config.yaml was read */
    ms_config config;      /* else the defaults */
    ms_report_table steps; /* lines of metrics.jsonl but those of validations */
    ms_report_table validations;
    ms_report_table spectra;    /* subjects: matrices */
    ms_report_matrix *matrices; /* [n_matrices] in the order they first appear */
    size_t n_matrices;
    ms_report_grid snapshots;
    ms_report_table probes; /* subjects: layers */
    int n_heads;            /* of a layer; at most MS_REPORT_HEADS are read */
    ms_report_grid looks;   /* the probe's snapshots */
    json_t *notes;          /* texts, owned */
} ms_report_run;

/* Reads the run in `folder`.  What cannot be read or used is left out with a note.  ms_report_run_finish frees; `out`
   is zeroed on failure.  MS_OUT_OF_MEMORY. */
ms_status ms_report_run_init(const char *folder, ms_report_run *out);
void ms_report_run_finish(ms_report_run *run);

/* A value of a matrix at a snapshot, by column; NaN: null, or no line. */
double ms_report_run_value(const ms_report_run *run, size_t i_snapshot, size_t i_matrix, int i_key);

#ifdef __cplusplus
}
#endif

#endif
