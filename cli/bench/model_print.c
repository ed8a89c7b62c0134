/* The model of a step in print. */
#include <string.h>

#include "cli/bench/model.h"
#include "cli/config/trainer_config.h"

/* blueberry-88m on one H100 at the rate of floating-point arithmetic that llm.c reaches there: derived, not
   measured. */
static const int64_t FIGURE_PARAMETERS = 88630528;
static const double FIGURE_TOKENS_PER_SECOND = 640e3;

static const char *const part_names[MS_MODEL_PART_COUNT] = {"ends", "layers", "optimizer"};

/* What most of a row's time goes to. */
static const char *limit_of(const ms_bench_work *work) {
    int most = 0;
    for (int i = 1; i < MS_LIMIT_COUNT; i++)
        if (work->seconds_by[i] > work->seconds_by[most]) most = i;
    return ms_bench_limit_name((ms_bench_limit)most);
}

static void print_work(const char *part, const char *name, const ms_modelled_work *work, FILE *out) {
    const ms_bench_work *expected = &work->expected;
    fprintf(out, "%-10s %-22s %8.0f %10.2f %9.1f %9.1f %9.4f %9.4f %6.2f  %s\n", part, name, expected->launches,
            work->flops / 1e9, work->bytes / 1e6, expected->bytes / 1e6, 1e3 * work->seconds, 1e3 * expected->seconds,
            expected->seconds > 0 ? work->seconds / expected->seconds : 0, limit_of(expected));
}

/* Ops with kernels, by falling expected time; equal times in the order of parts and ops.def. */
static void print_rows(const ms_modelled_step *step, FILE *out) {
    enum { N_ROWS = MS_MODEL_PART_COUNT * MS_OP_COUNT };
    const ms_modelled_work *rows = step->rows[0];
    bool printed[N_ROWS] = {false};
    fprintf(out, "%-10s %-22s %8s %10s %9s %9s %9s %9s %6s  %s\n", "part", "op", "launches", "GFLOP", "MB least",
            "MB moved", "bound ms", "expected", "ratio", "most of it");
    for (int n = 0; n < N_ROWS; n++) {
        int next = -1;
        for (int i = 0; i < N_ROWS; i++)
            if (!printed[i] && rows[i].n_kernels > 0 &&
                (next < 0 || rows[i].expected.seconds > rows[next].expected.seconds))
                next = i;
        if (next < 0) break;
        printed[next] = true;
        print_work(part_names[next / MS_OP_COUNT], ms_op_get((ms_op)(next % MS_OP_COUNT))->name, &rows[next], out);
    }
    for (int part = 0; part < MS_MODEL_PART_COUNT; part++) {
        ms_modelled_work sum = ms_modelled_part(step, (ms_model_part)part);
        print_work(part_names[part], "all", &sum, out);
    }
    print_work("step", "all", &step->total, out);
}

static void print_assumptions(const ms_bench_target *target, double launch_us, FILE *out) {
    fprintf(out, "A model, not a measurement: nothing was run.  The bound is by peak figures that no program reaches; "
                 "what is expected, by counts of\nwhat the kernels of this version do and by rates that such GPUs "
                 "reach (docs/performance.md).\n\n");
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
            "bound        per node the longest of: matmuls / matrix rate, other arithmetic / f32 rate, bytes / "
            "bandwidth;\n             nodes one after the other; every input read and every output written once, no "
            "cache kept between nodes\n");
    fprintf(out,
            "expected     per kernel, of what it does: bytes, products, loads that wait for each other, arithmetic; "
            "at 0.9 of bandwidth\n             and 0.8 of the units' peaks; %.1f us between two kernels\n",
            launch_us);
    fprintf(out,
            "parts        ends: embedding, head, loss, copies of weights; layers: forward and backward; optimizer\n");
}

static void print_step(const ms_trainer *trainer, const ms_bench_target *target, double launch_us,
                       const ms_modelled_step *step, FILE *out) {
    const ms_trainer_facts *facts = &trainer->facts;
    double tokens = (double)facts->tokens_per_step, bound = step->total.seconds;
    double gaps = 1e-6 * launch_us * step->total.expected.launches, expected = step->total.expected.seconds + gaps;
    fprintf(out, "\nstorage %s: %lld parameters, %lld tokens a step, %.1f MiB planned\n",
            trainer->options.model.storage == MS_DTYPE_BF16 ? "bf16" : "f32", (long long)facts->parameters,
            (long long)facts->tokens_per_step, (double)facts->memory.total / 1048576);
    if ((double)facts->memory.total > 1e9 * target->memory)
        fprintf(out, "it does not fit into %.0f GB\n", target->memory);
    print_rows(step, out);
    fprintf(out, "bound                %.3f ms a step, %.0f tokens/s at most\n", 1e3 * bound, tokens / bound);
    fprintf(out, "expected             %.3f ms a step, %.0f tokens/s; of it %.3f ms gaps between %.0f kernels\n",
            1e3 * expected, tokens / expected, 1e3 * gaps, step->total.expected.launches);
    if (facts->parameters == FIGURE_PARAMETERS && strcmp(target->name, "h100") == 0)
        fprintf(out,
                "figure to beat       %.0f tokens/s (llm.c's rate of arithmetic on one H100, derived): %.2f of the "
                "bound, %.2f of what is expected\n",
                FIGURE_TOKENS_PER_SECOND, FIGURE_TOKENS_PER_SECOND * bound / tokens,
                FIGURE_TOKENS_PER_SECOND * expected / tokens);
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
    if (!(launch_us >= 0 && launch_us <= MS_BENCH_MODEL_MOST_LAUNCH_US))
        return MS_FAIL(MS_INVALID, "bench model: --launch_us %g: must be 0 to %d microseconds", launch_us,
                       MS_BENCH_MODEL_MOST_LAUNCH_US);
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
