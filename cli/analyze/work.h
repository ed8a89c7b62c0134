/* Analyzes what is planned: costliest first, on several threads, each with one matrix at a time.  How far it is, with
   the time left, is said on stderr (platform/progress.h). */
#ifndef MS_CLI_ANALYZE_WORK_H
#define MS_CLI_ANALYZE_WORK_H

#include "cli/analyze/plan.h"
#include "platform/status.h"

typedef struct ms_analyze_options {
    int n_threads; /* >= 1 */
    int n_top;     /* largest singular values of a matrix that are kept */
} ms_analyze_options;

/* Fills the plan's items; a matrix that cannot be analyzed gets an error, and the others go on.  A signal
   (platform/signals.h) ends it after the matrices in work: the rest is not done.  Errors of ms_blas_prepare and
   ms_blas_reserve; MS_OUT_OF_MEMORY. */
ms_status ms_analyze_work(ms_analyze_plan *plan, const ms_analyze_options *options);

#endif
