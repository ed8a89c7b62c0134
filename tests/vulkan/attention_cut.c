/* How the kernels of attention for GPUs are cut into dispatches (backend/vulkan/ops/attention_tile.h).  No device is
   needed: encoders only make lists. */
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_encoder.h"
#include "backend/vulkan/vulkan_pipeline.h"
#include "tests/support/suite.h"

typedef struct encoded {
    ms_vulkan_limits limits;
    ms_vulkan_encoder encoder;
    ms_attributes attributes;
    ms_operand in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
} encoded;

static ms_operand at(int64_t *offset, int64_t count) {
    ms_operand operand = {
        .region = MS_REGION_ARENA, .variable = -1, .offset_bytes = *offset, .shape = ms_shape_1(count), .count = count};
    *offset += (count * 4 + 255) / 256 * 256;
    return operand;
}

/* attention_grad of B sequences of T tokens, 4 heads that share 2 of keys, D 64, in parts of at most this work. */
static void encode(encoded *e, int32_t batch, int32_t sequence, double part_flops) {
    *e = (encoded){.limits = {.numerics = MS_NUMERICS_EXACT,
                              .storage16 = true,
                              .max_invocations = MS_VULKAN_FEWEST_INVOCATIONS,
                              .busy_workgroups = 1,
                              .part_flops = part_flops,
                              .shared_bytes = 16384}};
    e->attributes.attention = (ms_attention_attributes){batch, sequence, 4, 2, 64, 0.125f};
    int64_t n = (int64_t)batch * sequence, q = n * 4 * 64, k = n * 2 * 64, offset = 0;
    const int64_t inputs[] = {q, k, k, q, n * 4, q}, outputs[] = {q, k, k};
    for (int i = 0; i < 6; i++) e->in[i] = at(&offset, inputs[i]);
    for (int i = 0; i < 3; i++) e->out[i] = at(&offset, outputs[i]);
    e->encoder.limits = &e->limits;
    ms_must(ms_vulkan_attention_grad(&(ms_vulkan_call){.op = MS_OP_ATTENTION_GRAD,
                                                       .attributes = &e->attributes,
                                                       .in = e->in,
                                                       .out = e->out,
                                                       .limits = &e->limits,
                                                       .encoder = &e->encoder}));
}

/* How many dispatches of a shader there are.  Checked of each: it begins where the one before ended, and has at most
   the work of a part unless it is a single workgroup; of all: they are the op's workgroups, of 64 rows each. */
static int count_cut(const encoded *e, const char *name) {
    int shader, n = 0;
    uint32_t reached = 0, batch = (uint32_t)e->attributes.attention.batch;
    uint32_t n_groups = batch * 4 * (((uint32_t)e->attributes.attention.sequence + 63) / 64);
    ms_must(ms_vulkan_shader_find(&e->limits, name, &shader));
    for (int i = 0; i < e->encoder.n_steps; i++) {
        const ms_vulkan_step *step = &e->encoder.steps[i];
        if (step->shader != shader) continue;
        uint32_t first = step->numbers[0], end = step->numbers[1];
        ck_assert_uint_eq(first, reached);
        ck_assert_uint_gt(end, first);
        ck_assert_uint_eq(step->groups[0] * step->groups[1], end - first);
        ck_assert_uint_eq(step->numbers[2], batch * 4);
        ck_assert(step->flops > 0 && (step->flops <= e->limits.part_flops || end - first == 1));
        reached = end;
        n++;
    }
    ck_assert_uint_eq(reached, n_groups);
    return n;
}

START_TEST(test_short_sequences_are_whole) {
    encoded e;
    encode(&e, 2, 1000, 1e11);
    ck_assert_int_eq(count_cut(&e, "attention_tile_grad_query"), 1);
    ck_assert_int_eq(count_cut(&e, "attention_tile_grad_key"), 1);
    ck_assert_int_eq(e.encoder.n_steps, 4); /* with delta and the sums over heads */
    free(e.encoder.steps);
}
END_TEST

/* 2 x 4 heads of 8192 tokens: 64 x 8192 / 2 pairs a workgroup on average, 8 x 128 workgroups, 128 FLOPs a product. */
START_TEST(test_long_sequences_are_cut) {
    encoded e;
    encode(&e, 2, 8192, 1e10);
    double pairs = 1024.0 * 64 * 8192 / 2;
    int n_query = count_cut(&e, "attention_tile_grad_query"), n_key = count_cut(&e, "attention_tile_grad_key");
    ck_assert_int_ge(n_query, (int)(pairs * 3 * 128 / 1e10));
    ck_assert_int_le(n_query, (int)(pairs * 3 * 128 / 1e10 * 1.1) + 1);
    ck_assert_int_ge(n_key, (int)(pairs * 4 * 128 / 1e10));
    ck_assert_int_le(n_key, (int)(pairs * 4 * 128 / 1e10 * 1.1) + 1);
    free(e.encoder.steps);
}
END_TEST

/* Where one tile of all heads is too much, between heads and sequences; at last each workgroup by itself. */
START_TEST(test_heads_are_cut) {
    encoded e;
    double group = 64.0 * 8192 * 4 * 128; /* the longest one of the keys' part */
    encode(&e, 2, 8192, 3 * group);
    bool within_tile = false;
    count_cut(&e, "attention_tile_grad_query");
    count_cut(&e, "attention_tile_grad_key");
    for (int i = 0; i < e.encoder.n_steps; i++)
        within_tile = within_tile || (e.encoder.steps[i].flops > 0 && e.encoder.steps[i].numbers[0] % 8 != 0);
    ck_assert(within_tile);
    free(e.encoder.steps);
    encode(&e, 1, 200, 1);
    ck_assert_int_eq(count_cut(&e, "attention_tile_grad_key"), 4 * 4);
    free(e.encoder.steps);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vulkan attention_cut");
    TCase *tests = tcase_create("vulkan attention_cut");
    tcase_add_test(tests, test_short_sequences_are_whole);
    tcase_add_test(tests, test_long_sequences_are_cut);
    tcase_add_test(tests, test_heads_are_cut);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
