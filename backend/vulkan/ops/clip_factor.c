/* clip_factor on Vulkan: see shaders/clip_factor.comp. */
#include "backend/exact_constants.h"
#include "backend/vulkan/vulkan_kernel.h"

static const int64_t max_count = (int64_t)MS_REDUCE_BLOCK * MS_REDUCE_BLOCK; /* two levels of blocks */

ms_status ms_vulkan_clip_factor(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    int64_t count = call->in[0].count;
    if (count > max_count)
        return MS_FAIL(MS_UNSUPPORTED, "clip_factor: %lld sums of squares, at most %lld on Vulkan", (long long)count,
                       (long long)max_count);
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("clip_factor", MS_LANES, 1, 1);
    ms_vulkan_push_read(&dispatch, &call->in[0]);
    ms_vulkan_push_write(&dispatch, &call->out[0]);
    ms_vulkan_push_f32(&dispatch, call->attributes->clip_factor.max_norm);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit(call->encoder, &dispatch, 1, 1, 1);
}
