#version 460
#extension GL_GOOGLE_include_directive : require
// The first step of cached_attention: scores [queries, heads, sequence].
#include "shaders/common.glsl"
#include "shaders/cached_attention.glsl"

layout(constant_id = 3) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 4) const uint DTYPE = MS_F32;
#include "shaders/quads.glsl"

layout(push_constant) uniform Push {
    F32 q, k;
    I32 rows;
    F32 scores;
    CACHE_SIZES;
    float scale;
};

void main() {
    uint group = ms_group_index();
    if (group >= n_groups) return;
    uint tiles = (sequence + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x, query_head = group / tiles;
    uint key = group % tiles * gl_WorkGroupSize.x + gl_LocalInvocationID.x, head = query_head % heads;
    int row = rows.x[query_head / heads];
    uint n = keys_of(row, sequence, cache_rows);
    if (key >= n) return;
    uint a = query_head * head_size;
    uint b = ((uint(row) + 1u - n + key) * kv_heads + head / (heads / kv_heads)) * head_size;
    float sum = ABSENT;
    if (VECTOR != 0u) {
        for (uint d = 0u; d < head_size; d += 4u) {
            vec4 x = ms_load4(q, a + d, a + head_size, DTYPE), y = ms_load4(k, b + d, b + head_size, DTYPE);
            PRECISE float next = (((sum + x.x * y.x) + x.y * y.y) + x.z * y.z) + x.w * y.w;
            sum = next;
        }
    } else {
        for (uint d = 0u; d < head_size; d++) {
            PRECISE float next = sum + ms_load(q, a + d, DTYPE) * ms_load(k, b + d, DTYPE);
            sum = next;
        }
    }
    PRECISE float scaled = sum * scale;
    scores.x[query_head * sequence + key] = scaled;
}
