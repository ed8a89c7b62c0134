/* attention_grad on Vulkan, in parts: delta, dq, what each head gives to dk and dv, and their sums.  On GPUs see
   shaders/attention_grad_delta.comp, attention_tile_grad_query.comp, attention_tile_grad_key.comp and
   attention_grad_sum.comp; software drivers make delta with dq: attention_grad_query.glsl, attention_grad_key.glsl.
   Workspace: delta, and what each head gives to dk and dv. */
#include "backend/vulkan/ops/attention_plan.h"
#include "backend/vulkan/ops/attention_tile.h"

enum { MAX_SHARED_HEADS = 2, SUM_WIDTH = 128, DELTA_WIDTH = 128, DELTA_INVOCATIONS = 8 }; /* the last: of a row */
enum { QUERY, KEY, VALUE, OUTPUT, LSE, D_OUTPUT };                                        /* inputs */
enum { DQ, DK, DV };                                                                      /* outputs */

typedef struct grad_workspace {
    ms_operand delta;          /* [B * H, T] */
    ms_operand sums_k, sums_v; /* [B * T, H, quads of a head, 4] */
    int64_t head_quads;
} grad_workspace;

static grad_workspace workspace_of(const ms_attention_attributes *a) {
    int64_t rows = (int64_t)a->batch * a->sequence * a->heads, quads = (a->head_size + 3) / 4;
    int64_t delta_bytes = (rows * 4 + 255) / 256 * 256, sum_bytes = (rows * quads * 16 + 255) / 256 * 256;
    return (grad_workspace){
        .delta = ms_vulkan_workspace(MS_DTYPE_F32, 0, rows),
        .sums_k = ms_vulkan_workspace(MS_DTYPE_F32, delta_bytes, rows * quads * 4),
        .sums_v = ms_vulkan_workspace(MS_DTYPE_F32, delta_bytes + sum_bytes, rows * quads * 4),
        .head_quads = quads,
    };
}

static ms_status emit_query_rows(const ms_vulkan_call *call, const grad_workspace *workspace) {
    static const ms_vulkan_attention_shaders shaders = {
        .any = "attention_grad_query",
        .variants = {{"attention_grad_query_32", 32, 2},
                     {"attention_grad_query_64", 64, 1},
                     {"attention_grad_query_128", 128, 1}},
    };
    ms_vulkan_attention_plan plan;
    MS_TRY(ms_vulkan_attention_plan_of(call, &shaders, MAX_SHARED_HEADS, 0, &plan));
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_dispatch(call, &plan);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[DQ]));
    for (int i = QUERY; i <= D_OUTPUT; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    ms_vulkan_push_write(&dispatch, &call->out[DQ]);
    ms_vulkan_push_write(&dispatch, &workspace->delta);
    return ms_vulkan_emit_attention(call, &plan, &dispatch);
}

/* What dq, dk and dv are made of beside the output, whose part is in delta. */
static void push_inputs(const ms_vulkan_call *call, const grad_workspace *workspace, ms_vulkan_dispatch *dispatch) {
    const int inputs[] = {QUERY, KEY, VALUE, LSE, D_OUTPUT};
    for (int i = 0; i < 5; i++) ms_vulkan_push_read(dispatch, &call->in[inputs[i]]);
    ms_vulkan_push_read(dispatch, &workspace->delta);
}

static void push_key_operands(const ms_vulkan_call *call, const grad_workspace *workspace,
                              ms_vulkan_dispatch *dispatch) {
    push_inputs(call, workspace, dispatch);
    ms_vulkan_push_update(dispatch, &workspace->sums_k);
    ms_vulkan_push_update(dispatch, &workspace->sums_v);
}

static ms_status emit_key_rows(const ms_vulkan_call *call, const grad_workspace *workspace) {
    static const ms_vulkan_attention_shaders shaders = {
        .any = "attention_grad_key",
        .variants = {{"attention_grad_key_32", 32, 2},
                     {"attention_grad_key_64", 64, 1},
                     {"attention_grad_key_128", 128, 1}},
    };
    ms_vulkan_attention_plan plan;
    MS_TRY(ms_vulkan_attention_plan_of(call, &shaders, 1, 0, &plan));
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_dispatch(call, &plan);
    push_key_operands(call, workspace, &dispatch);
    return ms_vulkan_emit_attention(call, &plan, &dispatch);
}

static ms_status emit_rows(const ms_vulkan_call *call, const grad_workspace *workspace, bool keys) {
    MS_TRY(emit_query_rows(call, workspace));
    return keys ? emit_key_rows(call, workspace) : MS_OK;
}

static ms_status emit_delta(const ms_vulkan_call *call, const grad_workspace *workspace) {
    const ms_attention_attributes *a = &call->attributes->attention;
    int64_t n_rows = (int64_t)a->batch * a->sequence * a->heads, per_group = DELTA_WIDTH / DELTA_INVOCATIONS;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("attention_grad_delta", DELTA_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_attention_vector(call));
    ms_vulkan_constant_dtype(&dispatch, &call->in[QUERY]);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)a->head_size);
    ms_vulkan_push_read(&dispatch, &call->in[OUTPUT]);
    ms_vulkan_push_read(&dispatch, &call->in[D_OUTPUT]);
    ms_vulkan_push_write(&dispatch, &workspace->delta);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)a->sequence);
    ms_vulkan_push_u32(&dispatch, (uint32_t)a->heads);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, (n_rows + per_group - 1) / per_group);
}

static ms_status emit_query_tiles(const ms_vulkan_call *call, const grad_workspace *workspace) {
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_tile_dispatch(call, "attention_tile_grad_query");
    push_inputs(call, workspace, &dispatch);
    ms_vulkan_push_write(&dispatch, &call->out[DQ]);
    return ms_vulkan_emit_attention_tiles(call, &dispatch, 3);
}

static ms_status emit_key_tiles(const ms_vulkan_call *call, const grad_workspace *workspace) {
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_tile_dispatch(call, "attention_tile_grad_key");
    push_key_operands(call, workspace, &dispatch);
    return ms_vulkan_emit_attention_tiles(call, &dispatch, 4);
}

static ms_status emit_tiles(const ms_vulkan_call *call, const grad_workspace *workspace, bool keys) {
    MS_TRY(emit_delta(call, workspace));
    if (ms_vulkan_is_given(&call->out[DQ])) MS_TRY(emit_query_tiles(call, workspace));
    return keys ? emit_key_tiles(call, workspace) : MS_OK;
}

static ms_status emit_sum_part(const ms_vulkan_call *call, const grad_workspace *workspace) {
    const ms_attention_attributes *a = &call->attributes->attention;
    int64_t n_quads = (int64_t)a->batch * a->sequence * a->kv_heads * workspace->head_quads;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("attention_grad_sum", SUM_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_attention_vector(call) != 0);
    ms_vulkan_constant_dtype(&dispatch, &call->in[QUERY]);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)a->head_size);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)(a->heads / a->kv_heads));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[DK]));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[DV]));
    ms_vulkan_push_read(&dispatch, &workspace->sums_k);
    ms_vulkan_push_read(&dispatch, &workspace->sums_v);
    ms_vulkan_push_write(&dispatch, &call->out[DK]);
    ms_vulkan_push_write(&dispatch, &call->out[DV]);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_quads);
    ms_vulkan_push_f32(&dispatch, a->scale);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, (n_quads + SUM_WIDTH - 1) / SUM_WIDTH);
}

ms_status ms_vulkan_attention_grad(const ms_vulkan_call *call) {
    bool keys = ms_vulkan_is_given(&call->out[DK]) || ms_vulkan_is_given(&call->out[DV]);
    if (!keys && !ms_vulkan_is_given(&call->out[DQ])) return MS_OK;
    grad_workspace workspace = workspace_of(&call->attributes->attention);
    MS_TRY(ms_vulkan_attention_takes_tiles(call) ? emit_tiles(call, &workspace, keys)
                                                 : emit_rows(call, &workspace, keys));
    if (!keys) return MS_OK;
    return emit_sum_part(call, &workspace);
}
