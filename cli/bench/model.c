#include "cli/bench/model.h"

#include <string.h>

#include "backend/ir/passes.h"
#include "backend/plan.h"
#include "cli/options/suggest.h"
#include "cli/config/trainer_config.h"

static const ms_bench_target targets[] = {
#define TARGET(name, description, backend, f32, tf32, bf16, bandwidth, memory, source)                                 \
    {#name, description, MS_TARGET_##backend, f32, tf32, bf16, bandwidth, memory, source},
#include "cli/bench/targets.def"
#undef TARGET
};
enum { N_TARGETS = sizeof targets / sizeof *targets };

/* blueberry-88m on one H100 at the rate of floating-point arithmetic that llm.c reaches there: derived, not
   measured. */
static const int64_t FIGURE_PARAMETERS = 88630528;
static const double FIGURE_TOKENS_PER_SECOND = 640e3;

ms_status ms_bench_target_find(const char *name, const ms_bench_target **out) {
    *out = NULL;
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    char known[400] = "";
    for (int i = 0; i < N_TARGETS; i++) {
        if (ms_edit_distance(name, targets[i].name) == 0) *out = &targets[i];
        ms_suggestion_offer(&suggestion, targets[i].name);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", targets[i].name);
    }
    if (*out) return MS_OK;
    const char *best = ms_suggestion_best(&suggestion);
    if (!*name) return MS_FAIL(MS_USAGE, "a name is needed; known: %s", known);
    if (!best) return MS_FAIL(MS_USAGE, "unknown target '%s'; known: %s", name, known);
    return MS_FAIL(MS_USAGE, "unknown target '%s'; did you mean '%s'? Known: %s", name, best, known);
}

/* ---- one node ---- */

static ms_dtype input_dtype(const ms_graph *graph, const ms_node *node, int i) {
    return ms_graph_tensor(graph, node->inputs[i])->dtype;
}

/* FLOP/s of a node's matmuls: see ms_target_backend. */
static double matmul_rate(const ms_bench_target *target, const ms_graph *graph, const ms_node *node) {
    double rate = target->tf32;
    bool is_bf16 = input_dtype(graph, node, 0) == MS_DTYPE_BF16;
    if (node->op == MS_OP_MATMUL) is_bf16 = is_bf16 && input_dtype(graph, node, 1) == MS_DTYPE_BF16;
    if (is_bf16) rate = target->bf16;
    if (target->backend == MS_TARGET_VULKAN || rate <= 0) rate = target->f32;
    return 1e12 * rate;
}

/* Whether a node has nothing left to do: its result was computed where it is wanted. */
static bool is_free(const ms_plan *plan, const ms_node *node) {
    if (node->op != MS_OP_ASSIGN && node->op != MS_OP_RESHAPE) return false;
    const ms_place *from = &plan->places[node->inputs[0]];
    const ms_place *to = &plan->places[node->op == MS_OP_ASSIGN ? node->inputs[1] : node->outputs[0]];
    return from->variable == to->variable && from->offset == to->offset;
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
}

static ms_modelled_work work_of(const ms_bench_target *target, const ms_graph *graph, const ms_plan *plan,
                                const ms_node *node) {
    ms_modelled_work work = {.n_nodes = 1};
    if (is_free(plan, node)) return work;
    ms_cost cost = ms_node_cost(graph, node);
    work.n_kernels = 1;
    work.flops = cost.flops;
    work.bytes = bytes_of(graph, node, cost.bytes);
    double matmuls = 0, others = (cost.flops - cost.contraction_flops) / (1e12 * target->f32);
    if (cost.contraction_flops > 0) matmuls = cost.contraction_flops / matmul_rate(target, graph, node);
    double arithmetic = matmuls > others ? matmuls : others, memory = work.bytes / (1e9 * target->bandwidth);
    work.seconds = arithmetic > memory ? arithmetic : memory;
    work.seconds_on_memory = arithmetic > memory ? 0 : memory;
    return work;
}

/* ---- a step ---- */

static ms_status add_graph(const ms_bench_target *target, const ms_graph *graph, double runs, ms_modelled_work *part,
                           ms_modelled_step *out) {
    ms_plan plan;
    ms_plan_options options = {.f32_bytes = 4, .alignment_bytes = 256};
    MS_TRY(ms_plan_init(graph, &options, &plan));
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        ms_modelled_work work = work_of(target, graph, &plan, node);
        add_work(&work, runs, &out->ops[node->op]);
        add_work(&work, runs, &out->total);
        if (part) add_work(&work, runs, part);
    }
    ms_plan_finish(&plan);
    return MS_OK;
}

ms_status ms_bench_model_step(const ms_trainer *trainer, const ms_bench_target *target, ms_modelled_step *out) {
    memset(out, 0, sizeof *out);
    MS_TRY(add_graph(target, trainer->first_graph, 1, NULL, out));
    if (trainer->next_graph)
        MS_TRY(add_graph(target, trainer->next_graph, trainer->options.accumulation - 1, NULL, out));
    return add_graph(target, trainer->update_graph, 1, &out->update, out);
}

/* ---- in print ---- */

static void print_work(const char *name, const ms_modelled_work *work, double step_seconds, FILE *out) {
    fprintf(out, "%-24s %8lld %12.2f %11.1f %10.4f %7.1f%% %8.0f%%\n", name, (long long)work->n_kernels,
            work->flops / 1e9, work->bytes / 1e6, 1e3 * work->seconds, 100 * work->seconds / step_seconds,
            work->seconds > 0 ? 100 * work->seconds_on_memory / work->seconds : 0);
}

/* Ops with kernels, by falling time; equal times in the order of ops.def. */
static void print_ops(const ms_modelled_step *step, FILE *out) {
    bool printed[MS_OP_COUNT] = {false};
    fprintf(out, "%-24s %8s %12s %11s %10s %8s %9s\n", "op", "kernels", "GFLOP", "MB", "ms", "share", "on memory");
    for (int n = 0; n < MS_OP_COUNT; n++) {
        int next = -1;
        for (int i = 0; i < MS_OP_COUNT; i++)
            if (!printed[i] && step->ops[i].n_kernels > 0 &&
                (next < 0 || step->ops[i].seconds > step->ops[next].seconds))
                next = i;
        if (next < 0) break;
        printed[next] = true;
        print_work(ms_op_get((ms_op)next)->name, &step->ops[next], step->total.seconds, out);
    }
    print_work("step", &step->total, step->total.seconds, out);
    print_work("of it, the optimizer", &step->update, step->total.seconds, out);
}

static void print_assumptions(const ms_bench_target *target, double launch_us, FILE *out) {
    fprintf(
        out,
        "A model, not a measurement: nothing was run. It bounds the speed from above by peak figures that no program "
        "reaches.\n\n");
    fprintf(out, "target       %s: %s through %s, %.0f GB\n", target->name, target->description,
            target->backend == MS_TARGET_CUDA ? "CUDA" : "Vulkan", target->memory);
    fprintf(out, "peak         %.1f TFLOP/s f32", target->f32);
    if (target->tf32 > 0) fprintf(out, ", %.1f TF32", target->tf32);
    if (target->bf16 > 0) fprintf(out, ", %.1f BF16", target->bf16);
    fprintf(out, " (dense, f32 sums), %.0f GB/s\n             %s\n", target->bandwidth, target->source);
    const char *arithmetic = "matmuls, gram and attention on the matrix units: bf16 where all factors are, else TF32";
    if (target->backend == MS_TARGET_VULKAN)
        arithmetic = "everything on the ordinary units, as the Vulkan backend does it; bf16 saves memory only";
    else if (target->tf32 <= 0)
        arithmetic = "everything on the ordinary units: the matrix units know neither TF32 nor bf16";
    fprintf(out, "arithmetic   %s\n", arithmetic);
    fprintf(out,
            "time         per node the longest of: matmuls / matrix rate, other arithmetic / f32 rate, bytes / "
            "bandwidth;\n             nodes one after the other; every input read and every output written once, no "
            "cache kept between nodes\n");
    fprintf(
        out,
        "kernels      the graph's nodes but assignments and reshapes that the memory plan made free; some ops launch "
        "more\n             than one kernel (`muonscope bench train` counts them on a device); %.1f us assumed for "
        "each\n",
        launch_us);
}

static void print_step(const ms_trainer *trainer, const ms_bench_target *target, double launch_us,
                       const ms_modelled_step *step, FILE *out) {
    const ms_trainer_facts *facts = &trainer->facts;
    double tokens = (double)facts->tokens_per_step, bound = step->total.seconds;
    double with_launches = bound + 1e-6 * launch_us * (double)step->total.n_kernels;
    fprintf(out, "\nstorage %s: %lld parameters, %lld tokens a step, %.1f MiB planned\n",
            trainer->options.model.storage == MS_DTYPE_BF16 ? "bf16" : "f32", (long long)facts->parameters,
            (long long)facts->tokens_per_step, (double)facts->memory.total / 1048576);
    if ((double)facts->memory.total > 1e9 * target->memory)
        fprintf(out, "it does not fit into %.0f GB\n", target->memory);
    print_ops(step, out);
    fprintf(out, "roofline             %.3f ms a step, %.0f tokens/s at most\n", 1e3 * bound, tokens / bound);
    fprintf(out, "with launches        %.3f ms a step, %.0f tokens/s at most\n", 1e3 * with_launches,
            tokens / with_launches);
    if (facts->parameters == FIGURE_PARAMETERS && strcmp(target->name, "h100") == 0)
        fprintf(out,
                "figure to beat       %.0f tokens/s (llm.c's rate of arithmetic on one H100, derived): %.2f of the "
                "roofline, %.2f of it with launches\n",
                FIGURE_TOKENS_PER_SECOND, FIGURE_TOKENS_PER_SECOND * bound / tokens,
                FIGURE_TOKENS_PER_SECOND * with_launches / tokens);
}

static ms_status model_storage(ms_device *device, const ms_config *config, const ms_bench_target *target,
                               double launch_us, ms_dtype storage, FILE *out) {
    ms_trainer_options options = ms_trainer_options_from_config(config, 0);
    ms_trainer *trainer;
    ms_modelled_step step;
    options.model.storage = storage;
    MS_TRY(ms_trainer_open(device, &options, &trainer));
    ms_status status = ms_bench_model_step(trainer, target, &step);
    if (status == MS_OK) print_step(trainer, target, launch_us, &step, out);
    ms_trainer_close(trainer);
    return status;
}

ms_status ms_bench_model(const ms_config *config, const char *target_name, double launch_us, FILE *out) {
    const ms_bench_target *target;
    MS_TRY_NOTE(ms_bench_target_find(target_name ? target_name : "", &target), "bench model --target");
    if (config->model.vocabulary == 0)
        return MS_FAIL(MS_INVALID, "bench model: give model.vocabulary, there is no data to take it from");
    if (!(launch_us >= 0)) return MS_FAIL(MS_INVALID, "bench model: --launch_us %g is negative", launch_us);
    print_assumptions(target, launch_us, out);
    /* For its plan: the graph is the same on every device. */
    ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_FAST};
    ms_device *device;
    MS_TRY(ms_device_open(&cpu, &device));
    ms_status status = model_storage(device, config, target, launch_us, MS_DTYPE_F32, out);
    if (status == MS_OK) status = model_storage(device, config, target, launch_us, MS_DTYPE_BF16, out);
    ms_device_close(device);
    return status;
}
