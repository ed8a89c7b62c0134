#include "optim/schedule.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/suite.h"

START_TEST(test_constant_after_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_CONSTANT, 4, 100, 0};
    const double expected[] = {0.25, 0.5, 0.75, 1, 1, 1};
    for (int i = 0; i < 6; i++) ck_assert_double_eq_tol(ms_schedule_factor(&schedule, i), expected[i], 1e-15);
    ck_assert_double_eq(ms_schedule_factor(&schedule, 5000), 1);
}
END_TEST

START_TEST(test_cosine) {
    ms_schedule schedule = {MS_SCHEDULE_COSINE, 0, 101, 0.1};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 0), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 50), 0.55, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 25), 0.1 + 0.9 * 0.5 * (1 + 0.70710678118654752), 1e-14);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 100), 0.1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 1000), 0.1, 1e-15);
}
END_TEST

START_TEST(test_linear_with_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_LINEAR, 10, 21, 0};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 0), 0.1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 9), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 10), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 15), 0.5, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 20), 0, 1e-15);
}
END_TEST

START_TEST(test_run_shorter_than_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_COSINE, 10, 5, 0.5};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 4), 0.5, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 10), 0.5, 1e-15);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    tcase_add_test(tcase, test_constant_after_warmup);
    tcase_add_test(tcase, test_cosine);
    tcase_add_test(tcase, test_linear_with_warmup);
    tcase_add_test(tcase, test_run_shorter_than_warmup);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
