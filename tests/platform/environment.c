/* The MUONSCOPE_* variables: values, switches, numbers, and names that the table does not have. */
#include "platform/environment.h"

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

START_TEST(switches_and_numbers) {
    const char *name = ms_environment_get_row(MS_ENVIRONMENT_VULKAN_WORKGROUPS)->name;
    const struct {
        const char *text;
        bool is_on;
        uint64_t number;
    } cases[] = {{"", false, 0},   {"0", false, 0}, {"1", true, 1},  {"4194304", true, 4194304},
                 {"yes", true, 0}, {"3x", true, 0}, {"00", true, 0}, {"99999999999999999999", true, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv(name, cases[i].text, 1);
        ck_assert_msg(ms_environment_is_on(MS_ENVIRONMENT_VULKAN_WORKGROUPS) == cases[i].is_on, "%s", cases[i].text);
        ck_assert_msg(ms_environment_number(MS_ENVIRONMENT_VULKAN_WORKGROUPS) == cases[i].number, "%s", cases[i].text);
    }
    unsetenv(name);
    ck_assert(!ms_environment_is_on(MS_ENVIRONMENT_VULKAN_WORKGROUPS));
    ck_assert_uint_eq(ms_environment_number(MS_ENVIRONMENT_VULKAN_WORKGROUPS), 0);
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
    tcase_add_test(cases, switches_and_numbers);
    tcase_add_test(cases, unknown_names);
    suite_add_tcase(suite, cases);
    return ms_suite_run(suite);
}
