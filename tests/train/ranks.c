#include "tests/train/ranks.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "platform/blas.h"
#include "tests/support/suite.h"
#include "train/parallel/transport_threads.h"

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
    /* The third command is the second step's; an agreement comes between it and the gradients. */
    if (c->loses_link && c->n_commands == 3 && c->n_exchanges == c->exchanges_before[2] + 3) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "the link is cut");
        return false;
    }
    bool ok = c->of.exchange(c->of.context, out, in, patient, out_error);
    if (ok && c->spoils && in[0].bytes > 4096) {
        *(unsigned char *)in[0].data ^= 1;
        c->spoils = false;
    }
    return ok;
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

static ms_status begin(const rank *r, ms_trainer *trainer, ms_dataset *data) {
    ms_checkpoint *checkpoint;
    if (!r->resumes) return ms_trainer_initialise(trainer);
    MS_TRY(ms_checkpoint_open_or_name(r->checkpoints, -1, "", &checkpoint));
    ms_status status = ms_trainer_load(trainer, checkpoint, data);
    ms_checkpoint_close(checkpoint);
    return status;
}

static ms_status lead(rank *r, ms_trainer *trainer, ms_batch_source source, ms_dataset *data) {
    const ms_save_request request = {.dataset = data, .config_hash = "0"};
    MS_TRY(begin(r, trainer, data));
    for (int i = 0; i < r->n_steps; i++) {
        ms_step_result result;
        trainer->capture_next = i + 1 == r->n_steps;
        r->counter.exchanges_before[1 + i] = r->counter.n_exchanges; /* as a rank that waits for commands has them */
        r->counter.bytes_before[1 + i] = r->counter.bytes;
        MS_TRY(ms_trainer_step(trainer, source, NULL, &result));
        r->losses[i] = result.loss;
        r->norms[i] = result.gradient_norm;
    }
    for (int i = 0; i < trainer->model.n_parameters; i++)
        if (trainer->model.parameters[i].role == MS_ROLE_MATRIX) r->first_matrix = ms_trainer_norms(trainer, i, 1, 0);
    if (r->checkpoints) return ms_trainer_save(trainer, r->checkpoints, &request, r->weights, r->state);
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
    return leads ? lead(r, *trainer, source, data) : ms_trainer_follow(*trainer, source, NULL);
}

void *run_rank(void *context) {
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

void run_ranks(rank *ranks, int n, double timeout) {
    pthread_t threads[MOST_RANKS];
    ms_threads_hub *hub;
    ms_must(ms_blas_prepare()); /* by call_once, which the thread sanitizer does not see */
    ms_must(ms_threads_hub_create(n, timeout, &hub));
    for (int i = 0; i < n; i++) ranks[i].transport = ms_threads_hub_transport(hub, i);
    for (int i = 0; i < n; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rank, &ranks[i]), 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    ms_threads_hub_destroy(hub);
}

void fill(const ms_trainer_options *options, const char *shares, rank *ranks, int n) {
    memset(ranks, 0, (size_t)n * sizeof *ranks);
    for (int i = 0; i < n; i++)
        ranks[i] = (rank){.options = *options,
                          .shares = shares,
                          .device = "cpu",
                          .numerics = MS_NUMERICS_EXACT,
                          .fails_at = -1,
                          .n_steps = N_STEPS};
}

ms_trainer_options micro(int accumulation) {
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

void must(const rank *r) {
    if (r->status != MS_OK) ck_abort_msg("%s: %s", ms_status_text(r->status), r->message);
}

void expect_same(const rank *a, const rank *b) {
    must(a);
    must(b);
    ck_assert_str_eq(a->weights, b->weights);
    ck_assert_str_eq(a->state, b->state);
    ck_assert_mem_eq(a->losses, b->losses, sizeof a->losses);
    ck_assert_mem_eq(a->norms, b->norms, sizeof a->norms);
    ck_assert_mem_eq(&a->first_matrix, &b->first_matrix, sizeof a->first_matrix);
}

void expect_traffic_as_said(const rank *r) {
    const counter *c = &r->counter;
    const ms_trainer_traffic *said = &r->traffic;
    must(r);
    ck_assert_int_eq(said->n_exchanges, c->exchanges_before[3] - c->exchanges_before[2]);
    ck_assert_uint_eq(said->gradients.out + said->weights.out + said->rest.out,
                      c->bytes_before[3].out - c->bytes_before[2].out);
    ck_assert_uint_eq(said->gradients.in + said->weights.in + said->rest.in,
                      c->bytes_before[3].in - c->bytes_before[2].in);
}

void expect_one_hash(const ms_trainer_options *options, int least, int most) {
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
