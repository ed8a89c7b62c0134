/* Stands in for libcuda.so.1 of a driver for CUDA 12.4: it tells its version, and can nothing else.  The runtime asks
   for functions by name (CUDA driver API, cuGetProcAddress). */
#include <string.h>

enum { VERSION = 12040, SUCCESS = 0, ERROR_UNKNOWN = 999 };

int cuGetProcAddress_v2(const char *name, void **out, int version, unsigned long long flags, int *out_status);

static int get_version(int *out) {
    *out = VERSION;
    return SUCCESS;
}

static int initialise(unsigned int flags) { return (void)flags, SUCCESS; }

static int refuse(void) { return ERROR_UNKNOWN; }

static void set(void **out, void (*function)(void)) { memcpy(out, &function, sizeof function); }

int cuGetProcAddress_v2(const char *name, void **out, int version, unsigned long long flags, int *out_status) {
    (void)version, (void)flags;
    set(out, (void (*)(void))refuse);
    if (strcmp(name, "cuDriverGetVersion") == 0) set(out, (void (*)(void))get_version);
    if (strcmp(name, "cuInit") == 0) set(out, (void (*)(void))initialise);
    if (strcmp(name, "cuGetProcAddress") == 0) set(out, (void (*)(void))cuGetProcAddress_v2);
    if (out_status) *out_status = 0;
    return SUCCESS;
}
