/* Philox4x32-10 against the known-answer vectors of Random123 (kat_vectors, "philox4x32 10"), and the moments of the
 * draws. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"

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
    ms_philox4x32_10(known[_i].counter, known[_i].key, words);
    ck_assert_mem_eq(words, known[_i].words, sizeof words);
}
END_TEST

START_TEST(streams_are_named) {
    ms_random a, b;
    ms_random_init(42, "layers.qkvo", 0, &a);
    ms_random_init(42, "layers.qkvo", 0, &b);
    for (int i = 0; i < 100; i++) ck_assert_uint_eq(ms_random_u32(&a), ms_random_u32(&b));
    ms_random copy = a;
    ck_assert_uint_eq(ms_random_u64(&a), ms_random_u64(&copy));
    static const struct {
        uint64_t seed;
        const char *name;
        uint64_t step;
    } others[] = {
        {43, "layers.qkvo", 0}, {42, "layers.qkvp", 0}, {42, "layers.qkvo", 1}, {42, "layers.qkvo", 1ull << 32}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ms_random_init(42, "layers.qkvo", 0, &a);
        ms_random_init(others[i].seed, others[i].name, others[i].step, &b);
        int n_same = 0;
        for (int j = 0; j < 64; j++) n_same += ms_random_u32(&a) == ms_random_u32(&b);
        ck_assert_int_le(n_same, 1);
    }
    ck_assert(ms_name_hash("") == 0xCBF29CE484222325u); /* FNV-1a's published values */
    ck_assert(ms_name_hash("a") == 0xAF63DC4C8601EC8Cu);
    ck_assert(ms_name_hash("foobar") == 0x85944171F73967E8u);
}
END_TEST

START_TEST(block_counter_carries) {
    ms_random random;
    ms_random_init(1, "x", 0, &random);
    random.counter[0] = 0xffffffff;
    for (int i = 0; i < 5; i++) ms_random_u32(&random);
    ck_assert_uint_eq(random.counter[0], 1);
    ck_assert_uint_eq(random.counter[1], 1);
}
END_TEST

START_TEST(uniform_moments) {
    enum { N = 200000 };
    ms_random random;
    ms_random_init(7, "uniform", 0, &random);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double u = ms_random_uniform(&random);
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
    ms_random random;
    ms_random_init(7, "normal", 0, &random);
    double sum = 0, squares = 0, fourth = 0, lagged = 0, last = 0;
    for (int i = 0; i < N; i++) {
        double x = ms_random_gauss(&random);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
        lagged += x * last; /* the two numbers of a pair must not be correlated */
        last = x;
    }
    /* Five standard errors: variances 1, 2, 96 and 1. */
    ck_assert_double_le(fabs(sum / N), 5 / sqrt(N));
    ck_assert_double_le(fabs(squares / N - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_le(fabs(fourth / N - 3), 5 * sqrt(96.0 / N));
    ck_assert_double_le(fabs(lagged / N), 5 / sqrt(N));
}
END_TEST

START_TEST(bounded_draws_are_even) {
    enum { BOUND = 7, N = 70000 };
    ms_random random;
    ms_random_init(7, "below", 0, &random);
    int counts[BOUND] = {0};
    for (int i = 0; i < N; i++) {
        uint64_t value = ms_random_below(&random, BOUND);
        ck_assert_uint_lt(value, BOUND);
        counts[value]++;
    }
    double chi_square = 0, expected = (double)N / BOUND;
    for (int i = 0; i < BOUND; i++) chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    ck_assert_double_lt(chi_square, 22.46); /* 6 degrees of freedom, p = 0.001; the seed is fixed */
    for (int i = 0; i < 100; i++) ck_assert_uint_eq(ms_random_below(&random, 1), 0);
    for (int i = 0; i < 100; i++) ck_assert(ms_random_below(&random, (1ull << 63) + 1) <= 1ull << 63);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    tcase_add_loop_test(tests, known_answers, 0, sizeof known / sizeof *known);
    tcase_add_test(tests, streams_are_named);
    tcase_add_test(tests, block_counter_carries);
    tcase_add_test(tests, uniform_moments);
    tcase_add_test(tests, normal_moments);
    tcase_add_test(tests, bounded_draws_are_even);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
