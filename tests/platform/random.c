/* Philox4x32-10 against the known-answer vectors of Random123 (kat_vectors, "philox4x32 10"), and the moments of the
   draws. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"
#include "tests/support/suite.h"

static const struct {
    uint32_t counter[4], key[2], words[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(known_answers) {
    uint32_t words[4];
    ms_philox(known[_i].counter, known[_i].key, words);
    ck_assert_mem_eq(words, known[_i].words, sizeof words);
}
END_TEST

START_TEST(known_name_hashes) {
    ck_assert(ms_name_hash("") == 0xCBF29CE484222325u); /* FNV-1a's published values */
    ck_assert(ms_name_hash("a") == 0xAF63DC4C8601EC8Cu);
    ck_assert(ms_name_hash("foobar") == 0x85944171F73967E8u);
}
END_TEST

/* As Rosetta Code publishes them ("Pseudo-random numbers/Splitmix64"). */
START_TEST(known_split_mix) {
    static const uint64_t words[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
    uint64_t state = 1234567;
    for (int i = 0; i < 3; i++) ck_assert(ms_split_mix(&state) == words[i]);
    uint64_t again = 1234567;
    ck_assert_double_eq(ms_split_mix_uniform(&again), (double)(words[0] >> 11) * 0x1p-53);
}
END_TEST

START_TEST(words_are_those_of_the_blocks) {
    const uint64_t seed = 0xa4093822299f31d0u, stream = 0x13198a2e03707344u, i_block = 0x100000001u;
    const uint32_t counter[4] = {1, 1, 0x03707344, 0x13198a2e}, key[2] = {0x299f31d0, 0xa4093822};
    uint32_t words[4];
    ms_philox(counter, key, words);
    for (uint64_t i = 0; i < 4; i++) ck_assert_uint_eq(ms_random_word(seed, stream, 4 * i_block + i), words[i]);
    uint64_t bits = ((uint64_t)words[2] << 21) | (words[3] >> 11);
    ck_assert_double_eq(ms_random_uniform(seed, stream, 2 * i_block + 1), (double)bits * 0x1p-53);
}
END_TEST

START_TEST(streams_differ) {
    static const uint64_t others[][2] = {{43, 5}, {42 + (1ull << 32), 5}, {42, 6}, {42, 5 + (1ull << 32)}, {5, 42}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int n_same = 0;
        for (uint64_t j = 0; j < 64; j++)
            n_same += ms_random_word(42, 5, j) == ms_random_word(others[i][0], others[i][1], j);
        ck_assert_int_le(n_same, 1);
    }
}
END_TEST

START_TEST(uniform_moments) {
    enum { N = 200000 };
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = ms_random_uniform(7, ms_name_hash("uniform"), i);
        ck_assert(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
    }
    /* Five standard errors: sqrt(1/12/N) and sqrt(4/45/N). */
    ck_assert_double_le(fabs(sum / N - 0.5), 5 * sqrt(1.0 / 12 / N));
    ck_assert_double_le(fabs(squares / N - 1.0 / 3), 5 * sqrt(4.0 / 45 / N));
}
END_TEST

START_TEST(normal_moments) {
    enum { N = 200000 };
    static float values[N];
    const double deviation = 0.02;
    ms_random_normal_fill(7, ms_name_hash("normal"), deviation, N, values);
    double sum = 0, squares = 0, fourth = 0, lagged = 0;
    for (int i = 0; i < N; i++) {
        double x = values[i] / deviation;
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
        if (i > 0) lagged += x * values[i - 1] / deviation; /* the two numbers of a pair must not be correlated */
    }
    /* Five standard errors: variances 1, 2, 96 and 1. */
    ck_assert_double_le(fabs(sum / N), 5 / sqrt(N));
    ck_assert_double_le(fabs(squares / N - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_le(fabs(fourth / N - 3), 5 * sqrt(96.0 / N));
    ck_assert_double_le(fabs(lagged / N), 5 / sqrt(N));
}
END_TEST

START_TEST(a_shorter_fill_is_a_prefix) {
    float whole[9], part[9] = {0};
    ms_random_normal_fill(1, 2, 1, 9, whole);
    for (size_t count = 0; count < 9; count++) {
        part[count] = 77;
        ms_random_normal_fill(1, 2, 1, count, part);
        ck_assert_mem_eq(part, whole, count * sizeof *whole);
        ck_assert_float_eq(part[count], 77); /* nothing is written past the end */
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    tcase_add_loop_test(tests, known_answers, 0, sizeof known / sizeof *known);
    tcase_add_test(tests, known_name_hashes);
    tcase_add_test(tests, known_split_mix);
    tcase_add_test(tests, words_are_those_of_the_blocks);
    tcase_add_test(tests, streams_differ);
    tcase_add_test(tests, uniform_moments);
    tcase_add_test(tests, normal_moments);
    tcase_add_test(tests, a_shorter_fill_is_a_prefix);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
