/* The largest singular value of a matrix that changes a little between calls, by block power iteration (subspace
   iteration, Golub & Van Loan 8.2.4) from the directions of the last call, with Rayleigh-Ritz.
   Gaps of weight matrices reach 1.005, where a single vector is off by per cents.  On Gaussian matrices that take a
   random step of a tenth of their entries between calls it is low by at most 6e-4 at 128 x 448 and 6e-3 at 512 x 2048;
   a call takes 0.4 and 6 ms, a spectrum 1.3 and 42 ms.

   f64 on the calling thread alone.  Directions are kept in f32: what a caller stores and reads goes on with the same
   bits. */
#ifndef MS_TRACKER_POWER_H
#define MS_TRACKER_POWER_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Vectors of the block, at most; passes of a call, and of the first one, which begins anywhere. */
enum { MS_POWER_BLOCK = 8, MS_POWER_PASSES = 2, MS_POWER_FIRST_PASSES = 24 };

typedef struct ms_power_scratch ms_power_scratch;

/* Bytes that ms_power_scratch_create takes; 0 for sides that it refuses.  Thread-safe. */
size_t ms_power_scratch_bytes(int smaller, int longer);
/* For matrices whose smaller side is at most `smaller`, and longer side at most `longer`; the caller destroys it.
   MS_INVALID: sides below 1 or smaller > longer.  MS_OUT_OF_MEMORY, errors of ms_blas_prepare (platform/blas.h). */
ms_status ms_power_scratch_create(int smaller, int longer, ms_power_scratch **out);
void ms_power_scratch_destroy(ms_power_scratch *scratch);

typedef struct ms_power_result {
    double sigma;    /* never above s1 but for rounding */
    double residual; /* |W v - sigma u| / sigma: some singular value is within residual * sigma; 0 for W = 0 */
} ms_power_result;

/* Floats that a matrix's directions take: MS_POWER_BLOCK * min(rows, cols). */
size_t ms_power_directions(int rows, int cols);

typedef struct ms_power_input {
    const char *name;    /* for messages, e.g. "layer 3 up" */
    const float *matrix; /* [rows, cols], row-major */
    int rows, cols;      /* >= 1 */
} ms_power_input;

/* directions [ms_power_directions], in and out: all 0 before the first call; a matrix that is 0 leaves them as they
   are. MS_INVALID: sizes beyond the scratch.  MS_NUMERIC: a value is NaN or infinite (names the matrix).  MS_INTERNAL:
   LAPACK did not converge.  Thread-safe with one scratch per thread. */
ms_status ms_power_sigma(ms_power_scratch *scratch, const ms_power_input *input, float *directions,
                         ms_power_result *out);

#ifdef __cplusplus
}
#endif

#endif
