#include "cli/bench/parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config/trainer_config.h"
#include "platform/blas.h"
#include "platform/clock.h"
#include "platform/median.h"
#include "platform/signals.h"
#include "train/parallel/transport_threads.h"
#include "train/trainer_group.h"
#include "train/zipf.h"

enum { MAX_STEPS = 1000 };

/* What a rank says of itself at the end. */
typedef struct report {
    double seconds[MS_SHARED_PHASE_COUNT]; /* a step */
    double optimizer_processor;            /* seconds a step of one processor; counts where n_threads is 1 */
    ms_trainer_traffic traffic;
    double device_bytes, state_bytes, exchange_bytes;
    int32_t n_threads; /* 0: its device has none */
} report;

/* One rank at work. */
typedef struct member {
    const ms_bench_parallel *bench;
    ms_group *group;
    ms_device *device;
    ms_trainer *trainer;
    ms_zipf_source tokens;
    ms_batch_source source;
    report *reports; /* [n_ranks] */
    ms_status status;
    char message[1024];
} member;

/* The same job by one process: rank 0's. */
typedef struct alone {
    ms_device *device;
    ms_trainer *trainer;
    ms_zipf_source tokens;
    ms_batch_source source;
} alone;

/* Of each timed pair of steps. */
typedef struct times {
    double shared[MAX_STEPS], alone[MAX_STEPS];
    double shared_processor[MAX_STEPS], alone_processor[MAX_STEPS]; /* of the process */
} times;

static ms_batch_source open_tokens(const ms_trainer_options *options, ms_zipf_source *out) {
    *out = (ms_zipf_source){
        .seed = options->seed, .vocabulary = options->model.vocabulary, .length = options->model.sequence_length};
    return ms_zipf_batches(out);
}

static int alone_threads(const ms_bench_parallel *bench) {
    int one = ms_device_options_from_config(bench->config).n_threads;
    if (bench->n_alone_threads) return bench->n_alone_threads;
    return bench->group ? one : one * bench->n_ranks;
}

static ms_status open_alone(const ms_bench_parallel *bench, alone *out) {
    ms_trainer_options options = ms_trainer_options_from_config(bench->config, 0);
    ms_device_options device = ms_device_options_from_config(bench->config);
    device.n_threads = alone_threads(bench);
    out->source = open_tokens(&options, &out->tokens);
    MS_TRY(ms_device_open(&device, &out->device));
    MS_TRY(ms_trainer_open(out->device, &options, &out->trainer));
    MS_TRY(ms_trainer_allocate(out->trainer));
    return ms_trainer_initialise(out->trainer);
}

static void close_alone(alone *a) {
    ms_trainer_close(a->trainer);
    if (a->device) ms_device_close(a->device);
}

static ms_status open_member(member *m) {
    ms_trainer_options options = ms_trainer_options_from_config(m->bench->config, 0);
    ms_device_options device = ms_device_options_from_config(m->bench->config);
    options.group = m->group;
    m->source = open_tokens(&options, &m->tokens);
    m->reports = calloc((size_t)ms_group_size(m->group), sizeof *m->reports);
    if (!m->reports) return MS_FAIL(MS_OUT_OF_MEMORY, "bench parallel: no memory for the reports of ranks");
    MS_TRY(ms_device_open(&device, &m->device));
    MS_TRY(ms_trainer_open(m->device, &options, &m->trainer));
    return ms_trainer_allocate(m->trainer);
}

static void close_member(member *m) {
    ms_trainer_close(m->trainer);
    if (m->device) ms_device_close(m->device);
}

static ms_status timed_step(ms_trainer *trainer, ms_batch_source source, double *out_seconds, double *out_processor) {
    ms_step_result result;
    MS_TRY(ms_signals_check("bench parallel"));
    double begin = ms_clock_seconds(), processor = ms_clock_process_seconds();
    MS_TRY(ms_trainer_step(trainer, source, NULL, &result));
    *out_seconds = ms_clock_seconds() - begin;
    *out_processor = ms_clock_process_seconds() - processor;
    return MS_OK;
}

/* Rank 0: pairs of steps. */
static ms_status time_steps(member *m, alone *one, times *out) {
    MS_TRY(ms_trainer_initialise(m->trainer));
    MS_TRY(open_alone(m->bench, one));
    for (int i = -1; i < m->bench->n_timed; i++) {
        int at = i < 0 ? 0 : i; /* the first pair is overwritten */
        MS_TRY(timed_step(one->trainer, one->source, &out->alone[at], &out->alone_processor[at]));
        MS_TRY(timed_step(m->trainer, m->source, &out->shared[at], &out->shared_processor[at]));
    }
    return ms_group_lead(m->group, MS_GROUP_END, MS_OK);
}

/* ---- what is printed ---- */

static double median_ratio(const double *a, const double *b, int n) {
    double ratios[MAX_STEPS];
    for (int i = 0; i < n; i++) ratios[i] = a[i] / b[i];
    return ms_median(ratios, n);
}

static double median_of(const double *values, int n) {
    double sorted[MAX_STEPS];
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    return ms_median(sorted, n);
}

/* How many times the one process's speed all ranks could have at most. */
static double limit_of(const member *m) {
    int n = ms_group_size(m->group), n_threads = 0;
    for (int r = 0; r < n; r++) n_threads += m->reports[r].n_threads;
    if (m->reports[0].n_threads > 0) return (double)n_threads / alone_threads(m->bench);
    return m->bench->group ? n : 1; /* threads of this process have one GPU together */
}

static void print_speed(const member *m, const times *t) {
    const ms_bench_parallel *bench = m->bench;
    const ms_trainer_options *options = &m->trainer->options;
    int n = bench->n_timed, n_ranks = ms_group_size(m->group);
    double shared = median_of(t->shared, n), one = median_of(t->alone, n), limit = limit_of(m);
    double tokens = (double)m->trainer->facts.tokens_per_step, ratio = median_ratio(t->alone, t->shared, n);
    fprintf(bench->out, "parallel: %lld parameters, %s, %s numerics, %d micro-steps of %d sequences a step\n",
            (long long)m->trainer->facts.parameters, options->device_name,
            ms_numerics_name(ms_device_numerics(m->device)), options->accumulation, options->batch_sequences);
    fprintf(bench->out, "ranks                %d, transport %s", n_ranks, ms_group_transport_name(m->group));
    if (m->reports[0].n_threads > 0) fprintf(bench->out, ", threads each: %d", m->reports[0].n_threads);
    fprintf(bench->out, "; beside them one process");
    if (m->reports[0].n_threads > 0) fprintf(bench->out, ", threads: %d", alone_threads(bench));
    fprintf(bench->out, "\nstep                 %.1f ms, one process %.1f ms (medians of %d pairs)\n", 1e3 * shared,
            1e3 * one, n);
    fprintf(bench->out, "tokens per second    %.0f, one process %.0f\n", tokens / shared, tokens / one);
    fprintf(bench->out, "ratio                %.3f, limit %.2f: of the limit %.3f (median of the pairs' ratios)\n",
            ratio, limit, ratio / limit);
    if (bench->group) return; /* others' processor time is not known here */
    fprintf(bench->out, "processor time       %.3f s a step, one process %.3f s: %.3f times (limit 1)\n",
            median_of(t->shared_processor, n), median_of(t->alone_processor, n),
            median_ratio(t->shared_processor, t->alone_processor, n));
}

static void print_ranks(const member *m) {
    FILE *out = m->bench->out;
    int n_ranks = ms_group_size(m->group);
    fprintf(out, "ms of a step\nrank");
    for (int p = 0; p < MS_SHARED_PHASE_COUNT; p++)
        fprintf(out, " %*s", p == 0 ? 11 : 10, ms_shared_phase_name((ms_shared_phase)p));
    for (int r = 0; r < n_ranks; r++) {
        fprintf(out, "\n%4d", r);
        for (int p = 0; p < MS_SHARED_PHASE_COUNT; p++)
            fprintf(out, " %*.2f", p == 0 ? 11 : 10, 1e3 * m->reports[r].seconds[p]);
    }
    fprintf(
        out,
        "\nrank   optimizer   processor exchanges gradients   weights      rest       state      device   exchange\n"
        "              ms          ms             MB sent   MB sent   MB sent         MiB         MiB   MiB of host\n");
    for (int r = 0; r < n_ranks; r++) {
        const report *of = &m->reports[r];
        char processor[24] = "-";
        if (of->n_threads == 1) snprintf(processor, sizeof processor, "%.2f", 1e3 * of->optimizer_processor);
        fprintf(out, "%4d %11.2f %11s %9d %9.3f %9.3f %9.3f %11.1f %11.1f %10.1f\n", r,
                1e3 * (of->seconds[MS_PHASE_SQUARES] + of->seconds[MS_PHASE_UPDATE]), processor,
                of->traffic.n_exchanges, 1e-6 * (double)of->traffic.gradients.out,
                1e-6 * (double)of->traffic.weights.out, 1e-6 * (double)of->traffic.rest.out, of->state_bytes / 1048576,
                of->device_bytes / 1048576, of->exchange_bytes / 1048576);
    }
}

/* ---- ranks ---- */

static ms_status gather_reports(member *m) {
    const ms_trainer_shared *shared = m->trainer->shared;
    report *own = &m->reports[shared->rank];
    double n_steps = (double)(shared->n_steps - 1);
    for (int p = 0; p < MS_SHARED_PHASE_COUNT; p++) own->seconds[p] = shared->seconds[p] / n_steps;
    own->optimizer_processor =
        (shared->processor_seconds[MS_PHASE_SQUARES] + shared->processor_seconds[MS_PHASE_UPDATE]) / n_steps;
    ms_trainer_shared_traffic(m->trainer, shared->rank, &own->traffic);
    own->device_bytes = (double)m->trainer->facts.memory.total;
    own->state_bytes = (double)m->trainer->facts.memory.optimizer_state;
    own->exchange_bytes = (double)ms_trainer_shared_bytes(m->trainer);
    own->n_threads = ms_device_threads(m->device);
    return ms_group_all_gather_equal(m->group, m->reports, sizeof *own);
}

static ms_status lead(member *m) {
    alone one = {0};
    times *t = calloc(1, sizeof *t);
    ms_status status = t ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "bench parallel: no memory for times");
    if (status == MS_OK) status = time_steps(m, &one, t);
    if (status == MS_OK) ms_group_settle(m->group); /* the others have been told of the end */
    if (status == MS_OK) status = gather_reports(m);
    if (status == MS_OK) print_speed(m, t);
    if (status == MS_OK) print_ranks(m);
    close_alone(&one);
    free(t);
    return status;
}

/* Whether this rank has the job of rank 0: what decides the sizes of what they exchange. */
static ms_status compare_jobs(const member *m) {
    const ms_trainer *trainer = m->trainer;
    const int64_t own[] = {trainer->facts.parameters, trainer->optimizer.n_norms, trainer->options.accumulation,
                           trainer->options.batch_sequences, (int64_t)trainer->numerics};
    int64_t first[sizeof own / sizeof *own];
    memcpy(first, own, sizeof own);
    MS_TRY(ms_group_broadcast(m->group, first, sizeof first));
    if (memcmp(first, own, sizeof own) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH,
                   "another job than rank 0's: give all ranks the same options, but for device and threads");
}

static ms_status run_member(member *m) {
    MS_TRY(ms_group_agree(m->group, open_member(m)));
    MS_TRY(ms_group_agree(m->group, compare_jobs(m)));
    if (ms_group_rank(m->group) == 0) return lead(m);
    MS_TRY(ms_trainer_follow(m->trainer, m->source, NULL));
    return gather_reports(m);
}

static void *run_thread(void *context) {
    member *m = context;
    m->status = run_member(m);
    if (m->status != MS_OK) snprintf(m->message, sizeof m->message, "%s", ms_status_message());
    close_member(m);
    ms_group_close(m->group, m->status);
    return NULL;
}

static ms_status run_threads(const ms_bench_parallel *bench, ms_threads_hub *hub, member *members) {
    pthread_t threads[MS_BENCH_PARALLEL_RANKS];
    int n = 0;
    ms_status status = MS_OK;
    for (int i = 0; i < bench->n_ranks; i++) {
        ms_transport transport = ms_threads_hub_transport(hub, i);
        members[i].bench = bench;
        if (status == MS_OK) status = ms_group_create(&transport, &members[i].group);
        if (status == MS_OK) status = ms_group_set_shares(members[i].group, bench->config->parallel.shares);
        if (status == MS_OK) ms_group_set_timeout(members[i].group, bench->config->parallel.timeout);
    }
    for (; status == MS_OK && n < bench->n_ranks; n++)
        if (pthread_create(&threads[n], NULL, run_thread, &members[n]) != 0) {
            status = MS_FAIL(MS_OUT_OF_MEMORY, "bench parallel: no memory for %d threads", bench->n_ranks);
            break;
        }
    for (int i = n; i < bench->n_ranks; i++) { /* those that did not begin: nobody waits for them */
        if (!members[i].group) continue;
        ms_group_abort(members[i].group, "it could not be started");
        ms_group_close(members[i].group, status);
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    if (status == MS_OK && members[0].status != MS_OK) return MS_FAIL(members[0].status, "%s", members[0].message);
    return status;
}

static ms_status run_here(const ms_bench_parallel *bench) {
    ms_threads_hub *hub;
    member *members = calloc((size_t)bench->n_ranks, sizeof *members);
    if (!members) return MS_FAIL(MS_OUT_OF_MEMORY, "bench parallel: no memory for %d ranks", bench->n_ranks);
    ms_status status = ms_blas_prepare();
    if (status == MS_OK) status = ms_threads_hub_create(bench->n_ranks, bench->config->parallel.timeout, &hub);
    if (status == MS_OK) {
        status = run_threads(bench, hub, members);
        ms_threads_hub_destroy(hub);
    }
    for (int i = 0; i < bench->n_ranks; i++) free(members[i].reports);
    free(members);
    return status;
}

ms_status ms_bench_parallel_check(const ms_bench_parallel *options) {
    if (options->n_timed < 1 || options->n_timed > MAX_STEPS)
        return MS_FAIL(MS_USAGE, "--timed_steps %d: must be 1 to %d", options->n_timed, MAX_STEPS);
    if (options->n_ranks < 1 || options->n_ranks > MS_BENCH_PARALLEL_RANKS)
        return MS_FAIL(MS_USAGE, "--ranks %d: must be 1 to %d", options->n_ranks, MS_BENCH_PARALLEL_RANKS);
    if (options->n_alone_threads < 0 || options->n_alone_threads > 1024)
        return MS_FAIL(MS_USAGE, "--alone_threads %d: must be 1 to 1024", options->n_alone_threads);
    if (options->config->model.vocabulary == 0)
        return MS_FAIL(MS_INVALID, "bench parallel: give model.vocabulary, there is no data to take it from");
    if (options->config->train.control == MS_CONTROL_NOISE)
        return MS_FAIL(MS_INVALID, "bench parallel: train.control noise has no micro-steps to share; leave it out");
    return MS_OK;
}

ms_status ms_bench_parallel_run(const ms_bench_parallel *options) {
    if (!options->group) return run_here(options);
    member m = {.bench = options, .group = options->group};
    ms_status status = run_member(&m);
    close_member(&m);
    free(m.reports);
    return status;
}
