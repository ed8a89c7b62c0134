/* For the gradient rules: the state of one backward pass and what a rule may do with it.  Internal to backend/ir. */
#ifndef MS_BACKEND_IR_GRADIENT_PASS_H
#define MS_BACKEND_IR_GRADIENT_PASS_H

#include "backend/ir/build.h"

/* Tensor ids in a rule's node are those of the forward pass; gradients and recomputed values are newer ids of the
   graph.  A gradient has shape and dtype of its tensor. */
typedef struct ms_gradient_pass {
    ms_graph *graph;
    bool recompute;
    int layer;            /* of the forward node whose rule runs */
    int32_t n_nodes;      /* forward nodes: those of the graph when the pass began */
    const ms_tensor *wrt; /* the wanted tensors, borrowed */
    int32_t n_wrt;
    int32_t n_tensors;    /* forward tensors; the length of each array below */
    ms_tensor *gradients; /* what has arrived so far at each forward tensor, MS_NO_TENSOR: nothing yet */
    ms_tensor *repeats;   /* the recomputed copy of each forward tensor, MS_NO_TENSOR: none */
    bool *needed;         /* whether a wanted tensor reaches it: only these receive gradients */
    bool *wanted;         /* whether it is one of wrt */
    bool *kept;           /* whether the backward pass of another layer read the original, so that it lives anyway */
} ms_gradient_pass;

/* A rule adds the backward nodes of one forward node, whose outputs' gradients are complete.  Failures of builder calls
   stay in the graph and need no check in the rule. */
typedef ms_status (*ms_gradient_rule)(ms_gradient_pass *pass, const ms_node *node);

#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, gradient, ...)                                       \
    ms_status ms_gradient_##gradient(ms_gradient_pass *pass, const ms_node *node);
#include "backend/ir/ops.def"
#undef OP

/* The tensor to read for a forward tensor: itself, or its copy when the current layer is recomputed. */
ms_tensor ms_gradient_value(ms_gradient_pass *pass, ms_tensor forward);
/* The gradient that has arrived at a forward tensor, or MS_NO_TENSOR. */
ms_tensor ms_gradient_arrived(const ms_gradient_pass *pass, ms_tensor forward);
/* Whether input i of the node is there and wants a gradient. */
bool ms_gradient_wants(const ms_gradient_pass *pass, const ms_node *node, int i);
/* gradient of forward += contribution */
void ms_gradient_add(ms_gradient_pass *pass, ms_tensor forward, ms_tensor contribution);
/* gradient of forward += factor * contribution; a factor of 1 costs no node, a constant times a fill is folded. */
void ms_gradient_add_scaled(ms_gradient_pass *pass, ms_tensor forward, ms_coefficient factor, ms_tensor contribution);
/* gradient of forward += f32 contribution.  Where forward is bf16, the gradient of the f32 tensor that it is a copy of
   takes the contribution unrounded, when nobody wants the copy's own; else the contribution is rounded. */
void ms_gradient_add_f32(ms_gradient_pass *pass, ms_tensor forward, ms_tensor contribution);
/* gradient of forward = sum, which holds what had arrived already (from an op with an accumulate input). */
void ms_gradient_replace(ms_gradient_pass *pass, ms_tensor forward, ms_tensor sum);
/* Whether the tensor is fill(value), and its value. */
bool ms_gradient_is_fill(const ms_gradient_pass *pass, ms_tensor tensor, float *out_value);
/* MS_UNSUPPORTED when a gradient has arrived at output i of the node. */
ms_status ms_gradient_refuse_output(const ms_gradient_pass *pass, const ms_node *node, int i);
ms_shape ms_gradient_shape(const ms_gradient_pass *pass, ms_tensor tensor);
ms_dtype ms_gradient_dtype(const ms_gradient_pass *pass, ms_tensor tensor);

#endif
