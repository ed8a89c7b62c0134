#version 460
#extension GL_GOOGLE_include_directive : require
// First part of attention_grad for software drivers, of any head size.
#include "shaders/common.glsl"
#include "shaders/attention_grad_query.glsl"
