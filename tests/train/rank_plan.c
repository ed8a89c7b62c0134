/* Plans of several ranks: the bytes are those that ranks exchange, and what follows from times and a link. */
#include "train/rank_plan.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "platform/blas.h"
#include "tests/support/suite.h"
#include "train/parallel/transport_rehearsal.h"
#include "train/parallel/transport_threads.h"
#include "train/trainer_group.h"
#include "train/zipf.h"

enum { MOST_RANKS = 3 };

static ms_trainer_options micro(void) {
    static ms_config config;
    ms_config_defaults(&config);
    ms_must(ms_config_load_preset(&config, "micro"));
    ms_trainer_options options = ms_trainer_options_from_config(&config, 0);
    options.device_name = NULL;
    options.batch_sequences = 1;
    options.accumulation = 5;
    return options;
}

/* ---- bytes ---- */

/* One rank among threads.  What it exchanges is written down, as a rehearsal writes it. */
typedef struct counted_rank {
    ms_transport transport; /* that does it */
    ms_rehearsal counted;
    ms_trainer_options options;
    const char *shares;
    ms_numerics numerics;
    double traffic; /* as the trainer says, out of this rank */
} counted_rank;

static bool count_and_exchange(void *context, const ms_message *out, const ms_message *in, bool patient,
                               char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    counted_rank *rank = context;
    ms_message nowhere[MOST_RANKS] = {{NULL, 0}};
    ms_rehearsal *counted = &rank->counted;
    const ms_transport notes = ms_rehearsal_transport(counted);
    ck_assert(notes.exchange(notes.context, out, nowhere, patient, out_error));
    ms_rehearsed_exchange *made = &counted->exchanges[counted->n_exchanges - 1];
    for (int i = 0; i < counted->n_ranks; i++)
        if (i != counted->rank) made->received_bytes += in[i].bytes;
    return rank->transport.exchange(rank->transport.context, out, in, patient, out_error);
}

static void set_timeout(void *context, double seconds) {
    counted_rank *rank = context;
    rank->transport.set_timeout(rank->transport.context, seconds);
}

static void leave(void *context) {
    counted_rank *rank = context;
    rank->transport.close(rank->transport.context);
}

/* A step, and nothing else. */
static void *run_rank(void *context) {
    counted_rank *rank = context;
    ms_transport transport = rank->transport;
    transport.context = rank;
    transport.exchange = count_and_exchange;
    transport.set_timeout = set_timeout;
    transport.close = leave;
    const ms_device_options of_device = {.name = "cpu", .numerics = rank->numerics, .n_threads = 1};
    ms_device *device;
    ms_trainer *trainer;
    ms_step_result result;
    ms_group_command command;
    ms_trainer_traffic traffic;
    int64_t argument;
    rank->counted = (ms_rehearsal){.rank = transport.rank, .n_ranks = transport.n_ranks};
    ms_must(ms_group_create(&transport, &rank->options.group));
    ms_must(ms_group_set_shares(rank->options.group, rank->shares));
    ms_must(ms_device_open(&of_device, &device));
    ms_must(ms_trainer_open(device, &rank->options, &trainer));
    ms_must(ms_trainer_allocate(trainer));
    ms_must(ms_model_upload_initial(&trainer->model, 1, trainer->store));
    ms_zipf_source tokens = {
        .seed = 1, .vocabulary = rank->options.model.vocabulary, .length = rank->options.model.sequence_length};
    if (transport.rank > 0) ms_must(ms_group_follow(rank->options.group, &command, &argument));
    ms_must(ms_trainer_step(trainer, ms_zipf_batches(&tokens), NULL, &result));
    ms_trainer_shared_traffic(trainer, transport.rank, &traffic);
    rank->traffic = (double)(traffic.gradients.out + traffic.weights.out + traffic.rest.out);
    ms_trainer_close(trainer);
    ms_device_close(device);
    ms_group_settle(rank->options.group); /* nobody waits for an end */
    ms_group_close(rank->options.group, MS_OK);
    return NULL;
}

/* The bytes of the busiest rank of each exchange, added up. */
static double exchange_really(ms_numerics numerics, int n, const char *shares, int *out_n_exchanges) {
    counted_rank ranks[MOST_RANKS];
    pthread_t threads[MOST_RANKS];
    ms_threads_hub *hub;
    double sum = 0;
    ms_must(ms_blas_prepare());
    ms_must(ms_threads_hub_create(n, 60, &hub));
    for (int i = 0; i < n; i++) {
        ranks[i] = (counted_rank){
            .transport = ms_threads_hub_transport(hub, i), .options = micro(), .shares = shares, .numerics = numerics};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rank, &ranks[i]), 0);
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    ms_threads_hub_destroy(hub);
    *out_n_exchanges = 0;
    for (int k = 0; k < ranks[0].counted.n_exchanges; k++) {
        double most = 0;
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(ranks[i].counted.n_exchanges, ranks[0].counted.n_exchanges);
            const ms_rehearsed_exchange *of = &ranks[i].counted.exchanges[k];
            if ((double)of->sent_bytes > most) most = (double)of->sent_bytes;
            if ((double)of->received_bytes > most) most = (double)of->received_bytes;
        }
        sum += most;
        *out_n_exchanges += most > 0;
    }
    for (int i = 0; i < n; i++) {
        double sent = 0;
        for (int k = 0; k < ranks[i].counted.n_exchanges; k++) sent += (double)ranks[i].counted.exchanges[k].sent_bytes;
        ck_assert_double_eq(sent, ranks[i].traffic);
        ms_rehearsal_finish(&ranks[i].counted);
    }
    return sum;
}

static void plan(ms_numerics numerics, const ms_rank_plan_request *request, ms_rank_plan *out) {
    const ms_device_options of_device = {.name = "cpu", .numerics = numerics, .n_threads = 1};
    const ms_trainer_options options = micro();
    ms_device *device;
    ms_must(ms_device_open(&of_device, &device));
    ms_must(ms_rank_plan_open(device, &options, request, out));
    ms_must(ms_rank_plan_measure(device, &options, out));
    ms_device_close(device);
}

START_TEST(bytes_are_those_that_ranks_exchange) {
    const struct {
        ms_numerics numerics;
        int n_ranks;
        const char *shares;
    } cases[] = {{MS_NUMERICS_EXACT, 2, ""}, {MS_NUMERICS_EXACT, 3, "2,1,1"}, {MS_NUMERICS_FAST, 3, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ms_rank_plan_request request = {cases[i].n_ranks, cases[i].shares, {1e9, 1e-3}};
        ms_rank_plan made;
        int n_exchanges;
        double bytes = exchange_really(cases[i].numerics, cases[i].n_ranks, cases[i].shares, &n_exchanges);
        plan(cases[i].numerics, &request, &made);
        const ms_rank_plan_row *last = &made.rows[made.n_rows - 1];
        ck_assert_int_eq(last->n_ranks, cases[i].n_ranks);
        ck_assert_double_eq(last->link_bytes, bytes);
        ck_assert_int_eq(last->n_exchanges, n_exchanges);
        ck_assert_int_ge(last->n_timed, 3);
        ck_assert_double_gt(last->compute_seconds, 0);
        ck_assert_double_gt(last->update_seconds, 0);
        /* All messages of micro are small: one way each. */
        bool overlaps = cases[i].numerics == MS_NUMERICS_EXACT; /* there are several rounds */
        ck_assert_int_eq(last->hidden_seconds > 0, overlaps);
        ck_assert_double_le(last->hidden_seconds, last->exchange_seconds);
        ck_assert_double_le(last->hidden_seconds, last->compute_seconds);
        ck_assert_double_eq_tol(last->exchange_seconds, 1e-3 * n_exchanges + 8e-9 * bytes * 1538 / 1448, 1e-9);
    }
}
END_TEST

/* ---- memory and rows ---- */

START_TEST(rows_and_memory) {
    const ms_device_options of_device = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_trainer_options options = micro();
    ms_rank_plan_request request = {5, "", {1e9, 0}};
    ms_rank_plan made;
    ms_device *device;
    ms_must(ms_device_open(&of_device, &device));
    ms_must(ms_rank_plan_open(device, &options, &request, &made));
    const int expected[] = {1, 2, 4, 5};
    ck_assert_int_eq(made.n_rows, 4);
    for (int i = 0; i < 4; i++) {
        const ms_rank_plan_row *row = &made.rows[i];
        ck_assert_int_eq(row->n_ranks, expected[i]);
        ck_assert_uint_eq(row->memory.parameters, made.rows[0].memory.parameters);
        ck_assert_uint_ge(row->memory.optimizer_state * (size_t)row->n_ranks, made.rows[0].memory.optimizer_state);
        if (i > 0) ck_assert_uint_lt(row->memory.optimizer_state, made.rows[0].memory.optimizer_state);
        ck_assert_int_eq(row->host_bytes > 0, i > 0);
    }
    request.shares = "2,1,1,1,1";
    ck_assert_int_eq(ms_rank_plan_open(device, &options, &request, &made), MS_INVALID); /* the last has nothing to do */
    request = (ms_rank_plan_request){4, "2,1,1,1", {1e9, 0}};
    ms_must(ms_rank_plan_open(device, &options, &request, &made));
    ck_assert_int_eq(made.n_rows, 2);
    request = (ms_rank_plan_request){6, "", {1e9, 0}};
    ck_assert_int_eq(ms_rank_plan_open(device, &options, &request, &made), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "6 ranks and 5 micro-steps a step"));
    request.n_ranks = 1;
    ck_assert_int_eq(ms_rank_plan_open(device, &options, &request, &made), MS_INVALID);
    ms_device_close(device);
}
END_TEST

/* ---- link ---- */

START_TEST(links) {
    ms_link link;
    ms_must(ms_link_parse("2.5Gb", NULL, &link));
    ck_assert_double_eq(link.bits_per_second, 2.5e9);
    ck_assert_double_eq_tol(link.latency_seconds, 50e-6, 1e-12);
    ms_must(ms_link_parse("400Mb/s", "0.2ms", &link));
    ck_assert_double_eq(link.bits_per_second, 4e8);
    ck_assert_double_eq_tol(link.latency_seconds, 2e-4, 1e-12);
    const char *const bad[] = {"",      "10",    "10GB", "10gb",    "-1Gb",   "0Gb",
                               "infGb", "nanGb", "Gb",   "1e400Gb", "10Gbit", "1Gb/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(ms_link_parse(bad[i], NULL, &link), MS_USAGE);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), "--link '"));
    }
    ck_assert_int_eq(ms_link_parse("1Gb", "50", &link), MS_USAGE);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "--link_latency '50'"));
    link = (ms_link){1e9, 1e-3};
    ck_assert_double_eq(ms_link_seconds(&link, 0, 0), 0);
    ck_assert_double_eq_tol(ms_link_seconds(&link, 1448, 1448), 1e-3 + 1538 * 8e-9, 1e-12);
    ck_assert_double_eq_tol(ms_link_seconds(&link, 1448e6, 1448e6), 3e-3 + 1538 * 8e-3, 1e-9);
    /* 88.6 million parameters in two equal parts: gradients once, and weights, at 1, 10 and 100 Gb/s. */
    for (double rate = 1; rate <= 100; rate *= 10) {
        link = (ms_link){1e9 * rate, 0};
        ck_assert_double_eq_tol(2 * ms_link_seconds(&link, 4 * 88630528.0 / 2, 1e9), 3.0 / rate, 0.02 / rate);
    }
}
END_TEST

/* ---- what is printed ---- */

/* What was measured beside other work is called doubtful. */
START_TEST(unsteady_steps_are_said) {
    ms_rank_plan made = {.request = {2, "", {1e9, 0}}, .most_ranks = 16, .n_rows = 2};
    for (int i = 0; i < 4; i++) {
        char *text = NULL;
        size_t size = 0;
        for (int k = 0; k < 2; k++)
            made.rows[k] = (ms_rank_plan_row){
                .n_ranks = 1 + k, .fits = i != 3 || k == 0, .spread = k == 1 && i > 1 ? 3 : 1.4, .compute_seconds = 1};
        FILE *stream = open_memstream(&text, &size);
        ms_rank_plan_print(&made, stream);
        fclose(stream);
        ck_assert_int_eq(strstr(text, "doubtful: the same step took up to 3.0 times as long") != NULL, i == 2);
        free(text);
    }
}
END_TEST

/* ---- advice ---- */

static void expect_advice(const double steps[4], const char *text) {
    char advice[400];
    ms_rank_plan made = {.request = {8, "", {1e9, 0}}, .most_ranks = 16, .n_rows = 4};
    for (int i = 0; i < 4; i++)
        made.rows[i] = (ms_rank_plan_row){
            .n_ranks = 1 << i, .fits = true, .compute_seconds = steps[i] / 2, .exchange_seconds = steps[i] / 2};
    ms_rank_plan_advice(&made, advice, sizeof advice);
    ck_assert_str_eq(advice, text);
}

START_TEST(advice) {
    expect_advice((const double[]){1, 0.5, 0.25, 0.125},
                  "8 ranks help: a step takes 125 ms. More may help too: --ranks 16.");
    expect_advice(
        (const double[]){1, 0.5, 0.6, 0.25},
        "another machine will not help: 4 ranks take 600 ms a step, 2 ranks 500 ms; exchanges are 50 % of it.");
    expect_advice((const double[]){1, 0.5, 1 / 2.4, 0.3},
                  "another machine will not help much: from 2 ranks to 4 each one adds 0.20 of the speed of one, less "
                  "than 0.25; exchanges are 50 % of the step.");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rank_plan");
    TCase *tcase = tcase_create("rank_plan");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, bytes_are_those_that_ranks_exchange);
    tcase_add_test(tcase, rows_and_memory);
    tcase_add_test(tcase, links);
    tcase_add_test(tcase, unsteady_steps_are_said);
    tcase_add_test(tcase, advice);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
