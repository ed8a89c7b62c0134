/* How elementwise ops cut their work, for shaders that include shaders/elementwise.glsl: each invocation takes some
   quads of 4 elements, a group's width apart. */
#ifndef MS_BACKEND_VULKAN_OPS_ELEMENTWISE_H
#define MS_BACKEND_VULKAN_OPS_ELEMENTWISE_H

#include "backend/vulkan/vulkan_kernel.h"

enum { MS_VULKAN_WIDTH = 128 }; /* of a workgroup */

/* Quads of one invocation: software drivers pay for each workgroup, GPUs want many. */
static inline uint32_t ms_vulkan_quads(const ms_vulkan_call *call) { return call->limits->is_cpu ? 8 : 2; }

/* Whether parts of `size` elements of the operand, one after the other, are whole quads, each one load or store; true
   of an absent one. */
static inline bool ms_vulkan_is_quads(const ms_operand *operand, int64_t size) {
    int64_t quad_bytes = 4 * (int64_t)ms_dtype_size(operand->dtype);
    return !ms_vulkan_is_given(operand) || (size % 4 == 0 && ms_vulkan_is_aligned(operand, quad_bytes));
}

/* A dispatch of width MS_VULKAN_WIDTH whose constants 3 and 4 are set.  All operands of `count` elements are taken to
   be worked on in quads; the others are not (they are single numbers, then). */
static inline ms_vulkan_dispatch ms_vulkan_elementwise(const ms_vulkan_call *call, const char *shader, int64_t count) {
    bool is_quads = count % 4 == 0;
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        if (call->in[i].count == count) is_quads = is_quads && ms_vulkan_is_quads(&call->in[i], count);
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        if (call->out[i].count == count) is_quads = is_quads && ms_vulkan_is_quads(&call->out[i], count);
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_quads(call));
    ms_vulkan_constant_u32(&dispatch, is_quads);
    return dispatch;
}

/* Emits it over `count` elements. */
static inline ms_status ms_vulkan_emit_elements(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch,
                                                int64_t count) {
    int64_t per_group = 4 * (int64_t)ms_vulkan_quads(call) * MS_VULKAN_WIDTH;
    return ms_vulkan_emit_linear(call->encoder, dispatch, (count + per_group - 1) / per_group);
}

/* Groups along one dimension of the grid, for shaders whose invocations go on by the width of the grid: what `count`
   items take at `per_group` each, at most 65535. */
static inline uint32_t ms_vulkan_group_count(int64_t count, int64_t per_group) {
    int64_t n = (count + per_group - 1) / per_group;
    return n < 65535 ? (uint32_t)n : 65535;
}

/* A workgroup of about MS_VULKAN_WIDTH invocations over a matrix of `columns` numbers a row: x covers a row in quads, y
   rows. */
static inline ms_vulkan_dispatch ms_vulkan_by_rows(const char *shader, int64_t columns, uint32_t *out_rows) {
    uint32_t width = 1;
    while (width < MS_VULKAN_WIDTH && 4 * (int64_t)width < columns) width *= 2;
    *out_rows = MS_VULKAN_WIDTH / width;
    return ms_vulkan_dispatch_of(shader, width, *out_rows, 1);
}

#endif
