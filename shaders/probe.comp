#version 460
#extension GL_GOOGLE_include_directive : require
// What `exact` needs of a device, tried on it: each invocation writes the results of one triple of numbers for backend/vulkan/
// vulkan_probe.c to compare with the processor's.
#include "shaders/common.glsl"
#define MS_EXACT_GLSL
#include "backend/exact.h"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

layout(push_constant) uniform Push {
    F32 triples; // [count, 3]
    F32 results; // [count, 10]
    uint count;
};

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= count) return;
    precise float x = triples.x[3u * i], y = triples.x[3u * i + 1u], z = triples.x[3u * i + 2u];
    precise float sum = x + y;
    precise float difference = x - y;
    precise float product = x * y;
    precise float product_sum = x * y + z;
    precise float rest = (x + y) - x;
    uint k = 10u * i;
    results.x[k] = sum;
    results.x[k + 1u] = difference;
    results.x[k + 2u] = product;
    results.x[k + 3u] = product_sum;
    results.x[k + 4u] = rest;
    results.x[k + 5u] = ms_exp(x);
    results.x[k + 6u] = ms_log(y);
    results.x[k + 7u] = ms_reciprocal(z);
    results.x[k + 8u] = ms_rsqrt(y);
    // The smallest normal number, halved and doubled again: 0 where subnormals are flushed.
    precise float tiny = uintBitsToFloat(0x00800000u + (i & 0xffu)) * 0.5;
    precise float back = tiny * 2.0;
    results.x[k + 9u] = back;
}
