/* qk_norm_rope_grad on Vulkan: see shaders/qk_norm_rope_grad.comp (dx) and qk_norm_rope_grad_gain.comp (dgain). */
#include "backend/exact.h"
#include "backend/vulkan/ops/columns.h"
#include "backend/vulkan/ops/rows.h"

/* Whether all inputs can be read as vectors, whose rotation also needs halves of heads to be whole vectors. */
static bool inputs_are_vectors(const ms_vulkan_call *call) {
    int64_t size = call->attributes->rope.head_size;
    return size % 8 == 0 && ms_vulkan_is_vectors(&call->in[0], size) && ms_vulkan_is_vectors(&call->in[1], size) &&
           ms_vulkan_is_vectors(&call->in[3], size) && ms_vulkan_is_vectors(&call->in[4], size);
}

static void put_rope_constants(ms_vulkan_dispatch *dispatch, const ms_rope_attributes *rope) {
    ms_vulkan_constant_u32(dispatch, rope->interleaved);
    ms_vulkan_constant_u32(dispatch, (uint32_t)rope->heads);
    ms_vulkan_constant_u32(dispatch, (uint32_t)rope->sequence);
}

static ms_status emit_dgain(const ms_vulkan_call *call, int64_t rows) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    const ms_operand *dgain = &call->out[1];
    bool vectors = inputs_are_vectors(call) && ms_vulkan_is_vectors(dgain, rope->head_size);
    ms_vulkan_dispatch dispatch = ms_vulkan_columns("qk_norm_rope_grad_gain", rope->head_size, vectors, &call->in[0]);
    put_rope_constants(&dispatch, rope);
    for (int i = 0; i < 4; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    return ms_vulkan_emit_columns(call, &dispatch, rows, rope->head_size, dgain);
}

static ms_status emit_dx(const ms_vulkan_call *call, int64_t rows) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    const ms_operand *dx = &call->out[0];
    bool vectors = inputs_are_vectors(call) && ms_vulkan_is_vectors(dx, rope->head_size);
    uint32_t groups = ms_vulkan_row_groups(call, rope->head_size, vectors);
    ms_vulkan_dispatch dispatch;
    MS_TRY(ms_vulkan_rows(call, "qk_norm_rope_grad", &(ms_vulkan_row_cut){rope->head_size, groups, vectors},
                          &call->in[0], &dispatch));
    ms_vulkan_constant_u32(&dispatch, rope->normalise);
    put_rope_constants(&dispatch, rope);
    for (int i = 0; i < 5; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    ms_vulkan_push_write(&dispatch, dx);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, ms_reciprocal((float)rope->head_size));
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}

ms_status ms_vulkan_qk_norm_rope_grad(const ms_vulkan_call *call) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    int64_t rows = call->in[0].shape.dim[0] * rope->heads;
    if (rope->normalise && ms_vulkan_is_given(&call->out[1])) MS_TRY(emit_dgain(call, rows));
    return ms_vulkan_is_given(&call->out[0]) ? emit_dx(call, rows) : MS_OK;
}
