// The transposed rotary embedding of one head, for the gradient: see backend/cpu/rope.h.  Include after quads.glsl and the constants
// COLUMNS (the size of a head; VECTOR asks for a multiple of 8), DTYPE and INTERLEAVED.

// Number i of the head that begins at `first` of dy, turned back by the angles of the row that begins at `row` of the table.
float ms_rope_transposed(F32 dy, uint first, F32 table, uint row, uint i) {
    const uint half_size = COLUMNS / 2u;
    bool is_first = INTERLEAVED != 0u ? i % 2u == 0u : i < half_size; // of its pair
    uint distance = INTERLEAVED != 0u ? 1u : half_size, pair = INTERLEAVED != 0u ? i / 2u : i % half_size;
    float u = ms_load(dy, first + i, DTYPE), v = ms_load(dy, is_first ? first + i + distance : first + i - distance, DTYPE);
    precise float a = u * table.x[row + pair], b = v * table.x[row + half_size + pair];
    precise float sum = a + b, difference = a - b;
    return is_first ? sum : difference;
}

// Numbers i to i + 3; those at COLUMNS and above are 0.
vec4 ms_rope_transposed4(F32 dy, uint first, F32 table, uint row, uint i) {
    const uint half_size = COLUMNS / 2u;
    if (VECTOR == 0u) {
        vec4 quad = vec4(0.0);
        if (i < COLUMNS) quad.x = ms_rope_transposed(dy, first, table, row, i);
        if (i + 1u < COLUMNS) quad.y = ms_rope_transposed(dy, first, table, row, i + 1u);
        if (i + 2u < COLUMNS) quad.z = ms_rope_transposed(dy, first, table, row, i + 2u);
        if (i + 3u < COLUMNS) quad.w = ms_rope_transposed(dy, first, table, row, i + 3u);
        return quad;
    }
    vec4 u = ms_load4(dy, first + i, 0u, DTYPE);
    if (INTERLEAVED != 0u) {
        uint k = row + i / 2u, l = k + half_size;
        precise vec4 a = u * vec2(table.x[k], table.x[k + 1u]).xxyy, b = u.yxwz * vec2(table.x[l], table.x[l + 1u]).xxyy;
        precise vec4 sum = a + b, difference = a - b;
        return vec4(sum.x, difference.y, sum.z, difference.w);
    }
    bool is_first = i < half_size;
    uint k = is_first ? i : i - half_size;
    vec4 v = ms_load4(dy, is_first ? first + i + half_size : first + k, 0u, DTYPE);
    precise vec4 a = u * ms_load4(table, row + k, 0u, MS_F32), b = v * ms_load4(table, row + half_size + k, 0u, MS_F32);
    precise vec4 sum = a + b, difference = a - b;
    return is_first ? sum : difference;
}
