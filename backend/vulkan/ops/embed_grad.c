/* embed_grad on Vulkan: see shaders/embed_grad.glsl for its steps. */
#include "backend/vulkan/ops/elementwise.h"
#include "backend/vulkan/ops/fill.h"

typedef struct token_lists {
    const ms_operand *index;
    ms_operand counts, begins, arrivals, list, tokens;
    int64_t n_tokens, vocabulary;
} token_lists;

static ms_operand take(int64_t *offset_bytes, int64_t count) {
    ms_operand operand = ms_vulkan_workspace(MS_DTYPE_I32, *offset_bytes, count);
    *offset_bytes += (ms_operand_bytes(&operand) + 255) / 256 * 256;
    return operand;
}

static token_lists lay_out(const ms_operand *index, int64_t vocabulary) {
    int64_t offset_bytes = 0;
    token_lists lists = {.index = index, .n_tokens = index->count, .vocabulary = vocabulary};
    lists.counts = take(&offset_bytes, vocabulary + 1);
    lists.begins = take(&offset_bytes, vocabulary);
    lists.arrivals = take(&offset_bytes, lists.n_tokens);
    lists.list = take(&offset_bytes, lists.n_tokens);
    lists.tokens = take(&offset_bytes, lists.n_tokens);
    return lists;
}

static ms_vulkan_dispatch over_tokens(const char *shader, const token_lists *lists) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_push_read(&dispatch, lists->index);
    return dispatch;
}

static ms_status emit_tokens(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch, const token_lists *lists) {
    ms_vulkan_push_u32(dispatch, (uint32_t)lists->n_tokens);
    ms_vulkan_push_u32(dispatch, (uint32_t)lists->vocabulary);
    return ms_vulkan_emit_linear(call->encoder, dispatch, (lists->n_tokens + MS_VULKAN_WIDTH - 1) / MS_VULKAN_WIDTH);
}

/* The tokens of each row, ascending. */
static ms_status emit_lists(const ms_vulkan_call *call, const token_lists *lists) {
    MS_TRY(ms_vulkan_fill_bits(call, &lists->counts, 0));
    ms_vulkan_dispatch count = over_tokens("embed_grad_count", lists);
    ms_vulkan_push_update(&count, &lists->counts);
    ms_vulkan_push_write(&count, &lists->arrivals);
    ms_vulkan_push_fault(&count, lists->vocabulary);
    MS_TRY(emit_tokens(call, &count, lists));
    ms_vulkan_dispatch begin = over_tokens("embed_grad_begin", lists);
    ms_vulkan_push_update(&begin, &lists->counts);
    ms_vulkan_push_read(&begin, &lists->arrivals);
    ms_vulkan_push_write(&begin, &lists->begins);
    MS_TRY(emit_tokens(call, &begin, lists));
    ms_vulkan_dispatch list = over_tokens("embed_grad_list", lists);
    ms_vulkan_push_read(&list, &lists->arrivals);
    ms_vulkan_push_read(&list, &lists->begins);
    ms_vulkan_push_write(&list, &lists->list);
    MS_TRY(emit_tokens(call, &list, lists));
    ms_vulkan_dispatch sort = over_tokens("embed_grad_sort", lists);
    ms_vulkan_push_read(&sort, &lists->counts);
    ms_vulkan_push_read(&sort, &lists->begins);
    ms_vulkan_push_read(&sort, &lists->list);
    ms_vulkan_push_write(&sort, &lists->tokens);
    return emit_tokens(call, &sort, lists);
}

ms_status ms_vulkan_embed_grad(const ms_vulkan_call *call) {
    const ms_operand *dy = &call->in[1], *acc = &call->in[2], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    int64_t vocabulary = y->shape.dim[0], columns = y->shape.dim[1];
    token_lists lists = lay_out(&call->in[0], vocabulary);
    MS_TRY(emit_lists(call, &lists));
    uint32_t rows;
    ms_vulkan_dispatch sums = ms_vulkan_by_rows("embed_grad", columns, &rows);
    ms_vulkan_constant_u32(&sums, ms_vulkan_is_quads(dy, columns) && ms_vulkan_is_quads(acc, columns) &&
                                      ms_vulkan_is_quads(y, columns));
    ms_vulkan_constant_dtype(&sums, dy);
    ms_vulkan_constant_u32(&sums, ms_vulkan_is_given(acc));
    ms_vulkan_constant_u32(&sums, ms_vulkan_same_place(acc, y));
    ms_vulkan_push_read(&sums, &lists.counts);
    ms_vulkan_push_read(&sums, &lists.begins);
    ms_vulkan_push_read(&sums, &lists.tokens);
    ms_vulkan_push_read(&sums, dy);
    ms_vulkan_push_read(&sums, acc);
    ms_vulkan_push_write(&sums, y);
    ms_vulkan_push_f32(&sums, call->attributes->embed.scale);
    ms_vulkan_push_u32(&sums, (uint32_t)columns);
    ms_vulkan_push_u32(&sums, (uint32_t)vocabulary);
    return ms_vulkan_emit_linear(call->encoder, &sums, (vocabulary + rows - 1) / rows);
}
