#include "backend/cuda/cublas_lt.h"

#ifdef MS_CUDA_HOST
/* tests/cuda_host has them. */
static const ms_cublas_lt linked = {
#define FUNCTION(name) .name = cublasLt##name,
#include "backend/cuda/cublas_lt.def"
#undef FUNCTION
};

ms_status ms_cublas_lt_load(const ms_cublas_lt **out) {
    *out = &linked;
    return MS_OK;
}
#else
#include <string.h>
#include <threads.h>

#include "platform/library.h"

#define TEXT_OF(number) #number
#define NAME_OF(major) "libcublasLt.so." TEXT_OF(major)
#define LIBRARY NAME_OF(CUBLAS_VER_MAJOR)

static once_flag once = ONCE_FLAG_INIT;
static ms_status loaded;
static char reason[1024]; /* when not MS_OK */
static ms_cublas_lt functions;

static ms_status look_up(ms_library *library, const char *name, void *out_function) {
    void (*function)(void);
    MS_TRY_NOTE(ms_library_function(library, name, &function), LIBRARY);
    memcpy(out_function, &function, sizeof function);
    return MS_OK;
}

static ms_status load(void) {
    ms_library *library;
    if (ms_library_open(LIBRARY, &library) != MS_OK &&
        ms_library_open(MS_CUDA_LIBRARIES "/" LIBRARY, &library) != MS_OK)
        return MS_FAIL(MS_UNSUPPORTED,
                       "cuda: fast numerics need cuBLAS %d (" LIBRARY
                       "), which neither the loader finds (LD_LIBRARY_PATH) nor is in " MS_CUDA_LIBRARIES
                       "; exact numerics do without",
                       CUBLAS_VER_MAJOR);
#define FUNCTION(name) MS_TRY(look_up(library, "cublasLt" #name, &functions.name));
#include "backend/cuda/cublas_lt.def"
#undef FUNCTION
    return MS_OK;
}

static void load_once(void) {
    loaded = load();
    if (loaded != MS_OK) strcpy(reason, ms_status_message());
}

ms_status ms_cublas_lt_load(const ms_cublas_lt **out) {
    *out = NULL;
    call_once(&once, load_once);
    if (loaded != MS_OK) return MS_FAIL(loaded, "%s", reason);
    *out = &functions;
    return MS_OK;
}
#endif
