/* What bounds the growth of s1 of the layer matrices of a run, from the rates alone, step by step: the keys ceiling,
   ceiling_decay and growth_null of tracker/metrics.def.  Ceilings are defined where the noise null is
   (train/noise_null.h); else they are NaN. */
#ifndef MS_TRAIN_GROWTH_H
#define MS_TRAIN_GROWTH_H

#include "tracker/tracker.h"
#include "train/noise_null.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of one matrix. */
typedef struct ms_growth_matrix {
    double step;         /* K: the largest s1 of an update over its rate; NaN: no such bound */
    double rise;         /* sum of rate K over the steps so far; NaN: some are not known */
    double equilibrium;  /* the largest K / lambda so far, lambda the decoupled decay; infinite without one */
    double null_at_last; /* the noise null at the last snapshot; NaN: not known */
} ms_growth_matrix;

typedef struct ms_growth {
    ms_growth_matrix *matrices; /* [n] */
    int n;
} ms_growth;

/* Of the n matrices of ms_weight_matrices.  Known from the start of a run; in the middle of one only by ms_growth_read.
   ms_growth_finish frees.  MS_OUT_OF_MEMORY. */
ms_status ms_growth_init(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, ms_growth *out);
void ms_growth_finish(ms_growth *growth);

/* Adds a step that took the rate lr for layer matrices. */
void ms_growth_advance(ms_growth *growth, const ms_trainer *trainer, double lr);
/* Puts the state into a snapshot whose noise_null is there, and begins the next interval. */
void ms_growth_report(ms_growth *growth, ms_tracker_slot *slot);

/* The state as text for a checkpoint, exact.  malloc'ed, the caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_growth_print(const ms_growth *growth, char **out_text);
/* And back.  MS_CORRUPT: not such a text, or of other matrices. */
ms_status ms_growth_read(ms_growth *growth, const char *text);

#ifdef __cplusplus
}
#endif

#endif
