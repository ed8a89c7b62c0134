#include "cli/bench/floor.h"

#include <string.h>

#include "backend/ir/passes.h"

static ms_dtype dtype_of(const ms_graph *graph, ms_tensor tensor) { return ms_graph_tensor(graph, tensor)->dtype; }

bool ms_bench_has_bf16_factors(const ms_graph *graph, const ms_node *node) {
    if (dtype_of(graph, node->inputs[0]) != MS_DTYPE_BF16) return false;
    return node->op != MS_OP_MATMUL || dtype_of(graph, node->inputs[1]) == MS_DTYPE_BF16;
}

double ms_bench_node_floor(const ms_bench_limits *limits, const ms_graph *graph, const ms_node *node) {
    ms_cost cost = ms_node_cost(graph, node);
    double products = 0, memory = limits->bytes > 0 ? cost.bytes / limits->bytes : 0;
    if (cost.contraction_flops > 0) {
        double rate = ms_bench_has_bf16_factors(graph, node) ? limits->bf16 : limits->f32;
        products = rate > 0 ? cost.contraction_flops / rate : 0;
    }
    return products > memory ? products : memory;
}

static void add_graph(const ms_bench_limits *limits, const ms_graph *graph, double runs, double *seconds) {
    for (int i = 0; graph && i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        seconds[node->op] += runs * ms_bench_node_floor(limits, graph, node);
    }
}

void ms_bench_step_floors(const ms_bench_limits *limits, const ms_trainer *trainer, double out_seconds[MS_OP_COUNT]) {
    memset(out_seconds, 0, MS_OP_COUNT * sizeof *out_seconds);
    add_graph(limits, trainer->first_graph, 1, out_seconds);
    add_graph(limits, trainer->next_graph, trainer->options.accumulation - 1, out_seconds);
    add_graph(limits, trainer->update_graph, 1, out_seconds);
}
