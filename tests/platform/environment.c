/* The MUONSCOPE_* variables: values, switches, numbers, and names that the table does not have. */
#include "platform/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

START_TEST(values) {
    const char *name = ms_environment_get_row(MS_ENVIRONMENT_CUDA_MODULE)->name;
    ck_assert_str_eq(name, "MUONSCOPE_CUDA_MODULE");
    unsetenv(name);
    ck_assert_ptr_null(ms_environment_text(MS_ENVIRONMENT_CUDA_MODULE));
    setenv(name, "", 1);
    ck_assert_ptr_null(ms_environment_text(MS_ENVIRONMENT_CUDA_MODULE));
    setenv(name, "x.so", 1);
    ck_assert_str_eq(ms_environment_text(MS_ENVIRONMENT_CUDA_MODULE), "x.so");
}
END_TEST

START_TEST(switches) {
    const char *name = ms_environment_get_row(MS_ENVIRONMENT_CUDA_SYNC)->name;
    const struct {
        const char *text;
        bool is_on;
    } cases[] = {{"", false}, {"0", false}, {"1", true}, {"yes", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv(name, cases[i].text, 1);
        ck_assert_msg(ms_environment_is_on(MS_ENVIRONMENT_CUDA_SYNC) == cases[i].is_on, "%s", cases[i].text);
    }
    unsetenv(name);
    ck_assert(!ms_environment_is_on(MS_ENVIRONMENT_CUDA_SYNC));
}
END_TEST

static void check_number(ms_environment variable, const char *text, uint64_t want) {
    uint64_t number = 7;
    setenv(ms_environment_get_row(variable)->name, text, 1);
    ms_must(ms_environment_number(variable, &number));
    ck_assert_msg(number == want, "\"%s\": %llu", text, (unsigned long long)number);
}

static void check_refused(ms_environment variable, const char *text, const char *wanted) {
    uint64_t number = 7;
    setenv(ms_environment_get_row(variable)->name, text, 1);
    ck_assert_int_eq(ms_environment_number(variable, &number), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), wanted);
    ck_assert_uint_eq(number, 0);
}

/* Unset is 0; a number in the row's range is itself; all else is an error with variable, value and range. */
START_TEST(numbers) {
    const ms_environment variable = MS_ENVIRONMENT_VULKAN_WORKGROUPS;
    check_number(variable, "", 0);
    check_number(variable, "1", 1);
    check_number(variable, "0016", 16);
    check_number(variable, "4294967295", UINT32_MAX);
    const char *bad[] = {"0", "yes", "3x", "-1", "+3", " 3", "1e3", "4294967296", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char wanted[160];
        snprintf(wanted, sizeof wanted,
                 "MUONSCOPE_VULKAN_WORKGROUPS is \"%s\", must be a whole number from 1 to 4294967295", bad[i]);
        check_refused(variable, bad[i], wanted);
    }
    check_number(MS_ENVIRONMENT_VULKAN_ALLOCATION, "18446744073709551615", UINT64_MAX);
    check_refused(MS_ENVIRONMENT_VULKAN_ALLOCATION, "4M",
                  "MUONSCOPE_VULKAN_ALLOCATION is \"4M\", must be a whole number from 4194304 to 18446744073709551615");
    check_refused(MS_ENVIRONMENT_VULKAN_INVOCATIONS, "64",
                  "MUONSCOPE_VULKAN_INVOCATIONS is \"64\", must be a whole number from 128 to 4294967295");
    check_refused(MS_ENVIRONMENT_VULKAN_QUEUES, "2", "MUONSCOPE_VULKAN_QUEUES is \"2\", must be 1");
    unsetenv(ms_environment_get_row(variable)->name);
    uint64_t number = 7;
    ms_must(ms_environment_number(variable, &number));
    ck_assert_uint_eq(number, 0);
}
END_TEST

START_TEST(unknown_names) {
    char name[64];
    ck_assert_ptr_null(ms_environment_unknown(0, name, sizeof name));
    for (int i = 0; i < MS_ENVIRONMENT_COUNT; i++) setenv(ms_environment_get_row((ms_environment)i)->name, "", 1);
    setenv("MUONSCOP_CUDA_MODULE", "1", 1); /* another program's */
    ck_assert_ptr_null(ms_environment_unknown(0, name, sizeof name));
    setenv("MUONSCOPE_CUDA_MODUL", "MUONSCOPE_CUDA_MODULE=1", 1);
    setenv("MUONSCOPE_CUDA_MODULES", "1", 1);
    bool found[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(ms_environment_unknown(i, name, sizeof name));
        found[strlen(name) == strlen("MUONSCOPE_CUDA_MODULES")] = true;
    }
    ck_assert(found[0] && found[1]);
    ck_assert_ptr_null(ms_environment_unknown(2, name, sizeof name));
    char cut[8];
    ck_assert_str_eq(ms_environment_unknown(0, cut, sizeof cut), "MUONSCO");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("platform/environment");
    TCase *cases = tcase_create("environment");
    tcase_add_test(cases, values);
    tcase_add_test(cases, switches);
    tcase_add_test(cases, numbers);
    tcase_add_test(cases, unknown_names);
    suite_add_tcase(suite, cases);
    return ms_suite_run(suite);
}
