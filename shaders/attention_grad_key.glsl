// attention_grad, second part: what one head gives to dk (before the scale) and dv.  Rows are keys, ROWS neighbours; one walk over the
// queries that see any of them.  Sums of chunks of queries are added in memory, [sequences, T, heads, D] like q, in f32.
#include "shaders/attention.glsl"

layout(push_constant) uniform Push {
    F32 q, k, v, lse, d_o, delta, dk, dv;
    uint n_groups, n_sets; // heads of all sequences
    uint sequence, heads, kv_heads;
    float scale;
};

uint batch, head, first; // of the invocation's rows
vec4 key[ROWS][QUADS];
vec4 value[ROWS][QUADS];
vec4 d_key[ROWS][QUADS];   // sum of ds q
vec4 d_value[ROWS][QUADS]; // sum of p do
vec4 query[QUADS], d_output[QUADS]; // at hand
uint walking_at;                    // their number 0
uint walking_query;                 // their position
float walking_lse, walking_delta;
float weight[ROWS], d_weight[ROWS];
bool visible[ROWS];
bool first_chunk;

uint row_at(uint r) { return ((batch * sequence + first + r) * kv_heads + head / (heads / kv_heads)) * HEAD_SIZE; }
uint sum_at(uint r, uint d) { return (((batch * sequence + first + r) * heads + head) * QUADS + d) * 4u; }

void load_row_quad(uint r, uint d) {
    key[r][d] = load_quad(k, row_at(r), d);
    value[r][d] = load_quad(v, row_at(r), d);
}
void load_row(uint r) { EACH_QUAD(load_row_quad, r) }

void begin_chunk_quad(uint r, uint d) { d_key[r][d] = d_value[r][d] = vec4(ABSENT); }
void begin_chunk(uint r) { EACH_QUAD(begin_chunk_quad, r) }

void load_query_quad(uint unused, uint d) { query[d] = walk_quad(q, walking_at, d); }
void load_output_quad(uint unused, uint d) { d_output[d] = walk_quad(d_o, walking_at, d); }

void load_query(uint i) {
    walking_query = i;
    walking_at = ((batch * sequence + i) * heads + head) * HEAD_SIZE;
    EACH_QUAD(load_query_quad, 0u)
    EACH_QUAD(load_output_quad, 0u)
    walking_lse = lse.x[(batch * heads + head) * sequence + i];
    walking_delta = delta.x[(batch * heads + head) * sequence + i];
}

void score_quad(uint r, uint d) {
    weight[r] = add_products(weight[r], query[d], key[r][d], d);
    d_weight[r] = add_products(d_weight[r], d_output[d], value[r][d], d);
}

void score_seen_row(uint r) {
    weight[r] = d_weight[r] = ABSENT;
    EACH_QUAD(score_quad, r)
    weight[r] = probability(weight[r], scale, walking_lse);
    PRECISE float difference = d_weight[r] - walking_delta;
    PRECISE float d_score = weight[r] * difference;
    d_weight[r] = d_score;
    visible[r] = true;
}

void score_row(uint r) {
    score_seen_row(r);
    visible[r] = walking_query >= first + r;
}

void add_query_quad(uint r, uint d) {
    d_value[r][d] = add_seen(d_value[r][d], weight[r], d_output[d], visible[r]);
    d_key[r][d] = add_seen(d_key[r][d], d_weight[r], query[d], visible[r]);
}
void add_query(uint r) { EACH_QUAD(add_query_quad, r) }

vec4 add_to(F32 sums, uint i, vec4 term) {
    PRECISE vec4 sum = F32x4(uvec2(sums)).x[i / 4u] + term;
    return sum;
}

void store_quads(uint r, uint d) {
    F32x4(uvec2(dk)).x[sum_at(r, d) / 4u] = d_key[r][d];
    F32x4(uvec2(dv)).x[sum_at(r, d) / 4u] = d_value[r][d];
}
void store_row(uint r) { EACH_QUAD(store_quads, r) }

void add_quads(uint r, uint d) {
    F32x4(uvec2(dk)).x[sum_at(r, d) / 4u] = add_to(dk, sum_at(r, d), d_key[r][d]);
    F32x4(uvec2(dv)).x[sum_at(r, d) / 4u] = add_to(dv, sum_at(r, d), d_value[r][d]);
}
void add_row(uint r) { EACH_QUAD(add_quads, r) }

// Queries from i to before `end`; those from `seeing` on see all rows.
void walk_chunk(uint i, uint seeing, uint end) {
#ifdef MS_FAST
    for (; i < min(seeing, end); i++) {
        load_query(i);
        EACH_ROW(score_row)
        EACH_ROW(add_query)
    }
    for (; i < end; i++) {
        load_query(i);
        EACH_ROW(score_seen_row)
        EACH_ROW(add_query)
    }
#else
    for (; i < end; i++) {
        load_query(i);
        EACH_ROW(score_row)
        EACH_ROW(add_query)
    }
#endif
}

// All invocations walk together, from the first row of the workgroup.
void walk(uint start, bool stores) {
    for (uint begin = start / MS_DEPTH_CHUNK * MS_DEPTH_CHUNK; begin < sequence; begin += MS_DEPTH_CHUNK) {
        EACH_ROW(begin_chunk)
        uint chunk_end = min(sequence, begin + MS_DEPTH_CHUNK);
        walk_chunk(max(start, begin), start + gl_WorkGroupSize.x * ROWS - 1u, chunk_end);
        if (stores) {
            if (begin <= start) {
                EACH_ROW(store_row)
            } else {
                EACH_ROW(add_row)
            }
        }
    }
}

void main() {
    uint group = ms_group_index();
    if (group >= n_groups) return;
    uint set = group % n_sets, tile = group / n_sets; // early keys are seen by most queries: longest work first
    uint base = tile * gl_WorkGroupSize.x * ROWS;
    first = first_row(base, ROWS, sequence);
    batch = set / heads;
    head = set % heads;
    EACH_ROW(load_row)
    walk(base, has_rows(base, ROWS, sequence));
}
