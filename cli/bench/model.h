/* muonscope bench model: how long a training step takes on a GPU that is not there.  Two figures beside each other: a
   bound, from the graph's cost model and the maker's peaks, and what is expected of the kernels as they are, from
   counts of what they do (count.h) and rates that such GPUs reach (expect.h).  Models, not measurements. */
#ifndef MS_CLI_BENCH_MODEL_H
#define MS_CLI_BENCH_MODEL_H

#include <stdio.h>

#include "cli/bench/expect.h"
#include "cli/bench/target.h"
#include "cli/config/config.h"
#include "train/trainer.h"

/* Where in a step a node is. */
typedef enum ms_model_part {
    MS_MODEL_ENDS,   /* embedding, head, loss, and copies of weights: outside of any layer */
    MS_MODEL_LAYERS, /* forward and backward */
    MS_MODEL_OPTIMIZER,
    MS_MODEL_PART_COUNT
} ms_model_part;

/* A part of a step. */
typedef struct ms_modelled_work {
    int64_t n_nodes;
    int64_t n_kernels; /* nodes, without those that the memory plan leaves nothing to do */
    double flops, bytes;
    double seconds;           /* bound: the sum over nodes of the longest of matrix units, ordinary units and memory */
    double seconds_on_memory; /* the part of nodes for which memory takes longest */
    ms_bench_work expected;   /* of the kernels as they are */
} ms_modelled_work;

typedef struct ms_modelled_step {
    ms_modelled_work total;
    ms_modelled_work rows[MS_MODEL_PART_COUNT][MS_OP_COUNT];
} ms_modelled_step;

/* The step of an opened trainer, whose device does not matter.  MS_OUT_OF_MEMORY.  Thread-safe on distinct trainers. */
ms_status ms_bench_model_step(const ms_trainer *trainer, const ms_bench_target *target, ms_modelled_step *out);

/* Sums over parts: of one op; and over ops: of one part. */
ms_modelled_work ms_modelled_op(const ms_modelled_step *step, ms_op op);
ms_modelled_work ms_modelled_part(const ms_modelled_step *step, ms_model_part part);

/* A thousand times what a slow driver takes. */
enum { MS_BENCH_MODEL_MOST_LAUNCH_US = 100000 };

/* Prints the model of a step of config on `target`, with its assumptions, in f32 and in bf16 storage.  launch_us:
   microseconds that the device waits between two kernels.  Errors of ms_bench_target_find and ms_trainer_open;
   MS_INVALID: no vocabulary, a launch time out of its range.  Not thread-safe. */
ms_status ms_bench_model(const ms_config *config, const char *target, double launch_us, FILE *out);

#endif
