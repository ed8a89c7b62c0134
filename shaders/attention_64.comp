#version 460
#extension GL_GOOGLE_include_directive : require
// attention with heads of 64 numbers, for software drivers: see attention.glsl.
#define ATTENTION_HEAD_SIZE 64
#define ATTENTION_ROWS 2
#include "shaders/common.glsl"
#include "shaders/attention_forward.glsl"
