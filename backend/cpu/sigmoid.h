/* sigmoid(x), for the kernels of swiglu: e = exp(-|x|); 1 / (1 + e), times e when x < 0.  exp is 0 beyond 41.5, so that
   no subnormal appears.  Pure.  Needs MS_REAL. */
#ifndef MS_BACKEND_CPU_SIGMOID_H
#define MS_BACKEND_CPU_SIGMOID_H

#include "backend/cpu/cpu_kernel.h"
#include "backend/exact.h"

static inline real ms_sigmoid(real x) {
    real e = ms_exp(x < 0 ? x : -x);
    return (x < 0 ? e : (real)1) * ms_reciprocal((real)1 + e);
}

#endif
