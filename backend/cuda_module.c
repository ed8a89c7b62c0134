/* Loads muonscope-cuda.so, which stands beside the library where it is built and in the folder muonscope beside it
   where it is installed, or the module that MUONSCOPE_CUDA_MODULE names.  Without one there is an entry in the list of
   devices that says why. */
#include "backend/cuda_module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "platform/environment.h"
#include "platform/library.h"

static once_flag once = ONCE_FLAG_INIT;
static const ms_backend_impl *module; /* NULL: absent */
static char reason[200];

static ms_status absent_enumerate(ms_device_info *out, int capacity, int *out_n) {
    *out_n = 1;
    if (capacity < 1) return MS_OK;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "cuda");
    snprintf(out->description, sizeof out->description, "CUDA");
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    return MS_OK;
}

/* Nothing else is ever called: no device of it is usable. */
static const ms_backend_impl absent = {.name = "cuda", .enumerate = absent_enumerate};

static ms_status load(const char *path) {
    ms_library *library;
    void (*function)(void);
    MS_TRY(ms_library_open(path, &library));
    MS_TRY(ms_library_function(library, MS_CUDA_MODULE_ENTRY, &function));
    module = ((ms_cuda_module_entry_function)function)(MS_CUDA_MODULE_VERSION);
    return module ? MS_OK : MS_FAIL(MS_MISMATCH, "%s belongs to another version of muonscope", path);
}

static ms_status load_beside(const char *name) {
    char *path = ms_library_beside(name);
    ms_status status = path ? load(path) : MS_FAIL(MS_NOT_FOUND, "the library's own folder is not known");
    free(path);
    return status;
}

static void load_once(void) {
    const char *named = ms_environment_text(MS_ENVIRONMENT_CUDA_MODULE);
    ms_status status;
    /* The loader would look for a bare name in places that others may write to. */
    if (named && !strchr(named, '/'))
        status =
            MS_FAIL(MS_INVALID, "MUONSCOPE_CUDA_MODULE=%s: a path is needed, ./%s or an absolute one", named, named);
    else
        status = named ? load(named) : load_beside("muonscope-cuda.so");
    if (status == MS_NOT_FOUND && !named) status = load_beside("muonscope/muonscope-cuda.so");
    if (status == MS_NOT_FOUND && !named)
        snprintf(
            reason, sizeof reason,
            "no module muonscope-cuda.so beside libmuonscope or in muonscope/ there (it is built where nvcc is found)");
    else if (status != MS_OK)
        snprintf(reason, sizeof reason, "%.199s", ms_status_message());
}

const ms_backend_impl *ms_backend_cuda(void) {
    call_once(&once, load_once);
    return module ? module : &absent;
}
