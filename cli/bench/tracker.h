/* muonscope bench tracker: a snapshot of blueberry-88m through the tracker, against the reference project's algorithm
   in the same process and through the same LAPACK, and what its processor time goes into. */
#ifndef MS_CLI_BENCH_TRACKER_H
#define MS_CLI_BENCH_TRACKER_H

#include <stdio.h>

#include "platform/status.h"

enum {
    MS_BENCH_TRACKER_LAYERS = 22, /* of blueberry-88m: 6 matrices each */
    MS_BENCH_TRACKER_LIMIT = 6 /* required with two threads or more: reference time over ours, which has W0 besides */
};
/* Required at most: processor time of a snapshot with every metric of spectra.jsonl over that of a plain one. */
#define MS_BENCH_TRACKER_COST_LIMIT 2.75

/* Times a snapshot of n_layers layers (cli/bench/tracker_matrices.h) with n_threads threads on both sides, best of
   `repetitions`, and prints a report to `out`.

   Ours: acquire, copy, submit and drain of a tracker that writes a real file, after a snapshot of step 0.  Once of W0,
   W and dW, which is what the reference looks at, by the clock.  Once with all that training under Muon shows, u and O,
   of each projection and of q, k, v and o together: in processor seconds, by what they go into (tracker/costs.def),
   beside those of a plain snapshot.  A plain one is what the tracker made before it had these metrics: all values and
   ten vectors of W, five of dW, on one thread.  It decomposes a matrix twice, the whole five times, and a stored matrix
   of several projections twice more: 2.75 times by their sizes.

   Beside it what the statistics of the probe take (cli/bench/probe.h), on one thread.

   Reference: what vukrosic/muon-llm-research does per matrix, four float32 SVDs through SGESDD: the values of W twice
   (svdvals), the thin SVD of W and of dW (svd(full_matrices=False)), with OpenBLAS on n_threads threads and on one,
   whichever is faster.

   MS_INVALID: a count below 1 or more than MS_BENCH_TRACKER_LAYERS layers.  MS_MISMATCH: with two threads or more the
   ratio is below MS_BENCH_TRACKER_LIMIT, the cost above MS_BENCH_TRACKER_COST_LIMIT, or the largest singular values
   differ by more than 1e-4.  MS_OUT_OF_MEMORY, MS_IO.  All layers take about 2 GB.  Not thread-safe. */
ms_status ms_bench_tracker(int n_layers, int n_threads, int repetitions, FILE *out);

#endif
