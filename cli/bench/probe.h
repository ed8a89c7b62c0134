/* What the statistics of the probe (probes.jsonl) cost: part of `muonscope bench tracker`. */
#ifndef MS_CLI_BENCH_PROBE_H
#define MS_CLI_BENCH_PROBE_H

#include "cli/bench/tracker_matrices.h"

/* Processor seconds of the calling thread for one snapshot of the probe, 4 sequences of 128 tokens, of all layers of
   `matrices`: attention and the products of its matrices, and the activations.  Queries, keys and residual stream are
   Gaussian, the feed-forward activations squared ReLU of such numbers.  What the device does for them is not in it.
   MS_OUT_OF_MEMORY, MS_INTERRUPTED; errors of tracker/attention.h and tracker/activations.h. */
ms_status ms_bench_probe(const ms_bench_matrices *matrices, double *out_seconds);

#endif
