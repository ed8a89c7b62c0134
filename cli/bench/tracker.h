/* muonscope bench tracker: a snapshot of blueberry-88m through the tracker, against the reference project's algorithm
   in the same process and through the same LAPACK. */
#ifndef MS_CLI_BENCH_TRACKER_H
#define MS_CLI_BENCH_TRACKER_H

#include <stdio.h>

#include "platform/status.h"

enum {
    MS_BENCH_TRACKER_LAYERS = 22, /* of blueberry-88m: 6 matrices each */
    MS_BENCH_TRACKER_LIMIT = 8    /* required: reference time over ours */
};

/* Times a snapshot of n_layers layers (q, k, v, o, up, down of blueberry-88m; random weights with a spiked spectrum,
   updates orthogonalised as Muon does) with n_threads threads on both sides, best of `repetitions`, and prints a report
   to `out`.

   Ours: acquire, copy, submit and drain of a tracker that writes a real file.  Reference: what
   vukrosic/muon-llm-research does per matrix, four float32 SVDs through SGESDD: the values of W twice (svdvals), the
   thin SVD of W and of dW (svd(full_matrices=False)), with OpenBLAS on n_threads threads and on one, whichever is
   faster.

   MS_INVALID: a count below 1 or more than MS_BENCH_TRACKER_LAYERS layers.  MS_MISMATCH: the ratio is below
   MS_BENCH_TRACKER_LIMIT, or the largest singular values differ by more than 1e-4.  MS_OUT_OF_MEMORY, MS_IO.  Not
   thread-safe. */
ms_status ms_bench_tracker_layers(int n_layers, int n_threads, int repetitions, FILE *out);

/* All layers: 132 matrices, about 1.1 GB. */
ms_status ms_bench_tracker(int n_threads, int repetitions, FILE *out);

#endif
