/* What kernels choose by. */
#ifndef MS_BACKEND_CUDA_CUDA_LIMITS_H
#define MS_BACKEND_CUDA_CUDA_LIMITS_H

#include <stddef.h>

typedef struct ms_cuda_limits {
    int compute_major, compute_minor; /* 7.5 and above */
    int n_multiprocessors;
    size_t shared_bytes;       /* of a thread block without asking: 48 KiB */
    size_t shared_optin_bytes; /* with cudaFuncSetAttribute */
} ms_cuda_limits;

#endif
