/* What a snapshot for the tracker costs a training step: the weights of all matrices, taken while the device makes
   gradients. */
#ifndef MS_CLI_BENCH_SNAPSHOT_H
#define MS_CLI_BENCH_SNAPSHOT_H

#include "train/trainer.h"

typedef struct ms_bench_snapshot {
    ms_trainer *trainer; /* borrowed */
    int n_parts;
    ms_store_part *parts; /* one per parameter that is a stack of matrices */
    void **out;           /* [n_parts] host memory */
    size_t bytes;
} ms_bench_snapshot;

/* The caller finishes it, before the trainer is closed.  MS_OUT_OF_MEMORY. */
ms_status ms_bench_snapshot_init(ms_trainer *trainer, ms_bench_snapshot *out);
void ms_bench_snapshot_finish(ms_bench_snapshot *snapshot);
/* For a step that takes the weights. */
ms_step_hooks ms_bench_snapshot_hooks(ms_bench_snapshot *snapshot);
/* Takes them while the device has nothing to do: seconds. */
ms_status ms_bench_snapshot_alone(ms_bench_snapshot *snapshot, double *out_seconds);

#endif
