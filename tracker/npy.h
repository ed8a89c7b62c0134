/* Matrices of numbers as NumPy's .npy files, format 1.0 (numpy/lib/format.py): np.load reads them. */
#ifndef MS_TRACKER_NPY_H
#define MS_TRACKER_NPY_H

#include <stddef.h>

#include "platform/file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a file of f64 [rows, cols]. */
size_t ms_npy_bytes(size_t rows, size_t cols);

/* Writes f64 [rows, cols], row-major, as a whole file into an open writer, which the caller commits.  MS_NO_SPACE,
   MS_IO. */
ms_status ms_npy_write(ms_writer *writer, const double *values, size_t rows, size_t cols);

#ifdef __cplusplus
}
#endif

#endif
