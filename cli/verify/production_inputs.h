/* Inputs of ops at production sizes, made slab by slab, and bounds on how far `fast` may lie from `exact` on them.

   WHOLE: numbers of few bits, whose products and partial sums f32, TF32 and bf16 hold exactly, in any order and with
   whatever tensor cores cut off (below 2^22, where f32 has 24 bits).  Then sums of products have one right value, and
   any term that is wrong, missing or twice is seen; what is left to round has a bound of its own.
       matmul, gram     whole numbers from -m to m, K m^2 <= 2^22 for K terms, at most 255; c a multiple of 4096
       attention        q and k multiples of 1/2 and 1 from 0 to 2 and 4, q negative in every second group of heads, v
                        and do multiples of 1/4 from -2 to 2: scores and do v are exact
   NORMAL: about normal numbers with all their bits, to meet the rounding of factors: matmul, gram and cross_entropy. */
#ifndef MS_CLI_VERIFY_PRODUCTION_INPUTS_H
#define MS_CLI_VERIFY_PRODUCTION_INPUTS_H

#include "backend/cases/case.h"
#include "backend/ir/gemm.h"

typedef enum ms_production_fill { MS_PRODUCTION_WHOLE, MS_PRODUCTION_NORMAL } ms_production_fill;

/* Elements that are made and compared at a time. */
enum { MS_PRODUCTION_SLAB = 1 << 20 };

typedef struct ms_production_inputs {
    const ms_op_case *shape; /* borrowed */
    ms_production_fill fill;
    uint64_t seed;
    void *given[MS_MAX_INPUTS]; /* whole inputs that are computed instead (o and lse of attention_grad); owned */
} ms_production_inputs;

/* Elements [begin, begin + count) of input i, in its dtype; begin is a multiple of MS_PRODUCTION_SLAB, count at most
   that.  Thread-safe. */
void ms_production_input(const ms_production_inputs *inputs, int i, int64_t begin, int64_t count, void *out);

/* An f32 or bf16 element of data. */
double ms_production_element(ms_dtype dtype, const void *data, int64_t i);

/* What bounds are made of.  Zeroed is empty. */
typedef struct ms_production_bounds {
    const ms_production_inputs *inputs; /* borrowed */
    ms_matmul_rounding rounding;        /* of the device in `fast` */
    ms_gemm gemm;
    double *norms[2]; /* [n_norms]: squares of the lengths of the factors' rows; of q and k: of each head's row */
    int64_t n_norms[2];
    double most_score; /* attention: |q| |k| scale at most, by Cauchy and Schwarz */
} ms_production_bounds;

/* For inputs of this fill.  MS_OUT_OF_MEMORY.  The caller finishes it. */
ms_status ms_production_bounds_init(const ms_production_inputs *inputs, const ms_matmul_rounding *rounding,
                                    ms_production_bounds *out);
/* Each slab of inputs 0 and 1 is shown once, in any order, before the first bound. */
void ms_production_bounds_see(ms_production_bounds *bounds, int i, int64_t begin, int64_t count, const void *data);
/* After the last slab. */
void ms_production_bounds_close(ms_production_bounds *bounds);
void ms_production_bounds_finish(ms_production_bounds *bounds);

/* An element of an output, beside which a bound is asked for. */
typedef struct ms_production_result {
    int32_t output;
    int64_t index;
    double exact;     /* its value */
    double magnitude; /* attention and its gradient: the same sum with every term positive, by `exact` */
    double added;     /* matmul: c */
} ms_production_result;

/* Largest difference of `fast` from `exact`.  The derivation is at each rule in production_inputs.c. */
double ms_production_bound(const ms_production_bounds *bounds, const ms_production_result *result);

#endif
