/* The arms of a study beside each other, as `muonscope compare` puts them.  Thread-safe on distinct folders. */
#ifndef MS_CLI_STUDY_COMPARISON_H
#define MS_CLI_STUDY_COMPARISON_H

#include "cli/study/plan.h"

/* Writes comparison.txt and comparison.csv into the study's folder: the finished runs in groups by arm, at the last
   step, and those of arms that are no controls at the same training loss.  The baseline is the arm that the study's
   comparisons are against, or the first.  Nothing is written where no run is finished.  Errors of
   ms_compare_set_init. */
ms_status ms_study_compare(const ms_study_plan *plan);

#endif
