#include "backend/vulkan/ops/rows.h"

#include "backend/ir/op.h"

enum { WIDTH = 64, MAX_COLUMNS = MS_REDUCE_BLOCK * MS_REDUCE_BLOCK };

uint32_t ms_vulkan_row_groups(const ms_vulkan_call *call, int64_t columns, bool vectors) {
    bool alone = call->limits->is_cpu && vectors && columns % (4 * MS_VULKAN_QUADS) == 0 && columns <= MS_REDUCE_BLOCK;
    return alone ? 0 : 1;
}

ms_status ms_vulkan_rows(const ms_vulkan_call *call, const char *shader, const ms_vulkan_row_cut *cut,
                         const ms_operand *data, ms_vulkan_dispatch *out) {
    if (cut->columns > MAX_COLUMNS)
        return MS_FAIL(MS_UNSUPPORTED, "%s: rows of %lld numbers, at most %d on Vulkan", ms_op_get(call->op)->name,
                       (long long)cut->columns, MAX_COLUMNS);
    uint32_t width = cut->groups == 0 ? call->limits->subgroup_size : cut->groups * MS_VULKAN_QUADS;
    if (cut->groups > 0 && width < WIDTH) width = WIDTH;
    *out = ms_vulkan_dispatch_of(shader, width, 1, 1);
    ms_vulkan_constant_u32(out, (uint32_t)cut->columns);
    ms_vulkan_constant_u32(out, cut->groups);
    ms_vulkan_constant_u32(out, cut->vectors);
    ms_vulkan_constant_dtype(out, data);
    return MS_OK;
}

ms_status ms_vulkan_emit_rows(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int64_t rows) {
    uint32_t width = dispatch->constants[0], groups = dispatch->constants[4];
    int64_t rows_per_workgroup = groups == 0 ? width : width / (groups * MS_VULKAN_QUADS);
    return ms_vulkan_emit_linear(call->encoder, dispatch, (rows + rows_per_workgroup - 1) / rows_per_workgroup);
}
