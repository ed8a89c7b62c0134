#version 460
#extension GL_GOOGLE_include_directive : require
// attention for software drivers, of any head size.
#include "shaders/common.glsl"
#include "shaders/attention_forward.glsl"
