/* The draw: what stays of the logits is what transformers leaves, and which token comes depends on nothing else. */
#include "train/sampling.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"
#include "tests/support/suite.h"

enum { MOST = 64, LARGE = 1000 };

static int32_t ids[LARGE];
static double weights[LARGE];

static ms_draw draw_of(const float *logits, int64_t vocabulary, int64_t n_text) {
    return (ms_draw){.logits = logits, .vocabulary = vocabulary, .n_text = n_text, .ids = ids, .weights = weights};
}

/* ---- transformers ---- */

static double number(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static double at(const json_t *object, const char *key, size_t i) {
    return json_number_value(json_array_get(json_object_get(object, key), i));
}

static void check_case(size_t i_case, const json_t *one) {
    int32_t text[MOST];
    float logits[MOST];
    size_t n = json_array_size(json_object_get(one, "logits")), n_text = json_array_size(json_object_get(one, "text"));
    const json_t *kept = json_object_get(one, "kept");
    ck_assert(n <= MOST && n_text <= MOST && n_text > 0 && json_array_size(kept) > 0);
    for (size_t i = 0; i < n; i++) logits[i] = (float)at(one, "logits", i);
    for (size_t i = 0; i < n_text; i++) text[i] = (int32_t)at(one, "text", i);
    const ms_sampling sampling = {.temperature = number(one, "temperature"),
                                  .top_k = (int64_t)number(one, "top_k"),
                                  .top_p = number(one, "top_p"),
                                  .min_p = number(one, "min_p"),
                                  .repetition_penalty = number(one, "repetition_penalty"),
                                  .repetition_window = (int64_t)number(one, "repetition_window")};
    ms_draw draw = draw_of(logits, (int64_t)n, (int64_t)n_text);
    draw.text = text;
    int64_t n_kept;
    double total = 0, probabilities[MOST] = {0};
    ms_must(ms_sampling_narrow(&sampling, &draw, &n_kept));
    ck_assert_msg(n_kept == (int64_t)json_array_size(kept), "case %zu: %lld ids stay, not %zu", i_case,
                  (long long)n_kept, json_array_size(kept));
    for (int64_t i = 0; i < n_kept; i++) total += weights[ids[i]];
    for (int64_t i = 0; i < n_kept; i++) probabilities[ids[i]] = weights[ids[i]] / total;
    for (size_t i = 0; i < json_array_size(kept); i++)
        ck_assert_double_eq_tol(probabilities[(int)at(one, "kept", i)], at(one, "probabilities", i), 1e-12);
}

START_TEST(test_transformers) {
    json_error_t error;
    json_t *root = json_load_file("tests/golden/sampling/sampling.json", 0, &error), *one;
    ck_assert_msg(root != NULL, "%s", error.text);
    size_t i_case;
    json_array_foreach(json_object_get(root, "cases"), i_case, one) check_case(i_case, one);
    ck_assert_uint_eq(i_case, 16);
    json_decref(root);
}
END_TEST

/* ---- cuts of many ids, by sorting them ---- */

static float many[LARGE];

static int by_likeliest(const void *a, const void *b) {
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    if (many[i] != many[j]) return many[i] > many[j] ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* The logits of these have many ties. */
START_TEST(test_cuts_are_beginnings_of_the_sorted_ids) {
    int32_t sorted[LARGE];
    uint64_t state = 5;
    for (int i = 0; i < LARGE; i++) {
        many[i] = (float)(ms_split_mix(&state) % 64) / 8;
        sorted[i] = i;
    }
    qsort(sorted, LARGE, sizeof *sorted, by_likeliest);
    for (int round = 0; round < 40; round++) {
        const ms_sampling sampling = {.temperature = 0.5 + round % 3,
                                      .top_k = round % 4 ? 1 + 41 * round % 997 : 0,
                                      .top_p = round % 3 ? 0.02 * (1 + round) : 0,
                                      .min_p = round % 5 ? 0 : 0.3};
        ms_draw draw = draw_of(many, LARGE, 0);
        int64_t n_kept, n_expected = 0, n_top = sampling.top_k ? sampling.top_k : LARGE;
        double total = 0, before = 0, p = sampling.top_p > 0 && sampling.top_p < 1 ? sampling.top_p : INFINITY;
        for (int i = 0; i < n_top; i++)
            total += exp((double)(many[sorted[i]] - many[sorted[0]]) / sampling.temperature);
        while (n_expected < n_top) {
            double weight = exp((double)(many[sorted[n_expected]] - many[sorted[0]]) / sampling.temperature);
            if (n_expected > 0 && (before >= p * total || weight < sampling.min_p)) break;
            before += weight;
            n_expected++;
        }
        ms_must(ms_sampling_narrow(&sampling, &draw, &n_kept));
        ck_assert_int_eq(n_kept, n_expected);
        bool has_cut = sampling.top_k || p < 1 || sampling.min_p > 0;
        for (int i = 0; i < n_kept; i++) ck_assert_int_eq(ids[i], has_cut ? sorted[i] : i);
    }
}
END_TEST

/* ---- draws ---- */

static const float logits[4] = {0, 1, -1, 3};

static int32_t sample(const ms_sampling *sampling, int64_t n_text, int64_t i_sample) {
    ms_draw draw = draw_of(logits, 4, n_text);
    int32_t token;
    draw.i_sample = i_sample;
    ms_must(ms_sample(sampling, &draw, &token));
    return token;
}

/* The ids that earlier versions drew with this seed, among all and among the likeliest three. */
START_TEST(test_seeds_keep_their_draws) {
    static const int32_t all[24] = {3, 0, 1, 3, 3, 3, 3, 3, 1, 3, 3, 2, 3, 3, 3, 1, 3, 3, 3, 2, 3, 1, 1, 3},
                         three[24] = {1, 3, 3, 3, 1, 3, 0, 3, 3, 1, 1, 3, 3, 0, 3, 3, 1, 3, 3, 3, 1, 3, 3, 3};
    for (int i = 0; i < 24; i++) {
        ck_assert_int_eq(sample(&(ms_sampling){.temperature = 2, .seed = 7}, i, 0), all[i]);
        ck_assert_int_eq(sample(&(ms_sampling){.temperature = 1.5, .top_k = 3, .seed = 7}, i, 0), three[i]);
    }
}
END_TEST

START_TEST(test_samples_of_a_prompt_differ) {
    enum { N = 4000 };
    const ms_sampling sampling = {.temperature = 1, .seed = 11};
    int n_same = 0, counts[4] = {0};
    double total = 0;
    for (int i = 0; i < 4; i++) total += exp((double)logits[i]);
    for (int i = 0; i < N; i++) {
        int32_t first = sample(&sampling, i, 0), second = sample(&sampling, i, 1);
        n_same += first == second;
        counts[second]++;
        ck_assert_int_eq(sample(&sampling, i, 1), second);
    }
    double expected_same = 0;
    for (int i = 0; i < 4; i++) {
        double p = exp((double)logits[i]) / total;
        expected_same += p * p;
        ck_assert_double_eq_tol(counts[i] / (double)N, p, 5 * sqrt(p * (1 - p) / N));
    }
    ck_assert_double_eq_tol(n_same / (double)N, expected_same, 5 * sqrt(0.25 / N));
}
END_TEST

START_TEST(test_penalty_comes_before_the_likeliest) {
    static const int32_t text[5] = {3, 3, -1, 99, 0}; /* ids without a logit are no matter */
    ms_draw draw = draw_of(logits, 4, 5);
    int32_t token;
    draw.text = text;
    ms_must(ms_sample(&(ms_sampling){.repetition_penalty = 4}, &draw, &token)); /* 3 / 4, once: below 1 */
    ck_assert_int_eq(token, 1);
    ms_must(ms_sample(&(ms_sampling){.repetition_penalty = 2}, &draw, &token));
    ck_assert_int_eq(token, 3);
    ms_must(ms_sample(&(ms_sampling){.repetition_penalty = 4, .repetition_window = 3}, &draw, &token));
    ck_assert_int_eq(token, 3);
}
END_TEST

START_TEST(test_log_probability) {
    static const float large[3] = {1000, 999, -1000};
    double total = 1 + exp(-1);
    ck_assert_double_eq_tol(ms_log_probability(large, 3, 0), -log(total), 1e-14);
    ck_assert_double_eq_tol(ms_log_probability(large, 3, 1), -1 - log(total), 1e-14);
    ck_assert_double_eq_tol(ms_log_probability(large, 3, 2), -2000 - log(total), 1e-11);
}
END_TEST

START_TEST(test_out_of_range) {
    static const struct {
        ms_sampling sampling;
        int64_t vocabulary;
        const char *message;
    } wrong[] = {
        {{.temperature = -1}, 4, "generate: temperature is -1, must be finite and at least 0"},
        {{.temperature = NAN}, 4, "nan, must be finite"},
        {{.temperature = INFINITY}, 4, "generate: temperature is inf, must be finite"},
        {{.temperature = 1, .top_k = -4}, 4, "generate: top_k is -4, must be at least 0"},
        {{.top_k = -4}, 4, "generate: top_k is -4, must be at least 0"},
        {{.top_p = -0.5}, 4, "generate: top_p is -0.5, must be 0 to 1"},
        {{.top_p = 1.5}, 4, "generate: top_p is 1.5, must be 0 to 1"},
        {{.top_p = NAN}, 4, "generate: top_p is nan, must be 0 to 1"},
        {{.min_p = -0.5}, 4, "generate: min_p is -0.5, must be 0 to 1"},
        {{.min_p = 2}, 4, "generate: min_p is 2, must be 0 to 1"},
        {{.repetition_penalty = -1}, 4, "generate: repetition_penalty is -1, must be finite and at least 0"},
        {{.repetition_penalty = INFINITY}, 4, "generate: repetition_penalty is inf, must be finite"},
        {{.repetition_window = -1}, 4, "generate: repetition_window is -1, must be at least 0"},
        {{.temperature = 1}, 0, "generate: vocabulary is 0, must be 1 to 2147483647"},
        {{.temperature = 0}, -3, "generate: vocabulary is -3, must be 1 to 2147483647"},
        {{.temperature = 0}, (int64_t)INT32_MAX + 1, "generate: vocabulary is 2147483648, must be 1 to 2147483647"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ms_draw draw = draw_of(logits, wrong[i].vocabulary, 0);
        int32_t token = 7;
        ms_expect(ms_sample(&wrong[i].sampling, &draw, &token), MS_INVALID, wrong[i].message);
        ck_assert_int_eq(token, -1);
    }
    static const float broken[2] = {0, INFINITY};
    ms_draw draw = draw_of(broken, 2, 0);
    int32_t token;
    ms_expect(ms_sample(&(ms_sampling){.temperature = 1}, &draw, &token), MS_NUMERIC, "logit of token 1 is inf");
    ck_assert_int_eq(sample(&(ms_sampling){.temperature = 0}, 0, 0), 3);
    ck_assert_int_eq(sample(&(ms_sampling){.temperature = 2, .top_k = 1}, 0, 0), 3); /* the likeliest alone */
    ck_assert_int_eq(sample(&(ms_sampling){.temperature = 2, .top_p = 1e-9}, 0, 0), 3);
    ck_assert_int_eq(sample(&(ms_sampling){.temperature = 2, .min_p = 1}, 0, 0), 3);
    token = sample(&(ms_sampling){.temperature = 2, .top_k = 99}, 0, 0); /* more than there are: among all */
    ck_assert(token >= 0 && token < 4);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/sampling");
    TCase *tcase = tcase_create("sampling");
    tcase_add_test(tcase, test_transformers);
    tcase_add_test(tcase, test_cuts_are_beginnings_of_the_sorted_ids);
    tcase_add_test(tcase, test_seeds_keep_their_draws);
    tcase_add_test(tcase, test_samples_of_a_prompt_differ);
    tcase_add_test(tcase, test_penalty_comes_before_the_likeliest);
    tcase_add_test(tcase, test_log_probability);
    tcase_add_test(tcase, test_out_of_range);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
