#define _GNU_SOURCE /* dladdr */
#include "platform/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

ms_status ms_library_open(const char *path, ms_library **out) {
    *out = NULL;
    if (strchr(path, '/') && !ms_file_exists(path)) return MS_FAIL(MS_NOT_FOUND, "no library %s", path);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return MS_FAIL(MS_UNSUPPORTED, "library cannot be loaded: %s", dlerror());
    *out = handle;
    return MS_OK;
}

ms_status ms_library_function(ms_library *library, const char *name, void (**out)(void)) {
    *out = NULL;
    void *address = dlsym(library, name);
    if (!address) return MS_FAIL(MS_NOT_FOUND, "library has no function %s", name);
    memcpy(out, &address, sizeof *out); /* POSIX: as wide as a function's address */
    return MS_OK;
}

char *ms_library_beside(const char *name) {
    static const char here; /* its address lies within this library */
    Dl_info info;
    if (!dladdr(&here, &info) || !info.dli_fname) return NULL;
    char *path = realpath(info.dli_fname, NULL);
    char *slash = path ? strrchr(path, '/') : NULL;
    char *beside = NULL;
    if (slash) {
        *slash = '\0';
        beside = ms_path_join(path, name);
    }
    free(path);
    return beside;
}

#ifdef __SANITIZE_ADDRESS__
/* Under the address sanitizer no library is ever unloaded, ours or a driver's: what an unloaded one keeps for good in
   its own variables would count as a leak, such as Mesa's list of a processor's caches (128 bytes, AMD Zen and later).
   The program's definition goes before libc's for every library in the process. */
int dlclose(void *handle) {
    (void)handle;
    return 0;
}
#endif
