#version 460
#extension GL_GOOGLE_include_directive : require
// attention, of any head size.
#include "shaders/common.glsl"
#include "shaders/attention_forward.glsl"
