#include "cli/verify/drift.h"

#include <math.h>
#include <string.h>

#include "backend/cases/case.h"

static const double noise_f32 = 0x1p-18, noise_bf16 = 0x1p-8, drift_factor = 8, loss_error = 0x1p-16;

double ms_verify_noise(const ms_matmul_rounding *rounding, int64_t depth, ms_dtype storage) {
    double error = fmax(noise_f32, ms_case_matmul_growth(rounding, rounding->factor, rounding->factor, depth));
    return storage == MS_DTYPE_BF16 ? fmax(noise_bf16, error) : error;
}

static double drift_until(const ms_verify_drift *drift, int i_last) {
    double most = 0;
    for (int i = 0; i <= i_last; i++) most = fmax(most, fabs(drift->noisy->losses[i] - drift->exact->losses[i]));
    return most;
}

double ms_verify_drift_bound(const ms_verify_drift *drift, int i) {
    return drift_factor * drift_until(drift, i) + loss_error * drift->exact->losses[i];
}

uint32_t ms_verify_loss_bits(double loss) {
    float value = (float)loss;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void ms_verify_judge_drift(const ms_verify_drift *drift, ms_verify_row *row) {
    const ms_verify_outcome *exact = drift->exact, *have = drift->fast;
    double largest = 0;
    row->worst = have->n_losses == exact->n_losses ? 0 : HUGE_VAL;
    for (int i = 0; i < exact->n_losses && i < have->n_losses; i++) {
        double bound = ms_verify_drift_bound(drift, i), ratio = fabs(have->losses[i] - exact->losses[i]) / bound;
        largest = fmax(largest, ratio * bound);
        row->worst = fmax(row->worst, isnan(ratio) ? HUGE_VAL : ratio);
        if (ratio <= 1 || row->has_difference) continue;
        row->has_difference = true;
        row->index = i + 1;
        row->expected = ms_verify_loss_bits(exact->losses[i]);
        row->found = ms_verify_loss_bits(have->losses[i]);
        snprintf(row->message, sizeof row->message, "loss of step %d: %.9g, exact %.9g, bound %.3g", i + 1,
                 have->losses[i], exact->losses[i], bound);
    }
    if (row->worst > 1) row->verdict = MS_VERDICT_BOUND;
    if (row->verdict == MS_VERDICT_PASS)
        snprintf(row->message, sizeof row->message, "losses within %.2g of exact; noise moves them by %.2g", largest,
                 drift_until(drift, exact->n_losses - 1));
}
