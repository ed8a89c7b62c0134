/* How many numbers at a time the matmuls of GPUs load (backend/vulkan/ops/gemm.c, VECTOR of shaders/matmul_tile.glsl).
   No device is needed: encoders only make lists. */
#include <stdlib.h>

#include "backend/vulkan/vulkan_encoder.h"
#include "tests/support/suite.h"

enum { VECTOR = 8 }; /* its constant_id */

typedef struct layout {
    int64_t n_rows, n_columns, depth;
    bool left_transposed, right_transposed;
    ms_dtype left, right;
    int64_t offset_bytes; /* of the left factor */
    uint32_t invocations; /* of a workgroup at most, in the largest tiles */
    uint32_t expected;
} layout;

static ms_operand operand_of(ms_dtype dtype, int64_t offset_bytes, int64_t count) {
    return (ms_operand){.region = MS_REGION_ARENA,
                        .variable = -1,
                        .dtype = dtype,
                        .offset_bytes = offset_bytes,
                        .shape = ms_shape_1(count),
                        .count = count};
}

static uint32_t vector_of(const layout *l) {
    ms_vulkan_limits limits = {.numerics = MS_NUMERICS_EXACT,
                               .storage16 = true,
                               .max_invocations = l->invocations,
                               .busy_workgroups = 1,
                               .part_flops = 1e11,
                               .shared_bytes = 16384};
    ms_vulkan_encoder encoder = {.limits = &limits};
    ms_gemm gemm = {.left = {.n_rows = l->n_rows, .depth = l->depth, .transposed = l->left_transposed},
                    .right = {.n_rows = l->n_columns, .depth = l->depth, .transposed = l->right_transposed},
                    .batch = 1,
                    .alpha = 1};
    ms_operand in[MS_MAX_INPUTS] = {operand_of(l->left, l->offset_bytes, l->n_rows * l->depth),
                                    operand_of(l->right, 1 << 20, l->n_columns * l->depth)};
    for (int i = 2; i < MS_MAX_INPUTS; i++) in[i] = ms_vulkan_absent();
    ms_operand out[MS_MAX_OUTPUTS] = {operand_of(MS_DTYPE_BF16, 1 << 21, l->n_rows * l->n_columns)};
    ms_must(ms_vulkan_matmul(&(ms_vulkan_call){
        .op = MS_OP_MATMUL, .gemm = &gemm, .in = in, .out = out, .limits = &limits, .encoder = &encoder}));
    ck_assert_int_eq(encoder.n_steps, 1);
    uint32_t vector = encoder.steps[0].constants[VECTOR];
    free(encoder.steps);
    return vector;
}

#define BF16 MS_DTYPE_BF16
#define F32 MS_DTYPE_F32

START_TEST(test_octets_where_they_are_whole) {
    static const layout table[] = {
        {16, 24, 40, false, false, BF16, BF16, 0, 256, 2},
        {16, 24, 40, true, true, BF16, BF16, 0, 256, 2},
        {16, 24, 40, false, true, BF16, BF16, 16, 256, 2},
        {16, 24, 40, true, false, BF16, BF16, 0, 256, 2},
        {16, 24, 40, false, false, F32, F32, 0, 256, 1},
        {16, 24, 40, false, false, BF16, F32, 0, 256, 1},
        {16, 24, 40, false, false, F32, BF16, 0, 256, 1},
        {16, 24, 44, false, false, BF16, BF16, 0, 256, 1},
        {12, 24, 40, true, false, BF16, BF16, 0, 256, 1},
        {12, 24, 40, false, false, BF16, BF16, 0, 256, 2},
        {16, 28, 40, false, true, BF16, BF16, 0, 256, 1},
        {16, 24, 40, false, false, BF16, BF16, 8, 256, 1},
        {16, 24, 40, false, false, BF16, BF16, 2, 256, 0},
        {16, 26, 40, false, false, BF16, BF16, 0, 256, 0},
        /* 64 invocations of 8 x 8 results load 4 of the depth at a time */
        {16, 24, 40, false, false, BF16, BF16, 0, 128, 1},
        {16, 24, 40, true, true, BF16, BF16, 0, 128, 2},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(vector_of(&table[i]) == table[i].expected, "layout %zu: %u, not %u", i, vector_of(&table[i]),
                      table[i].expected);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vulkan gemm_loads");
    TCase *tests = tcase_create("vulkan gemm_loads");
    tcase_add_test(tests, test_octets_where_they_are_whole);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
