#version 460
#extension GL_GOOGLE_include_directive : require
// matmul and gram on software drivers with subgroups of 4, all operands f32: see matmul_lanes.glsl.
#define ALL_F32
#define LANES 4u
#define FROM_LANE subgroupBroadcast
#define EACH_LANE(f) EACH_OF_4(f, 0u)
#define TILE_ROWS 16u // as in backend/vulkan/ops/gemm.c
#define TILE_COLUMNS 8u
#include "shaders/matmul_lanes.glsl"
