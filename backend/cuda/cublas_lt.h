/* cuBLASLt, loaded at run time: the module is built from its headers alone, and `exact` numerics run without it. */
#ifndef MS_BACKEND_CUDA_CUBLAS_LT_H
#define MS_BACKEND_CUDA_CUBLAS_LT_H

#include <cublasLt.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cublasLt<name> of cublasLt.h as <name>. */
typedef struct ms_cublas_lt {
#define FUNCTION(name) __typeof__(cublasLt##name) *name;
#include "backend/cuda/cublas_lt.def"
#undef FUNCTION
} ms_cublas_lt;

/* The functions of the library of the version that the headers belong to, where the dynamic loader finds it, else in
   the toolkit that the module was built with; static.  MS_UNSUPPORTED: it cannot be loaded, with what was tried.
   Thread-safe. */
ms_status ms_cublas_lt_load(const ms_cublas_lt **out);

#ifdef __cplusplus
}
#endif
#endif
