/* Holds the `fast` kernel of the case's op, at every level of the processor, against the f64 oracle: within the case's
   bound (see runner.h: bound * 2^-24 * magnitude) with 1, 2 and 3 threads, the same bits when repeated at a thread
   count, and nothing written outside of outputs and workspace. */
#ifndef MS_TESTS_OPS_FAST_H
#define MS_TESTS_OPS_FAST_H

#include "tests/ops/runner.h"

/* Fails the Check test when something does not hold.  Inputs of numbers are f32,
   uniform in [-1, 1); of integers, those of the case. */
void ms_fast_check(ms_op_case *test);

#endif
