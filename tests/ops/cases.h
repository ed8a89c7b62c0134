/* What every case file of tests/ops needs, and the list of their entry points: ms_cases_<op> runs all cases of one op.
 */
#ifndef MS_TESTS_OPS_CASES_H
#define MS_TESTS_OPS_CASES_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/exact.h"
#include "tests/ops/runner.h"

/* Sizes that elementwise ops are tried at: one, small, odd, prime, a chunk, and around it. */
#define MS_CASE_SIZES                                                                                                  \
    { 1, 2, 31, 32, 37, 4099, 16384, 16385, 50021 }
enum { MS_CASE_N_SIZES = 9 };

#define CASES(upper, lower) void ms_cases_##lower(void);
#include "tests/ops/cases.def"
#undef CASES

#endif
