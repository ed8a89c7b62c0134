/* Memory plan: where every tensor of a finished graph lives, known before anything is allocated. */
#ifndef MS_BACKEND_PLAN_H
#define MS_BACKEND_PLAN_H

#include "backend/ir/graph.h"

/* Where a tensor lives. */
typedef struct ms_place {
    int32_t variable; /* index of the variable it lives in, or -1: in the arena */
    int64_t offset;   /* bytes from the start of the variable or arena; -1: no storage, nobody needs it */
} ms_place;

typedef struct ms_plan {
    ms_place *places;   /* [number of tensors] */
    size_t arena_bytes; /* all temporaries together */
    size_t live_bytes;  /* most bytes of temporaries in use at one node: no packing of these can be smaller */
    int32_t n_aliased;  /* tensors that share an input's storage */
    int32_t n_placed;   /* assignments that cost nothing: the value was computed in its variable */
    int32_t n_active;   /* nodes that must compute or move something: not such assignments, nor reshapes that share */
} ms_plan;

typedef struct ms_plan_options {
    size_t f32_bytes;       /* 4, or 8 in the f64 oracle */
    size_t alignment_bytes; /* of every arena tensor, a power of two */
    size_t piece_bytes;     /* a multiple of the alignment: no tensor lies across a multiple of it; 0: one piece */
    bool no_reuse;          /* every tensor gets its own storage: to hunt planner bugs, and the test's reference */
} ms_plan_options;

/* Lifetime analysis in execution order: a tensor that is computed only to be assigned is computed in its variable when
   nothing reads or writes that part in between; outputs share an input's storage where ops.def allows and the input
   dies there; the rest is packed by size, largest first, at the lowest free offset (greedy by size, as in TensorFlow
   Lite's planner, Pisarchyk & Lee 2020).  The caller finishes it.  MS_OUT_OF_MEMORY, also for a tensor that is larger
   than a piece. */
ms_status ms_plan_init(const ms_graph *graph, const ms_plan_options *options, ms_plan *out);
void ms_plan_finish(ms_plan *plan);

#endif
