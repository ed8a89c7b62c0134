// attention: o and lse.  Rows are queries.
//   exact  two walks over the visible keys: the maximum of the scores; then the scores again, p = exp(s - m), their sum l by the
//          reduction rule and the weighted sum of values.  6 D FLOPs per visible pair instead of 4 D, and no score in memory.
//   fast   one walk with the running maximum (Milakov & Gimelshein 2018; Dao et al. 2022): what has been summed is multiplied by
//          exp(old maximum - new maximum).
#include "shaders/attention.glsl"

layout(constant_id = 11) const uint HAS_OUTPUT = 1u;
layout(constant_id = 12) const uint HAS_LSE = 1u;

layout(push_constant) uniform Push {
    F32 q, k, v, o, lse;
    uint n_groups, n_sets; // sets of SHARED_HEADS heads of one sequence
    uint sequence, heads, kv_heads;
    float scale;
};

const uint ROW_QUERIES = ROWS / SHARED_HEADS; // row r is query first + r / SHARED_HEADS of head + r % SHARED_HEADS

uint batch, head, first; // of the invocation's rows
uint kv_at, kv_stride;   // number 0 of key 0, and from key to key

vec4 query[ROWS][QUADS];
vec4 weighted[ROWS][QUADS]; // sum of p v
vec4 walking[QUADS];        // the key or value at hand
uint walking_at;            // its number 0
uint walking_key;           // its position
bool visible[ROWS];         // whether the rows see it
float score[ROWS];          // of the key at hand; then p
float maximum[ROWS];
float weight_sum[ROWS];

void load_key_quad(uint unused, uint d) { walking[d] = walk_quad(k, walking_at, d); }
void load_value_quad(uint unused, uint d) { walking[d] = walk_quad(v, walking_at, d); }
void score_quad(uint r, uint d) { score[r] = add_products(score[r], query[r][d], walking[d], d); }
void add_value_quad(uint r, uint d) { weighted[r][d] = add_seen(weighted[r][d], score[r], walking[d], visible[r]); }

// Scores of the key at hand, of a row that sees it.
void score_seen_row(uint r) {
    score[r] = ABSENT;
    EACH_QUAD(score_quad, r)
    PRECISE float scaled = score[r] * scale;
    score[r] = scaled;
    visible[r] = true;
}

void score_row(uint r) {
    score_seen_row(r);
    visible[r] = is_seen(walking_key, first + r / SHARED_HEADS, ROW_QUERIES);
}

void load_key(uint j) {
    walking_key = j;
    walking_at = kv_at + j * kv_stride;
    EACH_QUAD(load_key_quad, 0u)
}

// Loads key j and forms the scores of the rows.
void score_key(uint j) {
    load_key(j);
    EACH_ROW(score_row)
}

void add_value_row(uint r) { EACH_QUAD(add_value_quad, r) }

// weighted += p v of the same key, with the p of the rows in score.
void add_value() {
    EACH_QUAD(load_value_quad, 0u)
    EACH_ROW(add_value_row)
}

// The larger one, or a where b is not seen.
float larger(float a, float b, bool is_visible) { return mix(a, b, mix(false, b > a, is_visible)); }

#ifdef MS_FAST

const float LOWEST = -3.4e38; // below every score that counts, and finite: the difference of two is never NaN
float shrink;

void shrink_quad(uint r, uint d) { weighted[r][d] = weighted[r][d] * shrink; }

void begin_row(uint r) {
    maximum[r] = LOWEST;
    weight_sum[r] = 0.0;
}

void weigh_row(uint r) {
    float highest = larger(maximum[r], score[r], visible[r]);
    shrink = ms_exp(maximum[r] - highest);
    score[r] = mix(0.0, ms_exp(score[r] - highest), visible[r]);
    maximum[r] = highest;
    weight_sum[r] = weight_sum[r] * shrink + score[r];
    EACH_QUAD(shrink_quad, r)
}

// Keys to before `end`; all rows see those before `seen`.
void walk(uint seen, uint end) {
    EACH_ROW(begin_row)
    for (uint j = 0u; j < seen; j++) {
        load_key(j);
        EACH_ROW(score_seen_row)
        EACH_ROW(weigh_row)
        add_value();
    }
    for (uint j = seen; j < end; j++) {
        score_key(j);
        EACH_ROW(weigh_row)
        add_value();
    }
}

#else

// The lanes of the reduction rule of each row: [lane][row][invocation], each only ever touched by its own invocation.
shared float lanes[MS_LANES * ROWS * gl_WorkGroupSize.x];
vec4 chunks[ROWS][QUADS]; // sum of the chunks before
float blocks[ROWS * MS_LANES]; // lanes of the sums of blocks
uint i_block;

uint lane_at(uint lane, uint r) { return (lane * ROWS + r) * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }

void clear_lanes() {
    for (uint i = 0u; i < MS_LANES * ROWS; i++) lanes[i * gl_WorkGroupSize.x + gl_LocalInvocationID.x] = ABSENT;
}

float lane_pair(uint lane, uint r) {
    precise float sum = lanes[lane_at(lane, r)] + lanes[lane_at(lane + 16u, r)];
    return sum;
}

// The halving tree over the lanes of row r.
float lane_tree(uint r) {
    precise float s0 = lane_pair(0u, r) + lane_pair(8u, r), s1 = lane_pair(1u, r) + lane_pair(9u, r);
    precise float s2 = lane_pair(2u, r) + lane_pair(10u, r), s3 = lane_pair(3u, r) + lane_pair(11u, r);
    precise float s4 = lane_pair(4u, r) + lane_pair(12u, r), s5 = lane_pair(5u, r) + lane_pair(13u, r);
    precise float s6 = lane_pair(6u, r) + lane_pair(14u, r), s7 = lane_pair(7u, r) + lane_pair(15u, r);
    precise float total = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7));
    return total;
}

void begin_row(uint r) { maximum[r] = uintBitsToFloat(0xff800000u); }
void maximum_row(uint r) { maximum[r] = larger(maximum[r], score[r], visible[r]); }
void sum_row(uint r) { weight_sum[r] = lane_tree(r); }

void weigh_row(uint r) {
    precise float below = score[r] - maximum[r];
    score[r] = ms_exp(below);
    uint slot = lane_at(walking_key % MS_LANES, r);
    precise float sum = lanes[slot] + mix(ABSENT, score[r], visible[r]);
    lanes[slot] = sum;
}

void begin_chunk_quad(uint r, uint d) { chunks[r][d] = vec4(ABSENT); }
void begin_chunk_row(uint r) { EACH_QUAD(begin_chunk_quad, r) }
void end_chunk_quad(uint r, uint d) { weighted[r][d] = chunks[r][d]; }
void end_chunk_row(uint r) { EACH_QUAD(end_chunk_quad, r) }

void close_chunk_quad(uint r, uint d) {
    precise vec4 sum = chunks[r][d] + weighted[r][d];
    chunks[r][d] = sum;
    weighted[r][d] = vec4(ABSENT);
}
void close_chunk_row(uint r) { EACH_QUAD(close_chunk_quad, r) }

void close_block_row(uint r) {
    precise float sum = blocks[r * MS_LANES + i_block % MS_LANES] + lane_tree(r);
    blocks[r * MS_LANES + i_block % MS_LANES] = sum;
}

void reload_lanes_row(uint r) {
    for (uint i = 0u; i < MS_LANES; i++) lanes[lane_at(i, r)] = blocks[r * MS_LANES + i];
}

// At the end of a chunk of keys, which may end a block of the reduction rule.
void close_chunk(uint chunk_end, uint end) {
    if (CHUNKED != 0u) { EACH_ROW(close_chunk_row) }
    if (BLOCKED != 0u && (chunk_end == end || chunk_end % MS_REDUCE_BLOCK == 0u)) {
        i_block = (chunk_end - 1u) / MS_REDUCE_BLOCK;
        EACH_ROW(close_block_row)
        clear_lanes();
    }
}

void walk(uint seen, uint end) {
    EACH_ROW(begin_row)
    for (uint j = 0u; j < end; j++) {
        score_key(j);
        EACH_ROW(maximum_row)
    }
    clear_lanes();
    if (CHUNKED != 0u) { EACH_ROW(begin_chunk_row) }
    if (BLOCKED != 0u) {
        for (uint i = 0u; i < MS_LANES * ROWS; i++) blocks[i] = ABSENT;
    }
    for (uint begin = 0u; begin < end; begin += MS_DEPTH_CHUNK) {
        uint chunk_end = min(end, begin + MS_DEPTH_CHUNK);
        for (uint j = begin; j < chunk_end; j++) {
            score_key(j);
            EACH_ROW(weigh_row)
            add_value();
        }
        close_chunk(chunk_end, end);
    }
    if (BLOCKED != 0u) { EACH_ROW(reload_lanes_row) }
    if (CHUNKED != 0u) { EACH_ROW(end_chunk_row) }
    EACH_ROW(sum_row)
}

#endif

uint row_at(uint r) { return ((batch * sequence + first + r / SHARED_HEADS) * heads + head + r % SHARED_HEADS) * HEAD_SIZE; }

void load_query_quad(uint r, uint d) {
    query[r][d] = load_quad(q, row_at(r), d);
    weighted[r][d] = vec4(ABSENT);
}
void load_query(uint r) { EACH_QUAD(load_query_quad, r) }

void store_output_quad(uint r, uint d) {
    PRECISE float inverse = ms_reciprocal(weight_sum[r]);
    PRECISE vec4 result = weighted[r][d] * inverse;
    store_quad(o, row_at(r), d, result);
}
void store_output(uint r) { EACH_QUAD(store_output_quad, r) }

void store_lse(uint r) {
    PRECISE float sum = maximum[r] + ms_log(weight_sum[r]);
    lse.x[(batch * heads + head + r % SHARED_HEADS) * sequence + first + r / SHARED_HEADS] = sum;
}

void main() {
    uint group = ms_group_index();
    if (group >= n_groups) return;
    uint set = group % n_sets, sets = heads / SHARED_HEADS; // of a sequence
    uint tile = n_groups / n_sets - 1u - group / n_sets;   // late queries see most keys: longest work first
    uint base = tile * gl_WorkGroupSize.x * ROW_QUERIES;
    first = first_row(base, ROW_QUERIES, sequence);
    batch = set / sets;
    head = set % sets * SHARED_HEADS;
    kv_at = (batch * sequence * kv_heads + head / (heads / kv_heads)) * HEAD_SIZE;
    kv_stride = kv_heads * HEAD_SIZE;
    EACH_ROW(load_query)
    walk(seen_end(base, first), walk_end(base, first, ROW_QUERIES, sequence));
    if (!has_rows(base, ROW_QUERIES, sequence)) return;
    if (HAS_OUTPUT != 0u) { EACH_ROW(store_output) }
    if (HAS_LSE != 0u) { EACH_ROW(store_lse) }
}
