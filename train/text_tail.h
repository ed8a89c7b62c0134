/* What of a text that grows piece by piece may be shown: no stop string nor the beginning of one, and no part of a
   character.  Pieces may end anywhere.  Not thread-safe on one object. */
#ifndef MS_TRAIN_TEXT_TAIL_H
#define MS_TRAIN_TEXT_TAIL_H

#include <stddef.h>

#include "model/data/text_normalize.h"
#include "platform/status.h"

/* Zeroed, but for the stop strings, is an empty text; the owner finishes it. */
typedef struct ms_text_tail {
    const char *const *stops; /* [n_stops] borrowed; none is empty */
    size_t n_stops;
    ms_text text;     /* so far; without the stop string that ended it */
    size_t n_ready;   /* its first bytes that may be shown */
    const char *stop; /* the one of `stops` that ended it; NULL: none has */
} ms_text_tail;

/* Adds bytes.  The text ends before the stop string that is complete first, whatever pieces it comes in; of several
   that are complete with the same byte, before the longest.  What comes after it is dropped.  MS_OUT_OF_MEMORY. */
ms_status ms_text_tail_add(ms_text_tail *tail, const void *bytes, size_t n);

/* Nothing more will come: all of the text may be shown. */
void ms_text_tail_end(ms_text_tail *tail);

/* Frees the text. */
void ms_text_tail_finish(ms_text_tail *tail);

#endif
