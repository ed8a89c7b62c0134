// What every shader includes, right after #version and the include extension: element types and access, step
// coefficients, fault reports, linear group numbers.
//
// Every shader is compiled four times: with MS_FAST or without (exact), with MS_STORAGE16 (a device with 16-bit storage) or
// without (bf16 packed in 32-bit words, low half first).
//
// Arithmetic of `exact`: every result goes into a variable declared `precise`, so that nothing is contracted to an FMA or
// reassociated.  No division, no built-in exp, log, sqrt, inversesqrt, mix, fma: backend/exact.h has what is needed.  Sums start
// from their first term.  NaN is told by bits: comparisons with NaN are wrong on some drivers.
//
// No [[unroll]] around calls of backend/exact.h: SwiftShader keeps `precise` only in the first round of an unrolled loop, and then folds
// (x + c) - c to x, as in ms_exp.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_control_flow_attributes : require
#ifdef MS_STORAGE16
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#endif

// 64-bit addresses of device memory.  One type for all; another view of the same memory is made by way of the bare address, e.g.
// Words(uvec2(p)): SwiftShader crashes on a cast from one reference type to another.
layout(buffer_reference, std430, buffer_reference_align = 4) buffer F32 { float x[]; };
layout(buffer_reference, std430, buffer_reference_align = 16) buffer F32x4 { vec4 x[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer I32 { int x[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint x[]; };
#ifdef MS_STORAGE16
layout(buffer_reference, std430, buffer_reference_align = 2) buffer U16 { uint16_t x[]; };
#endif

// dtype constants of an operand
const uint MS_F32 = 0u;
const uint MS_BF16 = 1u;

// bf16 is the high half of an f32; rounding to nearest even by integers, a NaN stays a (quiet) NaN: see platform/bf16.h.
float ms_from_bf16(uint bits) { return uintBitsToFloat(bits << 16); }
uint ms_to_bf16(float value) {
    uint bits = floatBitsToUint(value);
    uint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded;
}

// The 16 bits of element i of an operand of 2-byte elements.
uint ms_load_half(F32 p, uint i) {
#ifdef MS_STORAGE16
    return uint(U16(uvec2(p)).x[i]);
#else
    uint word = Words(uvec2(p)).x[i >> 1];
    return (i & 1u) == 0u ? word & 0xffffu : word >> 16;
#endif
}

// Without 16-bit storage two threads may own the halves of one word: each changes its own half by integer atomics.
void ms_store_half(F32 p, uint i, uint bits) {
#ifdef MS_STORAGE16
    U16(uvec2(p)).x[i] = uint16_t(bits);
#else
    bool low = (i & 1u) == 0u;
    atomicAnd(Words(uvec2(p)).x[i >> 1], low ? 0xffff0000u : 0x0000ffffu);
    atomicOr(Words(uvec2(p)).x[i >> 1], low ? bits : bits << 16);
#endif
}

// Element i of an operand whose dtype is a specialisation constant.
float ms_load(F32 p, uint i, uint dtype) {
    if (dtype == MS_F32) return p.x[i];
    return ms_from_bf16(ms_load_half(p, i));
}

void ms_store(F32 p, uint i, uint dtype, float value) {
    if (dtype == MS_F32) {
        p.x[i] = value;
    } else {
        ms_store_half(p, i, ms_to_bf16(value));
    }
}

// A factor that is constant or moves with the step: see ms_coefficient of backend/ir/op.h.
struct Coefficient {
    float constant;
    int scalar; // index of the step scalar, or -1
};

float ms_coefficient(Coefficient coefficient, F32 step_scalars) {
    precise float value = coefficient.constant;
    if (coefficient.scalar >= 0) value = value * step_scalars.x[coefficient.scalar];
    return value;
}

// The number of this workgroup in a grid made by ms_vulkan_emit_linear.
uint ms_group_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

// Bad data (an index out of range): the first report of a run is kept.  `node` is the last number of the push constants, which the
// host appends to dispatches with a fault address.
void ms_report_fault(Words fault, uint node, int value) {
    if (atomicCompSwap(fault.x[0], 0u, node + 1u) == 0u) fault.x[1] = uint(value);
}
