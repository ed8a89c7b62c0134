#include "cli/bench/train.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bench/floor.h"
#include "cli/bench/meter.h"
#include "cli/bench/snapshot.h"
#include "cli/config/trainer_config.h"
#include "platform/clock.h"
#include "platform/median.h"
#include "train/zipf.h"

enum { MAX_STEPS = 1000 };

/* The median, leaving the order of the values as it is: pairs are compared by index. */
static double median(const double *values, int n) {
    double sorted[MAX_STEPS];
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    return ms_median(sorted, n);
}

/* Resident memory of this process in bytes, 0 when the kernel does not tell. */
static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    char line[256];
    double kib = 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0) kib = strtod(line + 6, NULL);
    fclose(file);
    return 1024 * kib;
}

typedef struct contender {
    ms_trainer *trainer;
    ms_zipf_source source;
    int32_t *tokens, *targets; /* [sequences of a step, length] drawn before the clock runs */
    int n_sequences, n_taken;  /* of a step; of them, by the trainer */
    double *seconds;           /* [n_steps] */
    double *peaks;             /* [n_steps]: the limit, GFLOP/s, mean of right before and right after the step */
} contender;

static ms_status open_contender(ms_device *device, const ms_trainer_options *options, int n_steps, contender *out) {
    memset(out, 0, sizeof *out);
    out->source = (ms_zipf_source){
        .seed = options->seed, .vocabulary = options->model.vocabulary, .length = options->model.sequence_length};
    out->n_sequences = options->batch_sequences * options->accumulation;
    size_t n_tokens = (size_t)out->n_sequences * (size_t)options->model.sequence_length;
    out->tokens = calloc(n_tokens, sizeof *out->tokens);
    out->targets = calloc(n_tokens, sizeof *out->targets);
    if (!out->tokens || !out->targets) return MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for %zu tokens", n_tokens);
    out->seconds = calloc((size_t)n_steps, sizeof *out->seconds);
    out->peaks = calloc((size_t)n_steps, sizeof *out->peaks);
    if (!out->seconds || !out->peaks) return MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for %d times", n_steps);
    MS_TRY(ms_trainer_open(device, options, &out->trainer));
    MS_TRY(ms_trainer_allocate(out->trainer));
    return ms_trainer_initialise(out->trainer);
}

static void close_contender(contender *c) {
    ms_trainer_close(c->trainer);
    free(c->tokens);
    free(c->targets);
    free(c->seconds);
    free(c->peaks);
}

static ms_status take_sequences(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    contender *c = context;
    size_t length = (size_t)c->source.length, at = (size_t)c->n_taken * length, n = (size_t)n_sequences * length;
    if (c->n_taken + n_sequences > c->n_sequences)
        return MS_FAIL(MS_INTERNAL, "bench: a step takes more than %d sequences", c->n_sequences);
    memcpy(out_tokens, c->tokens + at, n * sizeof *out_tokens);
    memcpy(out_targets, c->targets + at, n * sizeof *out_targets);
    c->n_taken += n_sequences;
    return MS_OK;
}

static ms_status timed_step(contender *c, const ms_step_hooks *hooks, double *out_seconds) {
    ms_step_result result;
    ms_batch_source drawn = ms_zipf_batches(&c->source);
    MS_TRY(drawn.next(drawn.context, c->n_sequences, c->tokens, c->targets)); /* training reads tokens that are there */
    c->n_taken = 0;
    ms_batch_source source = {.next = take_sequences, .context = c, .sequence_length = c->source.length};
    double begin = ms_clock_seconds();
    MS_TRY(ms_trainer_step(c->trainer, source, hooks, &result));
    *out_seconds = ms_clock_seconds() - begin;
    return MS_OK;
}

static void set_timing(contender *c) {
    ms_program_set_timing(c->trainer->first, true);
    if (c->trainer->next) ms_program_set_timing(c->trainer->next, true);
    ms_program_set_timing(c->trainer->update, true);
}

static int by_seconds_descending(const void *a, const void *b) {
    const ms_op_time *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_op_times(const contender *c, int n_steps, const ms_bench_limits *limits, FILE *out) {
    ms_op_time times[MS_OP_COUNT], part[MS_OP_COUNT];
    double floors[MS_OP_COUNT];
    const ms_program *programs[] = {c->trainer->first, c->trainer->next, c->trainer->update};
    ms_program_get_times(c->trainer->first, times);
    double total = 0;
    for (int i = 1; i < 3; i++) {
        if (!programs[i]) continue;
        ms_program_get_times(programs[i], part);
        for (int j = 0; j < MS_OP_COUNT; j++) {
            times[j].n_calls += part[j].n_calls;
            times[j].seconds += part[j].seconds;
        }
    }
    for (int j = 0; j < MS_OP_COUNT; j++) total += times[j].seconds;
    if (total == 0) {
        fprintf(out, "op                   no times of single ops: this device gives no timestamps\n");
        return;
    }
    ms_bench_step_floors(limits, c->trainer, floors);
    qsort(times, MS_OP_COUNT, sizeof *times, by_seconds_descending);
    fprintf(out, "floor                products at %.1f GFLOP/s in f32", 1e-9 * limits->f32);
    if (limits->bf16 != limits->f32) fprintf(out, ", %.1f in bf16", 1e-9 * limits->bf16);
    fprintf(out, ", operands once at %.1f GB/s, the longer; measured here\n", 1e-9 * limits->bytes);
    fprintf(out, "%-24s %10s %12s %12s %7s %8s\n", "op", "calls/step", "now ms/step", "floor", "ratio", "share");
    for (int j = 0; j < MS_OP_COUNT && times[j].n_calls > 0; j++) {
        double now = times[j].seconds / n_steps, floor = floors[ms_op_find(times[j].op)];
        char ratio[16] = "-";
        if (floor > 0) snprintf(ratio, sizeof ratio, "%.2f", now / floor);
        fprintf(out, "%-24s %10.1f %12.3f %12.3f %7s %7.1f%%\n", times[j].op, (double)times[j].n_calls / n_steps,
                1e3 * now, 1e3 * floor, ratio, 100 * times[j].seconds / total);
    }
}

/* What a step hands to the device, beside what it cannot do without. */
static void print_work(const contender *c, double seconds, double peak, FILE *out) {
    const ms_trainer *trainer = c->trainer;
    const ms_trainer_facts *facts = &trainer->facts;
    const ms_program *programs[] = {trainer->first, trainer->next, trainer->update};
    double dispatches = 0, barriers = 0, bytes = 0;
    for (int i = 0; i < 3; i++) {
        ms_program_counts counts;
        if (!programs[i]) continue;
        int runs = i == 1 ? trainer->options.accumulation - 1 : 1;
        ms_program_get_counts(programs[i], &counts);
        dispatches += (double)runs * counts.n_dispatches;
        barriers += (double)runs * counts.n_barriers;
        bytes += (double)runs * counts.operand_bytes;
    }
    fprintf(out, "contractions         %.2f GFLOP a step, %.1f ms at the limit: the step takes %.3f times that\n",
            facts->contraction_flops / 1e9, 1e3 * facts->contraction_flops / 1e9 / peak,
            seconds * peak * 1e9 / facts->contraction_flops);
    fprintf(out,
            "dispatches           %.0f a step, %.0f barriers; nodes that must compute or move something: %lld of "
            "%lld\n",
            dispatches, barriers, (long long)facts->active_nodes_per_step, (long long)facts->nodes_per_step);
    if (bytes > 0)
        fprintf(out,
                "operands             %.1f MiB a step read and written by dispatches; by the graph's nodes: %.1f MiB\n",
                bytes / 1048576, facts->step_bytes / 1048576);
}

/* The rule of the layer matrices. */
static const char *name_of(const contender *c) { return c->trainer->optimizer.rules[0].use.rule->name; }

static void print_speed(const contender *main_one, const contender *adamw, const char *limit, int n_steps, FILE *out) {
    const ms_trainer_facts *facts = &main_one->trainer->facts;
    double seconds = median(main_one->seconds, n_steps), ratios[MAX_STEPS];
    double model_gflop = (double)facts->tokens_per_step * facts->model_flops_per_token / 1e9;
    for (int i = 0; i < n_steps; i++) ratios[i] = model_gflop / main_one->seconds[i] / main_one->peaks[i];
    double share = median(ratios, n_steps);
    fprintf(out, "step                 %.1f ms (median of %d), %lld tokens\n", 1e3 * seconds, n_steps,
            (long long)facts->tokens_per_step);
    fprintf(out, "tokens per second    %.0f\n", (double)facts->tokens_per_step / seconds);
    fprintf(out, "limit                %.1f GFLOP/s, %s (median; measured around every step)\n",
            median(main_one->peaks, n_steps), limit);
    fprintf(out, "model arithmetic     %.1f GFLOP/s, of the limit: %.3f (median of the steps' ratios)\n",
            model_gflop / seconds, share);
    fprintf(out, "all arithmetic       %.1f GFLOP/s, of the limit: %.3f\n", facts->step_flops / seconds / 1e9,
            share * facts->step_flops / 1e9 / model_gflop);
    print_work(main_one, seconds, median(main_one->peaks, n_steps), out);
    if (!adamw) return;
    for (int i = 0; i < n_steps; i++) ratios[i] = main_one->seconds[i] / adamw->seconds[i];
    char label[40];
    snprintf(label, sizeof label, "%s over adamw", name_of(main_one));
    fprintf(out, "%-20s %.3f (median of %d neighbouring pairs; adamw step %.1f ms)\n", label, median(ratios, n_steps),
            n_steps, 1e3 * median(adamw->seconds, n_steps));
}

/* Memory that the process, or the device where it has its own, has come to hold. */
static double memory_held(const ms_device *device) {
    size_t on_device = device ? ms_device_allocated_bytes(device) : 0;
    return on_device > 0 ? (double)on_device : resident_bytes();
}

typedef struct bench {
    const ms_config *config;
    int n_steps;
    bool compare_adamw;
    FILE *out;
    ms_device *device;
    contender main_one, adamw;
} bench;

static void print_memory(const bench *b, const ms_trainer_options *options, double resident_before) {
    const ms_trainer_facts *facts = &b->main_one.trainer->facts;
    const ms_memory_plan *memory = &facts->memory;
    double measured = memory_held(b->device), planned = (double)memory->total;
    if (ms_device_allocated_bytes(b->device) == 0) measured -= resident_before;
    fprintf(b->out, "train: %lld parameters, %s, %s numerics", (long long)facts->parameters, options->device_name,
            ms_numerics_name(ms_device_numerics(b->device)));
    if (ms_device_threads(b->device) > 0) fprintf(b->out, ", %d threads", ms_device_threads(b->device));
    fprintf(b->out, "\nmemory               planned %.1f MiB, measured %.1f MiB: %.3f\n", planned / 1048576,
            measured / 1048576, measured / planned);
    double least = (double)memory->least, variables = planned - (double)(memory->arena + memory->workspace);
    fprintf(b->out,
            "  at least           %.1f MiB: variables %.1f, temporaries in use at once %.1f; planned over that %.3f\n",
            least / 1048576, variables / 1048576, (least - variables) / 1048576, planned / least);
    fprintf(b->out, "  optimizer          %s: state of %.1f MiB beside %.1f MiB of parameters\n", name_of(&b->main_one),
            (double)memory->optimizer_state / 1048576, (double)memory->parameters / 1048576);
}

static ms_status prepare(bench *b) {
    if (b->config->model.vocabulary == 0)
        return MS_FAIL(MS_INVALID, "bench train: give model.vocabulary, there is no data to take it from");
    ms_trainer_options options = ms_trainer_options_from_config(b->config, 0);
    ms_device_options device = ms_device_options_from_config(b->config);
    double resident = resident_bytes(), unused;
    MS_TRY(ms_device_open(&device, &b->device));
    MS_TRY(open_contender(b->device, &options, b->n_steps, &b->main_one));
    MS_TRY(timed_step(&b->main_one, NULL, &unused));
    print_memory(b, &options, resident);
    if (!b->compare_adamw) return MS_OK;
    options.optimizer.kind = MS_OPTIMIZER_ADAMW;
    MS_TRY(open_contender(b->device, &options, b->n_steps, &b->adamw));
    return timed_step(&b->adamw, NULL, &unused);
}

static ms_status time_steps(ms_bench_meter *meter, int n_steps, contender *main_one, contender *adamw) {
    for (int i = 0; i < n_steps; i++) {
        double before = 0, after = 0;
        MS_TRY(ms_bench_meter_flops(meter, &before));
        MS_TRY(timed_step(main_one, NULL, &main_one->seconds[i]));
        MS_TRY(ms_bench_meter_flops(meter, &after));
        main_one->peaks[i] = 0.5 * (before + after);
        if (adamw) MS_TRY(timed_step(adamw, NULL, &adamw->seconds[i]));
    }
    return MS_OK;
}

/* Pairs of a step without and a step with a snapshot, and the snapshot while the device is idle. */
static ms_status time_snapshots(contender *c, ms_bench_snapshot *snapshot, int n_steps, FILE *out) {
    double ratios[MAX_STEPS], serial[MAX_STEPS], alone[MAX_STEPS], without, with;
    const ms_step_hooks hooks = ms_bench_snapshot_hooks(snapshot);
    MS_TRY(timed_step(c, &hooks, &with)); /* memory is taken */
    for (int i = 0; i < n_steps; i++) {
        MS_TRY(timed_step(c, NULL, &without));
        MS_TRY(timed_step(c, &hooks, &with));
        MS_TRY(ms_bench_snapshot_alone(snapshot, &alone[i]));
        ratios[i] = with / without;
        serial[i] = (without + alone[i]) / without;
    }
    fprintf(
        out,
        "snapshot             %.1f MiB of weights: step with over step without %.3f (median of %d pairs); one after "
        "the other %.3f (%.1f ms while the device is idle)\n",
        (double)snapshot->bytes / 1048576, median(ratios, n_steps), n_steps, median(serial, n_steps),
        1e3 * median(alone, n_steps));
    return MS_OK;
}

static ms_status measure_snapshots(contender *c, int n_steps, FILE *out) {
    ms_bench_snapshot snapshot;
    MS_TRY(ms_bench_snapshot_init(c->trainer, &snapshot));
    ms_status status = time_snapshots(c, &snapshot, n_steps, out);
    ms_bench_snapshot_finish(&snapshot);
    return status;
}

/* After the steps: the peak of the step's dtype is known, that of the other is measured now. */
static ms_status measure_limits(const bench *b, ms_bench_meter *meter, ms_bench_limits *out) {
    double gflops = 0, gb = 0, f32;
    MS_TRY(ms_bench_meter_flops(meter, &gflops));
    MS_TRY(ms_bench_meter_bytes(meter, &gb));
    f32 = 1e9 * gflops;
    if (meter->peak.dtype != MS_DTYPE_F32 && !meter->peak.is_cpu)
        MS_TRY(ms_peak_measure_once(b->device, MS_DTYPE_F32, 0, &f32));
    *out = (ms_bench_limits){.f32 = f32, .bf16 = 1e9 * gflops, .bytes = 1e9 * gb};
    return MS_OK;
}

static ms_status measure(bench *b) {
    contender *main_one = &b->main_one, *adamw = b->compare_adamw ? &b->adamw : NULL;
    MS_TRY(prepare(b));
    ms_bench_meter meter;
    ms_bench_limits limits;
    MS_TRY(ms_bench_meter_init(b->device, main_one->trainer->options.model.storage, &meter));
    /* Times of single ops come from steps of their own: on some devices they keep ops from overlapping. */
    ms_status status = time_steps(&meter, b->n_steps, main_one, adamw);
    if (status == MS_OK) status = measure_limits(b, &meter, &limits);
    if (status == MS_OK) print_speed(main_one, adamw, meter.peak.name, b->n_steps, b->out);
    ms_bench_meter_finish(&meter);
    bool is_cpu = ms_device_threads(b->device) > 0; /* works while the host does, and never beside it */
    if (status == MS_OK && !is_cpu) status = measure_snapshots(main_one, b->n_steps, b->out);
    set_timing(main_one);
    double unused;
    for (int i = 0; status == MS_OK && i < b->n_steps; i++) status = timed_step(main_one, NULL, &unused);
    if (status == MS_OK) print_op_times(main_one, b->n_steps, &limits, b->out);
    return status;
}

ms_status ms_bench_train(const ms_config *config, int n_steps, bool compare_adamw, FILE *out) {
    if (n_steps < 1 || n_steps > MAX_STEPS)
        return MS_FAIL(MS_INVALID, "bench train: %d timed steps, must be 1 to %d", n_steps, MAX_STEPS);
    if (config->train.control == MS_CONTROL_NOISE)
        return MS_FAIL(MS_INVALID,
                       "bench train: train.control noise does none of the model's arithmetic, which speed is "
                       "measured by; leave it out");
    bench b = {.config = config, .n_steps = n_steps, .compare_adamw = compare_adamw, .out = out};
    ms_status status = measure(&b);
    close_contender(&b.main_one);
    close_contender(&b.adamw);
    ms_device_close(b.device);
    return status;
}
