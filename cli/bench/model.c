#include "cli/bench/model.h"

#include <string.h>

#include "backend/ir/passes.h"
#include "backend/plan.h"
#include "cli/bench/count.h"
#include "cli/bench/floor.h"

/* ---- one node ---- */

/* FLOP/s of a node's matmuls: see ms_target_backend. */
static double matmul_rate(const ms_bench_target *target, const ms_graph *graph, const ms_node *node) {
    double rate = ms_bench_has_bf16_factors(graph, node) ? target->bf16 : target->tf32;
    if (target->backend == MS_TARGET_VULKAN || rate <= 0) rate = target->f32;
    return 1e12 * rate;
}

/* The cost model counts nothing for assignments and reshapes; one that moves data reads and writes it. */
static double bytes_of(const ms_graph *graph, const ms_node *node, double modelled) {
    if (node->op != MS_OP_ASSIGN && node->op != MS_OP_RESHAPE) return modelled;
    const ms_tensor_info *info = ms_graph_tensor(graph, node->inputs[0]);
    return 2 * (double)ms_shape_count(&info->shape) * (double)ms_dtype_size(info->dtype);
}

static void add_work(const ms_modelled_work *work, double runs, ms_modelled_work *sum) {
    sum->n_nodes += (int64_t)runs * work->n_nodes;
    sum->n_kernels += (int64_t)runs * work->n_kernels;
    sum->flops += runs * work->flops;
    sum->bytes += runs * work->bytes;
    sum->seconds += runs * work->seconds;
    sum->seconds_on_memory += runs * work->seconds_on_memory;
    ms_bench_work_add(&work->expected, runs, &sum->expected);
}

static ms_modelled_work work_of(const ms_bench_counter *counter, const ms_node *node) {
    const ms_bench_target *target = counter->target;
    ms_modelled_work work = {.n_nodes = 1};
    if (ms_bench_is_free(counter, node)) return work;
    ms_cost cost = ms_node_cost(counter->graph, node);
    work.n_kernels = 1;
    work.flops = cost.flops;
    work.bytes = bytes_of(counter->graph, node, cost.bytes);
    double matmuls = 0, others = (cost.flops - cost.contraction_flops) / (1e12 * target->f32);
    if (cost.contraction_flops > 0) matmuls = cost.contraction_flops / matmul_rate(target, counter->graph, node);
    double arithmetic = matmuls > others ? matmuls : others, memory = work.bytes / (1e9 * target->bandwidth);
    work.seconds = arithmetic > memory ? arithmetic : memory;
    work.seconds_on_memory = arithmetic > memory ? 0 : memory;
    ms_bench_count(counter, node, &work.expected);
    return work;
}

/* ---- a step ---- */

static ms_status add_graph(const ms_bench_target *target, const ms_graph *graph, double runs, bool is_update,
                           ms_modelled_step *out) {
    ms_plan plan;
    ms_plan_options options = {.f32_bytes = 4, .alignment_bytes = 256};
    MS_TRY(ms_plan_init(graph, &options, &plan));
    const ms_bench_counter counter = {target, graph, &plan};
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        ms_model_part part = is_update ? MS_MODEL_OPTIMIZER : node->layer < 0 ? MS_MODEL_ENDS : MS_MODEL_LAYERS;
        ms_modelled_work work = work_of(&counter, node);
        add_work(&work, runs, &out->rows[part][node->op]);
        add_work(&work, runs, &out->total);
    }
    ms_plan_finish(&plan);
    return MS_OK;
}

ms_status ms_bench_model_step(const ms_trainer *trainer, const ms_bench_target *target, ms_modelled_step *out) {
    memset(out, 0, sizeof *out);
    MS_TRY(add_graph(target, trainer->first_graph, 1, false, out));
    if (trainer->next_graph)
        MS_TRY(add_graph(target, trainer->next_graph, trainer->options.accumulation - 1, false, out));
    return add_graph(target, trainer->update_graph, 1, true, out);
}

ms_modelled_work ms_modelled_op(const ms_modelled_step *step, ms_op op) {
    ms_modelled_work sum = {0};
    for (int part = 0; part < MS_MODEL_PART_COUNT; part++) add_work(&step->rows[part][op], 1, &sum);
    return sum;
}

ms_modelled_work ms_modelled_part(const ms_modelled_step *step, ms_model_part part) {
    ms_modelled_work sum = {0};
    for (int op = 0; op < MS_OP_COUNT; op++) add_work(&step->rows[part][op], 1, &sum);
    return sum;
}
