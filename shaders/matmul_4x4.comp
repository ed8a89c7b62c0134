#version 460
#extension GL_GOOGLE_include_directive : require
// matmul and gram on GPUs, 4 x 4 results an invocation: see matmul_tile.glsl.
#define QUADS 1u
#include "shaders/matmul_tile.glsl"
