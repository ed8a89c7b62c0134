/* cached_attention on Vulkan: see shaders/cached_attention.glsl for its steps. */
#include "backend/exact_constants.h"
#include "backend/ir/op.h"
#include "backend/vulkan/ops/elementwise.h"

enum { MAX_SEQUENCE = MS_REDUCE_BLOCK * MS_REDUCE_BLOCK };

typedef struct cached_attention {
    const ms_attention_attributes *a;
    int64_t n_groups; /* of queries and heads */
    ms_operand scores, inverse;
} cached_attention;

static cached_attention lay_out(const ms_vulkan_call *call) {
    cached_attention c = {.a = &call->attributes->attention};
    c.n_groups = call->in[0].shape.dim[0] * c.a->heads;
    c.scores = ms_vulkan_workspace(MS_DTYPE_F32, 0, c.n_groups * c.a->sequence);
    c.inverse = ms_vulkan_workspace(MS_DTYPE_F32, (ms_operand_bytes(&c.scores) + 255) / 256 * 256, c.n_groups);
    return c;
}

/* CACHE_SIZES of shaders/cached_attention.glsl. */
static void push_sizes(const cached_attention *c, int64_t n_groups, ms_vulkan_dispatch *dispatch) {
    ms_vulkan_push_u32(dispatch, (uint32_t)n_groups);
    ms_vulkan_push_u32(dispatch, (uint32_t)c->a->sequence);
    ms_vulkan_push_u32(dispatch, (uint32_t)c->a->heads);
    ms_vulkan_push_u32(dispatch, (uint32_t)c->a->kv_heads);
    ms_vulkan_push_u32(dispatch, (uint32_t)c->a->head_size);
    ms_vulkan_push_u32(dispatch, (uint32_t)c->a->batch * (uint32_t)c->a->sequence);
}

static ms_status emit_scores(const ms_vulkan_call *call, const cached_attention *c) {
    const ms_operand *q = &call->in[0], *k = &call->in[1];
    int64_t tiles = (c->a->sequence + MS_VULKAN_WIDTH - 1) / MS_VULKAN_WIDTH;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("cached_attention_scores", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_quads(q, c->a->head_size) && ms_vulkan_is_quads(k, c->a->head_size));
    ms_vulkan_constant_dtype(&dispatch, q);
    ms_vulkan_push_read(&dispatch, q);
    ms_vulkan_push_read(&dispatch, k);
    ms_vulkan_push_read(&dispatch, &call->in[3]);
    ms_vulkan_push_write(&dispatch, &c->scores);
    push_sizes(c, c->n_groups * tiles, &dispatch);
    ms_vulkan_push_f32(&dispatch, c->a->scale);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, c->n_groups * tiles);
}

static ms_status emit_softmax(const ms_vulkan_call *call, const cached_attention *c) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("cached_attention_softmax", MS_LANES, 1, 1);
    ms_vulkan_push_update(&dispatch, &c->scores);
    ms_vulkan_push_read(&dispatch, &call->in[3]);
    ms_vulkan_push_write(&dispatch, &c->inverse);
    push_sizes(c, c->n_groups, &dispatch);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, c->n_groups);
}

static ms_status emit_values(const ms_vulkan_call *call, const cached_attention *c) {
    int64_t count = c->n_groups * c->a->head_size;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("cached_attention_values", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_dtype(&dispatch, &call->in[2]);
    ms_vulkan_push_read(&dispatch, &c->scores);
    ms_vulkan_push_read(&dispatch, &c->inverse);
    ms_vulkan_push_read(&dispatch, &call->in[2]);
    ms_vulkan_push_read(&dispatch, &call->in[3]);
    ms_vulkan_push_write(&dispatch, &call->out[0]);
    push_sizes(c, c->n_groups, &dispatch);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, (count + MS_VULKAN_WIDTH - 1) / MS_VULKAN_WIDTH);
}

ms_status ms_vulkan_cached_attention(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    cached_attention c = lay_out(call);
    if (c.a->sequence > MAX_SEQUENCE)
        return MS_FAIL(MS_UNSUPPORTED, "cached_attention: caches of %d rows, at most %d on Vulkan", c.a->sequence,
                       MAX_SEQUENCE);
    MS_TRY(emit_scores(call, &c));
    MS_TRY(emit_softmax(call, &c));
    return emit_values(call, &c);
}
