/* Steps that ranks share. */
#include "train/trainer_group.h"

#include <stdlib.h>
#include <string.h>

#include "backend/exact_constants.h"

/* ---- who owns what ---- */

static int64_t greatest_common_divisor(int64_t a, int64_t b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

/* What the update of an element costs in the unit of a matrix's max(R, C) min(R, C)^2, of which the iterations of Muon
   make about 30 operations: AdamW moves 28 bytes an element, and an assumed ten operations a byte. */
static const double element_cost = 10;

/* Matrices are cut by layers.  What is updated element by element is cut by rows that are whole blocks of the sum of
   squares of its gradient. */
static ms_owned_parameter describe(const ms_trainer *trainer, const ms_parameter *parameter) {
    const ms_optimizer_config *config = &trainer->options.optimizer;
    const ms_optimizer_rule *rule =
        config->matrices_rule.rule ? config->matrices_rule.rule : ms_optimizer_kind_rule(config->kind);
    ms_shape shape = ms_variables_get(trainer->variables, parameter->variable)->shape;
    ms_owned_parameter owned = {.rows = shape.dim[0], .row_elements = ms_shape_count(&shape) / shape.dim[0]};
    owned.row_cost = element_cost * (double)owned.row_elements;
    if (parameter->role == MS_ROLE_MATRIX) {
        double rows = (double)shape.dim[1], columns = (double)shape.dim[2];
        owned.granule = 1;
        if (rule && rule->orthogonalises) owned.row_cost = rows * columns * (rows < columns ? rows : columns);
    } else {
        owned.granule = MS_REDUCE_BLOCK / greatest_common_divisor(MS_REDUCE_BLOCK, owned.row_elements);
    }
    return owned;
}

static int32_t shares_before(const ms_trainer_shared *shared, int rank) {
    int32_t sum = 0;
    for (int i = 0; i < rank; i++) sum += ms_group_share(shared->group, i);
    return sum;
}

/* The micro-steps of a rank between exchange number i_round - 1 and i_round. */
typedef struct portion {
    int32_t first, count;
} portion;

static portion portion_of(const ms_trainer *trainer, int i_round, int rank) {
    const ms_trainer_shared *shared = trainer->shared;
    int64_t all = shares_before(shared, shared->n_ranks), n = trainer->options.accumulation;
    int64_t begin = shares_before(shared, rank), end = begin + ms_group_share(shared->group, rank);
    if (trainer->numerics == MS_NUMERICS_EXACT) {
        begin += i_round * all;
        end += i_round * all;
    } else {
        begin = n * begin / all;
        end = n * end / all;
    }
    if (begin > n) begin = n;
    if (end > n) end = n;
    return (portion){(int32_t)begin, (int32_t)(end - begin)};
}

static int round_count(const ms_trainer *trainer) {
    const ms_trainer_shared *shared = trainer->shared;
    int32_t all = shares_before(shared, shared->n_ranks);
    return trainer->numerics == MS_NUMERICS_EXACT ? (trainer->options.accumulation + all - 1) / all : 1;
}

/* Gradients of a portion that are handed over: each in `exact`, else their sum. */
static int32_t contributions(const ms_trainer *trainer, portion of) {
    return trainer->numerics == MS_NUMERICS_EXACT ? of.count : of.count > 0;
}

double ms_trainer_shared_passes(const ms_trainer *trainer) {
    double passes = 0;
    if (!trainer->shared) return trainer->options.accumulation;
    for (int i = 0; i < round_count(trainer); i++) passes += portion_of(trainer, i, trainer->shared->rank).count;
    return passes;
}

static ms_status check(const ms_trainer *trainer) {
    const ms_trainer_options *options = &trainer->options;
    const ms_trainer_shared *shared = trainer->shared;
    if (options->control == MS_CONTROL_NOISE)
        return MS_FAIL(MS_INVALID, "ranks: control noise has no micro-steps to share; train it on one rank");
    if (trainer->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "ranks: the f64 oracle's work is not shared");
    for (int i = 0; i < shared->n_ranks; i++)
        if (portion_of(trainer, 0, i).count == 0)
            return MS_FAIL(MS_INVALID,
                           "%d ranks and %d micro-steps a step (train.accumulation): rank %d would have none; start "
                           "fewer ranks, or accumulate more and smaller micro-steps, which gives other bits",
                           shared->n_ranks, options->accumulation, i);
    return MS_OK;
}

static ms_status cut_parameters(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    ms_owned_parameter parameters[MS_MAX_PARAMETERS];
    int n = trainer->model.n_parameters;
    for (int i = 0; i < n; i++) parameters[i] = describe(trainer, &trainer->model.parameters[i]);
    MS_TRY(ms_ownership_init(parameters, n, shared->n_ranks, &shared->ownership));
    shared->n_elements = shared->ownership.begin[shared->n_ranks];
    shared->own = shared->ownership.begin[shared->rank + 1] - shared->ownership.begin[shared->rank];
    return MS_OK;
}

ms_status ms_trainer_shared_create(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared = calloc(1, sizeof *shared);
    if (!shared) return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory");
    shared->group = trainer->options.group;
    shared->rank = ms_group_rank(shared->group);
    shared->n_ranks = ms_group_size(shared->group);
    MS_TRY(check(trainer));
    return cut_parameters(trainer);
}

ms_status ms_trainer_shared_cut(ms_trainer *trainer, ms_optimizer_parameter parameters[MS_MAX_PARAMETERS]) {
    ms_trainer_shared *shared = trainer->shared;
    ms_optimizer_config config = trainer->options.optimizer;
    config.captures = false;
    MS_TRY(ms_variables_create(&shared->variables));
    MS_TRY(ms_model_init(&trainer->options.model, shared->variables, &shared->model));
    MS_TRY(ms_optimizer_init(&config, shared->variables, parameters, trainer->model.n_parameters, &shared->optimizer));
    trainer->options.optimizer.sharded = true;
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        parameters[i].first_row = ms_ownership_first_row(&shared->ownership, i, shared->rank);
        parameters[i].n_rows = ms_ownership_rows(&shared->ownership, i, shared->rank);
    }
    return MS_OK;
}

/* Gradients between two exchanges: of all ranks, and of this one. */
static size_t count_contributions(const ms_trainer *trainer, size_t *out_mine) {
    size_t all = 0;
    for (int i = 0; i < trainer->shared->n_ranks; i++) {
        size_t count = (size_t)contributions(trainer, portion_of(trainer, 0, i));
        all += count;
        if (i == trainer->shared->rank) *out_mine = count;
    }
    return all;
}

size_t ms_trainer_shared_bytes(const ms_trainer *trainer) {
    const ms_trainer_shared *shared = trainer->shared;
    size_t mine = 0, all = count_contributions(trainer, &mine);
    return sizeof(float) * (mine * (size_t)shared->n_elements + (all - mine + 1) * (size_t)shared->own);
}

ms_status ms_trainer_shared_allocate(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    size_t own = (size_t)shared->own, n = (size_t)shared->n_ranks, mine = 0;
    size_t all = count_contributions(trainer, &mine);
    shared->n_flat = (int32_t)mine;
    shared->flat = calloc(mine * (size_t)shared->n_elements, sizeof *shared->flat);
    shared->received = calloc((all - mine) * own + 1, sizeof *shared->received);
    shared->sum = calloc(own + 1, sizeof *shared->sum);
    shared->losses = calloc(n * ((size_t)trainer->options.accumulation + 1), sizeof *shared->losses);
    shared->norms = calloc(n * 2 * (size_t)trainer->optimizer.n_norms, sizeof *shared->norms);
    shared->of = calloc(all, sizeof *shared->of);
    if (shared->flat && shared->received && shared->sum && shared->losses && shared->norms && shared->of) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %zu gradients of %lld numbers", mine,
                   (long long)shared->n_elements);
}

void ms_trainer_shared_release(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    free(shared->flat);
    free(shared->received);
    free(shared->sum);
    free(shared->losses);
    free(shared->norms);
    free(shared->of);
    shared->flat = shared->received = shared->sum = NULL;
    shared->losses = shared->norms = NULL;
    shared->of = NULL;
}

void ms_trainer_shared_destroy(ms_trainer *trainer) {
    if (!trainer->shared) return;
    ms_ownership_finish(&trainer->shared->ownership);
    ms_variables_destroy(trainer->shared->variables);
    free(trainer->shared);
    trainer->shared = NULL;
}

/* ---- gradients ---- */

ms_status ms_trainer_shared_begin(ms_trainer *trainer) {
    if (!trainer->shared) return MS_OK;
    bool leads = trainer->shared->rank == 0;
    ms_group_set_slow(trainer->shared->group, !trainer->shared->has_stepped);
    trainer->shared->has_stepped = true;
    return leads ? ms_group_lead(trainer->shared->group, MS_GROUP_STEP, trainer->step) : MS_OK;
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

static ms_status download_gradients(ms_trainer *trainer, float *flat) {
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

static ms_status make_portion(ms_trainer *trainer, progress *at, portion of, bool is_last) {
    ms_trainer_shared *shared = trainer->shared;
    bool apart = trainer->numerics == MS_NUMERICS_EXACT;
    for (int32_t i = 0; i < of.count; i++) {
        bool ends = i + 1 == of.count;
        MS_TRY(skip(trainer, at->source, of.first + i - at->next));
        at->next = of.first + i + 1;
        MS_TRY(ms_trainer_next_batch(trainer, at->source));
        ms_program *program = apart || i == 0 ? trainer->first : trainer->next;
        MS_TRY(ms_trainer_run_batch(trainer, at->source, false, program, is_last && ends ? at->hooks : NULL,
                                    &at->losses[of.first + i]));
        if (apart || ends) MS_TRY(download_gradients(trainer, shared->flat + (apart ? i : 0) * shared->n_elements));
    }
    return MS_OK;
}

/* Each rank's part of all contributions of the round, from their makers; and where they are now, in order. */
static ms_status exchange_gradients(ms_trainer *trainer, int i_round, int32_t *out_n) {
    ms_trainer_shared *shared = trainer->shared;
    const int64_t *begin = shared->ownership.begin;
    ms_message *out = calloc(2 * (size_t)shared->n_ranks, sizeof *out), *in = out ? out + shared->n_ranks : NULL;
    ms_status status = out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for an exchange");
    status = ms_group_agree(shared->group, status);
    int32_t mine = contributions(trainer, portion_of(trainer, i_round, shared->rank)), most = 1, n = 0, n_received = 0;
    for (int r = 0; r < shared->n_ranks; r++) {
        int32_t count = contributions(trainer, portion_of(trainer, i_round, r));
        if (count > most) most = count;
        for (int32_t k = 0; k < count; k++)
            shared->of[n++] = r == shared->rank ? shared->flat + k * shared->n_elements + begin[r]
                                                : shared->received + n_received++ * shared->own;
    }
    for (int32_t k = 0; status == MS_OK && k < most; k++) {
        int32_t before = 0;
        for (int r = 0; r < shared->n_ranks; r++) {
            int32_t count = contributions(trainer, portion_of(trainer, i_round, r));
            bool is_own = r == shared->rank;
            size_t theirs = (size_t)(begin[r + 1] - begin[r]) * sizeof(float);
            out[r] = (ms_message){shared->flat + k * shared->n_elements + begin[r], is_own || k >= mine ? 0 : theirs};
            in[r] = (ms_message){k < count ? (float *)shared->of[before + k] : NULL,
                                 is_own || k >= count ? 0 : (size_t)shared->own * sizeof(float)};
            before += count;
        }
        status = ms_group_exchange(shared->group, out, in);
    }
    free(out);
    *out_n = n;
    return status;
}

/* sum = first + second + ..., or sum + first + ...: in the order of the micro-steps. */
static void add_contributions(ms_trainer_shared *shared, bool is_first, int32_t n) {
    float *restrict sum = shared->sum;
    for (int32_t i = 0; i < n; i++) {
        const float *restrict x = shared->of[i];
        if (is_first && i == 0)
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
    for (int i_round = 0; i_round < round_count(trainer); i_round++)
        for (int r = 0; r < shared->n_ranks; r++) {
            portion of = portion_of(trainer, i_round, r);
            for (int32_t i = 0; i < of.count; i++)
                *out_loss += shared->losses[(size_t)r * stride + (size_t)(of.first + i)];
        }
    return MS_OK;
}

ms_status ms_trainer_shared_learn(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                                  double *out_loss) {
    ms_trainer_shared *shared = trainer->shared;
    int n_rounds = round_count(trainer), last = n_rounds - 1;
    size_t stride = (size_t)trainer->options.accumulation + 1;
    progress at = {source, 0, hooks, shared->losses + (size_t)shared->rank * stride};
    while (last > 0 && portion_of(trainer, last, shared->rank).count == 0) last--;
    for (int i = 0; i < n_rounds; i++) {
        int32_t n;
        ms_status status = make_portion(trainer, &at, portion_of(trainer, i, shared->rank), i == last);
        MS_TRY(ms_group_agree(shared->group, status));
        MS_TRY(exchange_gradients(trainer, i, &n));
        add_contributions(shared, i == 0, n);
    }
    ms_status status = skip(trainer, source, trainer->options.accumulation - at.next);
    if (status == MS_OK) status = upload_sum(trainer);
    MS_TRY(ms_group_agree(shared->group, status));
    return gather_losses(trainer, out_loss);
}

/* ---- update ---- */

/* Of the sums of squares that the first half of the update leaves in two vectors, the places of a rank: those of the
   rows of matrices that it owns, and of blocks. */
static ms_status exchange_squares(ms_trainer *trainer, ms_status status) {
    ms_trainer_shared *shared = trainer->shared;
    const ms_optimizer *optimizer = &trainer->optimizer;
    size_t n = (size_t)optimizer->n_norms + (size_t)optimizer->n_blocks;
    float *all = calloc(n * (size_t)shared->n_ranks, sizeof *all);
    if (status == MS_OK && !all) status = MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %zu norms", n);
    float *own = all ? all + n * (size_t)shared->rank : NULL;
    const ms_store_part parts[2] = {{optimizer->gradient_squares, 0, optimizer->n_norms},
                                    {optimizer->block_squares, 0, optimizer->n_blocks}};
    int n_parts = optimizer->n_blocks > 0 ? 2 : 1;
    if (status == MS_OK)
        status = ms_store_download_parts(trainer->store, parts, n_parts, (void *[]){own, own + optimizer->n_norms});
    status = ms_group_agree(shared->group, status);
    if (status == MS_OK) status = ms_group_all_gather_equal(shared->group, all, n * sizeof *all);
    for (int i = 0; status == MS_OK && i < optimizer->n_parameters; i++) {
        const ms_optimizer_entry *entry = &optimizer->parameters[i];
        const ms_owned_parameter owned = describe(trainer, &trainer->model.parameters[i]);
        for (int r = 0; r < shared->n_ranks; r++) {
            int64_t first = ms_ownership_first_row(&shared->ownership, i, r), end;
            end = first + ms_ownership_rows(&shared->ownership, i, r);
            if (first == end) continue;
            if (entry->parameter.is_matrix) {
                first = entry->first_norm + first * entry->parameter.n_groups;
                end = entry->first_norm + end * entry->parameter.n_groups;
            } else {
                int64_t place = optimizer->n_norms + entry->first_block;
                first = place + first * owned.row_elements / MS_REDUCE_BLOCK;
                end = place + (end * owned.row_elements + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
            }
            memmove(own + first, all + n * (size_t)r + first, (size_t)(end - first) * sizeof *own);
        }
    }
    for (int i = 0; status == MS_OK && i < n_parts; i++)
        status = ms_store_upload(trainer->store, parts[i].variable, 0, parts[i].count,
                                 own + (i == 0 ? 0 : optimizer->n_norms));
    free(all);
    return status;
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

static ms_status all_gather_weights(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    size_t *begin = calloc((size_t)shared->n_ranks + 1, sizeof *begin);
    ms_status status = begin ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for an exchange");
    status = ms_group_agree(shared->group, status);
    for (int r = 0; begin && r <= shared->n_ranks; r++)
        begin[r] = (size_t)shared->ownership.begin[r] * sizeof *shared->flat;
    if (status == MS_OK) status = ms_group_all_gather(shared->group, shared->flat, begin);
    free(begin);
    return status == MS_OK ? upload_other_weights(trainer) : status;
}

ms_status ms_trainer_shared_update(ms_trainer *trainer, ms_program *update, ms_status status) {
    ms_group *group = trainer->shared->group;
    if (status == MS_OK) status = ms_program_run(trainer->squares);
    status = exchange_squares(trainer, status);
    if (status != MS_OK && ms_group_is_settled(group)) return status;
    if (status == MS_OK) status = ms_program_run(update);
    if (status == MS_OK) status = download_own_weights(trainer);
    MS_TRY(ms_group_agree(group, status));
    status = all_gather_weights(trainer);
    if (status != MS_OK && ms_group_is_settled(group)) return status;
    MS_TRY(ms_group_agree(group, status));
    return update == trainer->captured ? ms_trainer_shared_captures(trainer) : MS_OK;
}

/* Sums of squares of weights and updates are 0 where another rank owns the rows. */
ms_status ms_trainer_shared_norms(ms_trainer *trainer, ms_status status) {
    ms_trainer_shared *shared = trainer->shared;
    size_t n = 2 * (size_t)trainer->optimizer.n_norms;
    double *own = trainer->norm_buffer + trainer->optimizer.n_norms;
    MS_TRY(ms_group_agree(shared->group, status));
    memcpy(shared->norms + n * (size_t)shared->rank, own, n * sizeof *own);
    MS_TRY(ms_group_all_gather_equal(shared->group, shared->norms, n * sizeof *own));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int r = 0; r < shared->n_ranks; r++) sum += shared->norms[n * (size_t)r + i];
        own[i] = sum;
    }
    return MS_OK;
}
