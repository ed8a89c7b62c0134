// matmul and gram where a lane is a SIMD lane of a processor and shared memory is ordinary memory (software drivers): each subgroup
// of LANES makes TILE_ROWS x (TILE_COLUMNS * LANES), a lane one column in LANES.  There a load costs as much as dozens of sums and
// every lane pays for it, so lane i loads depth k + i of each row, and the lanes exchange what they loaded: by FROM_LANE,
// subgroupBroadcast or subgroupShuffle.  SwiftShader makes one instruction of a broadcast whose lane is a number, hence EACH_LANE
// instead of a loop; lavapipe makes one of a shuffle of 8 lanes, and a slow broadcast.
//
// LANES is a number, not a specialisation constant, because SwiftShader unrolls only what is constant from the start.  It also
// takes hours over conditional expressions; hence masks.
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shaders/matmul.glsl"

// All bits where condition holds, else none.
uint mask_of(bool condition) { return 0u - uint(condition); }

// The bits of element i of a factor as f32.  SwiftShader takes a branch on a specialisation constant at run time, so there are none:
// ALL_F32 is a shader of its own, and bf16 in words (type 1) is shifted to where an f32 (type 0) stands.
#if defined(ALL_F32)
#define LOAD_BITS(p, i, dtype) floatBitsToUint((p).x[i])
#elif defined(MS_STORAGE16)
#define LOAD_BITS(p, i, dtype) floatBitsToUint(ms_load(p, i, dtype))
#else
#define LOAD_BITS(p, i, dtype) \
    ((Words(uvec2(p)).x[(i) >> dtype] << ((~(i) & dtype) << 4)) & (0xffffffffu << (dtype << 4)))
#endif

// Depth k + i.
#define ADD_DEPTH(i)                                                                                                           \
    {                                                                                                                          \
        uint b_inside = mask_of(k + i < chunk_end), b_at = min(k + i, chunk_end - 1u) * b_depth;                               \
        float factor_b[TILE_COLUMNS];                                                                                          \
        [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) {                                                                  \
            factor_b[q] = uintBitsToFloat(LOAD_BITS(b, b_start[q] + b_at, DTYPE_B) & b_inside);                                \
        }                                                                                                                      \
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {                                                                     \
            float x = FROM_LANE(factor_a[r], i);                                                                       \
            [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) chunk_sum[r][q] = chunk_sum[r][q] + x * factor_b[q];           \
        }                                                                                                                      \
    }
#define EACH_OF_4(f, i) f((i)) f((i) + 1u) f((i) + 2u) f((i) + 3u)

void main() {
    if (ms_group_index() >= n_groups) return;
    Part part = part_of(ms_group_index());
    uint lane = gl_SubgroupInvocationID;
    uint first_row = part.tile_y * TILE_ROWS, first_column = part.tile_x * TILE_COLUMNS * LANES;
    if (MIRROR != 0u && first_column + TILE_COLUMNS * LANES <= first_row) return;
    uint a_start = part.matrix * a_matrix, b_start[TILE_COLUMNS];
    [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) {
        uint column = min(first_column + q * LANES + lane, n_columns - 1u);
        b_start[q] = part.matrix * b_matrix + column * b_column;
    }

    MS_SUM total[TILE_ROWS][TILE_COLUMNS];
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {
        [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) total[r][q] = -0.0;
    }
    uint end = depth_end(part);
    for (uint chunk = depth_begin(part); chunk < end; chunk += MS_DEPTH_CHUNK) {
        uint chunk_end = min(end, chunk + MS_DEPTH_CHUNK);
        MS_SUM chunk_sum[TILE_ROWS][TILE_COLUMNS];
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {
            [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) chunk_sum[r][q] = -0.0;
        }
        for (uint k = chunk; k < chunk_end; k += LANES) {
            // Past the end of the chunk every product is -0 * +0 = -0, which adds nothing.
            uint is_inside = mask_of(k + lane < chunk_end), a_at = a_start + min(k + lane, chunk_end - 1u) * a_depth;
            float factor_a[TILE_ROWS];
            [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {
                uint bits = LOAD_BITS(a, a_at + min(first_row + r, n_rows - 1u) * a_row, DTYPE_A);
                factor_a[r] = uintBitsToFloat((bits & is_inside) | (0x80000000u & ~is_inside));
            }
            EACH_LANE(ADD_DEPTH)
        }
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {
            [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) total[r][q] = total[r][q] + chunk_sum[r][q];
        }
    }
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; r++) {
        [[unroll]] for (uint q = 0u; q < TILE_COLUMNS; q++) {
            store_result(part, first_row + r, first_column + q * LANES + lane, total[r][q]);
        }
    }
}
