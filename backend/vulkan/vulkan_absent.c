/* The Vulkan backend of a build without it: one unusable entry in the list of devices, with the reason. */
#include <stdio.h>
#include <string.h>

#include "backend/backend_impl.h"

static ms_status absent_enumerate(ms_device_info *out, int capacity, int *out_n) {
    *out_n = 1;
    if (capacity < 1) return MS_OK;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "vulkan");
    snprintf(out->description, sizeof out->description, "Vulkan");
    snprintf(out->reason, sizeof out->reason, "this build has no Vulkan: %s", MS_VULKAN_MISSING);
    return MS_OK;
}

/* Nothing else is ever called: no device of this backend is usable. */
static const ms_backend_impl absent = {.name = "vulkan", .enumerate = absent_enumerate};

const ms_backend_impl *ms_backend_vulkan(void) { return &absent; }
