/* Frobenius norms of stacked matrices, as graphs. */
#ifndef MS_OPTIM_NORMS_H
#define MS_OPTIM_NORMS_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The sum of squares of each matrix of x [n,R,C]: [n,1]. */
ms_tensor ms_squares_of(ms_graph *graph, ms_tensor x);

/* x [n,R,C], each matrix scaled to the Frobenius norm whose square `wanted` [n,1] has.  A zero matrix stays zero. Norms
   from 1e-15 to 1e15.  Errors as in backend/ir/graph.h. */
ms_tensor ms_with_norms(ms_graph *graph, ms_tensor x, ms_tensor wanted);

#ifdef __cplusplus
}
#endif

#endif
