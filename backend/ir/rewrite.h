/* Building one graph from another: what the passes share.  Internal to backend/ir. */
#ifndef MS_BACKEND_IR_REWRITE_H
#define MS_BACKEND_IR_REWRITE_H

#include "backend/ir/graph.h"

typedef struct ms_rewrite {
    const ms_graph *source; /* borrowed */
    ms_graph *target;       /* the caller's to take */
    ms_tensor *map;         /* [tensors of source] the tensor of target that stands for it, MS_NO_TENSOR: none yet */
    bool *live;             /* [tensors of source] whether its value reaches an assignment */
    bool *live_nodes;       /* [nodes of source] whether it is an assignment or a value it makes reaches one */
} ms_rewrite;

/* Starts an empty target over the same variables; finds out what is live.  The source's own failure is returned. */
ms_status ms_rewrite_init(ms_rewrite *rewrite, const ms_graph *source);
/* Frees all but the target: *out_target is it when status is MS_OK and it has no failure, else it is destroyed.
   Returns the failure. */
ms_status ms_rewrite_finish(ms_rewrite *rewrite, ms_status status, ms_graph **out_target);
/* The target's tensor for a source tensor; a view is made when first asked for.  MS_NO_TENSOR stays itself. */
ms_tensor ms_rewrite_map(ms_rewrite *rewrite, ms_tensor source);
/* Adds the node to the target with mapped inputs, in its layer, and maps its outputs. */
void ms_rewrite_copy(ms_rewrite *rewrite, const ms_node *node);

/* A copy of the graph in which a matmul whose bf16 result is only cast to f32, or only accumulated by such a matmul,
   gives f32, and the casts are gone: weight gradients through a bf16 copy of the weight are formed and accumulated in
   f32.  Dead nodes are left out. */
ms_status ms_graph_keep_f32(const ms_graph *graph, ms_graph **out);

#endif
