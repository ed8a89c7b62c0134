/* Statistics of the activations of one layer for a few tokens: how large they are, and in how many directions.

   Plain f32 in, f64 out, on the calling thread alone, so that a result depends on the numbers only.  X [N, M] holds N
   tokens of M channels; its singular values s are those of X as it is, not of X less its mean: a direction that all
   tokens share counts.  An undefined statistic is NaN here and null in JSON.

   Method: eigenvalues of the Gram matrix over the smaller side; where squaring would spoil the small values, a direct
   SVD (DGESDD).  Effective rank: Roy & Vetterli 2007; participation ratio: Gao & Ganguli 2015, of the values s^2. */
#ifndef MS_TRACKER_ACTIVATIONS_H
#define MS_TRACKER_ACTIVATIONS_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_activation_statistics {
    double rms;                 /* sqrt(mean x^2) */
    double largest;             /* max |x| */
    double effective_rank;      /* exp(-sum p log p), p = s / sum s; NaN for X = 0 */
    double participation_ratio; /* (sum s^2)^2 / sum s^4, from 1 to min(N, M); NaN for X = 0 */
} ms_activation_statistics;

/* Scratch memory of one thread, for X of at most N tokens and M channels. */
typedef struct ms_activation_scratch ms_activation_scratch;

/* Bytes of it, for sizes of at least 1.  A direct SVD takes more, for as long as it runs. */
size_t ms_activation_scratch_bytes(int n_tokens, int n_channels);
/* The caller destroys it.  MS_INVALID: a size below 1; MS_OUT_OF_MEMORY; errors of ms_blas_prepare. */
ms_status ms_activation_scratch_create(int n_tokens, int n_channels, ms_activation_scratch **out);
void ms_activation_scratch_destroy(ms_activation_scratch *scratch);

/* x [n_tokens, n_channels], row-major.  `name` ("residual stream of layer 3") is for messages.
   MS_INVALID: sizes beyond the scratch; MS_NUMERIC: a value is NaN or infinite; MS_INTERNAL: LAPACK did not converge;
   MS_OUT_OF_MEMORY (direct SVD only).  Thread-safe with one scratch per thread. */
ms_status ms_activation_compute(ms_activation_scratch *scratch, const char *name, const float *x, int n_tokens,
                                int n_channels, ms_activation_statistics *out);

#ifdef __cplusplus
}
#endif

#endif
