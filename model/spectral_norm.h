/* The largest singular value of a matrix, for initial weights: the same bits on every machine. */
#ifndef MS_MODEL_SPECTRAL_NORM_H
#define MS_MODEL_SPECTRAL_NORM_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of matrix [rows,columns], row-major: Lanczos on the product of the matrix with its transpose, with full
   reorthogonalisation (Golub & Van Loan, Matrix Computations, section 10.1), from a fixed vector, in f64; at most 64
   steps, which give about ten digits of a random matrix.  MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_spectral_norm(const float *matrix, int64_t rows, int64_t columns, double *out);

#ifdef __cplusplus
}
#endif

#endif
