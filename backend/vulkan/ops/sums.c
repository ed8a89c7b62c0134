#include "backend/vulkan/ops/sums.h"

#include "backend/vulkan/ops/rows.h"

enum { WIDTH = 64 };

typedef struct offsets {
    int64_t numbers[MS_MAX_ROW_GROUPS + 1], blocks[MS_MAX_ROW_GROUPS + 1]; /* where each part begins within a matrix */
    bool one_block_each, whole_vectors;
} offsets;

static offsets offsets_of(const ms_vulkan_parts *parts) {
    offsets at = {.one_block_each = true, .whole_vectors = true};
    for (int64_t p = 0; p < parts->n_parts; p++) {
        int64_t blocks = (parts->counts[p] + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
        at.numbers[p + 1] = at.numbers[p] + parts->counts[p];
        at.blocks[p + 1] = at.blocks[p] + blocks;
        at.one_block_each = at.one_block_each && blocks == 1;
        at.whole_vectors = at.whole_vectors && parts->counts[p] % 4 == 0;
    }
    return at;
}

static ms_vulkan_dispatch dispatch_of(const char *shader, const ms_vulkan_parts *parts, bool vectors,
                                      const ms_operand *x, const ms_operand *y, int64_t n_sums) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)parts->n_parts);
    ms_vulkan_constant_u32(&dispatch, vectors);
    ms_vulkan_constant_dtype(&dispatch, x);
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_sums);
    return dispatch;
}

static void push_offsets(ms_vulkan_dispatch *dispatch, const int64_t *values) {
    for (int p = 0; p <= MS_MAX_ROW_GROUPS; p++) ms_vulkan_push_u32(dispatch, (uint32_t)values[p]);
}

static ms_status emit(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int64_t n_sums) {
    int64_t sums_per_workgroup = WIDTH / MS_VULKAN_QUADS;
    return ms_vulkan_emit_linear(call->encoder, dispatch, (n_sums + sums_per_workgroup - 1) / sums_per_workgroup);
}

ms_status ms_vulkan_sums(const ms_vulkan_call *call, const char *shader, const ms_vulkan_parts *parts,
                         const ms_operand *x, const ms_operand *y) {
    offsets at = offsets_of(parts);
    int64_t n_blocks = parts->matrices * at.blocks[parts->n_parts], n_sums = parts->matrices * parts->n_parts;
    ms_operand sums = at.one_block_each ? *y : ms_vulkan_workspace(MS_DTYPE_F32, 0, n_blocks > 0 ? n_blocks : 1);
    bool vectors = at.whole_vectors && ms_vulkan_is_vectors(x, at.numbers[parts->n_parts]);
    if (n_blocks > 0) {
        ms_vulkan_dispatch dispatch = dispatch_of(shader, parts, vectors, x, &sums, n_blocks);
        push_offsets(&dispatch, at.numbers);
        push_offsets(&dispatch, at.blocks);
        MS_TRY(emit(call, &dispatch, n_blocks));
    }
    if (at.one_block_each) return MS_OK;
    ms_vulkan_dispatch dispatch = dispatch_of("sum_levels", parts, false, &sums, y, n_sums);
    push_offsets(&dispatch, at.blocks);
    return emit(call, &dispatch, n_sums);
}
