/* The runs of a study: which there are, where each stands, and its configuration.  Not thread-safe on one object. */
#ifndef MS_CLI_STUDY_PLAN_H
#define MS_CLI_STUDY_PLAN_H

#include "cli/study/study.h"

enum { MS_STUDY_RUN_SIZE = 128, MS_STUDY_PATH_SIZE = 1024, MS_STUDY_WHY_SIZE = 300 };

typedef enum ms_study_state {
    MS_STUDY_MISSING,    /* no folder, or one that a killed start left */
    MS_STUDY_UNFINISHED, /* to be resumed */
    MS_STUDY_FINISHED,
    MS_STUDY_DIVERGED, /* ended by a number that is not finite: it would do so again */
    MS_STUDY_STATES
} ms_study_state;
/* "missing", "unfinished", "finished", "diverged".  Static. */
const char *ms_study_state_name(ms_study_state state);

/* What a run folder holds. */
typedef struct ms_study_record {
    ms_study_state state;
    int64_t step, n_steps;       /* last logged; to make */
    double step_seconds;         /* sum over its steps */
    double validation_loss;      /* the last; NaN: none */
    double wall_seconds;         /* from its first line of run.log to its last; NaN: it was resumed */
    double size_bytes;           /* of all files */
    char why[MS_STUDY_WHY_SIZE]; /* it diverged; "" */
    char device[160];            /* what it was made on, as run.log has it: "cpu, 1 threads, ..."; "" */
} ms_study_record;

/* One run: an arm with a seed, or with a value of the grid that it is tuned over. */
typedef struct ms_study_run {
    char name[MS_STUDY_RUN_SIZE]; /* of its folder: ARM-SEED, or tune-ARM-VALUE-SEED */
    int i_arm;
    int i_tuning, i_value; /* -1: not a run of a tuning */
    int64_t seed;
    ms_study_record record;
} ms_study_run;

typedef struct ms_study_plan {
    const ms_study *study; /* borrowed */
    const char *folder;    /* of the study, borrowed */
    ms_study_run *runs;    /* [n] in the order they are made: tuning, then seed by seed */
    size_t n;
    int chosen[MS_STUDY_TUNINGS]; /* index of the value with the least validation loss; -1: not known yet */
} ms_study_plan;

/* All runs as missing.  ms_study_plan_finish frees.  MS_OUT_OF_MEMORY. */
ms_status ms_study_plan_init(const ms_study *study, const char *folder, ms_study_plan *out);
void ms_study_plan_finish(ms_study_plan *plan);

/* PATH of a run; returns out. */
const char *ms_study_run_path(const ms_study_plan *plan, const ms_study_run *run, char out[MS_STUDY_PATH_SIZE]);

/* Whether the run's configuration is known: of an arm that takes a tuned value, once that is chosen. */
bool ms_study_run_is_known(const ms_study_plan *plan, const ms_study_run *run);

/* The configuration of a run, as a request with the seed's text, and resolved.  The run's configuration is known.
   Errors of ms_study_request. */
ms_status ms_study_run_config(const ms_study_plan *plan, const ms_study_run *run, char seed_text[24],
                              ms_config_request *out_request, ms_config *out_config);

/* The command line that makes the run, or goes on with it, into `stream`, without a line break.  The run's
   configuration is known.  Errors of ms_study_request. */
ms_status ms_study_run_command(const ms_study_plan *plan, const ms_study_run *run, FILE *stream);

/* What the finished runs were made with: the device of the first, and how many others had another; "" before there is
   one.  Returns out. */
const char *ms_study_plan_device(const ms_study_plan *plan, char *out, size_t size);

/* Reads where every run stands, tunings first, and chooses their values.  MS_MISMATCH: a folder of another
   configuration, with the key and both values; errors of ms_study_record_read. */
ms_status ms_study_plan_look(ms_study_plan *plan);
/* The same of one run. */
ms_status ms_study_plan_look_at(ms_study_plan *plan, ms_study_run *run);
/* Chooses the value of each tuning whose runs are all finished or diverged.  MS_NUMERIC: all runs of one diverged. */
ms_status ms_study_plan_choose(ms_study_plan *plan);
/* Whether the value that was chosen is at an end of its grid. */
bool ms_study_plan_at_edge(const ms_study_plan *plan, int i_tuning);

/* run_record.c: reads the folder of a run that must have this configuration; a missing one is MS_STUDY_MISSING.
   MS_MISMATCH: it has another, or had for a part of its steps; MS_IO, MS_INVALID, MS_OUT_OF_MEMORY. */
ms_status ms_study_record_read(const char *path, const ms_config *config, ms_study_record *out);

#endif
