/* Tokens as frequent as those of a text: counted beside the law, and the same for the same seed. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/suite.h"
#include "train/zipf.h"

enum { VOCABULARY = 49152, DRAWS = 200000, HEAD = 20 };

static double probability(int32_t token) { return log((token + 2.5) / (token + 1.5)) / log((VOCABULARY + 1.5) / 1.5); }

START_TEST(frequencies_follow_the_law) {
    int64_t *counts = calloc(VOCABULARY, sizeof *counts);
    ck_assert_ptr_nonnull(counts);
    for (uint64_t i = 0; i < DRAWS; i++) {
        int32_t token = ms_zipf_token(1, i, VOCABULARY);
        ck_assert(token >= 0 && token < VOCABULARY);
        counts[token]++;
    }
    for (int32_t t = 0; t < HEAD; t++) {
        double expected = DRAWS * probability(t);
        ck_assert(fabs((double)counts[t] - expected) < 5 * sqrt(expected)); /* draws of a fixed seed: no chance */
    }
    int64_t n_rare = 0;
    for (int32_t t = VOCABULARY / 2; t < VOCABULARY; t++) n_rare += counts[t];
    double rare = log((VOCABULARY + 1.5) / (VOCABULARY / 2 + 1.5)) / log((VOCABULARY + 1.5) / 1.5) * DRAWS;
    ck_assert(fabs((double)n_rare - rare) < 5 * sqrt(rare));
    free(counts);
}
END_TEST

START_TEST(batches_go_on_and_repeat) {
    enum { LENGTH = 8 };
    int32_t tokens[2][3 * LENGTH], targets[3 * LENGTH], later[LENGTH], unused[LENGTH];
    for (int i = 0; i < 2; i++) {
        ms_zipf_source source = {.seed = 7, .vocabulary = 100, .length = LENGTH};
        ms_batch_source batches = ms_zipf_batches(&source);
        ck_assert_int_eq(batches.sequence_length, LENGTH);
        ms_must(batches.next(batches.context, 3, tokens[i], targets));
        ms_must(batches.next(batches.context, 1, later, unused));
    }
    ck_assert_mem_eq(tokens[0], tokens[1], sizeof tokens[0]);
    ck_assert_mem_ne(tokens[0], later, sizeof later);
    for (int j = 0; j < 3 * LENGTH; j++)
        ck_assert_int_eq(targets[j], j % LENGTH == LENGTH - 1 ? MS_NO_TARGET : tokens[0][j + 1]);
    ck_assert_int_ne(ms_zipf_token(1, 5, 4096) == ms_zipf_token(2, 5, 4096) &&
                         ms_zipf_token(1, 6, 4096) == ms_zipf_token(2, 6, 4096),
                     true);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/zipf");
    TCase *tests = tcase_create("zipf");
    tcase_add_test(tests, frequencies_follow_the_law);
    tcase_add_test(tests, batches_go_on_and_repeat);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
