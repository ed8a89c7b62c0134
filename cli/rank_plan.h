/* `muonscope train --dry-run --ranks N --link RATE`: what several machines would make of a run. */
#ifndef MS_CLI_RANK_PLAN_H
#define MS_CLI_RANK_PLAN_H

#include <stdio.h>

#include "cli/ranks.h"
#include "train/parallel/link.h"
#include "train/run.h"

/* As they were given; n_ranks -1 and NULL: not. */
typedef struct ms_rank_plan_arguments {
    int64_t n_ranks;
    const char *link, *latency;
} ms_rank_plan_arguments;

/* MS_USAGE: some of them without others that they need, without --dry-run, or with values that cannot be. */
ms_status ms_rank_plan_check(const ms_rank_plan_arguments *arguments, bool dry_run, const ms_ranks *ranks);
/* Plans an opened run that is not allocated, and prints.  Nothing, where no ranks were asked for.  Errors of
   train/rank_plan.h. */
ms_status ms_rank_plan_run(const ms_rank_plan_arguments *arguments, const char *shares, const ms_run *run,
                           FILE *stream);

#endif
