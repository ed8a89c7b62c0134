/* Passes over a graph, and its text form.  Each pass reads one graph and creates another; the caller destroys both. */
#ifndef MS_BACKEND_IR_PASSES_H
#define MS_BACKEND_IR_PASSES_H

#include <stdio.h>

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces composite ops by primitives: tied_cross_entropy becomes a chain of matmul, cross_entropy and accumulating
   matmuls over chunks of tokens, so that at most chunk x V logits exist at a time.  Outputs nobody uses are not
   computed. */
ms_status ms_graph_lower(const ms_graph *graph, ms_graph **out);
/* Merges nodes with equal op, attributes and inputs (not across an assignment to a variable that they read, not
   recomputed ones with originals; fills of several elements stay apart, because refilling costs less than keeping), and
   removes nodes whose results reach no assignment.  A matmul rounded to bf16 only to be cast to f32 keeps its f32
   result instead: the one change that alters bits, always to the more exact ones. */
ms_status ms_graph_simplify(const ms_graph *graph, ms_graph **out);
/* lower, then simplify. */
ms_status ms_graph_finish(const ms_graph *graph, ms_graph **out);

/* Text form, one node a line, variables first; ms_graph_parse reads it back into an equal graph (same text again).
   parse creates the variables too.  Errors name the line. */
ms_status ms_graph_print(const ms_graph *graph, FILE *stream);
ms_status ms_graph_parse(const char *text, ms_variables **out_variables, ms_graph **out_graph);

/* Cost of one node: arithmetic (one multiply-add = 2; causal attention counts visible pairs only) and bytes read and
   written once. */
typedef struct ms_cost {
    double flops;             /* all arithmetic */
    double contraction_flops; /* the part in matmul, gram and attention */
    double bytes;
} ms_cost;
ms_cost ms_node_cost(const ms_graph *graph, const ms_node *node);
ms_cost ms_graph_cost(const ms_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
