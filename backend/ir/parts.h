/* Which views of variables overlap: an index of parts, so that a pass over n views takes about n log n steps.  Internal
   to backend/ir.  Not thread-safe on one object. */
#ifndef MS_BACKEND_IR_PARTS_H
#define MS_BACKEND_IR_PARTS_H

#include <stddef.h>

#include "backend/ir/graph.h"

/* The elements of one view. */
typedef struct ms_part {
    int32_t variable;   /* >= 0 */
    int64_t begin, end; /* elements [begin, end) of the variable */
    int64_t furthest;   /* largest end among the parts of the variable up to this one in the list */
    int32_t id;         /* the caller's */
} ms_part;

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_parts {
    ms_part *list; /* [n], after ms_parts_sort by variable, then begin */
    size_t n, capacity;
} ms_parts;

/* Adds a view; what is no view is left out.  MS_OUT_OF_MEMORY. */
ms_status ms_parts_add(ms_parts *parts, const ms_tensor_info *view, int32_t id);
/* After the last add, before the first search. */
void ms_parts_sort(ms_parts *parts);
void ms_parts_finish(ms_parts *parts);

/* Goes through the parts that share elements with a view:
     for (size_t at = ms_parts_begin(&parts, view); ms_parts_next(&parts, view, &at, &id);)
   A search costs the logarithm of n and the parts found, unless large parts of the same variable begin before them. */
size_t ms_parts_begin(const ms_parts *parts, const ms_tensor_info *view);
bool ms_parts_next(const ms_parts *parts, const ms_tensor_info *view, size_t *at, int32_t *out_id);

#endif
