#version 460
#extension GL_GOOGLE_include_directive : require
// matmul and gram on GPUs, 8 x 8 results an invocation: see matmul_tile.glsl.
#define QUADS 2u
#include "shaders/matmul_tile.glsl"
