// The reduction rule of `exact` numerics, in which every sum is formed: see backend/cpu/reduce.h for its definition.
// Include after common.glsl; the workgroup size must be declared before.  All sums of one workgroup are formed side by side.
//
// Two layouts.  Define MS_REDUCE_BY_LANE or MS_REDUCE_BY_QUAD (or both) before the include; each costs shared memory.
//   by lane   32 neighbouring invocations form one sum; invocation l is lane l.  5 bytes of shared memory an invocation.
//   by quad   8 neighbouring invocations form one sum; invocation q is lanes 4 q to 4 q + 3, a vec4: fewer and wider loads, a
//             cheaper tree.  32 bytes of shared memory an invocation.
// Neighbours are by gl_LocalInvocationIndex, so the workgroup's shape is free; its size is a multiple of 32 or 8.
//
// A sum of n <= 4096 terms, term(i) being any precise expression:
//     float sum = MS_ABSENT;
//     MS_ADD_LANE(sum, 0u, n, term(i));              // i runs over this lane's terms
//     float total = ms_lane_tree(sum);               // the same in all 32 invocations
// With more terms there is a level above, whose terms are the sums of blocks of 4096:
//     float level = MS_ABSENT;
//     for (uint begin = 0u; begin < n; begin += MS_REDUCE_BLOCK) {
//         float sum = MS_ABSENT;
//         MS_ADD_LANE(sum, begin, min(n, begin + MS_REDUCE_BLOCK), term(i));
//         ms_level_add(level, ms_lane_tree(sum), begin / MS_REDUCE_BLOCK);
//     }
//     float total = ms_lane_tree(level);             // n <= 4096^2; one more level for more
// By quad it is vec4, MS_ABSENT4, ms_quad_tree and ms_level4_add, and the loop over a quad's terms is
//     for (uint i = begin + 4u * ms_quad(); i < end; i += MS_LANES) sum = sum + term4(i);   // with `precise vec4 sum`
// where term4(i) gives terms i to i + 3, and MS_ABSENT for those at `end` or above (ms_absent_above).
//
// The trees hold barriers: every invocation of the workgroup must call them, equally often; an idle one passes MS_ABSENT.
//
// Absent lanes and the start of each lane are -0, the neutral element of addition: x + -0 is x with its sign, and NaN stays NaN.  So
// "lanes without terms are left out" and "sums start from their first term" need no conditions, and the bits are the same.

#define MS_EXACT_GLSL
#include "backend/exact_constants.h"

const uint MS_QUADS = MS_LANES / 4u; // quads of lanes

#define MS_ABSENT uintBitsToFloat(0x80000000u)
#define MS_ABSENT4 vec4(MS_ABSENT)

// Terms i to i + 3 without those from `end` on.
vec4 ms_absent_above(vec4 terms, uint i, uint end) {
    if (i + 3u >= end) {
        if (i >= end) terms.x = MS_ABSENT;
        if (i + 1u >= end) terms.y = MS_ABSENT;
        if (i + 2u >= end) terms.z = MS_ABSENT;
        terms.w = MS_ABSENT;
    }
    return terms;
}

#ifdef MS_REDUCE_BY_LANE

// Two arrays, so that one barrier after each is enough: whoever writes an array has passed the barrier after its last readers.
shared float ms_lane_sums[gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z];
shared float ms_lane_eighths[gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z / 4u];

uint ms_lane() { return gl_LocalInvocationIndex % MS_LANES; }

// Adds the terms of [begin, end) that belong to this lane; `begin` is a multiple of 32.
#define MS_ADD_LANE(sum, begin, end, term)                                                                                                 \
    for (uint i = (begin) + ms_lane(); i < (end); i += MS_LANES) {                                                                         \
        precise float ms_sum_ = (sum) + (term);                                                                                            \
        sum = ms_sum_;                                                                                                                     \
    }

// The sum over the 32 lanes by the halving tree: two levels, then three, instead of five with a barrier each.
float ms_lane_tree(float lane) {
    uint first = gl_LocalInvocationIndex & ~(MS_LANES - 1u), i = gl_LocalInvocationIndex % MS_LANES;
    ms_lane_sums[first + i] = lane;
    barrier();
    if (i < 8u) {
        precise float even = ms_lane_sums[first + i] + ms_lane_sums[first + i + 16u];
        precise float odd = ms_lane_sums[first + i + 8u] + ms_lane_sums[first + i + 24u];
        precise float eighth = even + odd;
        ms_lane_eighths[first / 4u + i] = eighth;
    }
    barrier();
    uint k = first / 4u;
    precise float a = ms_lane_eighths[k] + ms_lane_eighths[k + 4u], b = ms_lane_eighths[k + 1u] + ms_lane_eighths[k + 5u];
    precise float c = ms_lane_eighths[k + 2u] + ms_lane_eighths[k + 6u], d = ms_lane_eighths[k + 3u] + ms_lane_eighths[k + 7u];
    precise float total = (a + c) + (b + d);
    return total;
}

// Adds term i, known to all, of a level above to this invocation's lane; i ascends.
void ms_level_add(inout float lane, float term, uint i) {
    precise float sum = lane + term;
    if (i % MS_LANES == ms_lane()) lane = sum;
}

#endif

#ifdef MS_REDUCE_BY_QUAD

// Used by turns, so that one barrier a tree is enough: whoever writes a half has passed the barrier after its last readers.
shared vec4 ms_quad_sums[2u * gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z];
uint ms_quad_half = 0u;

uint ms_quad() { return gl_LocalInvocationIndex % MS_QUADS; }

// The sum over the 8 quads by the halving tree.
float ms_quad_tree(vec4 lanes) {
    uint first = ms_quad_half * (gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z) + (gl_LocalInvocationIndex & ~7u);
    ms_quad_half = 1u - ms_quad_half;
    ms_quad_sums[first + ms_quad()] = lanes;
    barrier();
    precise vec4 a = ms_quad_sums[first] + ms_quad_sums[first + 4u], b = ms_quad_sums[first + 1u] + ms_quad_sums[first + 5u];
    precise vec4 c = ms_quad_sums[first + 2u] + ms_quad_sums[first + 6u], d = ms_quad_sums[first + 3u] + ms_quad_sums[first + 7u];
    precise vec4 quad = (a + c) + (b + d);
    precise vec2 pair = quad.xy + quad.zw;
    precise float total = pair.x + pair.y;
    return total;
}

// Adds term i, known to all, of a level above to this quad's lanes; i ascends.
void ms_level4_add(inout vec4 lanes, float term, uint i) {
    precise vec4 sum = lanes + vec4(term);
    uint lane = i % MS_LANES - 4u * ms_quad(); // wraps around for other quads
    lanes.x = lane == 0u ? sum.x : lanes.x;
    lanes.y = lane == 1u ? sum.y : lanes.y;
    lanes.z = lane == 2u ? sum.z : lanes.z;
    lanes.w = lane == 3u ? sum.w : lanes.w;
}

#endif
