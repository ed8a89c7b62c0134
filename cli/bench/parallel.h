/* muonscope bench parallel: the speed of a job that ranks share, beside one process's. */
#ifndef MS_CLI_BENCH_PARALLEL_H
#define MS_CLI_BENCH_PARALLEL_H

#include <stdio.h>

#include "cli/config/config.h"
#include "train/parallel/group.h"

enum { MS_BENCH_PARALLEL_RANKS = 64 };

typedef struct ms_bench_parallel {
    const ms_config *config;
    int n_ranks;         /* threads of this process, 1 to MS_BENCH_PARALLEL_RANKS; counts where group is NULL */
    ms_group *group;     /* ranks of MPI, borrowed; NULL: this process has them all */
    int n_timed;         /* steps */
    int n_alone_threads; /* of the one process, on the CPU; 0: those of all ranks of this process together */
    FILE *out;           /* rank 0 prints */
} ms_bench_parallel;

/* MS_USAGE: counts out of range.  MS_INVALID: no vocabulary. */
ms_status ms_bench_parallel_check(const ms_bench_parallel *options);

/* Runs timed steps (after one untimed) of the configured job by the ranks, each with a device of its own, interleaved
   with steps of the same job by one process, on tokens of train/zipf.h.  Prints tokens/s of both, the ratio beside its
   limit, processor time of both (where the ranks are threads), and of each rank: what its time goes into, bytes sent,
   memory.  Medians of pairs; phases are means.  Every rank of a group calls it, with options that were checked.  Errors
   of ms_trainer_open.  MS_MISMATCH: a rank has another job than rank 0.  Errors of any rank, on all. */
ms_status ms_bench_parallel_run(const ms_bench_parallel *options);

#endif
