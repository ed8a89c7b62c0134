/* muonscope bench train: the speed of training steps beside its limits. */
#ifndef MS_CLI_BENCH_TRAIN_H
#define MS_CLI_BENCH_TRAIN_H

#include <stdio.h>

#include "cli/config/config.h"

/* Runs n_steps timed steps (after one untimed) of the configured model on tokens of train/zipf.h, interleaved with
   steps of the same model under AdamW when compare_adamw is set, and prints to `out`: tokens/s, model FLOP/s over the
   limit of cli/bench/meter.h in the storage's dtype measured before and after, dispatches, barriers and bytes beside
   what the graph needs, planned and measured memory, what a snapshot of the weights adds to a step (not on the CPU),
   time per op beside its floor (cli/bench/floor.h), and the time of a Muon step over an AdamW step. Medians throughout.
   Limits are printed beside the figures, not enforced. MS_INVALID: n_steps out of range; a control that does not run
   the model.  Not thread-safe. */
ms_status ms_bench_train(const ms_config *config, int n_steps, bool compare_adamw, FILE *out);

#endif
