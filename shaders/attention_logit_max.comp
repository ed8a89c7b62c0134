#version 460
#extension GL_GOOGLE_include_directive : require
// attention_logit_max for software drivers, of any head size: the largest logit of each query, in scratch [heads, batch, sequence].
// Rows are queries, and each walks once over the keys that it sees; attention_logit_max_join.comp does the rest.  Definition:
// backend/cpu/attention_logit_max.c.
#include "shaders/common.glsl"
#include "shaders/attention.glsl"
#include "backend/formulas.h"

layout(push_constant) uniform Push {
    F32 q, k, found;
    uint n_groups, n_sets; // sets of SHARED_HEADS heads of one sequence
    uint sequence, heads, kv_heads;
    float scale;
};

const uint ROW_QUERIES = ROWS / SHARED_HEADS; // row r is query first + r / SHARED_HEADS of head + r % SHARED_HEADS

uint batch, head, first; // of the invocation's rows

vec4 query[ROWS][QUADS];
vec4 walking[QUADS]; // the key at hand
uint walking_at;     // its number 0
uint walking_key;    // its position
float score[ROWS];
float largest[ROWS];

uint row_at(uint r) { return ((batch * sequence + first + r / SHARED_HEADS) * heads + head + r % SHARED_HEADS) * HEAD_SIZE; }

void load_query_quad(uint r, uint d) { query[r][d] = load_quad(q, row_at(r), d); }
void begin_row(uint r) {
    largest[r] = uintBitsToFloat(0xff800000u);
    EACH_QUAD(load_query_quad, r)
}

void load_key_quad(uint unused, uint d) { walking[d] = walk_quad(k, walking_at, d); }
void score_quad(uint r, uint d) { score[r] = add_products(score[r], query[r][d], walking[d], d); }
void take_row(uint r) {
    score[r] = ABSENT;
    EACH_QUAD(score_quad, r)
    PRECISE float scaled = score[r] * scale;
    largest[r] = mix(largest[r], ms_formula_maximum(largest[r], scaled), is_seen(walking_key, first + r / SHARED_HEADS, ROW_QUERIES));
}

void store_row(uint r) {
    uint batches = n_sets / (heads / SHARED_HEADS);
    found.x[((head + r % SHARED_HEADS) * batches + batch) * sequence + first + r / SHARED_HEADS] = largest[r];
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
    uint kv_at = (batch * sequence * kv_heads + head / (heads / kv_heads)) * HEAD_SIZE;
    EACH_ROW(begin_row)
    uint end = walk_end(base, first, ROW_QUERIES, sequence);
    for (uint j = 0u; j < end; j++) {
        walking_key = j;
        walking_at = kv_at + j * kv_heads * HEAD_SIZE;
        EACH_QUAD(load_key_quad, 0u)
        EACH_ROW(take_row)
    }
    if (has_rows(base, ROW_QUERIES, sequence)) { EACH_ROW(store_row) }
}
