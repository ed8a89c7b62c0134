#version 460
#extension GL_GOOGLE_include_directive : require
// attention_grad on GPUs: dq.  Rows are queries; one walk over the visible keys.  attention_grad_delta.comp has made delta.
#include "shaders/common.glsl"
#include "shaders/attention_tile.glsl"

layout(push_constant) uniform Push {
    F32 q, k, v, lse, d_o, delta, dq;
    uint first_group, n_groups; // of this dispatch: from the one to before the other
    uint n_sets, n_tiles;       // of the op: see find_place
    uint sequence, heads, kv_heads;
    float scale;
};

vec4 row_lse, row_delta;
vec4 d_query[16]; // sum of ds k
vec4 chunks[16];  // sums of the chunks before
vec4 p[4];

bvec4 sees(uint walked) { return lessThanEqual(uvec4(walked), uvec4(row_base + 4u * row_quad) + uvec4(0u, 1u, 2u, 3u)); }

// All rows see all of the tile, and all of it exists.
bool all_seen() { return walked_base + WALKED <= row_base + 1u; }

void load_row(uint n) {
    uint at = (batch * heads + head) * sequence + min(sum_row(n), sequence - 1u);
    row_lse[n] = lse.x[at];
    row_delta[n] = delta.x[at];
}

void clear(uint i) { d_query[i] = vec4(ABSENT); }
void clear_chunk(uint i) { chunks[i] = vec4(ABSENT); }
void close_chunk(uint i) {
    precise vec4 sum = chunks[i] + d_query[i];
    chunks[i] = sum;
    d_query[i] = vec4(ABSENT);
}

void make_probability(uint n) { p[n] = probabilities(score[n], scale, row_lse); }
void weigh(uint n) {
    PRECISE vec4 difference = score[n] - row_delta;
    PRECISE vec4 d_score = p[n] * difference;
    put_weight(n, d_score);
}

void store_sum(uint i) {
    vec4 sum = d_query[i];
    if (CHUNKED != 0u) sum = chunks[i];
    uint at = (batch * sequence * heads + head) * HEAD_SIZE + sum_row(i) * heads * HEAD_SIZE;
    if (has_sum(i, sequence)) ms_store4(dq, at + 4u * sum_quad(i), at + HEAD_SIZE, DTYPE, scaled(sum, scale));
}

void main() {
    uint group = first_group + ms_group_index();
    if (group >= n_groups) return;
    find_place(group, n_tiles, n_sets, heads, true); // late queries see most keys: longest work first
    Side query = query_side(sequence, heads), key = key_side(sequence, heads, kv_heads);
    uint end = min(row_base + ROWS, sequence);
    FOUR(load_row)
    EACH_SUM(clear)
    if (CHUNKED != 0u) { EACH_SUM(clear_chunk) }
    ROLLED for (walked_base = 0u; walked_base < end; walked_base += WALKED) {
        ROLLED for (uint i = 0u; i < 2u; i++) {
            multiply(F32(i == 0u ? uvec2(q) : uvec2(d_o)), query, F32(i == 0u ? uvec2(k) : uvec2(v)), key, sequence);
            if (i == 0u) { FOUR(make_probability) }
        }
        FOUR(weigh)
        ROLLED for (uint begin = 0u; begin < WALKED; begin += WALKED_STEP) {
            stage_walked(k, key, begin, sequence);
            barrier();
            ADD_WALKED(d_query, begin, all_seen())
            barrier();
        }
        uint tile_end = min(end, walked_base + WALKED);
        if (CHUNKED != 0u && (tile_end == end || tile_end % MS_DEPTH_CHUNK == 0u)) { EACH_SUM(close_chunk) }
    }
    EACH_SUM(store_sum)
}
