/* What the finished runs of a study show: each measure of each run, statistics over seeds, tests of the hypotheses.
   Not thread-safe on one object. */
#ifndef MS_CLI_STUDY_RESULTS_H
#define MS_CLI_STUDY_RESULTS_H

#include <stdio.h>

#include "cli/compare/notes.h"
#include "cli/study/budget.h"
#include "cli/study/declared.h"
#include "tracker/compare/paired.h"

#define MS_STUDY_CONFIDENCE 0.95

/* A run that gives no number. */
typedef struct ms_study_without {
    const char *run;               /* borrowed from the plan */
    char why[MS_MEASURE_WHY_SIZE]; /* "not finished" */
} ms_study_without;

/* One number a run, or a difference a pair, over the seeds of an arm. */
typedef struct ms_study_numbers {
    int64_t seeds[MS_STUDY_SEEDS]; /* [n] */
    double values[MS_STUDY_SEEDS]; /* [n] */
    size_t n;
    ms_paired statistic; /* p is NaN where nothing is tested */
} ms_study_numbers;

/* A measure in an arm. */
typedef struct ms_study_group {
    ms_study_numbers numbers;
    ms_study_without without[MS_STUDY_SEEDS]; /* [n_without] */
    size_t n_without;
    int64_t step; /* the last that a run was measured at; -1: none */
} ms_study_group;

/* A hypothesis, or a comparison of its measure in two other arms. */
typedef struct ms_study_test {
    int i_hypothesis;
    int i_arm, i_against;     /* -1: one arm alone */
    ms_study_numbers numbers; /* of the arm, or its differences to the other */
    double p_holm;            /* over all declared hypotheses; NaN: no p */
    char why_no_p[160];       /* "" where there is one */
    bool changed;             /* declared otherwise before results were there */
} ms_study_test;

typedef struct ms_study_results {
    const ms_study_plan *plan; /* borrowed, as all below */
    const ms_study_budget *budget;
    const ms_study_declared *declared;
    const char *file, *command, *version; /* the study file as it was named; the command line; of the program */
    ms_study_group *groups; /* [n_hypotheses + 1][n_arms]: measures of the hypotheses, then the validation loss */
    ms_study_test hypotheses[MS_STUDY_HYPOTHESES];
    ms_study_test *comparisons; /* [n_comparisons] */
    size_t n_comparisons;
    bool finished; /* all runs are finished or diverged */
    ms_notes warnings;
} ms_study_results;

/* What is given. */
typedef struct ms_study_results_request {
    const ms_study_plan *plan;
    const ms_study_budget *budget;
    const ms_study_declared *declared;
    const char *file, *command, *version;
} ms_study_results_request;

/* Reads all finished runs.  ms_study_results_finish frees; `out` is zeroed on failure.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_study_results_init(const ms_study_results_request *request, ms_study_results *out);
void ms_study_results_finish(ms_study_results *results);

/* The measure of hypothesis i, or the validation loss where i is their number, in an arm. */
const ms_study_group *ms_study_results_group(const ms_study_results *results, int i, int i_arm);

/* results_text.c: the hypotheses, for a terminal. */
void ms_study_results_print(const ms_study_results *results, FILE *stream);
/* Each writes a file of the folder, complete or not at all: results_json.c, results_csv.c, results_markdown.c.  MS_IO,
   MS_NO_SPACE, MS_OUT_OF_MEMORY; MS_INVALID: a text that is not UTF-8. */
ms_status ms_study_results_write_json(const ms_study_results *results, const char *path);
ms_status ms_study_results_write_csv(const ms_study_results *results, const char *path);
ms_status ms_study_results_write_markdown(const ms_study_results *results, const char *path);

#endif
