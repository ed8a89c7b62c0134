#version 460
#extension GL_GOOGLE_include_directive : require
// matmul and gram on software drivers with subgroups of 8, all operands f32: see matmul_lanes.glsl.
#define ALL_F32
#define LANES 8u
#define FROM_LANE subgroupShuffle
#define EACH_LANE(f) EACH_OF_4(f, 0u) EACH_OF_4(f, 4u)
#define TILE_ROWS 32u // as in backend/vulkan/ops/gemm.c
#define TILE_COLUMNS 4u
#include "shaders/matmul_lanes.glsl"
