#version 460
#extension GL_GOOGLE_include_directive : require
// First part of attention_grad with heads of 32 numbers, for software drivers: see attention.glsl.
#define ATTENTION_HEAD_SIZE 32
#define ATTENTION_ROWS 2
#include "shaders/common.glsl"
#include "shaders/attention_grad_query.glsl"
