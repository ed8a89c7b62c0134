/* What the lines of each log of a run must have: by it a resumption tells a run's own lines from others, and what is
   appended is checked.  The readers of the files (`muonscope plot`, `muonscope phases`) want the same. */
#ifndef MS_TRACKER_RUN_LOG_KEYS_H
#define MS_TRACKER_RUN_LOG_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum ms_run_log_type {
    MS_RUN_LOG_INDEX,  /* an integer of at least 0 that says of what the line tells */
    MS_RUN_LOG_COUNT,  /* an integer of at least 0 that does not */
    MS_RUN_LOG_NAME,   /* a text of 1 to 31 letters, digits and _ that says of what the line tells */
    MS_RUN_LOG_TEXT,   /* any text */
    MS_RUN_LOG_REAL,   /* a number, or null for one that is not finite */
    MS_RUN_LOG_REALS,  /* an array of one or more of these */
    MS_RUN_LOG_ARRAY,  /* an array of anything, or null */
    MS_RUN_LOG_OBJECT, /* an object */
} ms_run_log_type;

typedef enum ms_run_log_need {
    MS_RUN_LOG_REQUIRED,
    MS_RUN_LOG_ONE_OF,  /* a line has one or more of those of the table, which say of what it tells */
    MS_RUN_LOG_OPTIONAL /* where it is there, it has the type */
} ms_run_log_need;

typedef struct ms_run_log_key {
    const char *name; /* NULL ends a table */
    ms_run_log_type type;
    ms_run_log_need need;
} ms_run_log_key;

/* Beside "step".  Keys that a table does not name may have any value. */
extern const ms_run_log_key ms_run_log_metrics_keys[];   /* metrics.jsonl */
extern const ms_run_log_key ms_run_log_hashes_keys[];    /* hashes.jsonl */
extern const ms_run_log_key ms_run_log_spectra_keys[];   /* spectra.jsonl */
extern const ms_run_log_key ms_run_log_index_keys[];     /* spectra/index.jsonl */
extern const ms_run_log_key ms_run_log_probes_keys[];    /* probes.jsonl */
extern const ms_run_log_key ms_run_log_sigma_max_keys[]; /* sigma_max.jsonl */

/* Whether a line has what the table says.  Thread-safe. */
bool ms_run_log_has_keys(const json_t *line, const ms_run_log_key *keys);

/* A hash of what a line with these keys tells of, whatever it measured: its step, its indices and names, and which of
   the alternatives it has.  Two lines of a run never agree in that.  Not 0.  Thread-safe. */
uint64_t ms_run_log_subject_by_keys(const json_t *line, const ms_run_log_key *keys);

#endif
