/* Cases of ops: shapes, attributes, inputs and error bounds, as data.  `muonscope verify` runs them on devices,
   tests/ops on the CPU's kernels.  Functions are thread-safe on distinct cases. */
#ifndef MS_BACKEND_CASES_CASE_H
#define MS_BACKEND_CASES_CASE_H

#include "backend/backend.h"

/* How an input is filled. */
typedef enum ms_case_fill {
    MS_CASE_NORMAL,    /* about normal, deviation 1, at most 6; i32: uniform in [low, high) */
    MS_CASE_POSITIVE,  /* uniform in [0.1, 2) */
    MS_CASE_SPARSE,    /* as NORMAL, a third of it +0 or -0 */
    MS_CASE_WIDE,      /* NORMAL times 2^-20 .. 2^20 */
    MS_CASE_LATE_NAN,  /* as NORMAL; of n rows, row n - 1 - n/8 holds NaN, inf and -inf in turn */
    MS_CASE_EARLY_NAN, /* the same in row n/8 */
    MS_CASE_DISTINCT,  /* i32: of [low, high), none twice */
    MS_CASE_TOKENS     /* i32: as tokens of a text: 3 of 8 are `low`, the others low + k about as often as 1 / (k + 1),
                          `low` too (Zipf) */
} ms_case_fill;

enum { MS_CASE_N_SCALARS = 4 };

typedef struct ms_op_case ms_op_case;

/* The magnitude that the error bound of each element is relative to: out[k][i] for f32 and bf16 output k, entered with
   |oracle|.  in[i]: f32 (bf16 inputs widened) or i32 as the case says, NULL: absent. */
typedef void (*ms_case_magnitude)(const ms_op_case *test, const void *const *in, double *const *out);

/* What the rounding of matmuls (backend/backend.h) may add to the error of each element: added to out[k][i]. */
typedef void (*ms_case_matmul_error)(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                                     double *const *out);

struct ms_op_case {
    ms_op op;
    ms_attributes attributes;
    int32_t n_inputs;
    ms_dtype dtype[MS_MAX_INPUTS];
    ms_shape shape[MS_MAX_INPUTS]; /* rank 0: absent */
    ms_case_fill fill[MS_MAX_INPUTS];
    int32_t low, high;                /* range of i32 inputs, [low, high) */
    float scalars[MS_CASE_N_SCALARS]; /* step scalars */
    ms_case_magnitude magnitude;      /* NULL: |oracle| */
    double bound; /* largest |exact - oracle| in units of 2^-24 magnitude, from the sequence of operations */
    ms_case_matmul_error matmul_error; /* NULL: no matmuls in it */
    double native;                     /* what `fast` may add to it, for functions of the device: see ms_case_bound */
    bool skip_special;   /* no NaN and infinity in its inputs: the op moves data, or they cannot reach the output */
    bool hidden_special; /* NaN and infinity in its inputs that must not reach some of its results, whatever they are
                            multiplied by */
    bool in_quick;       /* quick runs never leave it out */
    bool large;          /* many millions of elements: not for quick runs */
    uint32_t absent_outputs; /* bit k: output k is not written for these attributes */
    /* filled by ms_case_infer */
    int32_t n_outputs;
    ms_tensor_info out[MS_MAX_OUTPUTS]; /* dtype and shape only */
    uint64_t seed;                      /* of the inputs; the caller sets it */
};

/* The i-th case of an op, i from 0; false: there are no more.  Every op of ops.def has cases: one without does not
   link. */
bool ms_case_make(ms_op op, int i, ms_op_case *out);

/* The same case with its data in bf16; turn: which of the combinations that the op allows, in rotation.  false: none
   fits. */
bool ms_case_in_bf16(const ms_op_case *test, int turn, ms_op_case *out);

/* A case of `op` with everything else zero. */
ms_op_case ms_case_of(ms_op op);
/* Appends an input. */
void ms_case_input(ms_op_case *test, ms_dtype dtype, ms_shape shape, ms_case_fill fill);
/* Appends an absent optional input. */
void ms_case_absent(ms_op_case *test);
bool ms_case_has_input(const ms_op_case *test, int i);

/* Fills n_outputs and out by the op's shape rule.  An assign counts as one output: its destination.  MS_INVALID: the
   rule refuses. */
ms_status ms_case_infer(ms_op_case *test);

/* Fills input i from the case's seed: f32, bf16 or i32 elements.  No subnormal number: devices may flush those. */
void ms_case_fill_input(const ms_op_case *test, int i, void *out_data);

/* Largest |result - oracle| in units of 2^-24 magnitude.  `fast` has the same number of roundings as `exact` (sums no
   deeper than ms_case_depth), but may use a device's own functions; their errors are those that Vulkan allows
   (specification, precision of operations): division 2.5 ulp, inverse square root 2, square root as its inverse, exp 3
   + 2|x|, log 3. */
double ms_case_bound(const ms_op_case *test, bool fast);

/* (1 + a)(1 + b)(1 + the error of a sum of n terms) - 1: the relative error of a sum of products on tensor cores. There
   terms are aligned with the largest of 4 or more and the running sum, each is cut off, and so is the result: at most
   n + 2 ceil(n / 4) cuts that cannot be trusted to cancel (they all have one sign), so no square root. */
double ms_case_matmul_growth(const ms_matmul_rounding *rounding, double a, double b, int64_t n);

/* Most additions that one of n terms goes through in the order of `exact` (backend/cpu/reduce.h): the error of a sum is
   at most this times 2^-24 times the sum of magnitudes. */
double ms_case_depth(int64_t n);

/* constant * step scalar, in f32. */
float ms_case_coefficient(const ms_op_case *test, ms_coefficient coefficient);

/* "[7,5] bf16[5] - [7]", dtypes other than f32 named, a result's too; returns out.  After ms_case_infer. */
const char *ms_case_text(const ms_op_case *test, char *out, size_t size);

/* ms_cases_<op>(i, out): the makers behind ms_case_make. */
#define OP(upper, lower, ...) bool ms_cases_##lower(int i, ms_op_case *out);
#include "backend/ir/ops.def"
#undef OP

#endif
