#include "cli/bench_train.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bench_ops.h"
#include "cli/trainer_config.h"
#include "platform/clock.h"
#include "platform/random.h"

enum { MAX_STEPS = 1000 };

/* Uniform random tokens: the arithmetic does not depend on them, and no data set is needed. */
typedef struct random_tokens {
    int32_t vocabulary;
    int32_t length;
    uint64_t drawn;
} random_tokens;

static ms_status next_random(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    random_tokens *source = context;
    for (int i = 0; i < n_sequences; i++) {
        int32_t *tokens = out_tokens + (size_t)i * (size_t)source->length;
        int32_t *targets = out_targets + (size_t)i * (size_t)source->length;
        for (int j = 0; j < source->length; j++)
            tokens[j] = (int32_t)(ms_random_word(0, 0, source->drawn++) % (uint32_t)source->vocabulary);
        memcpy(targets, tokens + 1, ((size_t)source->length - 1) * sizeof *tokens);
        targets[source->length - 1] = MS_NO_TARGET;
    }
    return MS_OK;
}

/* The median, leaving the order of the values as it is: pairs are compared by index. */
static double median(const double *values, int n) {
    double sorted[MAX_STEPS];
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    return ms_bench_median(sorted, n);
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
    random_tokens source;
    double *seconds; /* [n_steps] */
    double *peaks;   /* [n_steps]: sgemm, GFLOP/s, mean of right before and right after the step */
} contender;

static ms_status open_contender(const ms_trainer_options *options, int n_steps, contender *out) {
    memset(out, 0, sizeof *out);
    out->source = (random_tokens){options->model.vocabulary, options->model.sequence_length, 0};
    out->seconds = calloc((size_t)n_steps, sizeof *out->seconds);
    out->peaks = calloc((size_t)n_steps, sizeof *out->peaks);
    if (!out->seconds || !out->peaks) return MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for %d times", n_steps);
    MS_TRY(ms_trainer_open(options, &out->trainer));
    MS_TRY(ms_trainer_allocate(out->trainer));
    return ms_trainer_initialise(out->trainer);
}

static void close_contender(contender *c) {
    ms_trainer_close(c->trainer);
    free(c->seconds);
    free(c->peaks);
}

static ms_status timed_step(contender *c, double *out_seconds) {
    ms_step_result result;
    ms_batch_source source = {next_random, &c->source};
    double begin = ms_clock_seconds();
    MS_TRY(ms_trainer_step(c->trainer, source, NULL, NULL, &result));
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

static void print_op_times(const contender *c, int n_steps, FILE *out) {
    ms_op_time times[MS_OP_COUNT], part[MS_OP_COUNT];
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
    qsort(times, MS_OP_COUNT, sizeof *times, by_seconds_descending);
    fprintf(out, "%-24s %10s %12s %8s\n", "op", "calls/step", "ms/step", "share");
    for (int j = 0; j < MS_OP_COUNT && times[j].n_calls > 0; j++)
        fprintf(out, "%-24s %10.1f %12.3f %7.1f%%\n", times[j].op, (double)times[j].n_calls / n_steps,
                1e3 * times[j].seconds / n_steps, 100 * times[j].seconds / total);
}

static void print_speed(const contender *muon, const contender *adamw, int n_steps, FILE *out) {
    const ms_trainer_facts *facts = &muon->trainer->facts;
    double seconds = median(muon->seconds, n_steps), ratios[MAX_STEPS];
    double model_gflop = (double)facts->tokens_per_step * facts->model_flops_per_token / 1e9;
    for (int i = 0; i < n_steps; i++) ratios[i] = model_gflop / muon->seconds[i] / muon->peaks[i];
    double share = median(ratios, n_steps);
    fprintf(out, "step                 %.1f ms (median of %d), %lld tokens\n", 1e3 * seconds, n_steps,
            (long long)facts->tokens_per_step);
    fprintf(out, "tokens per second    %.0f\n", (double)facts->tokens_per_step / seconds);
    fprintf(out, "sgemm peak           %.1f GFLOP/s (median; measured around every step)\n",
            median(muon->peaks, n_steps));
    fprintf(out, "model arithmetic     %.1f GFLOP/s, of the sgemm peak: %.3f (median of the steps' ratios)\n",
            model_gflop / seconds, share);
    fprintf(out, "all arithmetic       %.1f GFLOP/s, of the sgemm peak: %.3f\n", facts->step_flops / seconds / 1e9,
            share * facts->step_flops / 1e9 / model_gflop);
    if (!adamw) return;
    for (int i = 0; i < n_steps; i++) ratios[i] = muon->seconds[i] / adamw->seconds[i];
    fprintf(out, "muon over adamw      %.3f (median of %d neighbouring pairs; adamw step %.1f ms)\n",
            median(ratios, n_steps), n_steps, 1e3 * median(adamw->seconds, n_steps));
}

static ms_status measure(const ms_config *config, int n_steps, bool compare_adamw, contender *main_one,
                         contender *adamw, FILE *out) {
    if (config->model.vocabulary == 0)
        return MS_FAIL(MS_INVALID, "bench train: give model.vocabulary, there is no data to take it from");
    ms_trainer_options options = ms_trainer_options_from_config(config, 0);
    double resident = resident_bytes(), unused;
    MS_TRY(open_contender(&options, n_steps, main_one));
    MS_TRY(timed_step(main_one, &unused));
    double measured = resident_bytes() - resident, planned = (double)main_one->trainer->facts.memory.total;
    int n_threads = ms_device_threads(main_one->trainer->device);
    fprintf(out, "train: %lld parameters, %s numerics, %d threads\n", (long long)main_one->trainer->facts.parameters,
            ms_numerics_name(options.numerics), n_threads);
    fprintf(out, "memory               planned %.1f MiB, measured %.1f MiB: %.3f\n", planned / 1048576,
            measured / 1048576, measured / planned);
    if (compare_adamw) {
        ms_trainer_options other = options;
        other.optimizer.kind = MS_OPTIMIZER_ADAMW;
        MS_TRY(open_contender(&other, n_steps, adamw));
        MS_TRY(timed_step(adamw, &unused));
    }
    set_timing(main_one);
    for (int i = 0; i < n_steps; i++) {
        double before_step = ms_bench_sgemm_peak(n_threads);
        MS_TRY(timed_step(main_one, &main_one->seconds[i]));
        main_one->peaks[i] = 0.5 * (before_step + ms_bench_sgemm_peak(n_threads));
        if (compare_adamw) MS_TRY(timed_step(adamw, &adamw->seconds[i]));
    }
    print_speed(main_one, compare_adamw ? adamw : NULL, n_steps, out);
    print_op_times(main_one, n_steps, out);
    return MS_OK;
}

ms_status ms_bench_train(const ms_config *config, int n_steps, bool compare_adamw, FILE *out) {
    if (n_steps < 1 || n_steps > MAX_STEPS)
        return MS_FAIL(MS_INVALID, "bench train: %d timed steps, must be 1 to %d", n_steps, MAX_STEPS);
    contender main_one = {0}, adamw = {0};
    ms_status status = measure(config, n_steps, compare_adamw, &main_one, &adamw, out);
    close_contender(&main_one);
    close_contender(&adamw);
    return status;
}
