/* Graphs for the tests of the IR: a small transformer step, and random graphs. */
#ifndef MS_TESTS_IR_SUPPORT_H
#define MS_TESTS_IR_SUPPORT_H

#include "backend/ir/build.h"
#include "backend/ir/gradient.h"
#include "backend/ir/passes.h"

/* ck_assert that a call is MS_OK, with its message. */
#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        ms_status check_status_ = (call);                                                                              \
        ck_assert_msg(check_status_ == MS_OK, "%s: %s", #call, ms_status_message());                                   \
    } while (0)

/* ck_assert that a call fails with this status and a message that holds this text. */
#define CHECK_FAILS(call, status, text)                                                                                \
    do {                                                                                                               \
        ms_status check_status_ = (call);                                                                              \
        ck_assert_int_eq(check_status_, (status));                                                                     \
        ck_assert_msg(strstr(ms_status_message(), (text)) != NULL, "message \"%s\" lacks \"%s\"", ms_status_message(), \
                      (text));                                                                                         \
    } while (0)

typedef struct step_options {
    int n_layers, n_sequences, sequence, chunk;
    bool recompute;
    bool swiglu;
    int n_micro;            /* micro-batches whose gradients add up in one graph */
    ms_dtype storage;       /* of activations and of the matrices that matmuls read */
    ms_dtype loss_gradient; /* of the logits */
} step_options;

enum { STEP_MAX_WEIGHTS = 9 };

typedef struct step_graph {
    ms_variables *variables;
    ms_graph *graph; /* unfinished */
    int weights[STEP_MAX_WEIGHTS], gradients[STEP_MAX_WEIGHTS];
    int n_weights;
    int tokens, targets, table, loss, step_scalars;
} step_graph;

/* A training step: embedding, layers with attention and feed-forward, tied cross-entropy, gradients of all weights
   assigned to gradient variables, AdamW on the embedding and momentum with an orthogonal-like update on one matrix
   stack. */
void step_build(const step_options *options, step_graph *out);
void step_finish(step_graph *step);

/* A random graph of about n_nodes nodes with assignments to overlapping views; the same seed gives the same graph. */
void random_graph(unsigned seed, int n_nodes, ms_variables **out_variables, ms_graph **out_graph);

/* The text of a graph; the caller frees it. */
char *graph_text(const ms_graph *graph);
int count_op(const ms_graph *graph, ms_op op);

#endif
