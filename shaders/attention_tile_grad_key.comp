#version 460
#extension GL_GOOGLE_include_directive : require
// attention_grad on GPUs: what one head gives to dk (before the scale) and dv.  Rows are keys; one walk over the queries that see any of
// them.  Sums of chunks of queries are added in memory, [sequences, T, heads, quads of a head, 4], in f32;
// attention_grad_sum.comp does the rest.
#include "shaders/common.glsl"
#include "shaders/attention_tile.glsl"

layout(push_constant) uniform Push {
    F32 q, k, v, lse, d_o, delta, dk, dv;
    uint first_group, n_groups; // of this dispatch: from the one to before the other
    uint n_sets, n_tiles;       // of the op: see find_place
    uint sequence, heads, kv_heads;
    float scale;
};

vec4 d_key[16];   // sum of ds q
vec4 d_value[16]; // sum of p do
vec4 p[4];
bool is_first; // chunk

bvec4 sees(uint walked) {
    uvec4 rows = uvec4(row_base + 4u * row_quad) + uvec4(0u, 1u, 2u, 3u);
    return mix(bvec4(false), lessThanEqual(rows, uvec4(walked)), bvec4(walked < sequence));
}

// All rows see all of the tile, and all of it exists.
bool all_seen() { return walked_base >= row_base + ROWS - 1u && walked_base + WALKED <= sequence; }

void clear(uint i) { d_key[i] = d_value[i] = vec4(ABSENT); }

uint number_at(uint n) {
    return (batch * heads + head) * sequence + min(walked_base + 4u * walked_quad + n, sequence - 1u);
}

void weigh_value(uint n) {
    p[n] = probabilities(score[n], scale, vec4(lse.x[number_at(n)]));
    put_weight(n, p[n]);
}
void weigh_query(uint n) {
    PRECISE vec4 difference = score[n] - vec4(delta.x[number_at(n)]);
    PRECISE vec4 d_score = p[n] * difference;
    put_weight(n, d_score);
}

vec4 add_to(F32 sums, uint i, vec4 term) {
    PRECISE vec4 sum = F32x4(uvec2(sums)).x[i] + term;
    return sum;
}

void close_chunk(uint i) {
    if (has_sum(i, sequence)) {
        uint at = ((batch * sequence + sum_row(i)) * heads + head) * QUADS + sum_quad(i);
        if (is_first) {
            F32x4(uvec2(dk)).x[at] = d_key[i];
            F32x4(uvec2(dv)).x[at] = d_value[i];
        } else {
            F32x4(uvec2(dk)).x[at] = add_to(dk, at, d_key[i]);
            F32x4(uvec2(dv)).x[at] = add_to(dv, at, d_value[i]);
        }
    }
}

void main() {
    uint group = first_group + ms_group_index();
    if (group >= n_groups) return;
    find_place(group, n_tiles, n_sets, heads, false); // early keys are seen by most queries: longest work first
    Side query = query_side(sequence, heads), key = key_side(sequence, heads, kv_heads);
    is_first = true;
    EACH_SUM(clear)
    ROLLED for (walked_base = row_base; walked_base < sequence; walked_base += WALKED) {
        ROLLED for (uint i = 0u; i < 2u; i++) {
            bool is_value = i == 0u;
            multiply(F32(is_value ? uvec2(k) : uvec2(v)), key, F32(is_value ? uvec2(q) : uvec2(d_o)), query, sequence);
            if (is_value) {
                FOUR(weigh_value)
            } else {
                FOUR(weigh_query)
            }
            ROLLED for (uint begin = 0u; begin < WALKED; begin += WALKED_STEP) {
                stage_walked(F32(is_value ? uvec2(d_o) : uvec2(q)), query, begin, sequence);
                barrier();
                if (is_value) {
                    ADD_WALKED(d_value, begin, all_seen())
                } else {
                    ADD_WALKED(d_key, begin, all_seen())
                }
                barrier();
            }
        }
        uint tile_end = min(sequence, walked_base + WALKED);
        if (tile_end == sequence || tile_end % MS_DEPTH_CHUNK == 0u) {
            EACH_SUM(close_chunk)
            EACH_SUM(clear)
            is_first = false;
        }
    }
}
