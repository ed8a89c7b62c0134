#version 460
#extension GL_GOOGLE_include_directive : require
// matmul and gram on software drivers with subgroups of 4, all operands f32: see matmul_lanes.glsl.
#define ALL_F32
#define LANES 4u
#define TILE_ROWS 8u // as in backend/vulkan/product.c
#define TILE_COLUMNS 4u
#include "shaders/matmul_lanes.glsl"
