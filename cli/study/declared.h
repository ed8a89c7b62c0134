/* When the hypotheses of a study were declared, and what they were: PATH/declared.json.  Not thread-safe on one
   object. */
#ifndef MS_CLI_STUDY_DECLARED_H
#define MS_CLI_STUDY_DECLARED_H

#include "cli/study/folder.h"
#include "cli/study/plan.h"

/* A hypothesis that is not what was declared before runs were there. */
typedef struct ms_study_change {
    char name[MS_STUDY_NAME_SIZE];
    char *before, *now; /* texts of ms_study_hypothesis_text, owned; NULL: there was none, there is none now */
} ms_study_change;

/* Zeroed is empty. */
typedef struct ms_study_declared {
    char time[32];                                    /* UTC */
    size_t runs_before;                               /* runs of arms that were there at that time */
    ms_study_change changes[2 * MS_STUDY_HYPOTHESES]; /* [n_changes] */
    int n_changes;
} ms_study_declared;

/* Records the hypotheses where that was not done, or where no run of an arm is there; else compares them with what was
   recorded, which stays.  ms_study_declared_finish frees, also after an error.  MS_CORRUPT: declared.json; MS_IO,
   MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_study_declare(const ms_study_folder *folder, const ms_study_plan *plan, ms_study_declared *out);
void ms_study_declared_finish(ms_study_declared *declared);

#endif
