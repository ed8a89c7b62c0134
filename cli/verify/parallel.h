/* `muonscope verify --parallel N`: training runs by 1 to N ranks, which are threads, compared with one process. */
#ifndef MS_CLI_VERIFY_PARALLEL_H
#define MS_CLI_VERIFY_PARALLEL_H

#include "cli/verify/report.h"

typedef struct ms_verify_parallel_options {
    int n_ranks;                /* the most, 2 to MS_VERIFY_MOST_RANKS */
    const char *const *devices; /* [n_devices], dealt out to the ranks in turn; each rank opens its own */
    int n_devices;              /* 1 to n_ranks */
    bool quick;                 /* 5 steps instead of 20, and one resumption */
    bool plant;                 /* spoil one exchange of gradients of each run: its row must fail */
    uint64_t seed;
} ms_verify_parallel_options;

/* Adds rows, in `exact`: the preset micro in 2 N + 1 micro-steps a step, with several rules and with bf16, by each
   number of ranks, by N with unequal shares, and by another number in the second half of the steps.  SHA-256 of weights
   and optimizer state, losses and spectra.jsonl are those of one process on the first device.  Runs live in a temporary
   folder, which is removed.  Errors of opening a device, and of that process, are returned; those of ranks are rows. */
ms_status ms_verify_parallel(const ms_verify_parallel_options *options, ms_verify_report *report);

#endif
