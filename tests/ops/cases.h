/* What every case file of tests/ops needs, and the list of their entry points: ms_test_<op> runs all cases of one
   op. */
#ifndef MS_TESTS_OPS_CASES_H
#define MS_TESTS_OPS_CASES_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/exact.h"
#include "tests/ops/runner.h"

#define CASES(upper, lower) void ms_test_##lower(void);
#include "tests/ops/cases.def"
#undef CASES

#endif
