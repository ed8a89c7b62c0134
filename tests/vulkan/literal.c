/* backend/vulkan/vulkan_literal.h on modules made by hand: what becomes of constants, what stays, what is refused. */
#include "backend/vulkan/vulkan_literal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

/* An instruction's first word: its length and number.  Numbers are the SPIR-V specification's. */
#define OP(n_words, number) ((uint32_t)(n_words) << 16 | (uint32_t)(number))
#define HEADER 0x07230203, 0x00010500, 0, 40, 0
#define LENGTH(words) (sizeof(words) / sizeof *(words))

enum { BOOL = 1, UINT, UINT3, WIDTH, COUNT, FLAG, SIX, PRODUCT, IS_ONE, CHOSEN, SIZE, FROM_SIZE, REMAINDER };

/* Constants WIDTH (id 0, default 1) and COUNT (id 3, default 5), a number without an id, and what follows from them. */
/* clang-format off */
static const uint32_t module[] = {
    HEADER,
    OP(4, 71), WIDTH, 1, 0, /* OpDecorate WIDTH SpecId 0 */
    OP(4, 71), COUNT, 1, 3,
    OP(4, 71), SIZE, 11, 25, /* OpDecorate SIZE BuiltIn WorkgroupSize */
    OP(2, 20), BOOL,
    OP(4, 21), UINT, 32, 0,
    OP(4, 23), UINT3, UINT, 3,
    OP(4, 43), UINT, SIX, 6,                                 /* OpConstant */
    OP(4, 50), UINT, WIDTH, 1,                               /* OpSpecConstant */
    OP(4, 50), UINT, COUNT, 5,
    OP(4, 50), UINT, FLAG, 9,                                /* no SpecId: its default */
    OP(6, 52), UINT, PRODUCT, 132, WIDTH, SIX,               /* OpSpecConstantOp IMul */
    OP(6, 52), BOOL, IS_ONE, 170, COUNT, FLAG,               /* IEqual */
    OP(7, 52), UINT, CHOSEN, 169, IS_ONE, SIX, PRODUCT,      /* Select */
    OP(6, 51), UINT3, SIZE, WIDTH, PRODUCT, FLAG,            /* OpSpecConstantComposite */
    OP(6, 52), UINT, FROM_SIZE, 81, SIZE, 1,                 /* CompositeExtract */
    OP(6, 52), UINT, REMAINDER, 137, PRODUCT, SIX,           /* UMod, which is not computed */
    OP(1, 253),                                              /* OpReturn */
};
/* With WIDTH 7 and COUNT 9. */
static const uint32_t expected[] = {
    HEADER,
    OP(4, 71), SIZE, 11, 25,
    OP(2, 20), BOOL,
    OP(4, 21), UINT, 32, 0,
    OP(4, 23), UINT3, UINT, 3,
    OP(4, 43), UINT, SIX, 6,
    OP(4, 43), UINT, WIDTH, 7,
    OP(4, 43), UINT, COUNT, 9,
    OP(4, 43), UINT, FLAG, 9,
    OP(4, 43), UINT, PRODUCT, 42,
    OP(3, 41), BOOL, IS_ONE, /* OpConstantTrue */
    OP(4, 43), UINT, CHOSEN, 6,
    OP(6, 44), UINT3, SIZE, WIDTH, PRODUCT, FLAG, /* OpConstantComposite */
    OP(4, 43), UINT, FROM_SIZE, 42,
    OP(6, 52), UINT, REMAINDER, 137, PRODUCT, SIX,
    OP(1, 253),
};
/* clang-format on */

START_TEST(test_constants_are_written_out) {
    const uint32_t values[] = {7, 0, 0, 9};
    uint32_t *out;
    size_t n_out;
    ms_must(ms_vulkan_write_literals(&(ms_vulkan_specialised){module, LENGTH(module), values, 4, false}, &out, &n_out));
    ck_assert_uint_eq(n_out, LENGTH(expected));
    for (size_t i = 0; i < n_out; i++) ck_assert_msg(out[i] == expected[i], "word %zu is %#x", i, out[i]);
    free(out);
}
END_TEST

START_TEST(test_defaults_stay) {
    uint32_t *out;
    size_t n_out;
    ms_must(ms_vulkan_write_literals(&(ms_vulkan_specialised){module, LENGTH(module), NULL, 0, false}, &out, &n_out));
    const uint32_t width[] = {OP(4, 43), UINT, WIDTH, 1}, is_one[] = {OP(3, 42), BOOL, IS_ONE};
    bool has_width = false, is_false = false;
    for (size_t i = 0; i + 4 <= n_out; i++) {
        has_width = has_width || memcmp(out + i, width, sizeof width) == 0;
        is_false = is_false || memcmp(out + i, is_one, sizeof is_one) == 0;
    }
    ck_assert(has_width && is_false);
    free(out);
}
END_TEST

START_TEST(test_loops_to_unroll_are_left_alone) {
    const uint32_t plain[] = {HEADER, OP(4, 246), 10, 11, 0}, unrolled[] = {HEADER, OP(4, 246), 10, 11, 1};
    uint32_t *out;
    size_t n_out;
    ms_must(ms_vulkan_write_literals(&(ms_vulkan_specialised){plain, LENGTH(plain), NULL, 0, false}, &out, &n_out));
    ck_assert(out && n_out == LENGTH(plain));
    free(out);
    ms_must(
        ms_vulkan_write_literals(&(ms_vulkan_specialised){unrolled, LENGTH(unrolled), NULL, 0, false}, &out, &n_out));
    ck_assert(!out);
    ms_must(
        ms_vulkan_write_literals(&(ms_vulkan_specialised){unrolled, LENGTH(unrolled), NULL, 0, true}, &out, &n_out));
    ck_assert(out && n_out == LENGTH(unrolled));
    free(out);
}
END_TEST

START_TEST(test_damaged_modules) {
    const uint32_t no_spirv[] = {1, 2, 3, 4, 5, 6}, cut[] = {HEADER, OP(4, 246), 10}, empty[] = {HEADER, 0};
    uint32_t *out;
    size_t n_out;
    ck_assert(ms_vulkan_write_literals(&(ms_vulkan_specialised){no_spirv, 6, NULL, 0, false}, &out, &n_out) ==
              MS_INTERNAL);
    ck_assert(ms_vulkan_write_literals(&(ms_vulkan_specialised){cut, LENGTH(cut), NULL, 0, false}, &out, &n_out) ==
              MS_INTERNAL);
    ck_assert_msg(strstr(ms_status_message(), "at word 5 of 7"), "%s", ms_status_message());
    ck_assert(ms_vulkan_write_literals(&(ms_vulkan_specialised){empty, LENGTH(empty), NULL, 0, false}, &out, &n_out) ==
              MS_INTERNAL);
    ck_assert(!out);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vulkan literal");
    TCase *tests = tcase_create("vulkan literal");
    tcase_add_test(tests, test_constants_are_written_out);
    tcase_add_test(tests, test_defaults_stay);
    tcase_add_test(tests, test_loops_to_unroll_are_left_alone);
    tcase_add_test(tests, test_damaged_modules);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
