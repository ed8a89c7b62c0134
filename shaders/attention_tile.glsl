// What the shaders of attention and attention_grad for GPUs share.  Definition: backend/cpu/attention.c and attention_grad.c.
//
// A workgroup of 128 invocations owns 64 rows (queries, or keys in the gradient of keys and values) of one head of one sequence and
// walks over the other side in tiles of 32.  Everything that more than one invocation needs goes through shared memory, 14 KiB
// whatever the head size is; an invocation holds 4 rows by 4 of the tile's scores, and 4 rows by at most 16 numbers of each result,
// so no array has more than 64 words and nothing has to spill.  Register tiles over shared memory: see matmul_tile.glsl; tiles of
// attention: Dao et al., FlashAttention, 2022.
//
//   multiply()    scores of the tile: both sides come in slices of 16 of the depth, each one loaded while the one before is at work
//   weights       [walked][row quad]: what each row weighs the walked rows by, put there by the invocation that has the score
//   ADD_WALKED    result += weight * walked row: the walked rows come in slices of 8, 16 or 32
//
// A workgroup makes at most 128 numbers of a result's row.  Longer rows are made by several, which all make the scores.
//
// Orders: a score is summed over the depth, ascending; a result over the walked rows, ascending, by one invocation.  Which
// invocation and which tile is in no sum's order, so `exact` has the bits of every other device.  Sums and what they leave out:
// attention_sum.glsl; only tiles at the diagonal select.
//
// FOUR is unrolled by the preprocessor: it is around calls of backend/exact.h (see common.glsl), and arrays need literal indices to
// stay in registers.
#include "shaders/attention_sum.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in; // INVOCATIONS, 1, 1
layout(constant_id = 3) const uint VECTOR = 0u;                          // see quads.glsl
layout(constant_id = 4) const uint DTYPE = MS_F32;
layout(constant_id = 5) const uint HEAD_SIZE = 64u;
layout(constant_id = 6) const uint CHUNKED = 0u; // 1: sums over rows are formed in chunks of MS_DEPTH_CHUNK
layout(constant_id = 7) const uint BLOCKED = 0u; // 1: more than one block of the reduction rule

#include "shaders/quads.glsl"

const uint ROW_QUADS = 16u;       // 64 rows of a workgroup
const uint WALKED_QUADS = 8u;     // 32 walked rows of a tile
const uint INVOCATIONS = 128u;    // ROW_QUADS * WALKED_QUADS
const uint ROWS = 4u * ROW_QUADS; // see MS_VULKAN_ATTENTION_TILE_ROWS
const uint WALKED = 4u * WALKED_QUADS;
const uint DEPTH = 16u; // of a slice of both sides
const uint QUADS = (HEAD_SIZE + 3u) / 4u;
const uint MOST_QUADS = 32u; // of a result's row in one workgroup
const uint PARTS = (QUADS + MOST_QUADS - 1u) / MOST_QUADS;                  // workgroups that share a row
const uint OWN_QUADS = ((PARTS > 1u ? MOST_QUADS : QUADS) + 7u) / 8u;       // of an invocation: 1 to 4
const uint STEP_QUADS = 8u * OWN_QUADS;                                     // of a workgroup
const uint WALKED_STEP = OWN_QUADS == 1u ? 32u : OWN_QUADS == 2u ? 16u : 8u; // walked rows of a slice

// In front of loops whose rounds are long enough by themselves.  Drivers that compile on the processor would unroll them all.
#define ROLLED [[dont_unroll]]

#define FOUR(f) f(0u); f(1u); f(2u); f(3u);

shared vec4 weights[WALKED * ROW_QUADS];                  // [walked][row quad]
shared vec4 staged[DEPTH * (ROW_QUADS + WALKED_QUADS)];   // slices: [depth][row quad], then [depth][walked quad]; or [walked][quad]

// Where this invocation stands.  32 neighbours cover 8 quads of rows by 4 of walked rows: few different addresses in shared memory.
const uint STAGED_WALKED = DEPTH * ROW_QUADS;
uint thread, row_quad, walked_quad;
uint batch, head, part; // of the workgroup
uint row_base, walked_base;

vec4 score[4]; // walked row walked_base + 4 walked_quad + n with the invocation's four rows

// One operand's rows in the head at hand: number 0 of row 0, and from row to row.
struct Side {
    uint start, stride;
};

// Which of the invocation's rows see a walked row; each shader has its own.
bvec4 sees(uint walked);

// Numbers i to i + 3; those from `end` on are `outside`.
vec4 fetch_quad(F32 p, uint i, uint end, float outside) {
    if (i >= end) return vec4(outside);
    vec4 quad = ms_load4(p, i, end, DTYPE);
    if (VECTOR == 0u) quad = mix(quad, vec4(outside), greaterThanEqual(uvec4(i, i + 1u, i + 2u, i + 3u), uvec4(end)));
    return quad;
}

// Eight numbers of a row from `d` on; rows that do not exist are the last one.
struct Octet {
    vec4 low, high;
};

Octet fetch(F32 p, Side side, uint row, uint sequence, uint d, float outside) {
    uint start = side.start + min(row, sequence - 1u) * side.stride, i = start + d, end = start + HEAD_SIZE;
    if (VECTOR == 2u) { // whole octets
        vec4 low = vec4(outside), high = vec4(outside);
        if (i < end) ms_load8(p, i, low, high);
        return Octet(low, high);
    }
    return Octet(fetch_quad(p, i, end, outside), fetch_quad(p, i + 4u, end, outside));
}

void put(uint at, uint quads, uint row, vec4 quad) {
    staged[at + row / 4u][row % 4u] = quad.x;
    staged[at + quads + row / 4u][row % 4u] = quad.y;
    staged[at + 2u * quads + row / 4u][row % 4u] = quad.z;
    staged[at + 3u * quads + row / 4u][row % 4u] = quad.w;
}

// score += the products at depth d of the slice.
void add_depth(uint d) {
    vec4 rows = staged[d * ROW_QUADS + row_quad], walked = staged[STAGED_WALKED + d * WALKED_QUADS + walked_quad];
    PRECISE vec4 sum0 = score[0] + rows * walked.x;
    PRECISE vec4 sum1 = score[1] + rows * walked.y;
    PRECISE vec4 sum2 = score[2] + rows * walked.z;
    PRECISE vec4 sum3 = score[3] + rows * walked.w;
    score[0] = sum0;
    score[1] = sum1;
    score[2] = sum2;
    score[3] = sum3;
}

// score = rows from row_base on times walked rows from walked_base on.  Past the end of a head every product is -0 * +0 = -0, which
// adds nothing.  All invocations call it; `staged` is free before and after, and `weights` are as they were.
void multiply(F32 rows, Side row_side, F32 walked, Side walked_side, uint sequence) {
    uint row = thread / 2u, d = 8u * (thread % 2u);
    bool has_walked = thread < 2u * WALKED;
    score[0] = score[1] = score[2] = score[3] = vec4(ABSENT);
    ROLLED for (uint begin = 0u; begin < HEAD_SIZE + DEPTH; begin += DEPTH) {
        Octet next_row = fetch(rows, row_side, row_base + row, sequence, begin + d, -0.0), next_walked = Octet(vec4(0.0), vec4(0.0));
        if (has_walked) next_walked = fetch(walked, walked_side, walked_base + row, sequence, begin + d, 0.0);
        if (begin > 0u) { // the slice before, which is staged
            ROLLED for (uint i = 0u; i < DEPTH; i += 4u) {
                add_depth(i);
                add_depth(i + 1u);
                add_depth(i + 2u);
                add_depth(i + 3u);
            }
            barrier();
        }
        if (begin < HEAD_SIZE) {
            put(d * ROW_QUADS, ROW_QUADS, row, next_row.low);
            put((d + 4u) * ROW_QUADS, ROW_QUADS, row, next_row.high);
            if (has_walked) {
                put(STAGED_WALKED + d * WALKED_QUADS, WALKED_QUADS, row, next_walked.low);
                put(STAGED_WALKED + (d + 4u) * WALKED_QUADS, WALKED_QUADS, row, next_walked.high);
            }
            barrier();
        }
    }
}

// Puts walked rows from `first` of the tile on, the workgroup's part of each, where ADD_WALKED finds them.
void stage_walked(F32 p, Side side, uint first, uint sequence) {
    const uint octets = STEP_QUADS / 2u; // of a row
    uint row = thread / octets, quad = 2u * (thread % octets);
    if (row >= WALKED_STEP) return;
    Octet octet = fetch(p, side, walked_base + first + row, sequence, 4u * (part * MOST_QUADS + quad), 0.0);
    staged[row * STEP_QUADS + quad] = octet.low;
    staged[row * STEP_QUADS + quad + 1u] = octet.high;
}

// An invocation's results are sums[4 n + r]: row r of its four, quad walked_quad + 8 n of the workgroup's.
// ADD_WALKED adds, to an array of such sums, the products of weights and the walked rows of a slice.  Macros, because an array that is
// an argument is copied.
#define ADD_QUAD(sums, n) \
    if (n < OWN_QUADS) { \
        vec4 term = staged[i_walked * STEP_QUADS + walked_quad + 8u * n]; \
        sums[4u * n] = add_weighted(sums[4u * n], weight.x, term); \
        sums[4u * n + 1u] = add_weighted(sums[4u * n + 1u], weight.y, term); \
        sums[4u * n + 2u] = add_weighted(sums[4u * n + 2u], weight.z, term); \
        sums[4u * n + 3u] = add_weighted(sums[4u * n + 3u], weight.w, term); \
    }
#define ADD_SEEN_QUAD(sums, n) \
    if (n < OWN_QUADS) { \
        vec4 term = staged[i_walked * STEP_QUADS + walked_quad + 8u * n]; \
        sums[4u * n] = add_seen(sums[4u * n], weight.x, term, seen.x); \
        sums[4u * n + 1u] = add_seen(sums[4u * n + 1u], weight.y, term, seen.y); \
        sums[4u * n + 2u] = add_seen(sums[4u * n + 2u], weight.z, term, seen.z); \
        sums[4u * n + 3u] = add_seen(sums[4u * n + 3u], weight.w, term, seen.w); \
    }
#define ADD_WALKED(sums, first, all_seen) \
    if (all_seen) { \
        ROLLED for (uint i_walked = 0u; i_walked < WALKED_STEP; i_walked++) { \
            vec4 weight = weights[(first + i_walked) * ROW_QUADS + row_quad]; \
            ADD_QUAD(sums, 0u) ADD_QUAD(sums, 1u) ADD_QUAD(sums, 2u) ADD_QUAD(sums, 3u) \
        } \
    } else { \
        ROLLED for (uint i_walked = 0u; i_walked < WALKED_STEP; i_walked++) { \
            vec4 weight = weights[(first + i_walked) * ROW_QUADS + row_quad]; \
            bvec4 seen = sees(walked_base + first + i_walked); \
            ADD_SEEN_QUAD(sums, 0u) ADD_SEEN_QUAD(sums, 1u) ADD_SEEN_QUAD(sums, 2u) ADD_SEEN_QUAD(sums, 3u) \
        } \
    }

// One row of sums after the other, four quads each: EACH_SUM(f) is f(i) for all sums.
#define EACH_SUM(f) \
    f(0u); f(1u); f(2u); f(3u); \
    if (OWN_QUADS > 1u) { f(4u); f(5u); f(6u); f(7u); } \
    if (OWN_QUADS > 2u) { f(8u); f(9u); f(10u); f(11u); } \
    if (OWN_QUADS > 3u) { f(12u); f(13u); f(14u); f(15u); }

// The row of sums[i], and its quad; whether they exist.
uint sum_row(uint i) { return row_base + 4u * row_quad + i % 4u; }
uint sum_quad(uint i) { return part * MOST_QUADS + walked_quad + 8u * (i / 4u); }
bool has_sum(uint i, uint sequence) { return sum_row(i) < sequence && sum_quad(i) < QUADS; }

void put_weight(uint n, vec4 weight) { weights[(4u * walked_quad + n) * ROW_QUADS + row_quad] = weight; }

vec4 scaled(vec4 product, float scale) {
    PRECISE vec4 result = product * scale;
    return result;
}

vec4 probabilities(vec4 product, float scale, vec4 lse) {
    return vec4(probability(product.x, scale, lse.x), probability(product.y, scale, lse.y), probability(product.z, scale, lse.z),
                probability(product.w, scale, lse.w));
}

// The place of workgroup `group`: n_sets are the parts of rows of all heads of all sequences, and all of them come with one of n_tiles
// tiles of rows before the next.
void find_place(uint group, uint n_tiles, uint n_sets, uint heads, bool late_first) {
    uint set = group % n_sets, tile = group / n_sets;
    if (late_first) tile = n_tiles - 1u - tile;
    thread = gl_LocalInvocationID.x;
    row_quad = thread % 8u + 8u * (thread / 32u % 2u);
    walked_quad = thread / 8u % 4u + 4u * (thread / 64u);
    row_base = tile * ROWS;
    part = set % PARTS;
    head = set / PARTS % heads;
    batch = set / PARTS / heads;
}

// The head at hand in an operand with heads of queries, and in one with heads of keys and values.
Side query_side(uint sequence, uint heads) { return Side((batch * sequence * heads + head) * HEAD_SIZE, heads * HEAD_SIZE); }
Side key_side(uint sequence, uint heads, uint kv_heads) {
    return Side((batch * sequence * kv_heads + head / (heads / kv_heads)) * HEAD_SIZE, kv_heads * HEAD_SIZE);
}
