/* Who owns what of a job that ranks share, which micro-steps each makes, and what they send. */
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

ms_portion ms_trainer_portion(const ms_trainer *trainer, int i_round, int rank) {
    const ms_trainer_shared *shared = trainer->shared;
    int64_t all = shares_before(shared, shared->n_ranks), n = trainer->options.accumulation;
    if (trainer->options.control == MS_CONTROL_NOISE) return (ms_portion){0, 0};
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
    return (ms_portion){(int32_t)begin, (int32_t)(end - begin)};
}

int ms_trainer_round_count(const ms_trainer *trainer) {
    const ms_trainer_shared *shared = trainer->shared;
    int32_t all = shares_before(shared, shared->n_ranks);
    bool has_many = trainer->numerics == MS_NUMERICS_EXACT && trainer->options.control != MS_CONTROL_NOISE;
    return has_many ? (trainer->options.accumulation + all - 1) / all : 1;
}

bool ms_trainer_overlaps(const ms_trainer *trainer) {
    return trainer->shared->n_ranks > 1 && ms_trainer_round_count(trainer) > 1;
}

int32_t ms_trainer_contributions(const ms_trainer *trainer, ms_portion of) {
    return trainer->numerics == MS_NUMERICS_EXACT ? of.count : of.count > 0;
}

int32_t ms_trainer_round_exchanges(const ms_trainer *trainer, int i_round) {
    int32_t most = 0;
    for (int r = 0; r < trainer->shared->n_ranks; r++) {
        int32_t count = ms_trainer_contributions(trainer, ms_trainer_portion(trainer, i_round, r));
        if (count > most) most = count;
    }
    return most;
}

double ms_trainer_shared_passes(const ms_trainer *trainer) {
    double passes = 0;
    if (!trainer->shared) return trainer->options.accumulation;
    for (int i = 0; i < ms_trainer_round_count(trainer); i++)
        passes += ms_trainer_portion(trainer, i, trainer->shared->rank).count;
    return passes;
}

static ms_status check(const ms_trainer *trainer) {
    const ms_trainer_options *options = &trainer->options;
    const ms_trainer_shared *shared = trainer->shared;
    if (trainer->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "ranks: the f64 oracle's work is not shared");
    for (int i = 0; i < shared->n_ranks && options->control != MS_CONTROL_NOISE; i++)
        if (ms_trainer_portion(trainer, 0, i).count == 0)
            return MS_FAIL(MS_INVALID,
                           "%d ranks and %d micro-steps a step (train.accumulation): rank %d would have none; start "
                           "fewer ranks,%s or accumulate more and smaller micro-steps, which gives other bits",
                           shared->n_ranks, options->accumulation, i,
                           shares_before(shared, shared->n_ranks) > shared->n_ranks
                               ? " choose less unequal parallel.shares,"
                               : "");
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
    shared->begin_bytes = calloc((size_t)shared->n_ranks + 1, sizeof *shared->begin_bytes);
    if (!shared->begin_bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for the parts of %d", shared->n_ranks);
    for (int r = 0; r <= shared->n_ranks; r++)
        shared->begin_bytes[r] = (size_t)shared->ownership.begin[r] * sizeof(float);
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
    ms_model model;
    MS_TRY(ms_variables_create(&shared->variables));
    MS_TRY(ms_model_init(&trainer->options.model, shared->variables, &model));
    MS_TRY(ms_optimizer_init(&config, shared->variables, parameters, trainer->model.n_parameters, &shared->optimizer));
    trainer->options.optimizer.sharded = true;
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        parameters[i].first_row = ms_ownership_first_row(&shared->ownership, i, shared->rank);
        parameters[i].n_rows = ms_ownership_rows(&shared->ownership, i, shared->rank);
    }
    return MS_OK;
}

/* Places for gradients between two exchanges: of all ranks, and of this one, which has one for the weights, too. */
static size_t count_contributions(const ms_trainer *trainer, size_t *out_mine) {
    size_t all = 0;
    *out_mine = 1;
    if (trainer->options.control == MS_CONTROL_NOISE) return 1;
    for (int i = 0; i < trainer->shared->n_ranks; i++) {
        size_t count = (size_t)ms_trainer_contributions(trainer, ms_trainer_portion(trainer, 0, i));
        all += count;
        if (i == trainer->shared->rank) *out_mine = count;
    }
    return all;
}

size_t ms_trainer_shared_bytes(const ms_trainer *trainer) {
    const ms_trainer_shared *shared = trainer->shared;
    size_t mine = 0, all = count_contributions(trainer, &mine);
    size_t n_flat = ms_trainer_overlaps(trainer) ? 2 * mine : mine;
    return sizeof(float) * (n_flat * (size_t)shared->n_elements + (all - mine + 1) * (size_t)shared->own);
}

/* Sums of squares that the first half of an update makes. */
static size_t squares_count(const ms_trainer *trainer) {
    return (size_t)trainer->optimizer.n_norms + (size_t)trainer->optimizer.n_blocks;
}

ms_status ms_trainer_shared_allocate(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    size_t own = (size_t)shared->own, n = (size_t)shared->n_ranks, mine = 0;
    size_t all = count_contributions(trainer, &mine);
    bool overlaps = ms_trainer_overlaps(trainer);
    shared->flat = calloc((overlaps ? 2 : 1) * mine * (size_t)shared->n_elements, sizeof *shared->flat);
    shared->received = calloc((all - mine) * own + 1, sizeof *shared->received);
    shared->sum = calloc(own + 1, sizeof *shared->sum);
    shared->losses = calloc(n * ((size_t)trainer->options.accumulation + 1), sizeof *shared->losses);
    shared->norms = calloc(n * 2 * (size_t)trainer->optimizer.n_norms, sizeof *shared->norms);
    shared->squares = calloc(n * squares_count(trainer), sizeof *shared->squares);
    shared->of = calloc(all, sizeof *shared->of);
    shared->out = calloc(n, sizeof *shared->out);
    shared->in = calloc(n, sizeof *shared->in);
    MS_TRY(ms_trainer_maxima_allocate(trainer));
    if (overlaps) MS_TRY(ms_background_create(ms_trainer_shared_exchange, trainer, &shared->background));
    if (shared->flat && shared->received && shared->sum && shared->losses && shared->norms && shared->squares &&
        shared->of && shared->out && shared->in)
        return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %zu gradients of %lld numbers", mine,
                   (long long)shared->n_elements);
}

void ms_trainer_shared_release(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    (void)ms_background_close(shared->background); /* nothing is at work */
    shared->background = NULL;
    free(shared->flat);
    free(shared->received);
    free(shared->sum);
    free(shared->losses);
    free(shared->norms);
    free(shared->squares);
    free(shared->of);
    free(shared->out);
    free(shared->in);
    free(shared->maxima);
    shared->maxima = NULL;
    shared->flat = shared->received = shared->sum = shared->squares = NULL;
    shared->losses = shared->norms = NULL;
    shared->of = NULL;
    shared->out = shared->in = NULL;
}

void ms_trainer_shared_destroy(ms_trainer *trainer) {
    if (!trainer->shared) return;
    ms_ownership_finish(&trainer->shared->ownership);
    free(trainer->shared->begin_bytes);
    ms_variables_destroy(trainer->shared->variables);
    free(trainer->shared);
    trainer->shared = NULL;
}

const char *ms_shared_phase_name(ms_shared_phase phase) {
    static const char *const names[MS_SHARED_PHASE_COUNT] = {"micro-steps", "download", "exchange",   "add",   "upload",
                                                             "squares",     "update",   "all-gather", "small", "wait"};
    return names[phase];
}

/* ---- what a step sends ---- */

ms_traffic ms_trainer_round_traffic(const ms_trainer *trainer, int i_round, int rank) {
    const ms_trainer_shared *shared = trainer->shared;
    const size_t *begin = shared->begin_bytes;
    size_t own = begin[rank + 1] - begin[rank], mine = 0, of_others = 0;
    for (int r = 0; r < shared->n_ranks; r++) {
        size_t count = (size_t)ms_trainer_contributions(trainer, ms_trainer_portion(trainer, i_round, r));
        *(r == rank ? &mine : &of_others) += count;
    }
    return (ms_traffic){mine * (begin[shared->n_ranks] - own), of_others * own};
}

void ms_trainer_shared_traffic(const ms_trainer *trainer, int rank, ms_trainer_traffic *out) {
    const ms_trainer_shared *shared = trainer->shared;
    const size_t *begin = shared->begin_bytes;
    size_t others = (size_t)shared->n_ranks - 1, own = begin[rank + 1] - begin[rank];
    *out = (ms_trainer_traffic){.n_rounds = ms_trainer_round_count(trainer),
                                .weights = {others * own, begin[shared->n_ranks] - own}};
    /* The command, losses, squares, weights and norms; agreements after squares, update and the end. */
    out->n_exchanges = 8;
    size_t n_agreements = 3;
    for (int i = 0; i < out->n_rounds; i++) {
        ms_traffic round = ms_trainer_round_traffic(trainer, i, rank);
        out->gradients.out += round.out;
        out->gradients.in += round.in;
        out->n_exchanges += 1 + ms_trainer_round_exchanges(trainer, i);
        n_agreements++;
    }
    size_t equal = n_agreements * ms_group_agreement_bytes() +
                   ((size_t)trainer->options.accumulation + 1) * sizeof *shared->losses +
                   squares_count(trainer) * sizeof *shared->squares +
                   2 * (size_t)trainer->optimizer.n_norms * sizeof *shared->norms;
    if (ms_trainer_maxima_count(trainer) > 0) {
        out->n_exchanges++;
        equal += (size_t)ms_trainer_maxima_count(trainer) * sizeof *shared->maxima;
    }
    size_t command = ms_group_command_bytes();
    out->rest = (ms_traffic){others * (equal + (rank == 0 ? command : 0)), others * equal + (rank > 0 ? command : 0)};
}
