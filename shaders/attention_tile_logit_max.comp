#version 460
#extension GL_GOOGLE_include_directive : require
// attention_logit_max on GPUs: the largest logit of each query, in scratch [heads, batch, sequence].  Rows are queries; one walk over the
// visible keys.  attention_logit_max_join.comp does the rest.  Definition: backend/cpu/attention_logit_max.c.
#include "shaders/common.glsl"
#include "shaders/attention_tile.glsl"
#include "backend/formulas.h"

layout(push_constant) uniform Push {
    F32 q, k, found;
    uint first_group, n_groups; // of this dispatch: from the one to before the other
    uint n_sets, n_tiles;       // of the op: see find_place
    uint sequence, heads, kv_heads;
    float scale;
};

vec4 largest;

bvec4 sees(uint walked) { return lessThanEqual(uvec4(walked), uvec4(row_base + 4u * row_quad) + uvec4(0u, 1u, 2u, 3u)); }

vec4 larger(vec4 a, vec4 b) {
    return vec4(ms_formula_maximum(a.x, b.x), ms_formula_maximum(a.y, b.y), ms_formula_maximum(a.z, b.z), ms_formula_maximum(a.w, b.w));
}
void take(uint n) {
    largest = mix(largest, larger(largest, scaled(score[n], scale)), sees(walked_base + 4u * walked_quad + n));
}

void store(uint n) {
    uint batches = n_sets / PARTS / heads;
    if (sum_row(n) < sequence) found.x[(head * batches + batch) * sequence + sum_row(n)] = largest[n];
}

void main() {
    uint group = first_group + ms_group_index();
    if (group >= n_groups) return;
    find_place(group, n_tiles, n_sets, heads, true); // late queries see most keys: longest work first
    if (part != 0u) return;
    Side query = query_side(sequence, heads), key = key_side(sequence, heads, kv_heads);
    uint end = min(row_base + ROWS, sequence);
    largest = vec4(uintBitsToFloat(0xff800000u));
    ROLLED for (walked_base = 0u; walked_base < end; walked_base += WALKED) {
        multiply(q, query, k, key, sequence);
        FOUR(take)
    }
    staged[walked_quad * ROW_QUADS + row_quad] = largest;
    barrier();
    for (uint i = 0u; i < WALKED_QUADS; i++) largest = larger(largest, staged[i * ROW_QUADS + row_quad]);
    if (walked_quad == 0u) { FOUR(store) }
}
