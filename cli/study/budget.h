/* What the runs of a study that are still to be made take, from measured times.  Not thread-safe. */
#ifndef MS_CLI_STUDY_BUDGET_H
#define MS_CLI_STUDY_BUDGET_H

#include "cli/study/plan.h"

/* NaN where nothing was measured. */
typedef struct ms_study_budget {
    size_t n_runs, n_left; /* to make, or to finish */
    double seconds_left, bytes_left;
    double seconds_spent, bytes_used; /* by what is there: by finished runs, or by steps */
    double bytes_free;                /* where the study is; NaN: not known */
    size_t n_measured, n_timed;       /* arms whose time is that of finished runs, of a few steps made for it */
    char why[MS_STUDY_WHY_SIZE];      /* it was not measured; "" */
} ms_study_budget;

/* From the finished runs of each arm, or of one that costs the same: the same model, data, steps and optimizer.  An arm
   that has neither is timed: a run of a few steps in a temporary folder, which goes again; n_threads as
   ms_study_train has it; -1: nothing is timed.  What cannot be timed is said in why.  MS_INTERRUPTED,
   MS_OUT_OF_MEMORY. */
ms_status ms_study_budget_make(const ms_study_plan *plan, int64_t n_threads, ms_study_budget *out);
/* Two or three lines. */
void ms_study_budget_print(const ms_study_budget *budget, FILE *stream);

#endif
