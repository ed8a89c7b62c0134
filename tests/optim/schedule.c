#include "optim/schedule.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/suite.h"

START_TEST(test_constant_after_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_CONSTANT, 4, 100, 0, MS_CONVENTION_MUONSCOPE, 0};
    const double expected[] = {0.25, 0.5, 0.75, 1, 1, 1};
    for (int i = 0; i < 6; i++) ck_assert_double_eq_tol(ms_schedule_factor(&schedule, i), expected[i], 1e-15);
    ck_assert_double_eq(ms_schedule_factor(&schedule, 5000), 1);
}
END_TEST

START_TEST(test_cosine) {
    ms_schedule schedule = {MS_SCHEDULE_COSINE, 0, 101, 0.1, MS_CONVENTION_MUONSCOPE, 0};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 0), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 50), 0.55, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 25), 0.1 + 0.9 * 0.5 * (1 + 0.70710678118654752), 1e-14);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 100), 0.1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 1000), 0.1, 1e-15);
}
END_TEST

START_TEST(test_linear_with_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_LINEAR, 10, 21, 0, MS_CONVENTION_MUONSCOPE, 0};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 0), 0.1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 9), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 10), 1, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 15), 0.5, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 20), 0, 1e-15);
}
END_TEST

START_TEST(test_run_shorter_than_warmup) {
    ms_schedule schedule = {MS_SCHEDULE_COSINE, 10, 5, 0.5, MS_CONVENTION_MUONSCOPE, 0};
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 4), 0.5, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 10), 0.5, 1e-15);
}
END_TEST

/* Warm-up, stable, decay: the last stable step is at 1, the last step at final_fraction. */
START_TEST(test_wsd) {
    ms_schedule schedule = {MS_SCHEDULE_WSD, 4, 20, 0.1, MS_CONVENTION_MUONSCOPE, 0.25};
    const double expected[20] = {0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.82, 0.64, 0.46, 0.28, 0.1};
    ck_assert_int_eq(ms_schedule_decay_steps(&schedule), 5);
    for (int i = 0; i < 20; i++) ck_assert_double_eq_tol(ms_schedule_factor(&schedule, i), expected[i], 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 400), 0.1, 1e-15);
    schedule.decay_fraction = 0;
    ck_assert_double_eq(ms_schedule_factor(&schedule, 19), 1);
    schedule.decay_fraction = 1; /* begins where the warm-up ends */
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 4), 1 - 0.9 / 16, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 19), 0.1, 1e-15);
}
END_TEST

/* The formulas of training/trainer.py of vukrosic/muon-llm-research, worked out by hand for 20 steps. */
START_TEST(test_reference_convention) {
    ms_schedule schedule = {MS_SCHEDULE_CONSTANT, 0, 20, 0.1, MS_CONVENTION_REFERENCE, 0.2};
    ck_assert_double_eq(ms_schedule_factor(&schedule, 0), 0); /* a warm-up of one step */
    ck_assert_double_eq(ms_schedule_factor(&schedule, 1), 1);
    schedule.warmup_steps = 4;
    for (int i = 0; i < 6; i++) ck_assert_double_eq(ms_schedule_factor(&schedule, i), i < 4 ? i / 4.0 : 1);
    schedule.kind = MS_SCHEDULE_LINEAR;
    ck_assert_double_eq(ms_schedule_factor(&schedule, 4), 1);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 12), 0.5, 1e-15);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 18), 0.125, 1e-15);
    ck_assert_double_eq(ms_schedule_factor(&schedule, 19), 0.1); /* not 0.0625: a floor */
    schedule.kind = MS_SCHEDULE_COSINE;
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 12), 0.55, 1e-15);
    ck_assert_double_gt(ms_schedule_factor(&schedule, 19), 0.108);
    ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 20), 0.1, 1e-15);
    schedule.kind = MS_SCHEDULE_WSD;
    const double last[5] = {1, 1, 0.75, 0.5, 0.25};
    for (int i = 0; i < 5; i++) ck_assert_double_eq_tol(ms_schedule_factor(&schedule, 15 + i), last[i], 1e-15);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    tcase_add_test(tcase, test_constant_after_warmup);
    tcase_add_test(tcase, test_cosine);
    tcase_add_test(tcase, test_linear_with_warmup);
    tcase_add_test(tcase, test_run_shorter_than_warmup);
    tcase_add_test(tcase, test_wsd);
    tcase_add_test(tcase, test_reference_convention);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
