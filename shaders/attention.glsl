// What the shaders of attention and attention_grad for software drivers share; GPUs: attention_tile.glsl.  Definition:
// backend/cpu/attention.c and attention_grad.c.
//
// An invocation owns ROWS rows whole, with all HEAD_SIZE numbers of each in a processor's private memory: rows of queries, or of
// keys in the gradient of keys and values.  It walks over the rows of the other side, one at a time, and each number it loads serves
// all its own rows.  So no score is ever in memory, rows need nothing of each other, there is no barrier, and a workgroup is just
// neighbouring rows.
//
// Two rows of one key/value head's queries, of different heads, walk over the same keys: SHARED_HEADS heads go together.
//
// There a load costs as much as dozens of sums, and every lane pays for it, so in the variants with literal sizes the lanes of a
// subgroup, which is the workgroup, load different numbers of the walking row and exchange them.
//
// EACH_ROW and EACH_QUAD must be unrolled.  Drivers unroll loops whose length is a specialisation constant, but SwiftShader does not
// (and its optimiser, spirv-opt, unrolls nested loops wrongly): for software drivers and usual head sizes there are variants with
// literal sizes, in which the preprocessor unrolls.
//
// Sums and what they leave out: attention_sum.glsl.  In `fast`, where selections cost time, each walk has a part in which all rows see all and
// nothing is selected, and a short one at the diagonal.
#ifdef ATTENTION_HEAD_SIZE
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "shaders/attention_sum.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 4) const uint DTYPE = MS_F32;
layout(constant_id = 5) const uint SHARED_HEADS = 1u; // a power of two that divides ROWS and the heads of a group
layout(constant_id = 6) const uint CHUNKED = 0u;      // 1: sums over rows are formed in chunks of MS_DEPTH_CHUNK
layout(constant_id = 7) const uint BLOCKED = 0u;      // 1: more than one block of the reduction rule
#ifdef ATTENTION_HEAD_SIZE // 32, 64 or 128, with ATTENTION_ROWS, a power of two up to 16; VECTOR is 1 then
layout(constant_id = 8) const uint LANES = 4u; // of a subgroup: 4, 8 or 16
const uint HEAD_SIZE = uint(ATTENTION_HEAD_SIZE);
const uint ROWS = uint(ATTENTION_ROWS);
#else
layout(constant_id = 9) const uint HEAD_SIZE = 32u;
layout(constant_id = 10) const uint ROWS = 1u; // a power of two, at most 16
#endif

#include "shaders/quads.glsl"

const uint QUADS = (HEAD_SIZE + 3u) / 4u;

// How many numbers of quad d there are: 4 or, in the last, fewer.
#define IN_QUAD(d) (HEAD_SIZE - 4u * (d))

// EACH_ROW(f): f(r) for all rows; EACH_QUAD(f, r): f(r, d) for all quads of row r.
#ifdef ATTENTION_HEAD_SIZE
#define TWO_ROWS(f, r) f(r); f((r) + 1u);
#define FOUR_ROWS(f, r) TWO_ROWS(f, r) TWO_ROWS(f, (r) + 2u)
#define EIGHT_ROWS(f, r) FOUR_ROWS(f, r) FOUR_ROWS(f, (r) + 4u)
#if ATTENTION_ROWS == 1
#define EACH_ROW(f) f(0u);
#elif ATTENTION_ROWS == 2
#define EACH_ROW(f) TWO_ROWS(f, 0u)
#elif ATTENTION_ROWS == 4
#define EACH_ROW(f) FOUR_ROWS(f, 0u)
#elif ATTENTION_ROWS == 8
#define EACH_ROW(f) EIGHT_ROWS(f, 0u)
#else
#define EACH_ROW(f) EIGHT_ROWS(f, 0u) EIGHT_ROWS(f, 8u)
#endif
#define FOUR_QUADS(f, r, d) f(r, d); f(r, (d) + 1u); f(r, (d) + 2u); f(r, (d) + 3u);
#define EIGHT_QUADS(f, r, d) FOUR_QUADS(f, r, d) FOUR_QUADS(f, r, (d) + 4u)
#if ATTENTION_HEAD_SIZE == 32
#define EACH_QUAD(f, r) EIGHT_QUADS(f, r, 0u)
#elif ATTENTION_HEAD_SIZE == 64
#define EACH_QUAD(f, r) EIGHT_QUADS(f, r, 0u) EIGHT_QUADS(f, r, 8u)
#else
#define EACH_QUAD(f, r) EIGHT_QUADS(f, r, 0u) EIGHT_QUADS(f, r, 8u) EIGHT_QUADS(f, r, 16u) EIGHT_QUADS(f, r, 24u)
#endif
#else
#define EACH_ROW(f) [[unroll]] for (uint i_row = 0u; i_row < ROWS; i_row++) f(i_row);
#define EACH_QUAD(f, r) [[unroll]] for (uint i_quad = 0u; i_quad < QUADS; i_quad++) f(r, i_quad);
#endif

// Quad d of the row whose first number is `at`; numbers after its end are 0.
#ifdef ATTENTION_HEAD_SIZE

// SwiftShader takes a branch on a specialisation constant at run time, both ways, and its optimiser keeps functions with an early
// return apart: so loads have no branch, and bf16 in words (type 1) is shifted to where an f32 (type 0) stands.
float load_number(F32 p, uint i) {
    return uintBitsToFloat((Words(uvec2(p)).x[i >> DTYPE] << ((~i & DTYPE) << 4)) & (0xffffffffu << (DTYPE << 4)));
}

vec4 load_quad(F32 p, uint at, uint d) {
    uint i = at + 4u * d;
    return vec4(load_number(p, i), load_number(p, i + 1u), load_number(p, i + 2u), load_number(p, i + 3u));
}

void store_quad(F32 p, uint at, uint d, vec4 quad) {
    if (DTYPE == MS_F32) {
        F32x4(uvec2(p)).x[at / 4u + d] = quad;
    } else {
        uint low = ms_to_bf16(quad.x) | ms_to_bf16(quad.y) << 16, high = ms_to_bf16(quad.z) | ms_to_bf16(quad.w) << 16;
        WordPairs(uvec2(p)).x[at / 4u + d] = uvec2(low, high);
    }
}

// See matmul_lanes.glsl.
float from_lane(float x, uint lane) {
    if (LANES == 4u) return subgroupBroadcast(x, lane);
    return subgroupShuffle(x, lane);
}

// As load_quad, of a row that all lanes walk over; to be called for all quads, ascending, by all lanes.
float held; // numbers of the row, one in each lane

vec4 walk_quad(F32 p, uint at, uint d) {
    uint lane = 4u * d % LANES;
    if (lane == 0u) held = load_number(p, at + 4u * d + gl_SubgroupInvocationID);
    return vec4(from_lane(held, lane), from_lane(held, lane + 1u), from_lane(held, lane + 2u),
                from_lane(held, lane + 3u));
}

#else

vec4 load_quad(F32 p, uint at, uint d) {
    uint i = at + 4u * d;
    if (VECTOR != 0u) return ms_load4(p, i, i + 4u, DTYPE);
    vec4 quad = vec4(ms_load(p, i, DTYPE), 0.0, 0.0, 0.0);
    if (IN_QUAD(d) > 1u) quad.y = ms_load(p, i + 1u, DTYPE);
    if (IN_QUAD(d) > 2u) quad.z = ms_load(p, i + 2u, DTYPE);
    if (IN_QUAD(d) > 3u) quad.w = ms_load(p, i + 3u, DTYPE);
    return quad;
}

void store_quad(F32 p, uint at, uint d, vec4 quad) { ms_store4(p, at + 4u * d, at + HEAD_SIZE, DTYPE, quad); }

vec4 walk_quad(F32 p, uint at, uint d) { return load_quad(p, at, d); }

#endif

// The rows of this workgroup begin at `base`, those of this invocation at base + invocation * count.  Rows that do not exist: in a
// variant no lane may leave, and it works on the last rows, for nothing.
uint first_row(uint base, uint count, uint sequence) { return min(base + gl_LocalInvocationID.x * count, sequence - count); }
bool has_rows(uint base, uint count, uint sequence) { return base + gl_LocalInvocationID.x * count < sequence; }

#ifdef ATTENTION_HEAD_SIZE
// All lanes walk as far as the last.
uint walk_end(uint base, uint first, uint count, uint sequence) { return min(base + gl_WorkGroupSize.x * count, sequence); }
// How many keys all rows of all lanes see.
uint seen_end(uint base, uint first) { return base + 1u; }
bool is_seen(uint key, uint i, uint count) { return key <= i; }
#else
// Where each walks to its own last row, a single query sees all that it walks over.
uint walk_end(uint base, uint first, uint count, uint sequence) { return first + count; }
uint seen_end(uint base, uint first) { return first + 1u; }
bool is_seen(uint key, uint i, uint count) { return mix(key <= i, true, count == 1u); }
#endif

// sum + the products of the components that quad d has, one by one, ascending.
float add_products(float sum, vec4 a, vec4 b, uint d) {
#ifdef ATTENTION_HEAD_SIZE
    PRECISE float result = (((sum + a.x * b.x) + a.y * b.y) + a.z * b.z) + a.w * b.w;
#else
    PRECISE float result = sum + a.x * b.x;
    if (IN_QUAD(d) > 1u) result = result + a.y * b.y;
    if (IN_QUAD(d) > 2u) result = result + a.z * b.z;
    if (IN_QUAD(d) > 3u) result = result + a.w * b.w;
#endif
    return result;
}

// The terms of a quad that has only `n`: the others become absent.
vec4 absent_past(vec4 terms, uint n) {
    vec4 result = terms;
    result.y = mix(ABSENT, terms.y, n > 1u);
    result.z = mix(ABSENT, terms.z, n > 2u);
    result.w = mix(ABSENT, terms.w, n > 3u);
    return result;
}
