#version 460
#extension GL_GOOGLE_include_directive : require
// The third step of cached_attention: o = (sum of weights * values) * inverse, and 0 for a query of no text.
#include "shaders/common.glsl"
#include "shaders/cached_attention.glsl"

layout(constant_id = 3) const uint DTYPE = MS_F32;

layout(push_constant) uniform Push {
    F32 weights, inverse, v;
    I32 rows;
    F32 o;
    CACHE_SIZES;
    uint count; // numbers of o
};

// The sum over keys in chunks of MS_DEPTH_CHUNK; `at` is the number of the first value.
float weighted_sum(uint n, uint row_at, uint at, uint stride) {
    float total = ABSENT;
    for (uint begin = 0u; begin < n; begin += MS_DEPTH_CHUNK) {
        uint end = min(n, begin + MS_DEPTH_CHUNK);
        float sum = ABSENT;
        for (uint j = begin; j < end; j++) {
            PRECISE float next = sum + weights.x[row_at + j] * ms_load(v, at + j * stride, DTYPE);
            sum = next;
        }
        PRECISE float longer = total + sum;
        total = longer;
    }
    return total;
}

void main() {
    uint i = ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (i >= count) return;
    uint query_head = i / head_size, head = query_head % heads;
    int row = rows.x[query_head / heads];
    uint n = keys_of(row, sequence, cache_rows), kv_head = head / (heads / kv_heads);
    PRECISE float result = 0.0;
    if (n > 0u) {
        uint at = ((uint(row) + 1u - n) * kv_heads + kv_head) * head_size + i % head_size;
        result = weighted_sum(n, query_head * sequence, at, kv_heads * head_size) * inverse.x[query_head];
    }
    ms_store(o, i, DTYPE, result);
}
