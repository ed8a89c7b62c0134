/* How far the losses of a `fast` run may drift from those of an `exact` one.

   A fast step differs from an exact one as if weights and gradients had been disturbed by the error of its matmuls: at
   most 4 sqrt(K) u relative to the magnitudes, 2^-18.5 for K <= 128; more where a device rounds factors.  With bf16
   storage a result that falls on the other side of a rounding boundary moves by 2^-8.  How far losses then drift apart
   is a property of the model and the optimizer, so it is measured and not derived: the exact run again, each weight
   moved by that much, up or down, before every step.  A fast run may drift 8 times as far as that one has by then, plus
   2^-16 of the loss for the sums behind the last matmul. */
#ifndef MS_CLI_VERIFY_DRIFT_H
#define MS_CLI_VERIFY_DRIFT_H

#include "cli/verify/report.h"
#include "cli/verify/training.h"

/* The relative amount by which the noisy run moves weights, for products of `depth` terms on a device with this
   rounding. */
double ms_verify_noise(const ms_matmul_rounding *rounding, int64_t depth, ms_dtype storage);

typedef struct ms_verify_drift {
    const ms_verify_outcome *exact, *noisy, *fast;
} ms_verify_drift;

/* What the loss of step i, from 0, of the fast run may differ by. */
double ms_verify_drift_bound(const ms_verify_drift *drift, int i);
/* Verdict, worst drift over its bound, first step beyond it, message. */
void ms_verify_judge_drift(const ms_verify_drift *drift, ms_verify_row *row);

/* As f32. */
uint32_t ms_verify_loss_bits(double loss);

#endif
