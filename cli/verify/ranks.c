#include "cli/verify/ranks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "train/parallel/transport_threads.h"

/* A rank, and its transport with the fault before it. */
typedef struct rank {
    const ms_verify_ranks *ranks;
    const ms_verify_segment *segment; /* of all */
    int number;
    ms_transport transport; /* of the threads */
    bool has_planted;
    pthread_t thread;
    bool has_thread;
    ms_verify_outcome outcome;
    ms_status status;
    char message[MS_TRANSPORT_TEXT_SIZE];
} rank;

/* ---- faults ---- */

/* Gradients are the first that a rank sends to another and gets from it in one exchange, but for what they all say of
   themselves, which is less than this. */
static const size_t many_bytes = 4096;

static bool has_gradients(const ms_message *out, const ms_message *in, int peer) {
    return out[peer].bytes > many_bytes && in[peer].bytes > many_bytes;
}

static bool exchange_lossy(rank *r, const ms_message *out, const ms_message *in, bool patient, char *out_error) {
    ms_message without[MS_VERIFY_MOST_RANKS];
    void *zeros = calloc(1, out[0].bytes);
    if (!zeros) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "verify: no memory for a fault");
        return false;
    }
    memcpy(without, out, (size_t)r->ranks->n_ranks * sizeof *without);
    without[0].data = zeros;
    bool ok = r->transport.exchange(r->transport.context, without, in, patient, out_error);
    free(zeros);
    return ok;
}

static bool exchange_reordered(rank *r, const ms_message *out, const ms_message *in, bool patient, char *out_error) {
    ms_message swapped[MS_VERIFY_MOST_RANKS];
    memcpy(swapped, in, (size_t)r->ranks->n_ranks * sizeof *swapped);
    swapped[1].data = in[2].data;
    swapped[2].data = in[1].data;
    return r->transport.exchange(r->transport.context, out, swapped, patient, out_error);
}

static bool exchange(void *context, const ms_message *out, const ms_message *in, bool patient,
                     char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    rank *r = context;
    ms_verify_exchange_fault fault = r->has_planted ? MS_EXCHANGE_RIGHT : r->ranks->fault;
    bool is_last = r->number == r->ranks->n_ranks - 1;
    if (fault == MS_EXCHANGE_LOST && is_last && has_gradients(out, in, 0)) {
        r->has_planted = true;
        return exchange_lossy(r, out, in, patient, out_error);
    }
    if (fault == MS_EXCHANGE_REORDERED && r->number == 0 && has_gradients(out, in, 1) && has_gradients(out, in, 2)) {
        r->has_planted = true;
        return exchange_reordered(r, out, in, patient, out_error);
    }
    return r->transport.exchange(r->transport.context, out, in, patient, out_error);
}

static void set_timeout(void *context, double seconds) {
    rank *r = context;
    r->transport.set_timeout(r->transport.context, seconds);
}

static void end(void *context, const char *line) {
    rank *r = context;
    r->transport.abort(r->transport.context, line);
}

static void leave(void *context) {
    rank *r = context;
    r->transport.close(r->transport.context);
}

/* ---- ranks ---- */

static ms_status work(rank *r, ms_group *group) {
    ms_config config = *r->segment->config;
    snprintf(config.train.device, sizeof config.train.device, "%s", r->ranks->names[r->number]);
    config.train.threads = 1;
    ms_verify_segment own = *r->segment;
    own.config = &config;
    own.device = r->ranks->devices[r->number];
    own.group = group;
    ms_group_set_timeout(group, config.parallel.timeout);
    MS_TRY(ms_group_set_shares(group, config.parallel.shares));
    return ms_verify_train(&own, &r->outcome);
}

static void *run_rank(void *context) {
    rank *r = context;
    ms_transport transport = r->transport;
    ms_group *group;
    transport.context = r;
    transport.exchange = exchange;
    transport.set_timeout = set_timeout;
    transport.abort = end;
    transport.close = leave;
    r->status = ms_group_create(&transport, &group);
    if (r->status == MS_OK) r->status = work(r, group);
    if (r->status != MS_OK) snprintf(r->message, sizeof r->message, "%.399s", ms_status_message());
    if (!group) {
        leave(r);
        return NULL;
    }
    bool is_alone_in_it = r->number > 0 && r->status != MS_OK && !ms_group_is_settled(group);
    if (is_alone_in_it) ms_group_abort(group, r->message);
    ms_group_close(group, r->status);
    return NULL;
}

/* A rank without a thread leaves: the others then end. */
static void start_thread(rank *r) {
    r->has_thread = pthread_create(&r->thread, NULL, run_rank, r) == 0;
    if (!r->has_thread) leave(r);
}

static ms_status run_all(rank *ranks, const ms_verify_ranks *options, const ms_verify_segment *segment) {
    ms_threads_hub *hub;
    MS_TRY(ms_threads_hub_create(options->n_ranks, segment->config->parallel.timeout * MS_GROUP_PATIENCE, &hub));
    for (int i = 0; i < options->n_ranks; i++)
        ranks[i] =
            (rank){.ranks = options, .segment = segment, .number = i, .transport = ms_threads_hub_transport(hub, i)};
    for (int i = 1; i < options->n_ranks; i++) start_thread(&ranks[i]);
    run_rank(&ranks[0]);
    for (int i = 1; i < options->n_ranks; i++)
        if (ranks[i].has_thread) pthread_join(ranks[i].thread, NULL);
    ms_threads_hub_destroy(hub);
    return MS_OK;
}

ms_status ms_verify_train_by_ranks(const ms_verify_ranks *options, const ms_verify_segment *segment,
                                   ms_verify_outcome *out) {
    rank ranks[MS_VERIFY_MOST_RANKS];
    memset(out, 0, sizeof *out);
    MS_TRY(run_all(ranks, options, segment));
    for (int i = 0; i < options->n_ranks; i++) {
        if (ranks[i].status == MS_OK) continue;
        ms_verify_outcome_finish(&ranks[0].outcome);
        return ms_status_set(ranks[i].status, "%s", ranks[i].message);
    }
    *out = ranks[0].outcome;
    return MS_OK;
}
