/* All op cases, one Check test an op, and that no op is without: the contractions have programs of their own. */
#include <stdlib.h>

#include "tests/ops/cases.h"
#include "tests/ops/faults.h"
#include "tests/ops/gradient.h"
#include "tests/support/suite.h"

static void (*const cases[MS_OP_COUNT])(void) = {
#define CASES(upper, lower) [MS_OP_##upper] = ms_test_##lower,
#include "tests/ops/cases.def"
#undef CASES
};

START_TEST(test_op) {
    if (cases[_i]) cases[_i]();
}
END_TEST

/* A composite op has no kernel; tests/ops/{matmul,gram,attention}.c test the rest. */
START_TEST(test_coverage) {
    for (int op = 0; op < MS_OP_COUNT; op++) {
        bool elsewhere = op == MS_OP_MATMUL || op == MS_OP_GRAM || op == MS_OP_ATTENTION ||
                         op == MS_OP_ATTENTION_GRAD || op == MS_OP_ATTENTION_LOGIT_MAX || op == MS_OP_CACHED_ATTENTION;
        bool composite = ms_op_get((ms_op)op)->kind == MS_OP_KIND_COMPOSITE;
        ck_assert_msg(cases[op] || elsewhere || composite, "op %s has no cases", ms_op_get((ms_op)op)->name);
    }
}
END_TEST

START_TEST(test_faults) { ms_check_faults(); }
END_TEST

START_TEST(test_gradients) { ms_check_gradients(); }
END_TEST

int main(void) {
    Suite *suite = suite_create("ops");
    TCase *tests = tcase_create("ops");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_coverage);
    tcase_add_test(tests, test_faults);
    tcase_add_loop_test(tests, test_op, 0, MS_OP_COUNT);
    tcase_add_test(tests, test_gradients);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
