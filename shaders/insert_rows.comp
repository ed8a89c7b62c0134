#version 460
#extension GL_GOOGLE_include_directive : require
// insert_rows: row index[n] of y becomes row n of x, `size` units each; an index outside of [0, rows) leaves its row out.  The grid's x
// covers a row, its y the rows of x.  Definition: backend/cpu/insert_rows.c.
#include "shaders/common.glsl"
#include "shaders/units.glsl"

layout(push_constant) uniform Push {
    F32 x;
    I32 index;
    F32 y;
    uint n_rows, size, rows; // of x; units of a row; of y
};

void copy_unit(uint i_from, uint i_to) {
    if (UNIT == 16u) {
        Words4(uvec2(y)).x[i_to] = Words4(uvec2(x)).x[i_from];
    } else if (UNIT == 4u) {
        Words(uvec2(y)).x[i_to] = Words(uvec2(x)).x[i_from];
    } else {
        ms_store_half(y, i_to, ms_load_half(x, i_from));
    }
}

void main() {
    for (uint n = gl_WorkGroupID.y; n < n_rows; n += gl_NumWorkGroups.y) {
        uint row = uint(index.x[n]); // a negative one is above all
        if (row >= rows) continue;
        for (uint i = gl_GlobalInvocationID.x; i < size; i += ms_unit_stride()) copy_unit(n * size + i, row * size + i);
    }
}
