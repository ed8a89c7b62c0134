/* One training run of `muonscope verify` by several ranks, which are threads of this process, each with a device. */
#ifndef MS_CLI_VERIFY_RANKS_H
#define MS_CLI_VERIFY_RANKS_H

#include "cli/verify/training.h"

enum { MS_VERIFY_MOST_RANKS = 16 };

/* What is done to the first gradients that ranks exchange. */
typedef enum ms_verify_exchange_fault {
    MS_EXCHANGE_RIGHT,
    MS_EXCHANGE_LOST,     /* rank 0 gets zeros for the first micro-step of the last rank */
    MS_EXCHANGE_REORDERED /* rank 0 adds the micro-steps of ranks 1 and 2 in each other's place; 3 ranks at least */
} ms_verify_exchange_fault;

typedef struct ms_verify_ranks {
    int n_ranks; /* 1 to MS_VERIFY_MOST_RANKS */
    /* [n_ranks]: each with a handle of its own, borrowed, open in the configuration's numerics. */
    ms_device *const *devices;
    const char *const *names; /* [n_ranks]: of the devices */
    ms_verify_exchange_fault fault;
} ms_verify_ranks;

/* ms_verify_train by all of them: the segment's device and group are theirs, and its configuration but for device and
   threads; a CPU has one.  Rank 0 is the calling thread, and has the outcome.  An error of one rank ends all: rank 0's
   message has it, with the rank.  MS_OUT_OF_MEMORY. */
ms_status ms_verify_train_by_ranks(const ms_verify_ranks *ranks, const ms_verify_segment *segment,
                                   ms_verify_outcome *out);

#endif
