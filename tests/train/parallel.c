/* Ranks that share a job, as threads of this process: the bits of one rank alone, for any number of them; and how all
   learn of an error of one. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "platform/blas.h"
#include "tests/support/suite.h"
#include "train/parallel/transport_threads.h"
#include "train/trainer_group.h"

enum { N_STEPS = 3, MOST_RANKS = 4 };

/* A source that fails before its sequence number fails_at; -1: it does not. */
typedef struct failing_source {
    ms_dataset *data;
    int64_t fails_at;
} failing_source;

static ms_status next_or_fail(void *context, int n, int32_t *tokens, int32_t *targets) {
    failing_source *source = context;
    int64_t position = (int64_t)ms_dataset_position(source->data);
    if (source->fails_at >= 0 && position + n > source->fails_at)
        return MS_FAIL(MS_IO, "sequence %lld is gone", (long long)source->fails_at);
    return ms_dataset_next(source->data, n, tokens, targets);
}

static ms_status skip(void *context, int64_t n) {
    ms_dataset *data = ((failing_source *)context)->data;
    return ms_dataset_seek(data, ms_dataset_position(data) + (uint64_t)n);
}

/* A transport that counts what passes through another. */
typedef struct counter {
    ms_transport of;
    int n_exchanges;
    ms_traffic bytes;
    int n_commands;
    int exchanges_before[8]; /* before each command that this rank has waited for, and the bytes */
    ms_traffic bytes_before[8];
} counter;

static bool exchange_and_count(void *context, const ms_message *out, const ms_message *in, bool patient,
                               char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    counter *c = context;
    if (patient && c->n_commands < 8) {
        c->exchanges_before[c->n_commands] = c->n_exchanges;
        c->bytes_before[c->n_commands++] = c->bytes;
    }
    c->n_exchanges++;
    for (int i = 0; i < c->of.n_ranks; i++) {
        c->bytes.out += out[i].bytes;
        c->bytes.in += in[i].bytes;
    }
    return c->of.exchange(c->of.context, out, in, patient, out_error);
}

static void set_counted_timeout(void *context, double seconds) {
    counter *c = context;
    c->of.set_timeout(c->of.context, seconds);
}

static void end_counted(void *context, const char *line) {
    counter *c = context;
    c->of.abort(c->of.context, line);
}

static void close_counted(void *context) {
    counter *c = context;
    c->of.close(c->of.context);
}

/* One rank, or a job alone where group is NULL. */
typedef struct rank {
    ms_trainer_options options;
    ms_transport transport;
    const char *shares;
    double timeout; /* to set; 0: none */
    const char *device;
    ms_numerics numerics;
    int64_t fails_at;
    ms_status status;
    char message[1024];
    char weights[65], state[65];
    double losses[N_STEPS], norms[N_STEPS];
    ms_norms first_matrix; /* of the last step */
    double captured;       /* sum of what the last step captured of the first matrix; 0: nothing */
    size_t state_bytes;    /* of the optimizer, on this rank */
    bool is_silent;
    counter counter;            /* what this rank's transport did */
    ms_trainer_traffic traffic; /* what its trainer says that a step does */
} rank;

static ms_status sum_captured(ms_trainer *trainer, double *out) {
    const ms_optimizer_entry *entry = NULL;
    for (int i = 0; !entry; i++)
        if (trainer->optimizer.parameters[i].parameter.is_matrix) entry = &trainer->optimizer.parameters[i];
    if (!trainer->captured_graph) return MS_OK;
    int32_t variable = entry->captures[MS_CAPTURE_ORTHOGONAL];
    ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
    int64_t n = ms_shape_count(&shape);
    float *values = malloc((size_t)n * sizeof *values);
    ms_status status = ms_store_download(trainer->store, variable, 0, n, values);
    for (int64_t i = 0; i < n; i++) *out += fabs((double)values[i]) * (double)(i % 7 + 1);
    free(values);
    return status;
}

static ms_status lead(rank *r, ms_trainer *trainer, ms_batch_source source) {
    MS_TRY(ms_trainer_initialise(trainer));
    for (int i = 0; i < N_STEPS; i++) {
        ms_step_result result;
        trainer->capture_next = i + 1 == N_STEPS;
        r->counter.exchanges_before[1 + i] = r->counter.n_exchanges; /* as a rank that waits for commands has them */
        r->counter.bytes_before[1 + i] = r->counter.bytes;
        MS_TRY(ms_trainer_step(trainer, source, NULL, &result));
        r->losses[i] = result.loss;
        r->norms[i] = result.gradient_norm;
    }
    for (int i = 0; i < trainer->model.n_parameters; i++)
        if (trainer->model.parameters[i].role == MS_ROLE_MATRIX) r->first_matrix = ms_trainer_norms(trainer, i, 1, 0);
    MS_TRY(sum_captured(trainer, &r->captured));
    return ms_trainer_hashes(trainer, r->weights, r->state);
}

static ms_status work(rank *r, ms_device *device, ms_dataset *data, ms_trainer **trainer) {
    failing_source context = {data, r->fails_at};
    const ms_batch_source source = {next_or_fail, &context, r->options.model.sequence_length, skip};
    MS_TRY(ms_trainer_open(device, &r->options, trainer));
    r->state_bytes = (*trainer)->facts.memory.optimizer_state;
    MS_TRY(ms_trainer_allocate(*trainer));
    bool leads = !r->options.group || ms_group_rank(r->options.group) == 0;
    if (r->options.group) ms_trainer_shared_traffic(*trainer, ms_group_rank(r->options.group), &r->traffic);
    return leads ? lead(r, *trainer, source) : ms_trainer_follow(*trainer, source);
}

static void *run_rank(void *context) {
    rank *r = context;
    const ms_dataset_options of_data = {.directory = MS_DATASET_SYNTHETIC,
                                        .split = "train",
                                        .sequence_length = r->options.model.sequence_length,
                                        .seed = 3,
                                        .vocab_size = r->options.model.vocabulary};
    const ms_device_options of_device = {.name = r->device, .numerics = r->numerics, .n_threads = 1};
    ms_device *device = NULL;
    ms_dataset *data = NULL;
    ms_trainer *trainer = NULL;
    r->status = MS_OK;
    if (r->transport.exchange) {
        r->counter.of = r->transport;
        r->transport.context = &r->counter;
        r->transport.exchange = exchange_and_count;
        r->transport.set_timeout = set_counted_timeout;
        r->transport.abort = end_counted;
        r->transport.close = close_counted;
        r->status = ms_group_create(&r->transport, &r->options.group);
    }
    if (r->status == MS_OK && r->shares) r->status = ms_group_set_shares(r->options.group, r->shares);
    if (r->status == MS_OK && r->timeout > 0) ms_group_set_timeout(r->options.group, r->timeout);
    if (r->status == MS_OK) r->status = ms_device_open(&of_device, &device);
    if (r->status == MS_OK) r->status = ms_dataset_open(&of_data, &data);
    if (r->status == MS_OK) r->status = work(r, device, data, &trainer);
    if (r->status != MS_OK) snprintf(r->message, sizeof r->message, "%s", ms_status_message());
    ms_trainer_close(trainer);
    ms_dataset_close(data);
    if (device) ms_device_close(device);
    if (r->options.group) r->is_silent = ms_group_is_silent(r->options.group);
    ms_group_close(r->options.group, r->status);
    return NULL;
}

/* All ranks at once; ranks [n] is filled before but for the transports. */
static void run_ranks(rank *ranks, int n, double timeout) {
    pthread_t threads[MOST_RANKS];
    ms_threads_hub *hub;
    ms_must(ms_blas_prepare()); /* by call_once, which the thread sanitizer does not see */
    ms_must(ms_threads_hub_create(n, timeout, &hub));
    for (int i = 0; i < n; i++) ranks[i].transport = ms_threads_hub_transport(hub, i);
    for (int i = 0; i < n; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rank, &ranks[i]), 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    ms_threads_hub_destroy(hub);
}

static void fill(const ms_trainer_options *options, const char *shares, rank *ranks, int n) {
    memset(ranks, 0, (size_t)n * sizeof *ranks);
    for (int i = 0; i < n; i++)
        ranks[i] = (rank){
            .options = *options, .shares = shares, .device = "cpu", .numerics = MS_NUMERICS_EXACT, .fails_at = -1};
}

static ms_trainer_options micro(int accumulation) {
    static ms_config config;
    ms_config_defaults(&config);
    ms_must(ms_config_load_preset(&config, "micro"));
    ms_trainer_options options = ms_trainer_options_from_config(&config, 0);
    options.device_name = NULL;
    options.batch_sequences = 1;
    options.accumulation = accumulation;
    options.optimizer.gradient_clip = 0.5f; /* it clips: the order of the norm's sum counts */
    return options;
}

static void must(const rank *r) {
    if (r->status != MS_OK) ck_abort_msg("%s: %s", ms_status_text(r->status), r->message);
}

static void expect_same(const rank *a, const rank *b) {
    must(a);
    must(b);
    ck_assert_str_eq(a->weights, b->weights);
    ck_assert_str_eq(a->state, b->state);
    ck_assert_mem_eq(a->losses, b->losses, sizeof a->losses);
    ck_assert_mem_eq(a->norms, b->norms, sizeof a->norms);
    ck_assert_mem_eq(&a->first_matrix, &b->first_matrix, sizeof a->first_matrix);
    ck_assert_double_eq(a->captured, b->captured);
}

static void expect_one_hash(const ms_trainer_options *options, int least, int most) {
    rank alone, ranks[MOST_RANKS];
    fill(options, NULL, &alone, 1);
    run_rank(&alone);
    for (int n = least; n <= most; n++) {
        fill(options, NULL, ranks, n);
        run_ranks(ranks, n, 60);
        expect_same(&alone, &ranks[0]);
        for (int i = 1; i < n; i++) must(&ranks[i]);
        size_t state = 0;
        for (int i = 0; i < n; i++) state += ranks[i].state_bytes;
        ck_assert_uint_eq(state, alone.state_bytes); /* of each state there is one */
    }
}

START_TEST(muon_on_any_number_of_ranks) {
    ms_trainer_options options = micro(12);
    options.optimizer.captures = true;
    expect_one_hash(&options, 1, MOST_RANKS);
}
END_TEST

START_TEST(other_rules_and_settings) {
    ms_trainer_options options = micro(6);
    options.optimizer.kind = MS_OPTIMIZER_ADAMW;
    expect_one_hash(&options, 2, 4);
    options.optimizer.kind = MS_OPTIMIZER_NORMUON;
    options.optimizer.interventions.sphere = MS_SPHERE_PROJECT;
    expect_one_hash(&options, 3, 3);
    options = micro(6);
    options.model.storage = MS_DTYPE_BF16;
    options.optimizer.master = MS_DTYPE_BF16;
    expect_one_hash(&options, 3, 3);
    options = micro(5); /* which 2 and 4 do not divide, nor the vocabulary, nor the layers */
    options.model.layers = 5;
    options.model.vocabulary = 997;
    options.model.tied_head = false;
    options.control = MS_CONTROL_SHUFFLED_TARGETS;
    expect_one_hash(&options, 2, 2);
    expect_one_hash(&options, 4, 4);
}
END_TEST

START_TEST(unequal_shares) {
    ms_trainer_options options = micro(7);
    rank alone, ranks[2];
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    fill(&options, "3,1", ranks, 2);
    run_ranks(ranks, 2, 60);
    expect_same(&alone, &ranks[0]);
}
END_TEST

/* Each rank adds up its own, so the bits are others than of one rank; the numbers are not. */
START_TEST(fast_is_near) {
    ms_trainer_options options = micro(6);
    rank alone, ranks[3];
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    fill(&options, NULL, ranks, 3);
    for (int i = 0; i < 3; i++) ranks[i].numerics = MS_NUMERICS_FAST;
    run_ranks(ranks, 3, 60);
    must(&ranks[0]);
    for (int i = 0; i < N_STEPS; i++) {
        ck_assert_double_eq_tol(ranks[0].losses[i], alone.losses[i], 1e-4);
        ck_assert_double_eq_tol(ranks[0].norms[i] / alone.norms[i], 1, 1e-2);
    }
}
END_TEST

/* What a step sends is what the trainer says, on every rank; the parts of a round are those of the step. */
START_TEST(a_step_sends_what_was_said) {
    for (int i = 0; i < 3; i++) {
        ms_trainer_options options = micro(7);
        rank ranks[3];
        fill(&options, i == 1 ? "3,1,1" : NULL, ranks, 3);
        for (int r = 0; r < 3; r++) ranks[r].numerics = i == 2 ? MS_NUMERICS_FAST : MS_NUMERICS_EXACT;
        run_ranks(ranks, 3, 60);
        ck_assert_int_eq(ranks[0].traffic.n_rounds, i == 0 ? 3 : i == 1 ? 2 : 1);
        for (int r = 0; r < 3; r++) {
            const counter *c = &ranks[r].counter;
            const ms_trainer_traffic *said = &ranks[r].traffic;
            must(&ranks[r]);
            ck_assert_int_eq(said->n_exchanges, c->exchanges_before[3] - c->exchanges_before[2]);
            ck_assert_uint_eq(said->gradients.out + said->weights.out + said->rest.out,
                              c->bytes_before[3].out - c->bytes_before[2].out);
            ck_assert_uint_eq(said->gradients.in + said->weights.in + said->rest.in,
                              c->bytes_before[3].in - c->bytes_before[2].in);
        }
    }
}
END_TEST

/* Whoever finds it, all end with it, once. */
START_TEST(an_error_of_one_is_known_to_all) {
    ms_trainer_options options = micro(4);
    rank ranks[3];
    fill(&options, NULL, ranks, 3);
    ranks[1].fails_at = 5; /* its micro-step 1 of step 2 */
    run_ranks(ranks, 3, 60);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ranks[i].status, MS_IO);
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "step 2: rank 1 ("));
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "): sequence 5 is gone"));
        ck_assert_int_eq(ranks[i].is_silent, i > 0);
    }
}
END_TEST

/* A rank that never comes is named, and nobody waits longer than the timeout for it. */
START_TEST(a_missing_rank_is_named) {
    ms_trainer_options options = micro(4);
    rank ranks[2];
    ms_threads_hub *hub;
    fill(&options, NULL, ranks, 2);
    ms_must(ms_threads_hub_create(2, 0.2, &hub));
    ranks[0].transport = ms_threads_hub_transport(hub, 0);
    run_rank(&ranks[0]);
    ck_assert_int_eq(ranks[0].status, MS_DEVICE_LOST);
    ck_assert_ptr_nonnull(strstr(ranks[0].message, "no answer within 0.2 s from rank 1"));
    ms_threads_hub_destroy(hub);
}
END_TEST

START_TEST(what_cannot_be_shared_is_refused) {
    ms_trainer_options options = micro(2);
    rank ranks[3];
    fill(&options, NULL, ranks, 3);
    run_ranks(ranks, 3, 60);
    ck_assert_int_eq(ranks[0].status, MS_INVALID);
    ck_assert_str_eq(ranks[0].message,
                     "3 ranks and 2 micro-steps a step (train.accumulation): rank 2 would have none; start fewer "
                     "ranks, or accumulate more and smaller micro-steps, which gives other bits");
    fill(&options, "2,0", ranks, 2);
    run_ranks(ranks, 2, 60);
    ck_assert_int_eq(ranks[1].status, MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ranks[1].message, "parallel.shares '2,0': must be 2 whole numbers"));
    options = micro(2);
    options.optimizer.interventions.noise = 0.1f;
    fill(&options, NULL, ranks, 2);
    run_ranks(ranks, 2, 60);
    ck_assert_int_eq(ranks[1].status, MS_UNSUPPORTED);
    options = micro(2);
    options.control = MS_CONTROL_NOISE;
    fill(&options, NULL, ranks, 2);
    run_ranks(ranks, 2, 60);
    ck_assert_int_eq(ranks[1].status, MS_INVALID);
}
END_TEST

/* In its first step a rank may compile for long. */
static double timeouts[8];
static int n_timeouts;

static void note_timeout(void *context, double seconds) {
    (void)context;
    timeouts[n_timeouts++ % 8] = seconds;
}

START_TEST(the_first_step_may_take_longer) {
    ms_trainer_options options = micro(2);
    rank r;
    ms_threads_hub *hub;
    fill(&options, NULL, &r, 1);
    ms_must(ms_threads_hub_create(1, 60, &hub));
    r.transport = ms_threads_hub_transport(hub, 0);
    r.transport.set_timeout = note_timeout;
    r.timeout = 7;
    run_rank(&r);
    must(&r);
    ms_threads_hub_destroy(hub);
    ck_assert_int_eq(n_timeouts, 1 + N_STEPS);
    const double expected[] = {7, 70, 7, 7};
    ck_assert_mem_eq(timeouts, expected, sizeof expected);
}
END_TEST

/* Contiguous, complete, and no rank has much more than its part. */
START_TEST(parts_are_about_equal) {
    const ms_owned_parameter parameters[] = {{1000, 64, 64, 640}, {7, 4096, 1, 65536}, {7, 128, 32, 1280}};
    for (int n = 1; n <= 5; n++) {
        ms_ownership ownership;
        int64_t elements = 0;
        ms_must(ms_ownership_init(parameters, 3, n, &ownership));
        for (int p = 0; p < 3; p++) {
            int64_t rows = 0;
            for (int r = 0; r < n; r++) {
                ck_assert_int_eq(ms_ownership_first_row(&ownership, p, r), rows);
                rows += ms_ownership_rows(&ownership, p, r);
                if (rows < parameters[p].rows) ck_assert_int_eq(rows % parameters[p].granule, 0);
            }
            ck_assert_int_eq(rows, parameters[p].rows);
            elements += rows * parameters[p].row_elements;
        }
        for (int r = 0; r < n; r++) {
            double cost = 0;
            int64_t own = 0;
            for (int p = 0; p < 3; p++) {
                cost += (double)ms_ownership_rows(&ownership, p, r) * parameters[p].row_cost;
                own += ms_ownership_rows(&ownership, p, r) * parameters[p].row_elements;
            }
            ck_assert_double_lt(cost, (640e3 + 7 * 65536 + 7 * 1280) / n + 65536);
            ck_assert_int_eq(ownership.begin[r + 1] - ownership.begin[r], own);
        }
        ck_assert_int_eq(ownership.begin[n], elements);
        ms_ownership_finish(&ownership);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("parallel");
    TCase *tcase = tcase_create("parallel");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, muon_on_any_number_of_ranks);
    tcase_add_test(tcase, other_rules_and_settings);
    tcase_add_test(tcase, unequal_shares);
    tcase_add_test(tcase, fast_is_near);
    tcase_add_test(tcase, a_step_sends_what_was_said);
    tcase_add_test(tcase, an_error_of_one_is_known_to_all);
    tcase_add_test(tcase, a_missing_rank_is_named);
    tcase_add_test(tcase, what_cannot_be_shared_is_refused);
    tcase_add_test(tcase, the_first_step_may_take_longer);
    tcase_add_test(tcase, parts_are_about_equal);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
