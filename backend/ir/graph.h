/* The graph: a step of training as data.  Nodes stand in execution order; tensors are ids.  Variables live outside of
   graphs and are shared by them.  Nothing here is thread-safe on one object. */
#ifndef MS_BACKEND_IR_GRAPH_H
#define MS_BACKEND_IR_GRAPH_H

#include "backend/ir/op.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- variables: what lives across steps ---- */

typedef enum ms_variable_kind {
    MS_VARIABLE_PARAMETER, /* trained */
    MS_VARIABLE_STATE,     /* optimizer state, saved in checkpoints */
    MS_VARIABLE_GRADIENT,  /* gradients, same shape as their parameter */
    MS_VARIABLE_INPUT,     /* written by the host before a run: tokens, targets, step scalars */
    MS_VARIABLE_CONSTANT,  /* written once: RoPE table */
    MS_VARIABLE_OUTPUT     /* read by the host after a run: loss, norms, logits */
} ms_variable_kind;

typedef struct ms_variable {
    char *name; /* unique, e.g. "blocks.feed_forward.up.weight"; owned by the table */
    ms_variable_kind kind;
    ms_dtype dtype;
    ms_shape shape;
} ms_variable;

typedef struct ms_variables ms_variables;

/* MS_OUT_OF_MEMORY.  The caller destroys it, after every graph and store that uses it. */
ms_status ms_variables_create(ms_variables **out);
void ms_variables_destroy(ms_variables *variables);
/* Copies name.  MS_INVALID: empty or taken name, a dimension < 1, rank outside 1..4, a kind or dtype that
   does not exist.  *out: the variable's index. */
ms_status ms_variables_add(ms_variables *variables, const char *name, ms_variable_kind kind, ms_dtype dtype,
                           ms_shape shape, int *out);
int ms_variables_count(const ms_variables *variables);
/* Borrowed until the next add. */
const ms_variable *ms_variables_get(const ms_variables *variables, int index);
/* -1 when absent. */
int ms_variables_find(const ms_variables *variables, const char *name);

/* ---- tensors and nodes ---- */

typedef int32_t ms_tensor; /* id in one graph */
#define MS_NO_TENSOR ((ms_tensor)-1)

typedef struct ms_tensor_info {
    ms_dtype dtype;
    ms_shape shape;
    int32_t producer;     /* node, or -1 for a view of a variable */
    int32_t output_index; /* which output of the producer */
    int32_t variable;     /* for views: index in the variables table, else -1 */
    int64_t offset;       /* for views: first element within the variable */
} ms_tensor_info;

typedef struct ms_node {
    ms_op op;
    int32_t n_inputs; /* as many as given: trailing absent optional inputs are MS_NO_TENSOR */
    ms_tensor inputs[MS_MAX_INPUTS];
    int32_t n_outputs;
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_attributes attributes; /* of the op; compared field by field (ms_attributes_equal) */
    int32_t layer;            /* transformer layer, for recomputation and messages, -1: none */
    int32_t recomputed;       /* 1: a repeat of a forward node in the backward pass; never merged with the original */
} ms_node;

typedef struct ms_graph ms_graph;

/* A graph over a variables table (borrowed for the graph's life).  step_scalars: index of the f32 [n] variable that
   coefficients refer to, or -1.  MS_OUT_OF_MEMORY. */
ms_status ms_graph_create(const ms_variables *variables, int step_scalars, ms_graph **out);
void ms_graph_destroy(ms_graph *graph);

const ms_variables *ms_graph_variables(const ms_graph *graph);
int ms_graph_step_scalars(const ms_graph *graph);
int ms_graph_n_nodes(const ms_graph *graph);
/* Borrowed until the next change of the graph. */
const ms_node *ms_graph_node(const ms_graph *graph, int i_node);
int ms_graph_n_tensors(const ms_graph *graph);
const ms_tensor_info *ms_graph_tensor(const ms_graph *graph, ms_tensor tensor);

/* Nodes added from now on belong to this transformer layer (-1: none). */
void ms_graph_set_layer(ms_graph *graph, int layer);
/* Nodes added from now on are marked as recomputed (true) or not. */
void ms_graph_set_recomputed(ms_graph *graph, bool recomputed);

/* The first error of any builder call below, or MS_OK.  Builder calls return MS_NO_TENSOR on an error and on an input
   that is MS_NO_TENSOR because of an earlier one, so that expressions can be nested and checked once.  Sets the
   thread's message. */
ms_status ms_graph_status(const ms_graph *graph);
/* Records an error as the graph's first one (for builders above this layer); message from the thread's last failure. */
void ms_graph_fail(ms_graph *graph, ms_status status);

/* Adds a node after checking arity, dtypes and shapes by the op's shape rule; writes n_outputs tensor ids.
   inputs: n_inputs ids, optional absent ones MS_NO_TENSOR. */
ms_status ms_graph_add(ms_graph *graph, ms_op op, const ms_tensor *inputs, int n_inputs,
                       const ms_attributes *attributes, ms_tensor *out_outputs);

/* A contiguous part of a variable: `shape` elements from element `offset`.  The same part gives the same tensor. */
ms_tensor ms_view(ms_graph *graph, int variable, int64_t offset, ms_shape shape);
/* A whole variable. */
ms_tensor ms_view_all(ms_graph *graph, int variable);
/* Slice i of a variable's leading dimension (the dimension is dropped); rank >= 2. */
ms_tensor ms_view_slice(ms_graph *graph, int variable, int64_t i);
/* Rows [begin, begin + count) of matrix i of a variable [L,R,C]: shape [count,C]. */
ms_tensor ms_view_rows(ms_graph *graph, int variable, int64_t i, int64_t begin, int64_t count);

/* The shape rule of an op: checks inputs and attributes and fills the outputs' dtypes and shapes.  Used by
   ms_graph_add. inputs[i] is NULL for an absent optional input.  MS_INVALID names op, shapes and reason. */
ms_status ms_op_infer(ms_op op, const ms_tensor_info *const *inputs, int n_inputs, const ms_attributes *attributes,
                      ms_tensor_info *out_outputs);

#ifdef __cplusplus
}
#endif

#endif
