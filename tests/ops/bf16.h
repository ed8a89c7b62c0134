/* Every case again with its data in bf16: the result must be that of the case's scalar reference on the widened inputs,
   rounded once. */
#ifndef MS_TESTS_OPS_BF16_H
#define MS_TESTS_OPS_BF16_H

#include "tests/ops/op_test.h"

/* Makes the bf16 test of an f32 test whose outputs are known (it was run).  Of an op with several combinations of
   dtypes, `turn` picks one.  False: the op takes no bf16, its case has bf16 or integers as data already, or it is too
   large to be worth running twice. */
bool ms_bf16_test(const ms_op_test *test, int turn, ms_op_test *out);

/* The reference's results for a case in bf16: of the widened inputs, rounded once. */
void ms_bf16_reference(const ms_op_test *test, const void *const *in, void *const *out);
/* The magnitudes of a case in bf16: those of the widened inputs. */
void ms_bf16_magnitude(const ms_op_test *test, const void *const *in, double *const *out);

/* Nearest bf16 by f64 arithmetic, a tie to even; and back. */
uint16_t ms_nearest_bf16(double x);
double ms_bf16_value(uint16_t x);

#endif
