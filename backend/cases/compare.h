/* Holds outputs of a case against each other: bit for bit, or within the case's bound of the f64 oracle. */
#ifndef MS_BACKEND_CASES_COMPARE_H
#define MS_BACKEND_CASES_COMPARE_H

#include "backend/cases/program.h"

typedef struct ms_case_difference {
    bool differs;
    int32_t output;
    int64_t index;            /* first differing element */
    uint32_t expected, found; /* bits, of the dtype's size; an oracle's number rounded to f32 */
    double worst;             /* largest error over its bound, of all elements compared; 0 where bits are compared */
} ms_case_difference;

/* Whether output k has the same bits; all NaNs are equal, +0 and -0 are not.  Folds the first difference into
   `difference`. */
void ms_case_compare_bits(const ms_op_case *test, int k, const void *expected, const void *found,
                          ms_case_difference *difference);

/* The errors that output k may have, for every element of f32 and bf16 outputs: magnitude times bound, and what the
   device's matmuls add.  oracle: the values of an oracle run.  fast: how the device rounds matmuls in `fast`; NULL:
   the bounds of `exact`.  out_bounds[k]: [count] doubles, NULL for outputs of other dtypes; the caller frees each.
   MS_OUT_OF_MEMORY. */
ms_status ms_case_bounds(const ms_op_case *test, const ms_case_values *oracle, const ms_matmul_rounding *fast,
                         double *out_bounds[MS_MAX_OUTPUTS]);

/* Bits of the smallest number above the oracle's element i of f32 or bf16 output k that its bound does not allow. */
uint32_t ms_case_beyond(const ms_op_case *test, int k, const void *oracle, const double *bounds, int64_t i);

/* Whether output k lies within `bounds` of the oracle.  Where the oracle is not finite the result must be the same
   infinity or a NaN for a NaN.  Integers must be equal. */
void ms_case_compare_oracle(const ms_op_case *test, int k, const void *oracle, const void *found, const double *bounds,
                            ms_case_difference *difference);

/* What the CPU makes of a case; borrowed. */
typedef struct ms_case_references {
    const ms_case_values *exact, *oracle;
} ms_case_references;

/* Whether f32 or bf16 output k is a NaN wherever both references are: what can be asked of `fast` when inputs are not
   finite.  Either reference alone may differ: a comparison that `exact` defines, an overflow that f64 does not meet.
   may_be_infinite: an infinity will do too, as when infinities among the inputs, not NaNs, meet as inf - inf. */
void ms_case_compare_nan(const ms_op_case *test, int k, const ms_case_references *references, const void *found,
                         bool may_be_infinite, ms_case_difference *difference);
/* The first element that ms_case_compare_nan asks for, or -1. */
int64_t ms_case_first_nan(const ms_op_case *test, int k, const ms_case_references *references);

#endif
