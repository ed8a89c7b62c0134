/* Child processes: output, exit status, signals, missing programs. */
#include "platform/process.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static void run(const char *script, char **out_text, int *out_exit) {
    const char *argv[] = {"sh", "-c", script, NULL};
    ms_status status = ms_process_run(argv, -1, out_text, out_exit);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
}

START_TEST(output_and_exit) {
    char *text;
    int exit_status;
    run("echo out; echo err >&2; exit 7", &text, &exit_status);
    ck_assert_str_eq(text, "out\nerr\n");
    ck_assert_int_eq(exit_status, 7);
    free(text);
    run("cat; kill -9 $$", &text, &exit_status); /* cat: the input is empty */
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(exit_status, 128 + 9);
    free(text);
    char how[64];
    ck_assert_str_eq(ms_process_ending(exit_status, how, sizeof how), "was ended by SIGKILL (Killed)");
    ck_assert_str_eq(ms_process_ending(7, how, sizeof how), "ended with 7");
    ck_assert_str_eq(ms_process_ending(255, how, sizeof how), "ended with 255");
}
END_TEST

/* What this process ignores, its children do not. */
START_TEST(signals_of_writing_end_a_child) {
    static const int numbers[] = {SIGPIPE, SIGXFSZ};
    static const char *const names[] = {"PIPE", "XFSZ"};
    for (int i = 0; i < 2; i++) {
        char script[64], *text;
        int exit_status;
        signal(numbers[i], SIG_IGN);
        snprintf(script, sizeof script, "kill -s %s $$; echo lived", names[i]);
        run(script, &text, &exit_status);
        ck_assert_int_eq(exit_status, 128 + numbers[i]);
        free(text);
    }
}
END_TEST

START_TEST(long_output) {
    char *text;
    int exit_status;
    run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done", &text, &exit_status);
    ck_assert_uint_eq(strlen(text), 20000 * 11);
    ck_assert_int_eq(exit_status, 0);
    free(text);
}
END_TEST

START_TEST(arguments_are_not_parsed) {
    const char *argv[] = {"printf", "%s|", "a b", "$HOME", "'", NULL};
    char *text;
    int exit_status;
    ck_assert_int_eq(ms_process_run(argv, -1, &text, &exit_status), MS_OK);
    ck_assert_str_eq(text, "a b|$HOME|'|");
    free(text);
}
END_TEST

START_TEST(missing_program) {
    const char *argv[] = {"no-such-program-here", NULL};
    char *text;
    int exit_status;
    ck_assert_int_eq(ms_process_run(argv, -1, &text, &exit_status), MS_NOT_FOUND);
    ck_assert_ptr_null(text);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "no-such-program-here"));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("process");
    tcase_add_test(tests, output_and_exit);
    tcase_add_test(tests, signals_of_writing_end_a_child);
    tcase_add_test(tests, long_output);
    tcase_add_test(tests, arguments_are_not_parsed);
    tcase_add_test(tests, missing_program);
    Suite *suite = suite_create("platform/process");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
