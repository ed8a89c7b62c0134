/* The CUDA backend is a module of its own, loaded at run time, so that the program needs no CUDA library. */
#ifndef MS_BACKEND_CUDA_MODULE_H
#define MS_BACKEND_CUDA_MODULE_H

#include "backend/backend_impl.h"

/* The one function of the module: its vtable, static.  `version`: of the program that asks; a module of another version
   returns NULL. */
#define MS_CUDA_MODULE_ENTRY "ms_cuda_module_entry"
typedef const ms_backend_impl *(*ms_cuda_module_entry_function)(int version);
/* Counts changes of the vtable and of what it takes. */
enum { MS_CUDA_MODULE_VERSION = 4 };

#endif
