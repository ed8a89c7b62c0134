/* Runs one case of one op on the CPU kernels and holds it against everything that must be true of it:
   - the shape rule accepts it and names the outputs;
   - `exact` gives the same bits with 1, 2 and 3 threads, at 64-byte aligned addresses and at odd ones;
   - those are the bits of the case's scalar reference, at every level of the processor (backend/cpu/cpu_level.h);
   - they are within the case's bound of the f64 oracle, which is itself the same for 1 and 2 threads;
   - nothing is written outside of the outputs, and the inputs stay as they were;
   - every in-place alias of ops.def, and all together, gives the same bits; an output that is not wanted changes no
   other;
   - with a NaN or an infinity in each input of numbers in turn, kernel and reference still agree, and a NaN is seen at
   the end;
   - all of that holds again with the data in bf16, where the op takes it (tests/ops/bf16.h). The seed is the case's
   number.  Not thread-safe. */
#ifndef MS_TESTS_OPS_RUNNER_H
#define MS_TESTS_OPS_RUNNER_H

#include "backend/cpu/cpu_level.h"
#include "tests/ops/op_test.h"

/* The case as an op call, without places and addresses; the case is inferred. */
ms_op_call ms_case_call(const ms_op_case *test);

/* The level that the running kernel is of: for planted faults. */
extern const ms_cpu_level *ms_case_level;
/* The kernel of an op at the widest level, or that of MUONSCOPE_CPU_LEVEL. */
ms_cpu_kernel_entry ms_case_kernel(ms_numerics numerics, ms_op op);
/* All levels that this processor can run, the narrowest first; returns how many. */
enum { MS_CASE_LEVELS = 8 };
int ms_case_levels(const ms_cpu_level *out[MS_CASE_LEVELS]);

/* Runs the case, and again in bf16; the empty string when all holds, else what does not.  Valid until the next call. */
const char *ms_case_failure(ms_op_test *test);
/* Fails the Check test when the case fails. */
void ms_case_check(const ms_op_case *test, ms_case_reference reference);
/* All cases of an op but the large ones. */
void ms_case_check_all(ms_op op, ms_case_reference reference);
/* Runs the kernel on given f32/i32 inputs (NULL: absent) with outputs thrown away, and returns its status: for bad
   input. */
ms_status ms_case_status(const ms_op_case *test, const void *const *in);

/* The reduction rule written directly from its definition: of n numbers, each a row of `columns`, at stride `columns`;
   out [columns]. */
void ms_naive_reduce_rows(const float *terms, int64_t n, int64_t columns, float *out);
float ms_naive_reduce(const float *terms, int64_t n);

#endif
