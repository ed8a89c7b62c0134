#version 460
#extension GL_GOOGLE_include_directive : require
// attention on GPUs: o and lse.  Rows are queries, keys are walked over.
//   exact  two walks over the visible keys: the maximum of the scores; then the scores again, p = exp(s - m), their sum l by the
//          reduction rule and the weighted sum of values.  6 D FLOPs per visible pair instead of 4 D, and no score in memory.
//   fast   one walk with the running maximum (Milakov & Gimelshein 2018; Dao et al. 2022): what has been summed is multiplied by
//          exp(old maximum - new maximum).
// A tile of keys is as wide as the reduction rule has lanes: each invocation adds to the lanes 4 walked_quad to + 3, whose terms all are
// its own.
#include "shaders/common.glsl"
#include "shaders/attention_tile.glsl"

layout(constant_id = 8) const uint HAS_OUTPUT = 1u;
layout(constant_id = 9) const uint HAS_LSE = 1u;

layout(push_constant) uniform Push {
    F32 q, k, v, o, lse;
    uint first_group, n_groups; // of this dispatch: from the one to before the other
    uint n_sets, n_tiles;       // of the op: see find_place
    uint sequence, heads, kv_heads;
    float scale;
};

Side query, key;
uint end; // keys that any row sees
vec4 maximum, weight_sum;
vec4 weighted[16]; // sum of p v

bvec4 sees(uint walked) { return lessThanEqual(uvec4(walked), uvec4(row_base + 4u * row_quad) + uvec4(0u, 1u, 2u, 3u)); }

// All rows see all of the tile, and all of it exists.
bool all_seen() { return walked_base + WALKED <= row_base + 1u; }

void scale_score(uint n) { score[n] = scaled(score[n], scale); }
void score_tile() {
    multiply(q, query, k, key, sequence);
    FOUR(scale_score)
}

// The larger ones, or a where b is not seen.
vec4 larger(vec4 a, vec4 b, bvec4 seen) { return mix(a, b, mix(bvec4(false), greaterThan(b, a), seen)); }
void take_maximum(uint n) { maximum = larger(maximum, score[n], sees(walked_base + 4u * walked_quad + n)); }

// The largest of what the invocations with the same rows have.
void join_maximum() {
    staged[walked_quad * ROW_QUADS + row_quad] = maximum;
    barrier();
    for (uint i = 0u; i < WALKED_QUADS; i++) maximum = larger(maximum, staged[i * ROW_QUADS + row_quad], bvec4(true));
    barrier();
}

// Weights are in place.
void add_values() {
    if (HAS_OUTPUT == 0u) return;
    ROLLED for (uint begin = 0u; begin < WALKED; begin += WALKED_STEP) {
        stage_walked(v, key, begin, sequence);
        barrier();
        ADD_WALKED(weighted, begin, all_seen())
        barrier();
    }
}

vec4 exp4(vec4 x) { return vec4(ms_exp(x.x), ms_exp(x.y), ms_exp(x.z), ms_exp(x.w)); }

void clear_weighted(uint i) { weighted[i] = vec4(ABSENT); }

#ifdef MS_FAST

const float LOWEST = -3.4e38; // below every score that counts, and finite: the difference of two is never NaN
vec4 shrink;

void shrink_sum(uint i) { weighted[i] = weighted[i] * shrink[i % 4u]; }

void weigh(uint n) {
    vec4 weight = mix(vec4(0.0), exp4(score[n] - maximum), sees(walked_base + 4u * walked_quad + n));
    weight_sum = weight_sum + weight;
    put_weight(n, weight);
}

void walk() {
    maximum = vec4(LOWEST);
    weight_sum = vec4(0.0);
    ROLLED for (walked_base = 0u; walked_base < end; walked_base += WALKED) {
        score_tile();
        vec4 before = maximum;
        FOUR(take_maximum)
        join_maximum();
        shrink = exp4(before - maximum);
        weight_sum = weight_sum * shrink;
        EACH_SUM(shrink_sum)
        FOUR(weigh)
        add_values();
    }
    staged[walked_quad * ROW_QUADS + row_quad] = weight_sum;
    barrier();
    weight_sum = vec4(0.0);
    for (uint i = 0u; i < WALKED_QUADS; i++) weight_sum = weight_sum + staged[i * ROW_QUADS + row_quad];
}

#else

vec4 lanes[4];   // of the reduction rule: lanes 4 walked_quad to + 3 of the four rows
vec4 blocks[4];  // the same of the level above
vec4 chunks[16]; // sums of the chunks before

void clear_lanes(uint n) { lanes[n] = vec4(ABSENT); }
void clear_blocks(uint n) { blocks[n] = vec4(ABSENT); }
void clear_chunks(uint i) { chunks[i] = vec4(ABSENT); }
void end_chunks(uint i) { weighted[i] = chunks[i]; }
void close_chunk(uint i) {
    precise vec4 sum = chunks[i] + weighted[i];
    chunks[i] = sum;
    weighted[i] = vec4(ABSENT);
}

vec4 lane_pair(uint lane) {
    precise vec4 sum = weights[lane * ROW_QUADS + row_quad] + weights[(lane + 16u) * ROW_QUADS + row_quad];
    return sum;
}

// The halving tree over lanes that are in `weights`; before and after, `weights` are free.
vec4 lane_tree() {
    barrier();
    precise vec4 s0 = lane_pair(0u) + lane_pair(8u), s1 = lane_pair(1u) + lane_pair(9u);
    precise vec4 s2 = lane_pair(2u) + lane_pair(10u), s3 = lane_pair(3u) + lane_pair(11u);
    precise vec4 s4 = lane_pair(4u) + lane_pair(12u), s5 = lane_pair(5u) + lane_pair(13u);
    precise vec4 s6 = lane_pair(6u) + lane_pair(14u), s7 = lane_pair(7u) + lane_pair(15u);
    precise vec4 total = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7));
    barrier();
    return total;
}
void put_lanes(uint n) { put_weight(n, lanes[n]); }
void put_blocks(uint n) { put_weight(n, blocks[n]); }

uint i_block;
vec4 block_sum;
void add_block(uint n) {
    precise vec4 sum = blocks[n] + block_sum;
    blocks[n] = mix(blocks[n], sum, bvec4(i_block % MS_LANES == 4u * walked_quad + n));
}

void weigh(uint n) {
    precise vec4 below = score[n] - maximum;
    vec4 weight = exp4(below);
    precise vec4 sum = lanes[n] + mix(vec4(ABSENT), weight, sees(walked_base + 4u * walked_quad + n));
    lanes[n] = sum;
    put_weight(n, weight);
}

// At the end of a tile that ends a chunk, or a block of the reduction rule.
void close_tile() {
    uint tile_end = min(end, walked_base + WALKED);
    if (CHUNKED != 0u && (tile_end == end || tile_end % MS_DEPTH_CHUNK == 0u)) { EACH_SUM(close_chunk) }
    if (BLOCKED != 0u && (tile_end == end || tile_end % MS_REDUCE_BLOCK == 0u)) {
        i_block = (tile_end - 1u) / MS_REDUCE_BLOCK;
        FOUR(put_lanes)
        block_sum = lane_tree();
        FOUR(add_block)
        FOUR(clear_lanes)
    }
}

void walk() {
    maximum = vec4(uintBitsToFloat(0xff800000u));
    FOUR(clear_lanes)
    if (CHUNKED != 0u) { EACH_SUM(clear_chunks) }
    if (BLOCKED != 0u) { FOUR(clear_blocks) }
    ROLLED for (uint i_walk = 0u; i_walk < 2u; i_walk++) {
        ROLLED for (walked_base = 0u; walked_base < end; walked_base += WALKED) {
            score_tile();
            if (i_walk == 0u) {
                FOUR(take_maximum)
            } else {
                FOUR(weigh)
                add_values();
                close_tile();
            }
        }
        if (i_walk == 0u) join_maximum();
    }
    if (CHUNKED != 0u) { EACH_SUM(end_chunks) }
    if (BLOCKED != 0u) {
        FOUR(put_blocks)
    } else {
        FOUR(put_lanes)
    }
    weight_sum = lane_tree();
}

#endif

vec4 inverse;

void store_sum(uint i) {
    PRECISE vec4 result = weighted[i] * inverse[i % 4u];
    uint at = query.start + sum_row(i) * query.stride;
    if (has_sum(i, sequence)) ms_store4(o, at + 4u * sum_quad(i), at + HEAD_SIZE, DTYPE, result);
}

void store_lse(uint n) {
    PRECISE float sum = maximum[n] + ms_log(weight_sum[n]);
    if (sum_row(n) < sequence) lse.x[(batch * heads + head) * sequence + sum_row(n)] = sum;
}

void main() {
    uint group = first_group + ms_group_index();
    if (group >= n_groups) return;
    find_place(group, n_tiles, n_sets, heads, true); // late queries see most keys: longest work first
    query = query_side(sequence, heads);
    key = key_side(sequence, heads, kv_heads);
    end = min(row_base + ROWS, sequence);
    EACH_SUM(clear_weighted)
    walk();
    if (HAS_OUTPUT != 0u) {
        inverse = vec4(ms_reciprocal(weight_sum.x), ms_reciprocal(weight_sum.y), ms_reciprocal(weight_sum.z), ms_reciprocal(weight_sum.w));
        EACH_SUM(store_sum)
    }
    if (HAS_LSE != 0u && part == 0u && walked_quad == 0u) { FOUR(store_lse) }
}
