/* Measuring what ranks would do, one after the other on one device. */
#include "train/rank_plan.h"

#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/median.h"
#include "train/parallel/transport_rehearsal.h"
#include "train/trainer_group.h"
#include "train/zipf.h"

/* Timed steps of a rank: MOST of them, or as many as enough_seconds take, but LEAST. */
enum { LEAST_STEPS = 3, MOST_STEPS = 5 };
static const double enough_seconds = 3;

/* ---- one rank ---- */

typedef struct rehearsed_rank {
    ms_rehearsal rehearsal;
    ms_group *group;
    ms_trainer *trainer;
} rehearsed_rank;

static void close_rank(rehearsed_rank *rank) {
    ms_trainer_close(rank->trainer);
    ms_group_close(rank->group, MS_OK);
    ms_rehearsal_finish(&rank->rehearsal);
    *rank = (rehearsed_rank){0};
}

/* Without storage.  The caller closes it, also after an error. */
static ms_status open_rank(ms_device *device, const ms_trainer_options *options, const ms_rank_plan_request *request,
                           int i_rank, int n_ranks, rehearsed_rank *out) {
    ms_trainer_options own = *options;
    *out = (rehearsed_rank){.rehearsal = {.rank = i_rank, .n_ranks = n_ranks}};
    if (n_ranks > 1) {
        const ms_transport transport = ms_rehearsal_transport(&out->rehearsal);
        MS_TRY(ms_group_create(&transport, &out->group));
        if (n_ranks == request->n_ranks) MS_TRY(ms_group_set_shares(out->group, request->shares));
    }
    own.group = out->group;
    return ms_trainer_open(device, &own, &out->trainer);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void note_memory(const ms_trainer *trainer, ms_rank_plan_row *row) {
    const ms_memory_plan *own = &trainer->facts.memory;
    ms_memory_plan *most = &row->memory;
    most->parameters = larger(most->parameters, own->parameters);
    most->gradients = larger(most->gradients, own->gradients);
    most->optimizer_state = larger(most->optimizer_state, own->optimizer_state);
    most->other_variables = larger(most->other_variables, own->other_variables);
    most->arena = larger(most->arena, own->arena);
    most->workspace = larger(most->workspace, own->workspace);
    most->total = larger(most->total, own->total);
    most->least = larger(most->least, own->least);
    if (trainer->shared) row->host_bytes = larger(row->host_bytes, ms_trainer_shared_bytes(trainer));
    if (ms_trainer_check_memory(trainer) != MS_OK) row->fits = false;
}

static void list_rows(ms_rank_plan *plan) {
    int most = plan->request.n_ranks;
    for (int n = 1; n < most && plan->n_rows < MS_RANK_PLAN_ROWS - 1; n *= 2) {
        if (n > 1 && plan->request.shares[0]) break; /* they are those of all */
        plan->rows[plan->n_rows++] = (ms_rank_plan_row){.n_ranks = n, .fits = true};
    }
    plan->rows[plan->n_rows++] = (ms_rank_plan_row){.n_ranks = most, .fits = true};
}

ms_status ms_rank_plan_open(ms_device *device, const ms_trainer_options *options, const ms_rank_plan_request *request,
                            ms_rank_plan *out) {
    *out = (ms_rank_plan){.request = *request,
                          .numerics = ms_device_numerics(device),
                          .most_ranks = options->control == MS_CONTROL_NOISE ? INT32_MAX : options->accumulation};
    if (request->n_ranks < 2 || request->n_ranks > MS_RANK_PLAN_MOST)
        return MS_FAIL(MS_INVALID, "a plan of %d ranks: must be 2 to %d", request->n_ranks, (int)MS_RANK_PLAN_MOST);
    list_rows(out);
    for (int i = out->n_rows - 1; i >= 0; i--) { /* what cannot be shared is said before anything else is done */
        ms_rank_plan_row *row = &out->rows[i];
        for (int r = 0; r < row->n_ranks; r++) {
            rehearsed_rank rank;
            ms_status status = open_rank(device, options, request, r, row->n_ranks, &rank);
            if (status == MS_OK) note_memory(rank.trainer, row);
            close_rank(&rank);
            MS_TRY(status);
        }
    }
    return MS_OK;
}

/* ---- steps ---- */

/* What all measurements share. */
typedef struct meter {
    ms_device *device;
    const ms_trainer_options *options;
    ms_rank_plan *plan;
    ms_zipf_source tokens;
    float *weights; /* initial ones, of all parameters in a line; NULL: not drawn yet */
} meter;

/* Weights are drawn once: that takes longer than a step. */
static ms_status reset_weights(meter *m, const ms_trainer *trainer) {
    if (m->weights) {
        MS_TRY(ms_trainer_move_weights(trainer, false, m->weights));
        return ms_model_upload_constants(&trainer->model, trainer->store);
    }
    m->weights = malloc((size_t)trainer->facts.parameters * sizeof *m->weights);
    if (!m->weights)
        return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %lld weights", (long long)trainer->facts.parameters);
    MS_TRY(ms_model_upload_initial(&trainer->model, m->options->seed, trainer->store));
    return ms_trainer_move_weights(trainer, true, m->weights);
}

/* One step from the initial weights, as rank 0 leads it or another follows. */
static ms_status step(meter *m, rehearsed_rank *rank, double *out_begin, double *out_end) {
    ms_step_result result;
    ms_group_command command;
    int64_t argument;
    MS_TRY(reset_weights(m, rank->trainer));
    ms_rehearsal_clear(&rank->rehearsal);
    *out_begin = ms_clock_seconds();
    if (rank->group && ms_group_rank(rank->group) > 0) MS_TRY(ms_group_follow(rank->group, &command, &argument));
    MS_TRY(ms_trainer_step(rank->trainer, ms_zipf_batches(&m->tokens), NULL, &result));
    *out_end = ms_clock_seconds();
    return MS_OK;
}

static bool is_enough(int n_timed, double begin) {
    return n_timed >= MOST_STEPS || (n_timed >= LEAST_STEPS && ms_clock_seconds() - begin > enough_seconds);
}

/* ---- one process ---- */

/* The update once more, alone, until its norms are there. */
static ms_status time_update(const ms_trainer *trainer, double *out_seconds) {
    double begin = ms_clock_seconds(), norm;
    MS_TRY(ms_program_run(trainer->update));
    MS_TRY(ms_store_download_f64(trainer->store, trainer->optimizer.update_squares, 0, 1, &norm));
    *out_seconds = ms_clock_seconds() - begin;
    return MS_OK;
}

static double greater(double a, double b) { return a > b ? a : b; }

static double spread_of(const double *seconds, int n) {
    double least = seconds[0], most = seconds[0];
    for (int i = 1; i < n; i++) {
        if (seconds[i] < least) least = seconds[i];
        most = greater(most, seconds[i]);
    }
    return least > 0 ? most / least : 1;
}

static ms_status measure_alone(meter *m, rehearsed_rank *rank, ms_rank_plan_row *row) {
    double steps[MOST_STEPS], updates[MOST_STEPS], begin, end, first;
    MS_TRY(step(m, rank, &begin, &end));
    MS_TRY(time_update(rank->trainer, &updates[0]));
    first = ms_clock_seconds();
    for (row->n_timed = 0; !is_enough(row->n_timed, first); row->n_timed++) {
        MS_TRY(step(m, rank, &begin, &end));
        steps[row->n_timed] = end - begin;
        MS_TRY(time_update(rank->trainer, &updates[row->n_timed]));
    }
    row->spread = spread_of(steps, row->n_timed);
    row->update_seconds = ms_median(updates, row->n_timed);
    row->compute_seconds = ms_median(steps, row->n_timed) - row->update_seconds;
    if (row->compute_seconds < 0) row->compute_seconds = 0;
    return MS_OK;
}

/* ---- several ranks ---- */

/* Of each exchange of a step, over the ranks so far; and of the time before it, and after the last. */
typedef struct merged_exchange {
    double seconds;        /* that the slowest rank takes before it */
    double bytes, largest; /* sent or received by the busiest rank; of a message */
    bool is_hidden;        /* goes on beside what comes before the next exchange that is not */
} merged_exchange;

typedef struct merged_step {
    merged_exchange *exchanges; /* [n + 1]: the last one is the end of the step */
    int n;
    int n_learning; /* exchanges up to the last of the gradients; those after it are the update's */
} merged_step;

/* Exchanges of an update alone, with whatever gradients and norms there are. */
static ms_status count_update(rehearsed_rank *rank, int *out) {
    ms_rehearsal_clear(&rank->rehearsal);
    MS_TRY(ms_trainer_shared_update(rank->trainer, rank->trainer->update, MS_OK));
    MS_TRY(ms_trainer_shared_norms(rank->trainer, MS_OK));
    *out = rank->rehearsal.n_exchanges;
    return MS_OK;
}

/* The command, then in each round an agreement and the gradients. */
static void find_hidden(const ms_trainer *trainer, merged_step *merged) {
    int n_rounds = ms_trainer_round_count(trainer), k = 1;
    for (int i = 0; i + 1 < n_rounds && ms_trainer_overlaps(trainer); i++) {
        k++;
        for (int32_t j = ms_trainer_round_exchanges(trainer, i); j > 0 && k < merged->n; j--)
            merged->exchanges[k++].is_hidden = true;
    }
}

/* n: exchanges of a step; of them the update's. */
static ms_status begin_merge(const rehearsed_rank *rank, int n, int n_update, merged_step *merged) {
    if (merged->exchanges && merged->n == n && merged->n_learning == n - n_update) return MS_OK;
    if (merged->exchanges)
        return MS_FAIL(MS_INTERNAL, "plan: rank %d makes %d exchanges, rank 0 %d", rank->rehearsal.rank, n, merged->n);
    merged->exchanges = calloc((size_t)n + 1, sizeof *merged->exchanges);
    if (!merged->exchanges) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d exchanges", n);
    merged->n = n;
    merged->n_learning = n - n_update;
    find_hidden(rank->trainer, merged);
    return MS_OK;
}

static void merge(const ms_rehearsal *rehearsal, double *times, int n_timed, merged_step *merged) {
    for (int k = 0; k <= merged->n; k++) {
        merged_exchange *to = &merged->exchanges[k];
        double of_exchange[MOST_STEPS];
        for (int i = 0; i < n_timed; i++) of_exchange[i] = times[(size_t)i * ((size_t)merged->n + 1) + (size_t)k];
        to->seconds = greater(to->seconds, ms_median(of_exchange, n_timed));
        if (k == merged->n) continue;
        const ms_rehearsed_exchange *from = &rehearsal->exchanges[k];
        to->bytes = greater(to->bytes, greater((double)from->sent_bytes, (double)from->received_bytes));
        to->largest = greater(to->largest, (double)from->largest_bytes);
    }
}

/* What the last step took before each exchange, and after the last. */
static void split_step(const ms_rehearsal *rehearsal, double begin, double end, double *out) {
    for (int k = 0; k < rehearsal->n_exchanges; k++) {
        out[k] = rehearsal->exchanges[k].begin - begin;
        begin = rehearsal->exchanges[k].end;
    }
    out[rehearsal->n_exchanges] = end - begin;
}

static ms_status measure_rank(meter *m, rehearsed_rank *rank, ms_rank_plan_row *row, merged_step *merged) {
    double begin, end, first, steps[MOST_STEPS];
    int n_update, n_timed = 0;
    MS_TRY(step(m, rank, &begin, &end));
    int n_exchanges = rank->rehearsal.n_exchanges;
    MS_TRY(count_update(rank, &n_update));
    MS_TRY(begin_merge(rank, n_exchanges, n_update, merged));
    size_t n = (size_t)merged->n + 1;
    double *times = malloc(MOST_STEPS * n * sizeof *times);
    if (!times) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for the times of %zu exchanges", n);
    ms_status status = MS_OK;
    first = ms_clock_seconds();
    while (status == MS_OK && !is_enough(n_timed, first)) {
        status = step(m, rank, &begin, &end);
        if (status != MS_OK) break;
        split_step(&rank->rehearsal, begin, end, times + (size_t)n_timed * n);
        steps[n_timed++] = end - begin;
    }
    if (status == MS_OK) {
        merge(&rank->rehearsal, times, n_timed, merged);
        row->spread = greater(row->spread, spread_of(steps, n_timed));
    }
    free(times);
    if (row->n_timed == 0 || n_timed < row->n_timed) row->n_timed = n_timed;
    return status;
}

static void sum_up(const merged_step *merged, const ms_link *link, ms_rank_plan_row *row) {
    double beside = 0; /* seconds of exchanges that go on */
    for (int k = 0; k <= merged->n; k++) {
        const merged_exchange *of = &merged->exchanges[k];
        if (!of->is_hidden) {
            row->hidden_seconds += beside < of->seconds ? beside : of->seconds;
            beside = 0;
        }
        *(k < merged->n_learning ? &row->compute_seconds : &row->update_seconds) += of->seconds;
        double seconds = ms_link_seconds(link, of->bytes, of->largest);
        row->exchange_seconds += seconds;
        if (of->is_hidden) beside += seconds;
        row->link_bytes += of->bytes;
        row->n_exchanges += of->bytes > 0;
    }
}

static ms_status measure_row(meter *m, ms_rank_plan_row *row) {
    merged_step merged = {0};
    ms_status status = MS_OK;
    for (int r = 0; status == MS_OK && r < row->n_ranks; r++) {
        rehearsed_rank rank;
        status = open_rank(m->device, m->options, &m->plan->request, r, row->n_ranks, &rank);
        if (status == MS_OK) status = ms_trainer_allocate(rank.trainer);
        if (status == MS_OK)
            status = row->n_ranks == 1 ? measure_alone(m, &rank, row) : measure_rank(m, &rank, row, &merged);
        close_rank(&rank);
    }
    if (status == MS_OK && row->n_ranks > 1) sum_up(&merged, &m->plan->request.link, row);
    free(merged.exchanges);
    return status;
}

ms_status ms_rank_plan_measure(ms_device *device, const ms_trainer_options *options, ms_rank_plan *plan) {
    meter m = {.device = device,
               .options = options,
               .plan = plan,
               .tokens = {.seed = options->seed,
                          .vocabulary = options->model.vocabulary,
                          .length = options->model.sequence_length}};
    ms_status status = MS_OK;
    int n_measured = 0;
    for (int i = 0; status == MS_OK && i < plan->n_rows; i++) {
        if (!plan->rows[i].fits) continue;
        n_measured++;
        status = measure_row(&m, &plan->rows[i]);
        if (status != MS_OK) status = ms_status_note(status, "a plan of %d ranks", plan->rows[i].n_ranks);
    }
    free(m.weights);
    if (status != MS_OK || n_measured > 0) return status;
    return MS_FAIL(MS_OUT_OF_MEMORY,
                   "a plan of %d ranks: no rank fits device %s, and what is not measured is not predicted",
                   plan->request.n_ranks, ms_device_get_info(device)->name);
}
