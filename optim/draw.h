/* Normal numbers for stacks of matrices, as graphs. */
#ifndef MS_OPTIM_DRAW_H
#define MS_OPTIM_DRAW_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Layers [first, first + n) of what ms_random_normal draws of of_stack->shape [L,R,C]: [n,R,C].  A number depends on
   its place in the whole stack, not on which layers are asked for: all are drawn, which costs little beside an update.
   Errors as in backend/ir/graph.h. */
ms_tensor ms_draw_layers(ms_graph *graph, const ms_random_normal_attributes *of_stack, int64_t first, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
