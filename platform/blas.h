/* The OpenBLAS library of this process: which build it is, its kernels, its threads. */
#ifndef MS_PLATFORM_BLAS_H
#define MS_PLATFORM_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Call before the first BLAS or LAPACK call.  The first time, it looks at which of OpenBLAS's builds the system loaded,
   and picks the kernels of this processor where OpenBLAS did not know it: OpenBLAS up to 0.3.24 takes processors
   younger than itself for a "Prescott" (SSE3), several times slower than the AVX-512 or AVX2 kernels that it has
   (OpenBLAS issue 4267).  The environment variable OPENBLAS_CORETYPE, when set, is left to decide.  BLAS calls of the
   calling thread then stay on it.  In the pthread build the number of threads is one for the whole process, so all of
   its calls do.  MS_UNSUPPORTED: the build without threads, whose calls may not run beside each other. Thread-safe, but
   the first call must not run beside BLAS calls of others. */
ms_status ms_blas_prepare(void);

/* Address space that OpenBLAS takes for each of its own threads when it is loaded, and for each thread that is in a
   call for the first time.  Without it OpenBLAS tries for ever (0.3.21, memory.c). */
#define MS_BLAS_ROOM_BYTES ((size_t)128 << 20)

/* Whether there is room for so many threads: takes it for a moment.  Needs nothing to be initialised. */
bool ms_blas_has_room(int n_threads);

/* Takes that room for n_callers threads, at most 32, to be in BLAS or LAPACK calls at the same time; it is kept.
   MS_OUT_OF_MEMORY: there is too little.  Thread-safe. */
ms_status ms_blas_reserve(int n_callers);

/* After ms_blas_prepare: kernels and build, e.g. "SkylakeX, OpenMP build".  Static. */
const char *ms_blas_description(void);

/* Makes BLAS calls of the calling thread stay on it.  The OpenMP build asks for the thread count of each calling
   thread, and a new thread's is the number of processors.  A store to thread-local memory: call before each BLAS
   call. */
void ms_blas_this_thread(void);

/* Threads of the following BLAS calls of the calling thread (pthread build: of the process), to measure OpenBLAS
   itself. Set it back to 1 afterwards. */
void ms_blas_set_threads(int n_threads);

#ifdef __cplusplus
}
#endif

#endif
