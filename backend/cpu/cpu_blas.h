/* Settings of the OpenBLAS library that fast matmuls, and whoever else calls BLAS or LAPACK in this process, rely on.
 */
#ifndef MS_BACKEND_CPU_CPU_BLAS_H
#define MS_BACKEND_CPU_CPU_BLAS_H

/* Makes each BLAS call stay on its calling thread, and picks the kernels of this processor where OpenBLAS did not know
   it: OpenBLAS up to 0.3.24 takes processors younger than itself for a "Prescott" (SSE3), six times slower than the
   AVX-512 or AVX2 kernels that it has (OpenBLAS issue 4267).  The environment variable OPENBLAS_CORETYPE, when set, is
   left to decide. Returns the name of the kernels in use, e.g. "SkylakeX" (static).  Call before the first BLAS call;
   idempotent; not thread-safe against running BLAS calls. */
const char *ms_cpu_blas_prepare(void);

/* Threads of the following BLAS calls of the whole process: for measuring OpenBLAS itself; 1 afterwards, please. */
void ms_cpu_blas_set_threads(int n_threads);

#endif
