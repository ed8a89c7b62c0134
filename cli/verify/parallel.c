#include "cli/verify/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify/bits.h"
#include "cli/verify/ranks.h"
#include "platform/clock.h"
#include "platform/directory.h"

enum { MAX_OVERRIDES = 3, NAMES_SIZE = 256 };

/* The preset micro with some keys set. */
typedef struct variant {
    const char *name;
    const char *overrides[MAX_OVERRIDES][2]; /* key, value; NULL after the last */
    bool resumes;                            /* in quick runs too, change the number of ranks half-way */
} variant;

/* Neither layers nor the vocabulary are multiples of 2 to 6 ranks in the last but one. */
static const variant variants[] = {
    {"parallel muon", {{NULL}}, true},
    {"parallel adamw", {{"optimizer.name", "adamw"}}, false},
    {"parallel normuon", {{"optimizer.name", "normuon"}}, false},
    {"parallel 7 layers", {{"model.layers", "7"}, {"model.vocabulary", "97"}, {"model.tied_head", "false"}}, false},
    {"parallel bf16", {{"train.storage", "bf16"}, {"train.master", "bf16"}}, false},
};

typedef struct parallel {
    const ms_verify_parallel_options *options;
    ms_verify_report *report;
    ms_device *devices[MS_VERIFY_MOST_RANKS]; /* of each rank */
    const char *names[MS_VERIFY_MOST_RANKS];
    char folder[64]; /* temporary, holds one run at a time */
    int32_t n_steps;
} parallel;

/* A variant, and what one process makes of it. */
typedef struct expectation {
    const variant *variant;
    ms_config config;
    ms_verify_outcome alone;
} expectation;

/* Who trains: n_ranks 0: one process that is no rank. */
typedef struct crew {
    int n_ranks;
    const char *shares;
    ms_verify_exchange_fault fault;
} crew;

/* ---- devices ---- */

static void close_devices(parallel *all) {
    for (int i = 0; i < MS_VERIFY_MOST_RANKS; i++) {
        ms_device_close(all->devices[i]);
        all->devices[i] = NULL;
    }
}

static ms_status open_devices(parallel *all) {
    for (int i = 0; i < all->options->n_ranks; i++) {
        all->names[i] = all->options->devices[i % all->options->n_devices];
        ms_device_options options = {.name = all->names[i], .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
        MS_TRY_NOTE(ms_device_open(&options, &all->devices[i]), "rank %d", i);
    }
    return MS_OK;
}

/* "cpu+vulkan:0": of these ranks, each once. */
static void list_devices(const parallel *all, int n_ranks, char out[NAMES_SIZE]) {
    int n = n_ranks < 1 ? 1 : n_ranks < all->options->n_devices ? n_ranks : all->options->n_devices;
    size_t used = 0;
    for (int i = 0; i < n && used < NAMES_SIZE; i++)
        used += (size_t)snprintf(out + used, NAMES_SIZE - used, "%s%s", i ? "+" : "", all->names[i]);
}

/* ---- runs ---- */

static ms_status set_keys(const parallel *all, const variant *of, ms_config *out) {
    char steps[16], every[16], seed[24], accumulation[16];
    snprintf(steps, sizeof steps, "%d", all->n_steps);
    snprintf(every, sizeof every, "%d", all->options->quick ? 1 : 5);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)all->options->seed);
    snprintf(accumulation, sizeof accumulation, "%d", 2 * all->options->n_ranks + 1);
    const char *const common[][2] = {{"train.steps", steps},
                                     {"tracker.every", every},
                                     {"train.seed", seed},
                                     {"train.batch_sequences", "1"},
                                     {"train.accumulation", accumulation},
                                     {"validation.every", "0"},
                                     {"train.device", all->names[0]},
                                     {"train.threads", "1"},
                                     {"train.numerics", "exact"},
                                     {"checkpoint.every", "0"}};
    ms_config_defaults(out);
    MS_TRY(ms_config_load_preset(out, "micro"));
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) MS_TRY(ms_config_set(out, common[i][0], common[i][1]));
    for (int i = 0; i < MAX_OVERRIDES && of->overrides[i][0]; i++)
        MS_TRY(ms_config_set(out, of->overrides[i][0], of->overrides[i][1]));
    return ms_config_check(out);
}

/* Steps until n_steps in the temporary folder. */
static ms_status train_until(const parallel *all, const expectation *e, const crew *by, int32_t n_steps, bool resume,
                             ms_verify_outcome *out) {
    ms_config config = e->config;
    config.train.steps = n_steps;
    if (by->shares) MS_TRY(ms_config_set(&config, "parallel.shares", by->shares));
    ms_verify_segment segment = {.folder = all->folder, .device = all->devices[0], .config = &config, .resume = resume};
    if (by->n_ranks == 0) return ms_verify_train(&segment, out);
    const ms_verify_ranks ranks = {by->n_ranks, all->devices, all->names, by->fault};
    return ms_verify_train_by_ranks(&ranks, &segment, out);
}

/* first NULL: `then` makes all steps.  The folder is empty again afterwards. */
static ms_status train(const parallel *all, const expectation *e, const crew *first, const crew *then,
                       ms_verify_outcome *out) {
    ms_verify_outcome until_half = {.n_losses = 0};
    ms_status status = first ? train_until(all, e, first, all->n_steps / 2, false, &until_half) : MS_OK;
    ms_verify_outcome_finish(&until_half);
    if (status == MS_OK) status = train_until(all, e, then, all->n_steps, first != NULL, out);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message()); /* removing may overwrite it */
    ms_status removed = ms_directory_remove(all->folder);
    if (status != MS_OK) return ms_status_set(status, "%s", message);
    if (removed != MS_OK) ms_verify_outcome_finish(out);
    return removed;
}

/* ---- rows ---- */

static ms_status check_run(parallel *all, const expectation *e, const crew *first, const crew *then, const char *what) {
    ms_verify_row row = {.is_run = true,
                         .name = e->variant->name,
                         .numerics = MS_NUMERICS_EXACT,
                         .verdict = MS_VERDICT_PASS,
                         .worst = NAN};
    char names[NAMES_SIZE];
    ms_verify_outcome outcome = {.n_losses = 0};
    int most = first && first->n_ranks > then->n_ranks ? first->n_ranks : then->n_ranks;
    list_devices(all, most, names);
    row.device = names;
    snprintf(row.test, sizeof row.test, "%s", what);
    double begin = ms_clock_seconds();
    ms_status status = train(all, e, first, then, &outcome);
    row.seconds = ms_clock_seconds() - begin;
    if (status == MS_INTERRUPTED) return status;
    if (status == MS_OK) {
        ms_verify_judge_bits(&e->alone, &outcome, &row);
    } else {
        row.verdict = status == MS_UNSUPPORTED ? MS_VERDICT_UNSUPPORTED : MS_VERDICT_ERROR;
        snprintf(row.message, sizeof row.message, "%.500s", ms_status_message());
    }
    ms_verify_outcome_finish(&outcome);
    MS_TRY(ms_verify_report_add(all->report, &row));
    if (then->fault != MS_EXCHANGE_RIGHT) ms_verify_report_planted(all->report, ms_verdict_is_difference(row.verdict));
    if (status != MS_DEVICE_LOST) return MS_OK;
    close_devices(all); /* the next run may find it again */
    return open_devices(all);
}

static ms_status check_faults(parallel *all, const expectation *e, int n_ranks) {
    char what[128];
    const crew lossy = {n_ranks, NULL, MS_EXCHANGE_LOST}, reordered = {n_ranks, NULL, MS_EXCHANGE_REORDERED};
    snprintf(what, sizeof what, "%d ranks, a lost micro-step", n_ranks);
    MS_TRY(check_run(all, e, NULL, &lossy, what));
    if (n_ranks < 3) return MS_OK;
    snprintf(what, sizeof what, "%d ranks, two micro-steps reordered", n_ranks);
    return check_run(all, e, NULL, &reordered, what);
}

/* Rank 0 makes two micro-steps where each other rank makes one. */
static ms_status check_shares(parallel *all, const expectation *e) {
    char shares[2 * MS_VERIFY_MOST_RANKS] = "2", what[128];
    int n = all->options->n_ranks;
    for (int i = 1; i < n; i++) strcat(shares, ",1");
    const crew unequal = {n, shares, MS_EXCHANGE_RIGHT};
    snprintf(what, sizeof what, "%d ranks, shares %s", n, shares);
    return check_run(all, e, NULL, &unequal, what);
}

static ms_status check_resumptions(parallel *all, const expectation *e) {
    char what[128];
    int n = all->options->n_ranks, half = all->n_steps / 2;
    const crew most = {n, NULL, MS_EXCHANGE_RIGHT}, fewer = {n - 1, NULL, MS_EXCHANGE_RIGHT},
               alone = {0, NULL, MS_EXCHANGE_RIGHT};
    snprintf(what, sizeof what, "one process, then %d ranks, from step %d", n, half);
    MS_TRY(check_run(all, e, &alone, &most, what));
    snprintf(what, sizeof what, "%d ranks, then %d, from step %d", n, n - 1, half);
    MS_TRY(check_run(all, e, &most, &fewer, what));
    snprintf(what, sizeof what, "%d ranks, then one process, from step %d", n, half);
    return check_run(all, e, &most, &alone, what);
}

static ms_status check_variant(parallel *all, const variant *of) {
    static const crew one_process = {0, NULL, MS_EXCHANGE_RIGHT};
    const ms_verify_parallel_options *options = all->options;
    expectation e = {.variant = of};
    MS_TRY(set_keys(all, of, &e.config));
    MS_TRY_NOTE(train(all, &e, NULL, &one_process, &e.alone), "%s by one process", of->name);
    ms_status status = MS_OK;
    for (int n = options->plant ? 2 : 1; status == MS_OK && n <= options->n_ranks; n++) {
        char what[128];
        const crew right = {n, NULL, MS_EXCHANGE_RIGHT};
        snprintf(what, sizeof what, "%d rank%s", n, n > 1 ? "s" : "");
        status = options->plant ? check_faults(all, &e, n) : check_run(all, &e, NULL, &right, what);
    }
    if (status == MS_OK && !options->plant) status = check_shares(all, &e);
    if (status == MS_OK && !options->plant && (of->resumes || !options->quick)) status = check_resumptions(all, &e);
    ms_verify_outcome_finish(&e.alone);
    return status;
}

/* In a temporary folder. */
static ms_status check_variants(parallel *all) {
    char root[] = "/tmp/muonscope-verify-XXXXXX";
    if (!mkdtemp(root)) return MS_FAIL(MS_IO, "verify: cannot make a folder %s", root);
    snprintf(all->folder, sizeof all->folder, "%s/run", root);
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < sizeof variants / sizeof *variants; i++)
        status = check_variant(all, &variants[i]);
    ms_status removed = ms_directory_remove(root);
    return status != MS_OK ? status : removed;
}

ms_status ms_verify_parallel(const ms_verify_parallel_options *options, ms_verify_report *report) {
    parallel all = {.options = options, .report = report, .n_steps = options->quick ? 5 : 20};
    ms_status status = open_devices(&all);
    if (status == MS_OK) status = check_variants(&all);
    close_devices(&all);
    return status;
}
