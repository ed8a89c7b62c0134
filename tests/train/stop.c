/* Signals that ask a run to stop: nothing that was trained is lost, and the resumed run has the bits and lines of one
   that was not stopped. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/signals.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

/* Sends a signal to this process as soon as the file `path` has the text `part`. */
typedef struct sender {
    const char *path, *part;
    int signal;
} sender;

static void *send_signal(void *context) {
    const sender *what = context;
    while (access(what->path, F_OK) != 0 || runs_count(what->path, what->part) == 0) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
    kill(getpid(), what->signal);
    return NULL;
}

static void train_until(ms_run *run, const char *path, const char *part, int number) {
    pthread_t thread;
    sender what = {path, part, number};
    ms_must(ms_signals_catch()); /* the signal may come before the run catches it */
    ck_assert_int_eq(pthread_create(&thread, NULL, send_signal, &what), 0);
    ck_assert_int_eq(ms_run_train(run), MS_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), ms_signal_name(number)));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "--resume"));
    ck_assert(run->stopped);
    pthread_join(thread, NULL);
    ms_signals_release();
    ck_assert_int_eq(ms_signals_received(), 0);
}

static void check_resumed(const ms_run_options *options, const char *name, const ms_run *whole) {
    ms_run *run = runs_resume(options, name);
    ck_assert_str_eq(run->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(run->state_sha256, whole->state_sha256);
    static const char *const parts[] = {"\"loss\"", "\"validation_loss\""};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(runs_count(run->folder.metrics, parts[i]), runs_count(whole->folder.metrics, parts[i]));
    ck_assert_int_eq(runs_count(run->folder.spectra, "\n"), runs_count(whole->folder.spectra, "\n"));
    ms_run_close(run);
}

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
enum { N_SIGNALS = sizeof numbers / sizeof *numbers };

START_TEST(every_signal_ends_after_a_step_with_all_saved) {
    const int64_t n_steps = 400;
    ms_run_options options = runs_small(n_steps);
    options.tracker_every = 100;
    ms_run *whole = runs_new(&options, "whole"), *run = runs_begin(&options, "run");
    train_until(run, data_path("run/metrics.jsonl"), "\"step\":3,", numbers[_i]);
    ck_assert_int_ge(run->trainer->step, 3);
    ck_assert_int_lt(run->trainer->step, n_steps);
    ck_assert_int_eq(run->saved_step, run->trainer->step);
    ms_run_close(run);
    check_resumed(&options, "run", whole);
    ms_run_close(whole);
}
END_TEST

/* A validation that takes minutes ends with its batch; the resumed run makes it anew. */
START_TEST(a_validation_is_left_in_the_middle) {
    ms_run_options options = runs_small(4), short_ones = options;
    short_ones.validation_every = options.validation_every = 2;
    short_ones.validation_sequences = 2;
    options.validation_sequences = INT64_C(1) << 40;
    ms_run *whole = runs_new(&short_ones, "whole"), *run = runs_begin(&options, "run");
    double begin = ms_clock_seconds();
    /* The first validation comes before the first step, and before the first checkpoint. */
    train_until(run, data_path("run/run.log"), "device:", SIGTERM);
    ck_assert_int_eq(run->trainer->step, 0);
    ck_assert_int_eq(run->saved_step, 0);
    ck_assert_int_eq(runs_count(run->folder.metrics, "validation_loss"), 0);
    ms_run_close(run);
    check_resumed(&short_ones, "run", whole);
    ck_assert_double_lt(ms_clock_seconds() - begin, 60);
    ms_run_close(whole);
}
END_TEST

/* A caller that catches signals itself keeps the flag: what follows the run can look at it. */
START_TEST(a_signal_before_the_first_step) {
    ms_run_options options = runs_small(4);
    ms_run *run = runs_begin(&options, "run");
    ms_must(ms_signals_catch());
    raise(SIGUSR2);
    ck_assert_int_eq(ms_run_train(run), MS_INTERRUPTED);
    ck_assert_int_eq(run->saved_step, 0);
    ck_assert_int_eq(ms_signals_received(), SIGUSR2);
    ms_signals_release();
    ms_run_close(run);
    run = runs_resume(&options, "run");
    ck_assert_int_eq(run->trainer->step, 4);
    ms_run_close(run);
}
END_TEST

/* All is made and saved: no script should take the run for one to go on with.  A validation that is due and was cut is
   still to be made. */
START_TEST(a_signal_after_the_last_step) {
    ms_run_options options = runs_small(4), validated = options;
    ms_run *run = runs_new(&options, "run");
    ck_assert(run->finished);
    ms_run_close(run);
    run = runs_reopen(&options, "run");
    ms_must(ms_signals_catch());
    raise(SIGINT);
    ms_must(ms_run_train(run));
    ck_assert(run->finished && !run->stopped);
    ms_run_close(run);
    validated.validation_every = validated.validation_sequences = 4;
    run = runs_reopen(&validated, "run");
    ck_assert_int_eq(ms_run_train(run), MS_INTERRUPTED);
    ck_assert(run->stopped && !run->finished);
    ms_run_close(run);
    ms_signals_release();
    run = runs_resume(&validated, "run");
    ck_assert(run->finished);
    ck_assert_int_eq(runs_count(run->folder.metrics, "validation_loss"), 1);
    ms_run_close(run);
}
END_TEST

START_TEST(text_ends_with_its_line) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(1);
    options.sample =
        (ms_sample_request){.prompt = "So it ", .n_tokens = INT64_C(1) << 40, .sampling = {.temperature = 1}};
    ms_run *run = runs_new(&options, "run");
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    ms_must(ms_signals_catch());
    raise(SIGINT);
    ck_assert_int_eq(ms_run_sample(run, stream), MS_INTERRUPTED);
    ms_signals_release();
    fclose(stream);
    ck_assert(size > 0 && text[size - 1] == '\n');
    free(text);
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stop");
    TCase *tests = tcase_create("stop");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_signal_ends_after_a_step_with_all_saved, 0, N_SIGNALS);
    tcase_add_test(tests, a_validation_is_left_in_the_middle);
    tcase_add_test(tests, a_signal_before_the_first_step);
    tcase_add_test(tests, a_signal_after_the_last_step);
    tcase_add_test(tests, text_ends_with_its_line);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
