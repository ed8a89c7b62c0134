/* The matrices of a snapshot of blueberry-88m, made up: what `muonscope bench tracker` decomposes. */
#ifndef MS_CLI_BENCH_TRACKER_MATRICES_H
#define MS_CLI_BENCH_TRACKER_MATRICES_H

#include "tracker/tracker.h"

/* What a snapshot shows of one matrix, each [rows, cols]. */
typedef struct ms_bench_matrix {
    float *before, *after;
    float *momentum, *orthogonal; /* u and O */
} ms_bench_matrix;

typedef struct ms_bench_matrices {
    int n;
    ms_tracked_matrix *matrices; /* [n]: q, k, v, o, up, down of each layer; the first four are stored as one */
    ms_bench_matrix *contents;   /* [n] */
} ms_bench_matrices;

/* Of n_layers layers.  before: Gaussian weights of 0.02 with a spiked spectrum (4, 2, 1 and so
   on beside a bulk of at most 1.4); momentum: Gaussian; orthogonal: what Muon makes of it, the whole stored matrix at
   once; after: one step of muon.lr 0.024 further, without decay, in f32.  The same numbers in every run.
   ms_bench_matrices_finish frees, also after an error.  MS_OUT_OF_MEMORY, MS_INTERRUPTED. */
ms_status ms_bench_matrices_init(int n_layers, ms_bench_matrices *out);
void ms_bench_matrices_finish(ms_bench_matrices *matrices);

/* A snapshot's slot as a training step under Muon fills it: without what the slot has no room for. */
void ms_bench_matrices_fill(const ms_bench_matrices *matrices, ms_tracker_slot *slot);

#endif
