/* The shapes that qk_norm_rope and its gradient are tried at. */
#ifndef MS_TESTS_OPS_ROPE_CASE_H
#define MS_TESTS_OPS_ROPE_CASE_H

#include "backend/ir/op.h"

/* tokens, heads, head size, sequence */
static const int32_t ms_rope_shapes[][4] = {{1, 1, 2, 1},     {6, 3, 4, 3},   {14, 1, 34, 7}, {22, 5, 64, 11},
                                            {17, 2, 128, 17}, {700, 7, 6, 7}, {3, 1, 5002, 3}};
enum { MS_ROPE_N_CASES = 7 * 4 }; /* each: interleaved or not, normalised or not */

static inline ms_rope_attributes ms_rope_case(int i) {
    const int32_t *shape = ms_rope_shapes[i / 4];
    ms_rope_attributes rope = {shape[1], shape[2], shape[3], i % 2 == 1, i / 2 % 2 == 1, 1e-6f};
    return rope;
}

#endif
