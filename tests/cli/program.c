/* The program as a user meets it: exit statuses, where text goes, one-line messages. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "platform/thread.h"
#include "tests/support/child.h"
#include "tests/support/suite.h"

#define RUN(...) ms_child_run(MS_PROGRAM, (const char *const[]){__VA_ARGS__, NULL})

static void expect_message(const char *message) {
    ck_assert_str_eq(ms_child_error, message);
    ck_assert_str_eq(ms_child_output, "");
}

START_TEST(usage_errors_exit_with_2) {
    ck_assert_int_eq(ms_child_run(MS_PROGRAM, (const char *const[]){NULL}), 2);
    expect_message("muonscope: a subcommand is needed; see muonscope --help\n");
    ck_assert_int_eq(RUN("devcies"), 2);
    expect_message("muonscope: unknown subcommand 'devcies'; did you mean 'devices'?\n");
    ck_assert_int_eq(RUN("--nothing-like-it"), 2);
    expect_message("muonscope: unknown subcommand '--nothing-like-it'; see muonscope --help\n");
    ck_assert_int_eq(RUN("devices", "--jsn"), 2);
    expect_message("muonscope: devices: unknown option --jsn; did you mean --json?\n");
    ck_assert_int_eq(RUN("devices", "cpu"), 2);
    expect_message("muonscope: devices: unexpected argument 'cpu': at most 0 expected\n");
}
END_TEST

START_TEST(help_and_version_exit_with_0) {
    ck_assert_int_eq(RUN("--help"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope <subcommand>"));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\n  devices "));
    ck_assert_str_eq(ms_child_error, "");
    ck_assert_int_eq(RUN("--version"), 0);
    ck_assert_str_eq(ms_child_output, "muonscope " MS_VERSION "\n");
    ck_assert_int_eq(RUN("-v"), 0);
    ck_assert_str_eq(ms_child_output, "muonscope " MS_VERSION "\n");
    ck_assert_int_eq(RUN("version"), 0);
    ck_assert_str_eq(ms_child_output, "muonscope " MS_VERSION "\n");
    ck_assert_int_eq(RUN("-h"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope <subcommand>"));
    ck_assert_int_eq(RUN("train", "-h"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope train [options]\n"));
    ck_assert_int_eq(RUN("tokenizer", "-h"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope tokenizer encode "));
    ck_assert_int_eq(RUN("generate", "--help"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "(<|endoftext|>, as a rule) goes first, before the\nprompt"));
    ck_assert_int_eq(RUN("devices", "--help"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope devices [options]\n"));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "  --json "));
    ck_assert_int_eq(RUN("verify", "--help"), 0);
    for (const char *line = ms_child_output; *line; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 130, "%.*s", (int)strcspn(line, "\n"), line);
}
END_TEST

START_TEST(variables_are_listed_and_checked) {
    ck_assert_int_eq(RUN("--help"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\n  MUONSCOPE_CUDA_SYNC=1 "));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\n  MUONSCOPE_VULKAN_ALLOCATION=BYTES "));
    setenv("MUONSCOPE_VULKAN_PACKD", "1", 1);
    ck_assert_int_eq(RUN("--version"), 0);
    ck_assert_str_eq(ms_child_error, "muonscope: warning: no variable of muonscope is called MUONSCOPE_VULKAN_PACKD; "
                                     "did you mean MUONSCOPE_VULKAN_PACKED\n");
    unsetenv("MUONSCOPE_VULKAN_PACKD");
    setenv("MUONSCOPE_CUDA_SYNC", "1", 1);
    ck_assert_int_eq(RUN("--version"), 0);
    ck_assert_str_eq(ms_child_error, "");
}
END_TEST

START_TEST(more_threads_than_processors_are_said) {
    for (int n = ms_processor_count(); n <= ms_processor_count() + 1; n++) {
        char threads[16];
        snprintf(threads, sizeof threads, "%d", n);
        ck_assert_int_eq(RUN("bench", "tracker", "--threads", threads, "--layers", "0"), 1);
        ck_assert_int_eq(strstr(ms_child_error, "muonscope: warning: ") != NULL, n > ms_processor_count());
    }
    ck_assert_ptr_nonnull(
        strstr(ms_child_error, " threads are asked for, the affinity and cgroups of this process leave "));
}
END_TEST

START_TEST(manual_and_completion) {
    ck_assert_int_eq(RUN("--manual"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, ".TH MUONSCOPE 1"));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "muonscope tokenizer encode"));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\n\\fB\\-\\-muon.lr\\fR"));
    ck_assert_int_eq(RUN("--completion"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\ncomplete -o default -F _muonscope muonscope\n"));
    ck_assert_str_eq(ms_child_error, "");
}
END_TEST

START_TEST(keys_are_described) {
    ck_assert_int_eq(RUN("tracker", "describe", "condition"), 0);
    ck_assert_str_eq(
        ms_child_output,
        "spectra.jsonl:\ncondition\n    s1 / sr\n    null: sr below 1e-7 s1, which f32 does not determine\n");
    ck_assert_int_eq(RUN("tracker", "describe"), 0);
    ck_assert_int_eq(strncmp(ms_child_output, "spectra.jsonl:\nstep (steps)\n    ", 31), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\nupdate_norm_max\n    "));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\n\nprobes.jsonl:\nstep (steps)\n    "));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\nattention_entropy (in [0, 1])\n    array: mean over"));
    ck_assert_ptr_nonnull(strstr(ms_child_output, "\nloss_by_frequency (nats)\n    array: validation loss"));
    ck_assert_int_eq(RUN("tracker", "describe", "qk_rank"), 0);
    ck_assert_int_eq(strncmp(ms_child_output, "probes.jsonl:\nqk_rank\n    ", 26), 0);
    ck_assert_int_eq(RUN("tracker", "describe", "alignment_lefd"), 2);
    expect_message("muonscope: no file of a run has the key 'alignment_lefd'; did you mean 'alignment_left'?\n");
    ck_assert_int_eq(RUN("tracker", "draw"), 2);
    expect_message("muonscope: tracker 'draw': must be describe\n");
    ck_assert_int_eq(RUN("tracker", "describe", "--help"), 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "Usage: muonscope tracker describe [KEY]"));
}
END_TEST

START_TEST(devices_lists_the_processor) {
    ck_assert_int_eq(RUN("devices"), 0);
    ck_assert(strncmp(ms_child_output, "cpu        usable", 17) == 0);
    ck_assert_ptr_nonnull(strstr(ms_child_output, "OpenBLAS"));
    ck_assert_ptr_null(strstr(ms_child_output, " 0.0 GiB"));
    ck_assert_str_eq(ms_child_error, "");
    ck_assert_int_eq(RUN("devices", "--json"), 0);
    json_error_t error;
    json_t *list = json_loads(ms_child_output, 0, &error);
    ck_assert_msg(json_is_array(list), "%s", error.text);
    json_t *first = json_array_get(list, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "name")), "cpu");
    ck_assert(json_is_true(json_object_get(first, "usable")));
    ck_assert_int_ge(json_integer_value(json_object_get(first, "processors")), 1);
    ck_assert_int_gt(json_integer_value(json_object_get(first, "memory_bytes")), 0);
    ck_assert(json_is_string(json_object_get(first, "vectors")));
    ck_assert(json_is_string(json_object_get(first, "kernels")));
    json_decref(list);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("program");
    TCase *tests = tcase_create("program");
    tcase_add_checked_fixture(tests, ms_child_setup, ms_child_teardown);
    tcase_add_test(tests, usage_errors_exit_with_2);
    tcase_add_test(tests, help_and_version_exit_with_0);
    tcase_add_test(tests, variables_are_listed_and_checked);
    tcase_add_test(tests, more_threads_than_processors_are_said);
    tcase_add_test(tests, manual_and_completion);
    tcase_add_test(tests, keys_are_described);
    tcase_add_test(tests, devices_lists_the_processor);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
