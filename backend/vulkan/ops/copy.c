/* Moving data on Vulkan: see shaders/copy.comp. */
#include "backend/vulkan/ops/copy.h"

#include "backend/vulkan/ops/elementwise.h"

int64_t ms_vulkan_unit(const ms_operand *operand, int64_t bytes, int64_t limit) {
    if (limit >= 16 && bytes % 16 == 0 && ms_vulkan_is_aligned(operand, 16)) return 16;
    return limit >= 4 && bytes % 4 == 0 && ms_vulkan_is_aligned(operand, 4) ? 4 : 2;
}

ms_status ms_vulkan_copy(const ms_vulkan_call *call, const ms_vulkan_strided_copy *copy) {
    int64_t unit = ms_vulkan_unit(copy->from, copy->span_bytes, 16);
    unit = ms_vulkan_unit(copy->from, copy->from_first_bytes, unit);
    unit = ms_vulkan_unit(copy->from, copy->from_stride_bytes, unit);
    unit = ms_vulkan_unit(copy->to, copy->to_first_bytes, unit);
    unit = ms_vulkan_unit(copy->to, copy->to_stride_bytes, unit);
    int64_t size = copy->span_bytes / unit;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("copy", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)unit);
    ms_vulkan_push_read(&dispatch, copy->from);
    ms_vulkan_push_write(&dispatch, copy->to);
    ms_vulkan_push_u32(&dispatch, (uint32_t)copy->n_spans);
    ms_vulkan_push_u32(&dispatch, (uint32_t)size);
    ms_vulkan_push_u32(&dispatch, (uint32_t)(copy->from_first_bytes / unit));
    ms_vulkan_push_u32(&dispatch, (uint32_t)(copy->from_stride_bytes / unit));
    ms_vulkan_push_u32(&dispatch, (uint32_t)(copy->to_first_bytes / unit));
    ms_vulkan_push_u32(&dispatch, (uint32_t)(copy->to_stride_bytes / unit));
    return ms_vulkan_emit(call->encoder, &dispatch,
                          ms_vulkan_group_count(size, (int64_t)ms_vulkan_quads(call) * MS_VULKAN_WIDTH),
                          ms_vulkan_group_count(copy->n_spans, 1), 1);
}

ms_status ms_vulkan_copy_all(const ms_vulkan_call *call, const ms_operand *from, const ms_operand *to) {
    if (ms_vulkan_same_place(from, to)) return MS_OK;
    ms_vulkan_strided_copy copy = {.from = from, .to = to, .n_spans = 1, .span_bytes = ms_operand_bytes(from)};
    return ms_vulkan_copy(call, &copy);
}
