// attention_grad, first part: delta (for the second part) and dq.  Rows are queries; one walk over the visible keys.
#include "shaders/attention.glsl"

layout(constant_id = 11) const uint HAS_DQ = 1u;

layout(push_constant) uniform Push {
    F32 q, k, v, o, lse, d_o, dq, delta;
    uint n_groups, n_sets; // sets of SHARED_HEADS heads of one sequence
    uint sequence, heads, kv_heads;
    float scale;
};

const uint ROW_QUERIES = ROWS / SHARED_HEADS; // row r is query first + r / SHARED_HEADS of head + r % SHARED_HEADS

uint batch, head, first; // of the invocation's rows
uint kv_at, kv_stride;   // number 0 of key 0, and from key to key

vec4 query[ROWS][QUADS];
vec4 d_output[ROWS][QUADS];
vec4 d_query[ROWS][QUADS]; // sum of ds k
vec4 chunks[ROWS][QUADS];  // sum of the chunks before
float row_lse[ROWS];
float row_delta[ROWS];
vec4 key[QUADS], value[QUADS]; // at hand
uint walking_at;               // their number 0
uint walking_key;              // their position
float score[ROWS], d_weight[ROWS];
bool visible[ROWS];

uint row_at(uint r) { return ((batch * sequence + first + r / SHARED_HEADS) * heads + head + r % SHARED_HEADS) * HEAD_SIZE; }
uint number_at(uint r) { return (batch * heads + head + r % SHARED_HEADS) * sequence + first + r / SHARED_HEADS; }

vec4 lanes[MS_LANES / 4u]; // of the reduction rule

void load_row_quad(uint r, uint d) {
    query[r][d] = load_quad(q, row_at(r), d);
    d_output[r][d] = load_quad(d_o, row_at(r), d);
    d_query[r][d] = vec4(ABSENT);
    chunks[r][d] = vec4(ABSENT);
}

void add_lanes_quad(uint r, uint d) {
    precise vec4 product = d_output[r][d] * load_quad(o, row_at(r), d);
    product = absent_past(product, IN_QUAD(d));
    precise vec4 sum = lanes[d % 8u] + product;
    lanes[d % 8u] = sum;
}

// delta: the sum of do o by the reduction rule; a head is one block.
float lane_tree() {
    precise vec4 s = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    precise float total = (s.x + s.z) + (s.y + s.w);
    return total;
}

void load_row(uint r) {
    EACH_QUAD(load_row_quad, r)
    lanes[0] = lanes[1] = lanes[2] = lanes[3] = lanes[4] = lanes[5] = lanes[6] = lanes[7] = vec4(ABSENT);
    EACH_QUAD(add_lanes_quad, r)
    row_delta[r] = lane_tree();
    row_lse[r] = lse.x[number_at(r)];
}

void store_delta(uint r) { delta.x[number_at(r)] = row_delta[r]; }

void load_key_quad(uint unused, uint d) { key[d] = walk_quad(k, walking_at, d); }
void load_value_quad(uint unused, uint d) { value[d] = walk_quad(v, walking_at, d); }

void score_quad(uint r, uint d) {
    score[r] = add_products(score[r], query[r][d], key[d], d);
    d_weight[r] = add_products(d_weight[r], d_output[r][d], value[d], d);
}

void score_seen_row(uint r) {
    score[r] = ABSENT;
    d_weight[r] = ABSENT;
    EACH_QUAD(score_quad, r)
    PRECISE float difference = d_weight[r] - row_delta[r];
    PRECISE float d_score = probability(score[r], scale, row_lse[r]) * difference;
    score[r] = d_score;
    visible[r] = true;
}

void score_row(uint r) {
    score_seen_row(r);
    visible[r] = is_seen(walking_key, first + r / SHARED_HEADS, ROW_QUERIES);
}

void add_key_quad(uint r, uint d) { d_query[r][d] = add_seen(d_query[r][d], score[r], key[d], visible[r]); }
void add_key(uint r) { EACH_QUAD(add_key_quad, r) }

void close_chunk_quad(uint r, uint d) {
    precise vec4 sum = chunks[r][d] + d_query[r][d];
    chunks[r][d] = sum;
    d_query[r][d] = vec4(ABSENT);
}
void close_chunk(uint r) { EACH_QUAD(close_chunk_quad, r) }

void store_row_quad(uint r, uint d) {
    PRECISE vec4 sum = d_query[r][d];
    if (CHUNKED != 0u) sum = chunks[r][d];
    PRECISE vec4 result = sum * scale;
    store_quad(dq, row_at(r), d, result);
}
void store_row(uint r) { EACH_QUAD(store_row_quad, r) }

void load_key() {
    walking_at = kv_at + walking_key * kv_stride;
    EACH_QUAD(load_key_quad, 0u)
    EACH_QUAD(load_value_quad, 0u)
}

// Keys from walking_key to before `end`; all rows see those before `seen`.
void walk_chunk(uint seen, uint end) {
#ifdef MS_FAST
    for (; walking_key < min(seen, end); walking_key++) {
        load_key();
        EACH_ROW(score_seen_row)
        EACH_ROW(add_key)
    }
#endif
    for (; walking_key < end; walking_key++) {
        load_key();
        EACH_ROW(score_row)
        EACH_ROW(add_key)
    }
}

void walk(uint seen, uint end) {
    walking_key = 0u;
    while (walking_key < end) {
        walk_chunk(seen, min(end, walking_key + MS_DEPTH_CHUNK));
        if (CHUNKED != 0u) { EACH_ROW(close_chunk) }
    }
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
    EACH_ROW(load_row)
    if (has_rows(base, ROW_QUERIES, sequence)) { EACH_ROW(store_delta) }
    if (HAS_DQ == 0u) return;
    walk(seen_end(base, first), walk_end(base, first, ROW_QUERIES, sequence));
    if (has_rows(base, ROW_QUERIES, sequence)) { EACH_ROW(store_row) }
}
