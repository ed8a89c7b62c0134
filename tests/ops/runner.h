/* Runs one case of one op on the CPU kernels and holds it against everything that must be true of it:
   - the shape rule accepts it and names the outputs;
   - `exact` gives the same bits with 1, 2 and 3 threads, at 64-byte aligned addresses and at odd ones;
   - those are the bits of the case's scalar reference;
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

#include "backend/cpu/cpu_kernel.h"

/* How an input is filled. */
typedef enum ms_case_fill {
    MS_CASE_NORMAL,   /* about normal, deviation 1; i32: uniform in [low, high); bf16 as f32 */
    MS_CASE_POSITIVE, /* uniform in [0.1, 2) */
    MS_CASE_SPARSE,   /* as NORMAL, a third of it +-0 */
    MS_CASE_WIDE      /* NORMAL times 2^-20 .. 2^20 */
} ms_case_fill;

typedef struct ms_op_case ms_op_case;

/* Scalar definition: in[i] holds f32, i32 or bf16 as the case says (NULL: absent), out[k] likewise. */
typedef void (*ms_case_reference)(const ms_op_case *test, const void *const *in, void *const *out);
/* out[k][i] = the magnitude that the error bound of f32 output k is relative to; entered with |oracle|. */
typedef void (*ms_case_magnitude)(const ms_op_case *test, const void *const *in, double *const *out);

struct ms_op_case {
    ms_op op;
    ms_attributes attributes;
    int n_inputs;
    ms_dtype dtype[MS_MAX_INPUTS];
    ms_shape shape[MS_MAX_INPUTS]; /* rank 0: absent */
    ms_case_fill fill[MS_MAX_INPUTS];
    int32_t low, high; /* range of i32 inputs */
    float scalars[4];  /* step scalars */
    ms_case_reference reference;
    ms_case_magnitude magnitude; /* NULL: |oracle| */
    double bound;                /* largest |exact - oracle| in units of 2^-24 magnitude */
    bool skip_special;           /* no NaN and infinity runs: the op moves data, or they cannot reach the output */
    bool skip_oracle;            /* the f64 result is of another kind (bf16) */
    ms_cpu_kernel kernel;        /* instead of the op's `exact` kernel: planted faults */
    const ms_op_case *f32_case;  /* of a case in bf16: the case in f32 that defines it; else NULL */
    /* filled by the runner */
    int n_outputs;
    ms_tensor_info out[MS_MAX_OUTPUTS];
    uint64_t seed;
};

/* A case of `op` with everything else zero. */
ms_op_case ms_case_of(ms_op op);
/* Appends an input. */
void ms_case_input(ms_op_case *test, ms_dtype dtype, ms_shape shape, ms_case_fill fill);
/* Appends an absent optional input. */
void ms_case_absent(ms_op_case *test);

/* Runs the case; the empty string when all holds, else what does not.  Valid until the next call. */
const char *ms_case_failure(ms_op_case *test);
/* Fails the Check test when the case fails. */
void ms_case_check(ms_op_case *test);
/* Runs the kernel on given f32/i32 inputs (NULL: absent) with outputs thrown away, and returns its status: for bad
 * input. */
ms_status ms_case_status(ms_op_case *test, const void *const *in);

/* The reduction rule written directly from its definition: of n numbers, each a row of `columns`, at stride `columns`;
   out [columns]. */
void ms_naive_reduce_rows(const float *terms, int64_t n, int64_t columns, float *out);
float ms_naive_reduce(const float *terms, int64_t n);

/* Most additions that one of n terms goes through: the error of a sum of n terms is at most this times 2^-24 sum
 * |terms|. */
double ms_case_depth(int64_t n);

/* For references: constant times step scalar, in f32. */
float ms_case_coefficient(const ms_op_case *test, ms_coefficient coefficient);

/* splitmix64 stream and a normal-like number (sum of uniforms), for inputs. */
uint64_t ms_case_random(uint64_t *state);
double ms_case_uniform(uint64_t *state);

#endif
