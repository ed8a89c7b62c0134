/* fill on Vulkan: see shaders/fill.comp.  f32, bf16 (rounded), i32 and u16 (the value must be an integer of that
   type). */
#include "backend/vulkan/ops/fill.h"

#include <math.h>
#include <string.h>

#include "platform/bf16.h"
#include "backend/vulkan/ops/copy.h"
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_fill_bits(const ms_vulkan_call *call, const ms_operand *y, uint32_t bits) {
    int64_t unit = ms_vulkan_unit(y, ms_operand_bytes(y), 16);
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("fill", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)unit);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_u32(&dispatch, bits);
    ms_vulkan_push_u32(&dispatch, (uint32_t)(ms_operand_bytes(y) / unit));
    return ms_vulkan_emit(
        call->encoder, &dispatch,
        ms_vulkan_group_count(ms_operand_bytes(y) / unit, (int64_t)ms_vulkan_quads(call) * MS_VULKAN_WIDTH), 1, 1);
}

/* The value as 32 bits: one element, or two of 16 bits. */
static ms_status bits_of(float value, ms_dtype dtype, uint32_t *out) {
    double low = dtype == MS_DTYPE_I32 ? -2147483648.0 : 0.0, high = dtype == MS_DTYPE_I32 ? 2147483647.0 : 65535.0;
    double number = (double)value;
    uint32_t half;
    switch (dtype) {
    case MS_DTYPE_F32:
        memcpy(out, &value, sizeof *out);
        return MS_OK;
    case MS_DTYPE_BF16:
        half = ms_bf16_from_f32(value);
        break;
    case MS_DTYPE_I32:
    case MS_DTYPE_U16:
        if (!(number >= low && number <= high) || number != floor(number))
            return MS_FAIL(MS_INVALID, "fill: %g is not a value of %s", number, ms_dtype_name(dtype));
        half = (uint32_t)(int64_t)number;
        if (dtype == MS_DTYPE_I32) {
            *out = half;
            return MS_OK;
        }
        break;
    default:
        return MS_FAIL(MS_UNSUPPORTED, "fill: no %s", ms_dtype_name(dtype));
    }
    *out = half | half << 16;
    return MS_OK;
}

ms_status ms_vulkan_fill(const ms_vulkan_call *call) {
    const ms_operand *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    uint32_t bits = 0;
    MS_TRY(bits_of(call->attributes->fill.value, y->dtype, &bits));
    return ms_vulkan_fill_bits(call, y, bits);
}
