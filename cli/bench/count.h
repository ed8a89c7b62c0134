/* What the kernels of a node do on a target: every pass over memory, copy, product and launch, as backend/cuda/ops and
   backend/vulkan/ops make them in `fast`.  A kernel that changes is counted anew here. */
#ifndef MS_CLI_BENCH_COUNT_H
#define MS_CLI_BENCH_COUNT_H

#include "backend/ir/graph.h"
#include "backend/plan.h"
#include "cli/bench/expect.h"

typedef struct ms_bench_counter {
    const ms_bench_target *target;
    const ms_graph *graph;
    const ms_plan *plan;
} ms_bench_counter;

/* Whether a node has nothing left to do: its result was computed where it is wanted. */
bool ms_bench_is_free(const ms_bench_counter *counter, const ms_node *node);
/* Adds what a node does. */
void ms_bench_count(const ms_bench_counter *counter, const ms_node *node, ms_bench_work *work);
/* The part of it for matmul, gram and attention. */
void ms_bench_count_gemm(const ms_bench_counter *counter, const ms_node *node, ms_bench_work *work);
void ms_bench_count_attention(const ms_bench_counter *counter, const ms_node *node, ms_bench_work *work);
void ms_bench_count_attention_grad(const ms_bench_counter *counter, const ms_node *node, ms_bench_work *work);

/* Elements and bytes of an input or output; 0: absent, or nobody needs it. */
double ms_bench_elements(const ms_bench_counter *counter, ms_tensor tensor);
double ms_bench_bytes(const ms_bench_counter *counter, ms_tensor tensor);
double ms_bench_in_bytes(const ms_bench_counter *counter, const ms_node *node, int i);
double ms_bench_out_bytes(const ms_bench_counter *counter, const ms_node *node, int i);
bool ms_bench_is_bf16(const ms_bench_counter *counter, const ms_node *node, int i);
/* A kernel that reads and writes `bytes`, each thread its pack of `elements`. */
ms_bench_kernel ms_bench_pass(const ms_bench_counter *counter, double elements, double bytes, bool is_bf16);

#endif
