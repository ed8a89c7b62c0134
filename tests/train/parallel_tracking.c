/* A run that ranks share, as threads of this process, tracks its matrices on all of them: the files are those of one
   rank, also where it goes on with another number of them; and an error that one has is known to all. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/blas.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"
#include "tracker/spectrum.h"
#include "train/parallel/transport_threads.h"
#include "train/run_impl.h"
#include "train/tracking_impl.h"

enum { MOST_RANKS = 4, N_STEPS = 7, N_MATRICES = 3 * 6 };

typedef struct rank {
    ms_run_options options;
    ms_transport transport;
    char path[500];
    bool resumes;
    size_t planned; /* bytes of the tracker */
    int n_own;      /* matrices that it tracks */
    ms_status status;
    char message[1024];
} rank;

/* What computing a matrix does beside: it fails, or takes long. */
static const char *failing; /* name of a matrix; NULL: none */
static int milliseconds;

ms_status __real_ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out);
ms_status __wrap_ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out);

ms_status __wrap_ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out) {
    if (failing && input->before && strcmp(input->name, failing) == 0)
        return MS_FAIL(MS_NUMERIC, "%s is not finite", input->name);
    if (milliseconds > 0) nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
    return __real_ms_spectrum_compute(scratch, input, out);
}

static bool kernels_differ;
static atomic_int n_described;

const char *__real_ms_blas_description(void);
const char *__wrap_ms_blas_description(void);

/* Each rank asks once. */
const char *__wrap_ms_blas_description(void) {
    static const char *const kernels[] = {"Haswell", "Zen"};
    return kernels_differ ? kernels[atomic_fetch_add(&n_described, 1) % 2] : __real_ms_blas_description();
}

static ms_status work(rank *r, ms_run *run) {
    bool leads = !r->options.trainer.group || ms_group_rank(r->options.trainer.group) == 0;
    if (!leads) return ms_run_follow(run);
    if (!r->resumes) {
        MS_TRY(ms_run_create(run, r->path));
    } else {
        ms_run_folder folder;
        MS_TRY(ms_run_folder_resume(r->path, &folder));
        MS_TRY(ms_run_resume(run, &folder));
    }
    r->n_own = run->tracking->n_own;
    return ms_run_train(run);
}

static void *run_rank(void *context) {
    rank *r = context;
    const ms_device_options of_device = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_device *device = NULL;
    ms_run *run = NULL;
    r->status = MS_OK;
    if (r->transport.exchange) r->status = ms_group_create(&r->transport, &r->options.trainer.group);
    if (r->status == MS_OK) r->status = ms_device_open(&of_device, &device);
    if (r->status == MS_OK) r->status = ms_run_open(device, &r->options, &run);
    if (r->status == MS_OK) r->planned = ms_tracking_planned_bytes(run->trainer, &r->options.tracking);
    if (r->status == MS_OK) r->status = work(r, run);
    if (r->status != MS_OK) snprintf(r->message, sizeof r->message, "%s", ms_status_message());
    if (run && run->tracking) r->n_own = run->tracking->n_own;
    ms_run_close(run);
    if (device) ms_device_close(device);
    ms_group_close(r->options.trainer.group, r->status);
    return NULL;
}

static ms_run_options small(void) {
    ms_run_options options = runs_small(N_STEPS);
    options.trainer.batch_sequences = 1;
    options.trainer.accumulation = 4;
    options.trainer.model.layers = 3;
    options.trainer.optimizer.captures = true;
    options.checkpoint_every = 3;
    options.spectra = MS_SPECTRA_FULL;
    options.tracking.every_step = MS_EVERY_STEP_SIGMA_MAX;
    return options;
}

/* A run in the folder of that name by n ranks; 0: by a process that knows of none. */
static void train(const ms_run_options *options, const char *name, int n, bool resumes, rank ranks[MOST_RANKS]) {
    pthread_t threads[MOST_RANKS];
    ms_threads_hub *hub;
    ms_must(ms_blas_prepare()); /* by call_once, which the thread sanitizer does not see */
    memset(ranks, 0, MOST_RANKS * sizeof *ranks);
    for (int i = 0; i < MOST_RANKS; i++) {
        ranks[i] = (rank){.options = *options, .resumes = resumes};
        ranks[i].options.tracking.n_threads = 2 - i % 2;
        snprintf(ranks[i].path, sizeof ranks[i].path, "%s", data_path(name));
    }
    if (n == 0) {
        run_rank(&ranks[0]);
        return;
    }
    ms_must(ms_threads_hub_create(n, 60, &hub));
    for (int i = 0; i < n; i++) ranks[i].transport = ms_threads_hub_transport(hub, i);
    for (int i = 0; i < n; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rank, &ranks[i]), 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    ms_threads_hub_destroy(hub);
}

/* Returns the most memory that the tracker of a rank takes. */
static size_t must_train(const ms_run_options *options, const char *name, int n, bool resumes) {
    rank ranks[MOST_RANKS];
    train(options, name, n, resumes, ranks);
    for (int i = 0; i < n || i == 0; i++)
        if (ranks[i].status != MS_OK) ck_abort_msg("rank %d: %s", i, ranks[i].message);
    int n_own = 0;
    for (int i = 0; i < MOST_RANKS; i++) n_own += ranks[i].n_own;
    ck_assert_int_eq(n_own, N_MATRICES);
    size_t planned = 0;
    for (int i = 0; i < MOST_RANKS; i++)
        if (ranks[i].planned > planned) planned = ranks[i].planned;
    return planned;
}

static bool same_file(const char *a, const char *b, const char *file) {
    char path[600], *texts[2];
    size_t sizes[2];
    const char *const names[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", data_path(names[i]), file);
        ms_must(ms_file_read(path, &texts[i], &sizes[i]));
    }
    bool same = sizes[0] == sizes[1] && memcmp(texts[0], texts[1], sizes[0]) == 0;
    ck_assert_int_gt(sizes[0], 100);
    free(texts[0]);
    free(texts[1]);
    return same;
}

static const char *const files[] = {"spectra.jsonl", "sigma_max.jsonl", "spectra/index.jsonl",
                                    "spectra/step_00000000.npy", "spectra/step_00000007.npy"};

/* What the checkpoint of a step has of the tracker. */
static bool same_texts(const char *a, const char *b, int64_t step) {
    const char *const names[2] = {a, b};
    ms_checkpoint *checkpoints[2];
    bool same = true;
    for (int i = 0; i < 2; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/checkpoints", data_path(names[i]));
        ms_must(ms_checkpoint_open(path, step, &checkpoints[i]));
    }
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++) {
        const char *texts[2];
        for (int k = 0; k < 2; k++) {
            const ms_checkpoint_entry *entry;
            ms_must(ms_checkpoint_find(checkpoints[k], ms_tracking_text_keys[i], MS_CHECKPOINT_TEXT, &entry));
            texts[k] = entry->text;
        }
        ck_assert_uint_gt(strlen(texts[0]), 100);
        same = same && strcmp(texts[0], texts[1]) == 0;
    }
    for (int i = 0; i < 2; i++) ms_checkpoint_close(checkpoints[i]);
    return same;
}

static void expect_same(const char *a, const char *b) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ck_assert_msg(same_file(a, b, files[i]), "%s: %s and %s differ", files[i], a, b);
    ck_assert(same_texts(a, b, 3));
    ck_assert(same_texts(a, b, N_STEPS));
}

START_TEST(any_number_of_ranks_writes_the_same) {
    ms_run_options options = small();
    size_t whole = must_train(&options, "alone", 0, false);
    must_train(&options, "one", 1, false);
    expect_same("alone", "one");
    must_train(&options, "two", 2, false);
    expect_same("alone", "two");
    ck_assert_uint_lt(must_train(&options, "three", 3, false), whole);
    expect_same("alone", "three");
    options.tracking.n_slots = 1;
    options.tracker_every = 1;
    must_train(&options, "every", 0, false);
    must_train(&options, "four", 4, false);
    expect_same("every", "four");
    ck_assert(!same_file("alone", "every", "spectra.jsonl")); /* the comparison can fail */
    options = small();
    options.trainer.seed = 5;
    must_train(&options, "other", 3, false);
    for (int i = 0; i < 5; i++) ck_assert_msg(i == 2 || !same_file("alone", "other", files[i]), "%s", files[i]);
    ck_assert(!same_texts("alone", "other", 3));
}
END_TEST

START_TEST(it_goes_on_with_another_number_of_ranks) {
    ms_run_options whole = small(), part = small();
    part.n_steps = 3;
    whole.tracker_every = part.tracker_every = 3;
    must_train(&whole, "straight", 0, false);
    must_train(&part, "on", 3, false);
    part.n_steps = 6;
    must_train(&part, "on", 1, true);
    must_train(&whole, "on", 2, true);
    expect_same("straight", "on");
}
END_TEST

/* Found in the background of a rank that follows, while others go on. */
START_TEST(an_error_of_one_is_known_to_all) {
    ms_run_options options = small();
    rank ranks[MOST_RANKS];
    failing = "layer 2 down"; /* the last of all, which the last rank has */
    train(&options, "failing", 3, false, ranks);
    failing = NULL;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ranks[i].status, MS_NUMERIC);
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "rank 2 ("));
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "): tracker, step 1: layer 2 down is not finite"));
    }
}
END_TEST

/* Between processors of two kinds the last digits of spectra differ: that is said. */
START_TEST(other_kernels_are_warned_of) {
    ms_run_options options = small();
    char path[600];
    must_train(&options, "same", 2, false);
    kernels_differ = true;
    must_train(&options, "differ", 2, false);
    kernels_differ = false;
    snprintf(path, sizeof path, "%s/run.log", data_path("same"));
    ck_assert_int_eq(runs_count(path, "OPENBLAS_CORETYPE"), 0);
    snprintf(path, sizeof path, "%s/run.log", data_path("differ"));
    ck_assert_int_eq(runs_count(path, "rank 1 computes its spectra by OpenBLAS for "), 1);
}
END_TEST

/* Whether a snapshot is skipped is decided for all ranks, and the lines of one are all there or none. */
START_TEST(what_is_skipped_is_skipped_by_all) {
    ms_run_options options = small();
    options.n_steps = 12;
    options.checkpoint_every = 0;
    options.tracker_every = 1;
    options.spectra = MS_SPECTRA_SUMMARY;
    options.tracking.when_behind = MS_WHEN_BEHIND_SKIP;
    milliseconds = 30;
    must_train(&options, "skipping", 3, false);
    milliseconds = 0;
    char path[600];
    snprintf(path, sizeof path, "%s/spectra.jsonl", data_path("skipping"));
    int n = runs_count(path, "\n");
    ck_assert_int_eq(n % N_MATRICES, 0);
    ck_assert_int_ge(n, 2 * N_MATRICES);
    ck_assert_int_lt(n, 13 * N_MATRICES);
    snprintf(path, sizeof path, "%s/sigma_max.jsonl", data_path("skipping"));
    ck_assert_int_eq(runs_count(path, "\n"), 13);
}
END_TEST

static void create_folder(void) { data_folder_create(); }

int main(void) {
    Suite *suite = suite_create("parallel_tracking");
    TCase *tcase = tcase_create("parallel_tracking");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, create_folder, data_folder_remove);
    tcase_add_test(tcase, any_number_of_ranks_writes_the_same);
    tcase_add_test(tcase, it_goes_on_with_another_number_of_ranks);
    tcase_add_test(tcase, an_error_of_one_is_known_to_all);
    tcase_add_test(tcase, other_kernels_are_warned_of);
    tcase_add_test(tcase, what_is_skipped_is_skipped_by_all);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
