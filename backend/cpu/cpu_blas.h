/* Settings of the OpenBLAS library that fast matmuls, and whoever else calls BLAS or LAPACK in this process, rely on.
 */
#ifndef MS_BACKEND_CPU_CPU_BLAS_H
#define MS_BACKEND_CPU_CPU_BLAS_H

/* Picks the kernels of this processor where OpenBLAS did not know it: OpenBLAS up to 0.3.24 takes processors younger
   than itself for a "Prescott" (SSE3), several times slower than the AVX-512 or AVX2 kernels that it has (OpenBLAS
   issue 4267).  The environment variable OPENBLAS_CORETYPE, when set, is left to decide.  Also makes BLAS calls of the
   calling thread stay on it.  Returns the name of the kernels in use, e.g. "SkylakeX" (static).  Call before the first
   BLAS call; idempotent; not thread-safe against running BLAS calls. */
const char *ms_cpu_blas_prepare(void);

/* Makes BLAS calls of the calling thread stay on it.  The OpenMP build of OpenBLAS asks for the thread count of each
   calling thread, and a new thread's is the number of processors.  A store to thread-local memory: call before each
   BLAS call. */
void ms_cpu_blas_this_thread(void);

/* Threads of the following BLAS calls of the calling thread: for measuring OpenBLAS itself; 1 afterwards, please. */
void ms_cpu_blas_set_threads(int n_threads);

#endif
