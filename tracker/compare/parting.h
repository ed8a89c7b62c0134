/* Where two runs part: the first step at which their weights, hashed in hashes.jsonl, differ.  Thread-safe. */
#ifndef MS_TRACKER_COMPARE_PARTING_H
#define MS_TRACKER_COMPARE_PARTING_H

#include <stdint.h>

#include "platform/status.h"
#include "tracker/compare/run_lines.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Steps are -1 where there is none. */
typedef struct ms_parting {
    ms_run_line_faults faults; /* of both hashes.jsonl */
    int64_t n_compared;        /* steps that both runs have hashes of */
    int64_t last_same;         /* the last of them before they part: all hashes are the same */
    int64_t first_unlike;      /* the first of them at which any is not */
    char tensor[160];          /* the first that differs there, in the order of the files; "" for none */
    int n_unlike, n_tensors;   /* that differ there, of how many */
    int64_t loss_last_same;    /* the last step with a loss in both, up to which all are the same bits */
    int64_t loss_first_unlike; /* the first at which they are not */
} ms_parting;

/* Compares the runs in two folders.  A tensor that one of them lacks differs.  Losses, which metrics.jsonl has of every
   step, part a step after the weights; their steps are -1 where a run logs none.  Without a step that both
   have hashes of, nothing else is looked at.  MS_IO,
   MS_OUT_OF_MEMORY. */
ms_status ms_parting_find(const char *folder_a, const char *folder_b, ms_parting *out);

#ifdef __cplusplus
}
#endif

#endif
