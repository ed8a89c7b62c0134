/* What a step of a job would take with several ranks, each on a host of its own with a device like this one: predicted
   from what is measured here, one rank after the other, and the bytes that each would exchange.

   Every rank of 1, 2, 4, ... ranks is opened on the device and makes steps over a transport that moves nothing
   (train/parallel/transport_rehearsal.h): its micro-steps, downloads, additions, its part of the update and uploads
   take the time that they take, by the code that a run uses, and that code says which bytes it would exchange.  Between
   two exchanges all wait for the slowest rank; an exchange that goes on beside micro-steps is waited for where it is
   longer.  Exchanges take what train/parallel/link.h says. */
#ifndef MS_TRAIN_RANK_PLAN_H
#define MS_TRAIN_RANK_PLAN_H

#include <stdio.h>

#include "train/parallel/link.h"
#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_rank_plan_request {
    int n_ranks;        /* the most, 2 to MS_RANK_PLAN_MOST */
    const char *shares; /* ms_group_set_shares, of n_ranks; "": equal ones */
    ms_link link;
} ms_rank_plan_request;
enum { MS_RANK_PLAN_MOST = 4096, MS_RANK_PLAN_ROWS = 16 };

typedef struct ms_rank_plan_row {
    int n_ranks;
    ms_memory_plan memory; /* of each part the most that a rank has; total: of the rank that has most */
    size_t host_bytes;     /* for exchanges, of the rank that has most */
    bool fits;             /* on the device: what follows was measured */
    int n_timed;           /* steps behind each median, the fewest of any rank */
    double spread;         /* the longest of them over the shortest, of the rank where that is most */
    double
        compute_seconds;   /* of a step: micro-steps, gradients down, added, up; of the slowest rank at each exchange */
    double update_seconds; /* the same of the update, with the weights down and up */
    double exchange_seconds; /* by the link */
    double hidden_seconds;   /* of them, beside micro-steps (ms_trainer_overlaps) */
    double link_bytes;       /* of a step, sent or received by the busiest rank of each exchange */
    int n_exchanges;         /* of a step, empty ones left out */
} ms_rank_plan_row;

typedef struct ms_rank_plan {
    ms_rank_plan_request request;
    ms_numerics numerics;
    int32_t most_ranks; /* that have something to share */
    int n_rows;         /* 1, 2, 4, ... and n_ranks; with shares 1 and n_ranks */
    ms_rank_plan_row rows[MS_RANK_PLAN_ROWS];
} ms_rank_plan;

/* What the ranks need, without the device's memory: fills what stands before `fits`.  MS_INVALID: as a run of n_ranks
   would say, more ranks than micro-steps among it.  Errors of ms_trainer_open. */
ms_status ms_rank_plan_open(ms_device *device, const ms_trainer_options *options, const ms_rank_plan_request *request,
                            ms_rank_plan *out);
/* Measures, with random tokens: takes about five steps of the whole job for each row.  MS_OUT_OF_MEMORY: no row fits
   the device, and nothing is guessed.  Errors of ms_trainer_allocate and ms_trainer_step. */
ms_status ms_rank_plan_measure(ms_device *device, const ms_trainer_options *options, ms_rank_plan *plan);

/* Seconds of a step. */
double ms_rank_plan_step(const ms_rank_plan_row *row);
/* Whether more ranks help, in one line: each added machine is to add at least this much of what one does alone. */
#define MS_RANK_PLAN_WORTH 0.25
/* Steps whose times differ by this factor are not measured well: ms_rank_plan_print says so. */
#define MS_RANK_PLAN_STEADY 1.5
void ms_rank_plan_advice(const ms_rank_plan *plan, char *out, size_t size);
/* Memory a rank; what was predicted, and the advice. */
void ms_rank_plan_print_memory(const ms_rank_plan *plan, FILE *stream);
void ms_rank_plan_print(const ms_rank_plan *plan, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
