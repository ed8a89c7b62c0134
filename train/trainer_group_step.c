/* The parts of a step that ranks share: gradients, sums of squares, update, weights. */
#include "train/trainer_group.h"

#include <string.h>

#include "backend/exact_constants.h"
#include "platform/clock.h"

/* The time since the last lap went into this. */
static void lap(ms_trainer *trainer, ms_shared_phase phase) {
    ms_trainer_shared *shared = trainer->shared;
    double now = ms_clock_seconds(), processor = ms_clock_thread_seconds();
    shared->seconds[phase] += now - shared->lap;
    shared->processor_seconds[phase] += processor - shared->processor_lap;
    shared->lap = now;
    shared->processor_lap = processor;
}

static void begin_laps(ms_trainer_shared *shared) {
    shared->lap = ms_clock_seconds();
    shared->processor_lap = ms_clock_thread_seconds();
    if (shared->n_steps++ != 1) return;
    memset(shared->seconds, 0, sizeof shared->seconds);
    memset(shared->processor_seconds, 0, sizeof shared->processor_seconds);
}

static ms_status agree(ms_trainer *trainer, ms_status status) {
    ms_status agreed = ms_group_agree(trainer->shared->group, status);
    lap(trainer, MS_PHASE_WAIT);
    return agreed;
}

/* ---- gradients ---- */

ms_status ms_trainer_shared_begin(ms_trainer *trainer) {
    if (!trainer->shared) return MS_OK;
    ms_trainer_shared *shared = trainer->shared;
    ms_group_set_slow(shared->group, shared->n_steps == 0);
    begin_laps(shared);
    ms_status status = shared->rank == 0 ? ms_group_lead(shared->group, MS_GROUP_STEP, trainer->wants_snapshot) : MS_OK;
    lap(trainer, MS_PHASE_WAIT);
    return status;
}

void ms_trainer_shared_settle(ms_trainer *trainer) {
    if (trainer->shared) ms_group_settle(trainer->shared->group);
}

/* Leaves n micro-steps of the source out. */
static ms_status skip(ms_trainer *trainer, ms_batch_source source, int32_t n) {
    if (n > 0 && source.skip) return source.skip(source.context, (int64_t)n * trainer->options.batch_sequences);
    for (int32_t i = 0; i < n; i++) MS_TRY(ms_trainer_next_batch(trainer, source));
    return MS_OK;
}

ms_status ms_trainer_download_gradients(ms_trainer *trainer, float *flat) {
    ms_store_part parts[MS_MAX_PARAMETERS];
    void *places[MS_MAX_PARAMETERS];
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        const ms_parameter *parameter = &trainer->model.parameters[i];
        ms_shape shape = ms_variables_get(trainer->variables, parameter->variable)->shape;
        parts[i] = (ms_store_part){parameter->gradient, 0, ms_shape_count(&shape)};
        places[i] = flat;
        flat += parts[i].count;
    }
    return ms_store_download_parts(trainer->store, parts, trainer->model.n_parameters, places);
}

/* Where a step stands on a rank. */
typedef struct progress {
    ms_batch_source source;
    int32_t next; /* micro-step that the source gives next */
    const ms_step_hooks *hooks;
    double *losses; /* of this rank, by micro-step */
} progress;

/* Where this rank's gradients of a round are: the exchange of the round before may still read its own. */
static float *flat_of(const ms_trainer *trainer, int i_round) {
    const ms_trainer_shared *shared = trainer->shared;
    int32_t most = ms_trainer_contributions(trainer, ms_trainer_portion(trainer, 0, shared->rank));
    bool is_second = ms_trainer_overlaps(trainer) && i_round % 2 == 1;
    return shared->flat + (is_second ? most * shared->n_elements : 0);
}

static ms_status make_portion(ms_trainer *trainer, progress *at, int i_round, bool is_last) {
    ms_trainer_shared *shared = trainer->shared;
    ms_portion of = ms_trainer_portion(trainer, i_round, shared->rank);
    bool apart = trainer->numerics == MS_NUMERICS_EXACT;
    float *flat = flat_of(trainer, i_round);
    for (int32_t i = 0; i < of.count; i++) {
        bool ends = i + 1 == of.count;
        MS_TRY(skip(trainer, at->source, of.first + i - at->next));
        at->next = of.first + i + 1;
        MS_TRY(ms_trainer_next_batch(trainer, at->source));
        ms_program *program = apart || i == 0 ? trainer->first : trainer->next;
        MS_TRY(ms_trainer_run_batch(trainer, at->source, false, program, is_last && ends ? at->hooks : NULL,
                                    &at->losses[of.first + i]));
        MS_TRY(ms_trainer_maxima_note(trainer));
        lap(trainer, MS_PHASE_MICRO_STEPS);
        if (apart || ends) MS_TRY(ms_trainer_download_gradients(trainer, flat + (apart ? i : 0) * shared->n_elements));
        lap(trainer, MS_PHASE_DOWNLOAD);
    }
    return MS_OK;
}

/* Where each contribution of the round comes to be, in order. */
static void place_contributions(ms_trainer *trainer, int i_round) {
    ms_trainer_shared *shared = trainer->shared;
    const float *own = flat_of(trainer, i_round) + shared->ownership.begin[shared->rank];
    int32_t n_received = 0;
    shared->i_exchanged = i_round;
    shared->n_of = 0;
    for (int r = 0; r < shared->n_ranks; r++) {
        int32_t count = ms_trainer_contributions(trainer, ms_trainer_portion(trainer, i_round, r));
        for (int32_t k = 0; k < count; k++)
            shared->of[shared->n_of++] =
                r == shared->rank ? own + k * shared->n_elements : shared->received + n_received++ * shared->own;
    }
}

/* Each rank's part of all contributions of the round, from their makers. */
ms_status ms_trainer_shared_exchange(void *context) {
    ms_trainer *trainer = context;
    ms_trainer_shared *shared = trainer->shared;
    const size_t *begin = shared->begin_bytes;
    int i_round = shared->i_exchanged;
    float *flat = flat_of(trainer, i_round);
    int32_t mine = ms_trainer_contributions(trainer, ms_trainer_portion(trainer, i_round, shared->rank));
    int32_t n_exchanges = ms_trainer_round_exchanges(trainer, i_round);
    for (int32_t k = 0; k < n_exchanges; k++) {
        int32_t before = 0;
        for (int r = 0; r < shared->n_ranks; r++) {
            int32_t count = ms_trainer_contributions(trainer, ms_trainer_portion(trainer, i_round, r));
            bool sends = r != shared->rank && k < mine, gets = r != shared->rank && k < count;
            shared->out[r] = (ms_message){flat + k * shared->n_elements + shared->ownership.begin[r],
                                          sends ? begin[r + 1] - begin[r] : 0};
            shared->in[r] = (ms_message){gets ? (float *)shared->of[before + k] : NULL,
                                         gets ? begin[shared->rank + 1] - begin[shared->rank] : 0};
            before += count;
        }
        MS_TRY(ms_group_exchange(shared->group, shared->out, shared->in));
    }
    return MS_OK;
}

/* sum = first + second + ..., or sum + first + ...: in the order of the micro-steps. */
static void add_contributions(ms_trainer_shared *shared) {
    float *restrict sum = shared->sum;
    for (int32_t i = 0; i < shared->n_of; i++) {
        const float *restrict x = shared->of[i];
        if (shared->i_exchanged == 0 && i == 0)
            memcpy(sum, x, (size_t)shared->own * sizeof *sum);
        else
            for (int64_t k = 0; k < shared->own; k++) sum[k] = sum[k] + x[k];
    }
}

/* A rank's part of each parameter, in its gradient or in its variable; returns how many it has. */
static int list_own(const ms_trainer *trainer, bool gradients, ms_store_part parts[MS_MAX_PARAMETERS]) {
    const ms_trainer_shared *shared = trainer->shared;
    int n = 0;
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        const ms_optimizer_entry *entry = &trainer->optimizer.parameters[i];
        int64_t count = ms_ownership_rows(&shared->ownership, i, shared->rank) > 0 ? ms_shape_count(&entry->shape) : 0;
        if (count == 0) continue;
        int32_t variable = gradients ? entry->parameter.gradient : entry->parameter.variable;
        parts[n++] = (ms_store_part){variable, entry->first_element, count};
    }
    return n;
}

static ms_status upload_sum(ms_trainer *trainer) {
    ms_store_part parts[MS_MAX_PARAMETERS];
    int n = list_own(trainer, true, parts);
    const float *from = trainer->shared->sum;
    for (int i = 0; i < n; from += parts[i++].count)
        MS_TRY(ms_store_upload(trainer->store, parts[i].variable, parts[i].offset, parts[i].count, from));
    return MS_OK;
}

/* The losses of all micro-steps, from who made them, and whether rank 0 wants the update captured. */
static ms_status gather_losses(ms_trainer *trainer, double *out_loss) {
    ms_trainer_shared *shared = trainer->shared;
    int32_t n = trainer->options.accumulation;
    size_t stride = (size_t)n + 1;
    shared->losses[(size_t)shared->rank * stride + (size_t)n] = trainer->capture_next;
    MS_TRY(ms_group_all_gather_equal(shared->group, shared->losses, stride * sizeof *shared->losses));
    trainer->capture_next = shared->losses[n] != 0;
    *out_loss = 0;
    for (int i_round = 0; i_round < ms_trainer_round_count(trainer); i_round++)
        for (int r = 0; r < shared->n_ranks; r++) {
            ms_portion of = ms_trainer_portion(trainer, i_round, r);
            for (int32_t i = 0; i < of.count; i++)
                *out_loss += shared->losses[(size_t)r * stride + (size_t)(of.first + i)];
        }
    return MS_OK;
}

static void add_exchanged(ms_trainer *trainer) {
    lap(trainer, MS_PHASE_EXCHANGE);
    add_contributions(trainer->shared);
    lap(trainer, MS_PHASE_ADD);
}

/* The gradients of a round, to their owners, who add them: of the last round at once, of others beside the micro-steps
   that follow.  No other exchange is made until await_round. */
static ms_status exchange_round(ms_trainer *trainer, int i_round) {
    ms_trainer_shared *shared = trainer->shared;
    place_contributions(trainer, i_round);
    if (shared->background && i_round + 1 < ms_trainer_round_count(trainer)) {
        ms_background_start(shared->background);
        return MS_OK;
    }
    MS_TRY(ms_trainer_shared_exchange(trainer));
    add_exchanged(trainer);
    return MS_OK;
}

static ms_status await_round(ms_trainer *trainer) {
    if (!trainer->shared->background) return MS_OK;
    MS_TRY(ms_background_wait(trainer->shared->background));
    add_exchanged(trainer);
    return MS_OK;
}

ms_status ms_trainer_shared_learn(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                                  double *out_loss) {
    ms_trainer_shared *shared = trainer->shared;
    int n_rounds = ms_trainer_round_count(trainer), last = n_rounds - 1;
    size_t stride = (size_t)trainer->options.accumulation + 1;
    progress at = {source, 0, hooks, shared->losses + (size_t)shared->rank * stride};
    ms_trainer_maxima_begin(trainer);
    while (last > 0 && ms_trainer_portion(trainer, last, shared->rank).count == 0) last--;
    for (int i = 0; i < n_rounds; i++) {
        ms_status status = make_portion(trainer, &at, i, i == last);
        if (status == MS_OK && i + 1 == n_rounds)
            status = skip(trainer, source, trainer->options.accumulation - at.next);
        lap(trainer, MS_PHASE_MICRO_STEPS);
        if (i > 0) MS_TRY(await_round(trainer));
        MS_TRY(agree(trainer, status));
        MS_TRY(exchange_round(trainer, i));
    }
    ms_status status = ms_trainer_maxima_exchange(trainer);
    if (status == MS_OK) status = gather_losses(trainer, out_loss);
    lap(trainer, MS_PHASE_SMALL);
    return status;
}

ms_status ms_trainer_shared_drawn(ms_trainer *trainer, ms_status status) {
    double no_loss;
    if (!trainer->shared) return status;
    lap(trainer, MS_PHASE_MICRO_STEPS);
    MS_TRY(agree(trainer, status));
    status = gather_losses(trainer, &no_loss);
    lap(trainer, MS_PHASE_SMALL);
    return status;
}

/* ---- update ---- */

/* The sums of squares that the first half of the update leaves in two vectors: which of a parameter's are a rank's,
   within the one vector that both make. */
static void find_squares(const ms_trainer *trainer, int i_parameter, int rank, int64_t *out_begin, int64_t *out_end) {
    const ms_trainer_shared *shared = trainer->shared;
    const ms_optimizer_entry *entry = &trainer->optimizer.parameters[i_parameter];
    int64_t first = ms_ownership_first_row(&shared->ownership, i_parameter, rank);
    int64_t end = first + ms_ownership_rows(&shared->ownership, i_parameter, rank);
    if (entry->parameter.is_matrix) {
        *out_begin = entry->first_norm + first * entry->parameter.n_groups;
        *out_end = entry->first_norm + end * entry->parameter.n_groups;
        return;
    }
    ms_shape shape = ms_variables_get(trainer->variables, entry->parameter.variable)->shape;
    int64_t row = ms_shape_count(&shape) / shape.dim[0], place = trainer->optimizer.n_norms + entry->first_block;
    *out_begin = place + first * row / MS_REDUCE_BLOCK;
    *out_end = first == end ? *out_begin : place + (end * row + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
}

/* All sums of squares, from who owns what they are of. */
static ms_status exchange_squares(ms_trainer *trainer, ms_status status) {
    ms_trainer_shared *shared = trainer->shared;
    const ms_optimizer *optimizer = &trainer->optimizer;
    size_t n = (size_t)optimizer->n_norms + (size_t)optimizer->n_blocks;
    float *own = shared->squares + n * (size_t)shared->rank;
    const ms_store_part parts[2] = {{optimizer->gradient_squares, 0, optimizer->n_norms},
                                    {optimizer->block_squares, 0, optimizer->n_blocks}};
    float *const places[2] = {own, own + optimizer->n_norms};
    int n_parts = optimizer->n_blocks > 0 ? 2 : 1;
    if (status == MS_OK)
        status = ms_store_download_parts(trainer->store, parts, n_parts, (void *[]){places[0], places[1]});
    lap(trainer, MS_PHASE_SQUARES);
    MS_TRY(agree(trainer, status));
    MS_TRY(ms_group_all_gather_equal(shared->group, shared->squares, n * sizeof *own));
    for (int i = 0; i < optimizer->n_parameters; i++)
        for (int r = 0; r < shared->n_ranks; r++) {
            int64_t first, end;
            find_squares(trainer, i, r, &first, &end);
            if (r == shared->rank) continue;
            memcpy(own + first, shared->squares + n * (size_t)r + first, (size_t)(end - first) * sizeof *own);
        }
    for (int i = 0; i < n_parts; i++)
        MS_TRY(ms_store_upload(trainer->store, parts[i].variable, 0, parts[i].count, places[i]));
    return MS_OK;
}

static ms_status download_own_weights(ms_trainer *trainer) {
    ms_store_part parts[MS_MAX_PARAMETERS];
    void *places[MS_MAX_PARAMETERS];
    float *to = trainer->shared->flat + trainer->shared->ownership.begin[trainer->shared->rank];
    int n = list_own(trainer, false, parts);
    for (int i = 0; i < n; to += parts[i++].count) places[i] = to;
    return ms_store_download_parts(trainer->store, parts, n, places);
}

/* The weights of all but this rank, from flat. */
static ms_status upload_other_weights(ms_trainer *trainer) {
    const ms_trainer_shared *shared = trainer->shared;
    int64_t begin = shared->ownership.begin[shared->rank], end = shared->ownership.begin[shared->rank + 1], place = 0;
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        int32_t variable = trainer->model.parameters[i].variable;
        ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
        int64_t count = ms_shape_count(&shape), stop = place + count;
        int64_t before = begin < stop ? begin : stop, after = end > place ? end : place;
        if (before > place) MS_TRY(ms_store_upload(trainer->store, variable, 0, before - place, shared->flat + place));
        if (after < stop)
            MS_TRY(ms_store_upload(trainer->store, variable, after - place, stop - after, shared->flat + after));
        place = stop;
    }
    return MS_OK;
}

ms_status ms_trainer_shared_update(ms_trainer *trainer, ms_program *update, ms_status status) {
    ms_trainer_shared *shared = trainer->shared;
    bool has_learned = trainer->options.control != MS_CONTROL_NOISE;
    if (status == MS_OK && has_learned) status = upload_sum(trainer);
    if (status == MS_OK) status = ms_trainer_maxima_upload(trainer);
    lap(trainer, MS_PHASE_UPLOAD);
    if (status == MS_OK) status = ms_program_run(trainer->squares);
    status = exchange_squares(trainer, status);
    lap(trainer, MS_PHASE_SMALL);
    if (status == MS_OK) status = ms_program_run(update);
    if (status == MS_OK) status = download_own_weights(trainer);
    lap(trainer, MS_PHASE_UPDATE);
    MS_TRY(agree(trainer, status));
    MS_TRY(ms_group_all_gather(shared->group, shared->flat, shared->begin_bytes));
    lap(trainer, MS_PHASE_ALL_GATHER);
    status = upload_other_weights(trainer);
    lap(trainer, MS_PHASE_UPLOAD);
    return status;
}

/* Sums of squares of weights and updates are 0 where another rank owns the rows. */
ms_status ms_trainer_shared_norms(ms_trainer *trainer, ms_status status) {
    ms_trainer_shared *shared = trainer->shared;
    size_t n = 2 * (size_t)trainer->optimizer.n_norms;
    double *own = trainer->norm_buffer + trainer->optimizer.n_norms;
    lap(trainer, MS_PHASE_SMALL);
    MS_TRY(agree(trainer, status));
    memcpy(shared->norms + n * (size_t)shared->rank, own, n * sizeof *own);
    MS_TRY(ms_group_all_gather_equal(shared->group, shared->norms, n * sizeof *own));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int r = 0; r < shared->n_ranks; r++) sum += shared->norms[n * (size_t)r + i];
        own[i] = sum;
    }
    lap(trainer, MS_PHASE_SMALL);
    return MS_OK;
}
