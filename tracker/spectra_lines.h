/* The lines of a snapshot in spectra.jsonl: keys and their order are those of tracker/metrics.def. */
#ifndef MS_TRACKER_SPECTRA_LINES_H
#define MS_TRACKER_SPECTRA_LINES_H

#include <jansson.h>

#include "tracker/spectrum.h"
#include "tracker/tracker.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What they are made of, borrowed. */
typedef struct ms_spectra_source {
    int64_t step, tokens;
    const ms_tracked_matrices *tracked;
    const ms_spectrum *spectra;  /* [tracked->n] */
    const ms_tracker_slot *slot; /* its numbers are completed: ms_tracker_slot says how */
    double *first_sigma;         /* [tracked->n] s1 before any update: set by a snapshot without one; NaN: not known */
} ms_spectra_source;

/* An array of lines, a matrix each; the caller has the reference, also of what is unfinished after an error.
   MS_OUT_OF_MEMORY. */
ms_status ms_spectra_lines_make(const ms_spectra_source *source, json_t **out_lines);

#ifdef __cplusplus
}
#endif

#endif
