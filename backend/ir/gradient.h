/* Automatic differentiation from graph to graph: adds the backward nodes of a scalar to the same graph, one rule per
   op. */
#ifndef MS_BACKEND_IR_GRADIENT_H
#define MS_BACKEND_IR_GRADIENT_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_gradient_options {
    bool recompute; /* repeat each layer's forward nodes before its backward pass instead of keeping their results; only
                       what other layers read is kept.  Changes memory and time, never a bit (but see the head of
                       keep_f32.c). */
} ms_gradient_options;

/* out_gradients[i] = d loss / d wrt[i], MS_NO_TENSOR where loss does not depend on wrt[i].  loss: f32 [1].  Several
   contributions to one tensor are added in the order in which the backward pass meets them (last use first), with the
   accumulate inputs of matmul, rms_norm_grad and embed_grad where the op has one.
   Gradients are kept per view: MS_UNSUPPORTED when a wanted view overlaps another view that the loss reads, when a
   an assignment overwrites a view after the loss read it, or when a needed op has no gradient rule; the failure also
   becomes the graph's.  Nodes added afterwards belong to no layer (ms_graph_set_layer).  Reverse-mode accumulation; see
   docs of ops.def for each rule. */
ms_status ms_gradients(ms_graph *graph, ms_tensor loss, const ms_tensor *wrt, int n_wrt,
                       const ms_gradient_options *options, ms_tensor *out_gradients);

#ifdef __cplusplus
}
#endif

#endif
