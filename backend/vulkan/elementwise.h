/* How elementwise ops cut their work: each invocation takes MS_VULKAN_ITEMS elements, a group's width apart. */
#ifndef MS_BACKEND_VULKAN_ELEMENTWISE_H
#define MS_BACKEND_VULKAN_ELEMENTWISE_H

#include "backend/vulkan/vulkan_kernel.h"

enum { MS_VULKAN_ITEMS = 8, MS_VULKAN_WIDTH = 128 };

/* A dispatch of width MS_VULKAN_WIDTH whose constant 3 is MS_VULKAN_ITEMS. */
static inline ms_vulkan_dispatch ms_vulkan_elementwise(const char *shader) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, MS_VULKAN_ITEMS);
    return dispatch;
}

/* Emits it over `count` elements. */
static inline ms_status ms_vulkan_emit_elements(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch,
                                                int64_t count) {
    int64_t per_group = (int64_t)MS_VULKAN_ITEMS * MS_VULKAN_WIDTH;
    return ms_vulkan_emit_linear(call->encoder, dispatch, (count + per_group - 1) / per_group);
}

#endif
