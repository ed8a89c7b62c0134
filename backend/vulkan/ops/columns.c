#include "backend/vulkan/ops/columns.h"

#include "backend/exact_constants.h"

enum { WIDTH = 4, ALIGNMENT = 256 };

ms_vulkan_dispatch ms_vulkan_columns(const char *shader, int64_t columns, bool vectors, const ms_operand *data) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, WIDTH, MS_LANES, 1);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)columns);
    ms_vulkan_constant_u32(&dispatch, vectors);
    ms_vulkan_constant_dtype(&dispatch, data);
    return dispatch;
}

static ms_status emit_level(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch, int64_t rows, int64_t columns,
                            const ms_operand *target) {
    ms_vulkan_push_write(dispatch, target);
    ms_vulkan_push_u32(dispatch, (uint32_t)rows);
    int64_t tiles = (columns + 4 * WIDTH - 1) / (4 * WIDTH), blocks = (rows + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
    return ms_vulkan_emit_linear(call->encoder, dispatch, tiles * blocks);
}

ms_status ms_vulkan_emit_columns(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch, int64_t rows,
                                 int64_t columns, const ms_operand *out) {
    int64_t offset_bytes = 0;
    while (rows > MS_REDUCE_BLOCK) {
        int64_t blocks = (rows + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
        ms_operand sums = ms_vulkan_workspace(MS_DTYPE_F32, offset_bytes, blocks * columns);
        MS_TRY(emit_level(call, dispatch, rows, columns, &sums));
        bool vectors = ms_vulkan_is_vectors(&sums, columns) && ms_vulkan_is_vectors(out, columns);
        *dispatch = ms_vulkan_columns("column_sums", columns, vectors, &sums);
        ms_vulkan_push_read(dispatch, &sums);
        offset_bytes += (ms_operand_bytes(&sums) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        rows = blocks;
    }
    return emit_level(call, dispatch, rows, columns, out);
}
