// matmul and gram on GPUs: a workgroup of W x W invocations makes a tile of (4 QUADS W)^2 results from tiles of both factors in
// shared memory, W / QUADS of the depth at a time, so that each invocation loads four numbers of each factor per step; of factors in
// bf16, where rows are whole octets, half of the invocations load eight numbers of one factor, 16 bytes, and the other half of the
// other.  They are loaded one step ahead, while sums of the last step are made.  Register tiles over shared memory: Volkov & Demmel,
// Benchmarking GPUs to tune dense linear algebra, 2008.
#include "shaders/matmul.glsl"

layout(constant_id = 8) const uint VECTOR = 0u;      // see quads.glsl; for a, b, c and y; 2: for a and b, both in bf16
layout(constant_id = 9) const uint A_ADJACENT = 0u;  // rows of op(a) are neighbours in memory (else: depths are)
layout(constant_id = 10) const uint B_ADJACENT = 0u; // columns of op(b) are
layout(constant_id = 11) const uint CHUNKS = 0u;     // 1: more than one chunk to be summed here
#include "shaders/quads.glsl"

const uint WIDTH = gl_WorkGroupSize.x; // and height
const uint SIDE_QUADS = WIDTH * QUADS; // quads along a side of the tile
const uint STEP = WIDTH / QUADS;       // depth of the tiles in shared memory
const uint STEP_OCTETS = STEP < 8u ? 1u : STEP / 8u;

shared vec4 tile_a[STEP * SIDE_QUADS]; // [depth][row / 4], of rows
shared vec4 tile_b[STEP * SIDE_QUADS];

// One factor as rows by depth; "rows" are the columns of op(b).
struct Factor {
    uint start, row_step, depth_step, n_rows, first_row;
};

// Four numbers of a factor's tile at depth k: of four neighbouring rows if adjacent, else of one row.  Outside of the matrix they
// are `outside` along the depth, and anything along the rows.
vec4 fetch(F32 p, Factor factor, uint dtype, bool adjacent, uint k, uint end, float outside) {
    uint thread = gl_LocalInvocationIndex;
    if (adjacent) {
        uint at_depth = k + thread / SIDE_QUADS, row = factor.first_row + 4u * (thread % SIDE_QUADS);
        if (at_depth >= end || row >= factor.n_rows) return vec4(outside);
        uint i = factor.start + at_depth * factor.depth_step;
        return ms_load4(p, i + row, i + factor.n_rows, dtype);
    }
    uint at_depth = k + 4u * (thread % (STEP / 4u)), row = min(factor.first_row + thread / (STEP / 4u), factor.n_rows - 1u);
    if (at_depth >= end) return vec4(outside);
    uint i = factor.start + row * factor.row_step;
    vec4 quad = ms_load4(p, i + at_depth, i + end, dtype);
    return mix(quad, vec4(outside), greaterThanEqual(uvec4(at_depth, at_depth + 1u, at_depth + 2u, at_depth + 3u), uvec4(end)));
}

// Eight numbers of a factor's tile, with VECTOR 2: octet `thread` of it, of eight neighbouring rows if adjacent, else of one row.
void fetch_octet(F32 p, Factor factor, bool adjacent, uint k, uint end, float outside, uint thread, out vec4 low, out vec4 high) {
    uint at_depth, row;
    bool exists;
    if (adjacent) {
        at_depth = k + thread / (SIDE_QUADS / 2u);
        row = factor.first_row + 8u * (thread % (SIDE_QUADS / 2u));
        exists = at_depth < end && row < factor.n_rows;
    } else {
        at_depth = k + 8u * (thread % STEP_OCTETS);
        row = min(factor.first_row + thread / STEP_OCTETS, factor.n_rows - 1u);
        exists = at_depth < end;
    }
    low = high = vec4(outside);
    if (exists) ms_load8(p, factor.start + row * factor.row_step + at_depth * factor.depth_step, low, high);
}

// Where fetched numbers go.  A macro, because shared arrays cannot be arguments.
#define PUT(tile, adjacent, quad)                                                                                       \
    if (adjacent) {                                                                                                     \
        tile[gl_LocalInvocationIndex] = quad;                                                                           \
    } else {                                                                                                            \
        uint depth_quad = gl_LocalInvocationIndex % (STEP / 4u), row = gl_LocalInvocationIndex / (STEP / 4u);           \
        [[unroll]] for (uint j = 0u; j < 4u; j++) tile[(4u * depth_quad + j) * SIDE_QUADS + row / 4u][row % 4u] = quad[j]; \
    }

#define PUT_OCTET(tile, adjacent, thread, low, high)                                                                   \
    if (adjacent) {                                                                                                     \
        tile[2u * (thread)] = low;                                                                                      \
        tile[2u * (thread) + 1u] = high;                                                                                \
    } else {                                                                                                            \
        uint depth = 8u * ((thread) % STEP_OCTETS), row = (thread) / STEP_OCTETS;                                       \
        [[unroll]] for (uint j = 0u; j < 4u; j++) {                                                                     \
            tile[(depth + j) * SIDE_QUADS + row / 4u][row % 4u] = low[j];                                               \
            tile[(depth + 4u + j) * SIDE_QUADS + row / 4u][row % 4u] = high[j];                                         \
        }                                                                                                               \
    }

// What an invocation has loaded for the next step: four numbers of each factor or, with VECTOR 2, eight of one.
vec4 next_a, next_b;

void fetch_next(Factor rows, Factor columns, uint k, uint end) {
    uint n_octets = WIDTH * WIDTH / 2u, thread = gl_LocalInvocationIndex;
    if (VECTOR == 2u) { // next_a, next_b: the octet's halves
        if (thread < n_octets) {
            fetch_octet(a, rows, A_ADJACENT != 0u, k, end, -0.0, thread, next_a, next_b);
        } else {
            fetch_octet(b, columns, B_ADJACENT != 0u, k, end, 0.0, thread - n_octets, next_a, next_b);
        }
    } else {
        next_a = fetch(a, rows, DTYPE_A, A_ADJACENT != 0u, k, end, -0.0);
        next_b = fetch(b, columns, DTYPE_B, B_ADJACENT != 0u, k, end, 0.0);
    }
}

void put_next() {
    uint n_octets = WIDTH * WIDTH / 2u, thread = gl_LocalInvocationIndex;
    if (VECTOR == 2u) {
        if (thread < n_octets) {
            PUT_OCTET(tile_a, A_ADJACENT != 0u, thread, next_a, next_b)
        } else {
            PUT_OCTET(tile_b, B_ADJACENT != 0u, thread - n_octets, next_a, next_b)
        }
    } else {
        PUT(tile_a, A_ADJACENT != 0u, next_a)
        PUT(tile_b, B_ADJACENT != 0u, next_b)
    }
}

void store_quad(Part part, uint row, uint column, vec4 total) {
    if (MIRROR != 0u) {
        [[unroll]] for (uint j = 0u; j < 4u; j++) store_result(part, row, column + j, total[j]);
        return;
    }
    if (row >= n_rows || column >= n_columns) return;
    uint first = ((part.chunk * batch + part.matrix) * n_rows + row) * n_columns;
    MS_SUM4 value = vec4(alpha) * total;
    if (HAS_C != 0u) value = value + vec4(beta) * ms_load4(c, first + column, first + n_columns, DTYPE_Y);
    ms_store4(y, first + column, first + n_columns, DTYPE_Y, value);
}

void main() {
    if (ms_group_index() >= n_groups) return;
    Part part = part_of(ms_group_index());
    Factor rows = Factor(part.matrix * a_matrix, a_row, a_depth, n_rows, part.tile_y * SIDE_QUADS * 4u);
    Factor columns = Factor(part.matrix * b_matrix, b_column, b_depth, n_columns, part.tile_x * SIDE_QUADS * 4u);
    if (MIRROR != 0u && part.tile_x < part.tile_y) return;
    uvec2 at = gl_LocalInvocationID.xy;

    MS_SUM4 total[4u * QUADS][QUADS];
    MS_SUM4 sum[4u * QUADS][QUADS];
    [[unroll]] for (uint r = 0u; r < 4u * QUADS; r++) {
        [[unroll]] for (uint q = 0u; q < QUADS; q++) {
            total[r][q] = vec4(-0.0);
            sum[r][q] = vec4(-0.0);
        }
    }
    // Past the end every product is -0 * +0 = -0, which adds nothing.
    uint end = depth_end(part);
    fetch_next(rows, columns, depth_begin(part), end);
    for (uint k = depth_begin(part); k < end; k += STEP) {
        put_next();
        barrier();
        fetch_next(rows, columns, k + STEP, end);
        [[unroll]] for (uint i = 0u; i < STEP; i++) {
            vec4 factor_b[QUADS];
            [[unroll]] for (uint q = 0u; q < QUADS; q++) factor_b[q] = tile_b[i * SIDE_QUADS + q * WIDTH + at.x];
            [[unroll]] for (uint q = 0u; q < QUADS; q++) {
                vec4 factor_a = tile_a[i * SIDE_QUADS + q * WIDTH + at.y];
                [[unroll]] for (uint j = 0u; j < 4u; j++) {
                    [[unroll]] for (uint h = 0u; h < QUADS; h++) {
                        sum[4u * q + j][h] = sum[4u * q + j][h] + vec4(factor_a[j]) * factor_b[h];
                    }
                }
            }
        }
        barrier();
        if (CHUNKS != 0u && (k + STEP) % MS_DEPTH_CHUNK == 0u) {
            [[unroll]] for (uint r = 0u; r < 4u * QUADS; r++) {
                [[unroll]] for (uint q = 0u; q < QUADS; q++) {
                    total[r][q] = total[r][q] + sum[r][q];
                    sum[r][q] = vec4(-0.0);
                }
            }
        }
    }
    [[unroll]] for (uint r = 0u; r < 4u * QUADS; r++) {
        [[unroll]] for (uint q = 0u; q < QUADS; q++) {
            total[r][q] = total[r][q] + sum[r][q];
            uint row = rows.first_row + (r / 4u * WIDTH + at.y) * 4u + r % 4u;
            store_quad(part, row, columns.first_row + (q * WIDTH + at.x) * 4u, total[r][q]);
        }
    }
}
