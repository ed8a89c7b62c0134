/* Clock, log, progress line and signals: what a user sees and how a run is asked to stop. */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/log.h"
#include "platform/progress.h"
#include "platform/signals.h"
#include "tests/support/suite.h"

START_TEST(clock_goes_forward) {
    int64_t before = ms_clock_ns();
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
    ck_assert_int_ge(ms_clock_ns() - before, 2000000);
    ck_assert_double_ge(ms_clock_seconds(), (double)before * 1e-9);
    char text[32];
    ck_assert_uint_eq(strlen(ms_clock_utc(text, sizeof text)), 20);
    ck_assert_int_eq(text[19], 'Z');
}
END_TEST

START_TEST(durations) {
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0.0s"},       {9.94, "9.9s"},  {9.96, "10s"},     {59.4, "59s"},
                 {59.6, "1m00s"},   {725, "12m05s"}, {3599.7, "1h00m"}, {11220, "3h07m"},
                 {187200, "2d04h"}, {-1, "?"},       {INFINITY, "?"},   {NAN, "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[24];
        ck_assert_str_eq(ms_duration_text(cases[i].seconds, text, sizeof text), cases[i].text);
    }
}
END_TEST

static const ms_step_line sample = {120, 600, 5.12341, 0.024, 0.8731, 412.4, 9942.3, 0.6123, 198};

START_TEST(step_line_text) {
    char text[200];
    ck_assert_str_eq(ms_step_line_text(&sample, text, sizeof text),
                     "step 120/600  loss   5.1234  lr 2.40e-02  grad     0.873     412 ms     9942 tok/s  MFU  61.2%  "
                     "ETA 3m18s");
    ms_step_line line = sample;
    line.step = 1;
    line.mfu = 1.04; /* the peak is not what was measured */
    ck_assert_ptr_nonnull(strstr(ms_step_line_text(&line, text, sizeof text), "  MFU  >100%  ETA"));
    line.mfu = -1;
    line.eta_seconds = -1;
    line.milliseconds = 1.234;
    ck_assert_str_eq(ms_step_line_text(&line, text, sizeof text),
                     "step   1/600  loss   5.1234  lr 2.40e-02  grad     0.873    1.23 ms     9942 tok/s  ETA ?");
    line.loss = 4.5;
    ck_assert_str_eq(ms_validation_line_text(&line, 1.23456, text, sizeof text),
                     "step   1/600  validation loss   4.5000, 1.2346 bits per byte");
    ck_assert_str_eq(ms_validation_line_text(&line, NAN, text, sizeof text), "step   1/600  validation loss   4.5000");
}
END_TEST

/* Whatever the numbers are, the words of a line stand where those of the line above do. */
START_TEST(columns_are_fixed) {
    static const struct {
        double loss, gradient_norm, milliseconds, tokens_per_second, mfu;
    } cases[] = {{10.98765, 1.5, 9.99, 12, 0.005},
                 {0.5, 0.000123, 99999, 1234567, 1},
                 {NAN, 123456, 10, 99.6, 1.04},
                 {123.4, 1.2e-10, 0.01, 1, 0.5}};
    static const char *const words[] = {"  lr ", "  grad ", " ms  ", " tok/s", "%  ETA"};
    char first[200], text[200];
    ms_step_line_text(&sample, first, sizeof first);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_step_line line = sample;
        line.step = (int64_t)i + 1;
        line.loss = cases[i].loss;
        line.gradient_norm = cases[i].gradient_norm;
        line.milliseconds = cases[i].milliseconds;
        line.tokens_per_second = cases[i].tokens_per_second;
        line.mfu = cases[i].mfu;
        ms_step_line_text(&line, text, sizeof text);
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            ck_assert_msg(strstr(text, words[j]) && strstr(text, words[j]) - text == strstr(first, words[j]) - first,
                          "'%s' in\n%s\n%s", words[j], first, text);
    }
}
END_TEST

START_TEST(a_screen_holds_the_lines) {
    static const struct {
        int64_t n_steps, every;
    } cases[] = {
        {1, 1}, {50, 1}, {51, 2}, {100, 2}, {103, 5}, {600, 20}, {1000, 20}, {103760, 5000}, {1000000000, 20000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(ms_progress_every(cases[i].n_steps), cases[i].every);
    for (int64_t n_steps = 1, most = 0; n_steps <= 3000; n_steps++) { /* with the first and the last step */
        int64_t every = ms_progress_every(n_steps), n = 0;
        for (int64_t step = 1; step <= n_steps; step++) n += step == 1 || step == n_steps || step % every == 0;
        most = n > most ? n : most;
        ck_assert_int_le(n, 52);
        ck_assert(n_steps < 3000 || most == 52);
    }
}
END_TEST

START_TEST(plain_lines_where_there_is_no_terminal) {
    char *text = NULL, *read_back = NULL;
    size_t size = 0;
    char path[] = "/tmp/ms_progress_XXXXXX";
    FILE *stream = fdopen(mkstemp(path), "w");
    ms_progress progress;
    ms_progress_init(stream, 10, &progress);
    int n_kept = 0;
    for (int64_t step = 1; step <= 25; step++) {
        ms_step_line line = sample;
        line.step = step;
        line.n_steps = 25;
        n_kept += ms_progress_step(&progress, &line);
    }
    ms_progress_break(&progress);
    fclose(stream);
    ck_assert_int_eq(n_kept, 4); /* 1, 10, 20, 25 */
    ck_assert_int_eq(ms_file_read(path, &read_back, &size), MS_OK);
    int n_lines = 0;
    for (text = read_back; *text; text++) {
        n_lines += *text == '\n';
        ck_assert(*text != '\r' && *text != '\033');
    }
    ck_assert_int_eq(n_lines, 4);
    free(read_back);
    unlink(path);
}
END_TEST

START_TEST(live_line_on_a_terminal) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    FILE *stream = fopen(ptsname(master), "r+");
    ck_assert_ptr_nonnull(stream);
    struct winsize window = {24, 40, 0, 0};
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &window), 0);
    ms_progress progress;
    ms_progress_init(stream, 100, &progress);
    ck_assert(progress.live);
    ms_step_line line = sample;
    line.step = 7;
    ck_assert(!ms_progress_step(&progress, &line));
    char text[512];
    ssize_t length = read(master, text, sizeof text - 1);
    ck_assert_int_gt(length, 0);
    text[length] = '\0';
    ck_assert_str_eq(text, "\r\033[Kstep   7/600  loss   5.1234  lr 2.40e-0"); /* 39 columns, no line break */
    ms_progress_break(&progress);
    ms_progress_break(&progress);
    length = read(master, text, sizeof text - 1);
    ck_assert_int_eq(length, 2); /* the terminal turns \n into \r\n; once only */
    line.step = 600;
    ck_assert(ms_progress_step(&progress, &line));
    length = read(master, text, sizeof text - 1);
    ck_assert_int_gt(length, 60);
    ck_assert_int_eq(text[length - 1], '\n');
    fclose(stream);
    close(master);
}
END_TEST

/* Elsewhere a line every 10 seconds, whatever it says one line; on a terminal it takes the place of the last one, and
   is gone at the end. */
START_TEST(work_line) {
    char path[] = "/tmp/ms_progress_XXXXXX", *read_back, text[512];
    FILE *stream = fdopen(mkstemp(path), "w");
    ms_work_line line;
    ms_work_line_init(stream, 100, &line);
    ck_assert(!line.live && !ms_work_line_is_due(&line, 109.9) && ms_work_line_is_due(&line, 110));
    ms_work_line_show(&line, 110, "half\ndone");
    ck_assert(!ms_work_line_is_due(&line, 119.9) && ms_work_line_is_due(&line, 120));
    ms_work_line_end(&line);
    fclose(stream);
    size_t size;
    ck_assert_int_eq(ms_file_read(path, &read_back, &size), MS_OK);
    ck_assert_str_eq(read_back, "half\\ndone\n");
    free(read_back);
    unlink(path);

    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    stream = fopen(ptsname(master), "r+");
    ck_assert_ptr_nonnull(stream);
    struct winsize window = {24, 10, 0, 0};
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &window), 0);
    ms_work_line_init(stream, 0, &line);
    ck_assert(line.live && !ms_work_line_is_due(&line, 0.1) && ms_work_line_is_due(&line, 0.2));
    ms_work_line_show(&line, 1, "twelve of 20");
    ms_work_line_end(&line);
    ms_work_line_end(&line);
    fputs("!", stream);
    fclose(stream);
    ssize_t length = 0;
    while (length == 0 || text[length - 1] != '!') {
        ssize_t n = read(master, text + length, sizeof text - 1 - (size_t)length);
        ck_assert_int_gt(n, 0);
        length += n;
    }
    text[length] = '\0';
    ck_assert_str_eq(text, "\r\033[Ktwelve of\r\033[K!");
    close(master);
}
END_TEST

START_TEST(smoothing_starts_at_the_first_value) {
    ck_assert_double_eq(ms_progress_smooth(0, 3), 3);
    ck_assert_double_eq_tol(ms_progress_smooth(3, 1), 2.8, 1e-12);
}
END_TEST

START_TEST(log_file_has_time_and_level) {
    char folder[] = "/tmp/ms_log_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *path = ms_path_join(folder, "run.log"), *text = NULL;
    size_t size = 0;
    ms_logger *logger;
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    ck_assert_int_eq(ms_logger_attach(logger, path), MS_OK);
    ck_assert_int_eq(ms_logger_attach(logger, path), MS_INVALID);
    ms_logger_write(logger, MS_LOG_DEBUG, "layers %d", 6);
    ms_logger_write(logger, MS_LOG_WARNING, "two\nlines");
    ms_logger_file_only(logger, "%s", "kept");
    ms_logger_write(NULL, MS_LOG_ERROR, "dropped");
    ck_assert_int_eq(ms_logger_file_status(logger), MS_OK);
    ms_logger_destroy(logger);
    ms_logger_destroy(NULL);
    ck_assert_int_eq(ms_file_read(path, &text, &size), MS_OK);
    ck_assert_ptr_nonnull(strstr(text, "Z debug   layers 6\n"));
    ck_assert_ptr_nonnull(strstr(text, "Z warning two\\nlines\n"));
    ck_assert_ptr_nonnull(strstr(text, "Z info    kept\n"));
    ck_assert_ptr_null(strstr(text, "dropped"));
    free(text);
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    ck_assert_int_eq(ms_logger_attach(logger, folder), MS_IO); /* a directory */
    ck_assert_ptr_nonnull(strstr(ms_status_message(), folder));
    ms_logger_destroy(logger);
    free(path);
    ck_assert_int_eq(ms_directory_remove(folder), MS_OK);
}
END_TEST

/* What is said before there is a file is not lost, and no more is kept than a file would be given. */
START_TEST(log_file_begins_with_what_was_said_before) {
    char path[] = "/tmp/ms_log_XXXXXX", *text = NULL;
    close(mkstemp(path));
    size_t size = 0;
    ms_logger *logger;
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    ms_logger_write(logger, MS_LOG_WARNING, "early");
    ck_assert_int_eq(ms_logger_attach(logger, path), MS_OK);
    ms_logger_write(logger, MS_LOG_INFO, "late");
    ms_logger_destroy(logger);
    ck_assert_int_eq(ms_file_read(path, &text, &size), MS_OK);
    ck_assert_ptr_eq(strstr(text, "Z warning early\n"), text + strcspn(text, "Z"));
    ck_assert_ptr_nonnull(strstr(text, "Z info    late\n"));
    free(text);
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    for (int i = 0; i < 10000; i++) ms_logger_write(logger, MS_LOG_INFO, "line %d", i);
    ck_assert_int_eq(ms_logger_attach(logger, path), MS_OK);
    ms_logger_destroy(logger); /* and one that never gets a file: below */
    ck_assert_int_eq(ms_file_read(path, &text, &size), MS_OK);
    ck_assert_ptr_nonnull(strstr(text, "line 0\n"));
    ck_assert_uint_lt(size, 70000);
    free(text);
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    ms_logger_write(logger, MS_LOG_INFO, "to nobody");
    ms_logger_destroy(logger);
    unlink(path);
}
END_TEST

START_TEST(full_disk_is_remembered_by_the_log) {
    char path[] = "/tmp/ms_log_XXXXXX";
    close(mkstemp(path));
    ms_logger *logger;
    ck_assert_int_eq(ms_logger_create(MS_LOG_ERROR, &logger), MS_OK);
    ck_assert_int_eq(ms_logger_attach(logger, path), MS_OK);
    ms_disk_is_full(true);
    ms_logger_write(logger, MS_LOG_INFO, "lost");
    ms_disk_is_full(false);
    ck_assert_int_eq(ms_logger_file_status(logger), MS_NO_SPACE);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), path));
    ms_logger_destroy(logger);
    unlink(path);
}
END_TEST

static const struct {
    int number;
    const char *name;
} stop_signals[] = {
    {SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}};
enum { N_STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

START_TEST(first_signal_sets_the_flag) {
    int number = stop_signals[_i].number;
    struct sigaction before, after;
    ck_assert_int_eq(sigaction(number, NULL, &before), 0); /* Check has its own for two of them */
    ck_assert_int_eq(ms_signals_catch(), MS_OK);
    ck_assert_int_eq(ms_signals_received(), 0);
    ck_assert_int_eq(ms_signals_check("a phase"), MS_OK);
    ck_assert_int_eq(raise(number), 0);
    ck_assert_int_eq(ms_signals_received(), number);
    ck_assert_str_eq(ms_signal_name(number), stop_signals[_i].name);
    ck_assert_int_eq(ms_signals_check("a phase"), MS_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), stop_signals[_i].name));
    /* A pair inside: the flag stays, and the signal is still caught after it. */
    ck_assert_int_eq(ms_signals_catch(), MS_OK);
    ck_assert_int_eq(ms_signals_received(), number);
    ms_signals_release();
    ck_assert_int_eq(ms_signals_received(), number);
    ck_assert_int_eq(raise(number), 0);
    ms_signals_release();
    ck_assert_int_eq(ms_signals_received(), 0);
    ck_assert_int_eq(sigaction(number, NULL, &after), 0);
    ck_assert(after.sa_handler == before.sa_handler);
}
END_TEST

START_TEST(a_second_signal_is_said_and_waits) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        if (ms_signals_catch() != MS_OK) _exit(3);
        raise(SIGINT);
        raise(SIGTERM);
        raise(SIGINT);
        _exit(ms_signals_received() == SIGINT ? 0 : 4);
    }
    close(ends[1]);
    char text[1024] = "";
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], text + used, sizeof text - 1 - used)) > 0;) used += (size_t)n;
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    const char *first = strstr(text, "stopping already");
    ck_assert_msg(first && strstr(first + 1, "stopping already"), "two lines wanted: %s", text);
}
END_TEST

START_TEST(ignored_signals_stay_ignored) {
    signal(SIGINT, SIG_IGN);
    ck_assert_int_eq(ms_signals_catch(), MS_OK);
    raise(SIGINT);
    ck_assert_int_eq(ms_signals_received(), 0);
    ms_signals_release();
    ck_assert(signal(SIGINT, SIG_DFL) == SIG_IGN);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("terminal");
    TCase *tests = tcase_create("terminal");
    tcase_add_test(tests, clock_goes_forward);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, step_line_text);
    tcase_add_test(tests, columns_are_fixed);
    tcase_add_test(tests, a_screen_holds_the_lines);
    tcase_add_test(tests, plain_lines_where_there_is_no_terminal);
    tcase_add_test(tests, live_line_on_a_terminal);
    tcase_add_test(tests, work_line);
    tcase_add_test(tests, smoothing_starts_at_the_first_value);
    tcase_add_test(tests, log_file_has_time_and_level);
    tcase_add_test(tests, log_file_begins_with_what_was_said_before);
    tcase_add_test(tests, full_disk_is_remembered_by_the_log);
    tcase_add_loop_test(tests, first_signal_sets_the_flag, 0, N_STOP_SIGNALS);
    tcase_add_test(tests, a_second_signal_is_said_and_waits);
    tcase_add_test(tests, ignored_signals_stay_ignored);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
