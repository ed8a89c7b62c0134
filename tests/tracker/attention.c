/* Statistics of attention and activations: against NumPy (tests/golden/probe), and where the answer is known. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"
#include "tracker/activations.h"
#include "tracker/attention.h"

/* As uniform() of make_probe.py, rounded to f32 after the scale.  The caller frees it. */
static float *uniform(uint64_t seed, size_t count, double scale) {
    float *out = malloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++) out[i] = (float)(scale * ms_congruential_uniform(&seed));
    return out;
}

static int integer(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_integer(value), "golden: no %s", key);
    return (int)json_integer_value(value);
}

static void check_close(const char *what, int i, double actual, double expected, double tolerance) {
    ck_assert_msg(fabs(actual - expected) <= tolerance, "%s %d: %.17g, NumPy says %.17g", what, i, actual, expected);
}

static double real(const json_t *line, const char *key) { return json_real_value(json_object_get(line, key)); }
static double item(const json_t *line, const char *key, int i) {
    return json_real_value(json_array_get(json_object_get(line, key), (size_t)i));
}

static void check_spectrum(const json_t *line, const char *sigma, const char *rank, int h,
                           const ms_product_spectrum *spectrum) {
    const json_t *values = json_array_get(json_object_get(line, sigma), (size_t)h);
    ck_assert_uint_eq(json_array_size(values), (size_t)spectrum->n_top);
    double first = json_real_value(json_array_get(values, 0));
    for (int i = 0; i < spectrum->n_top; i++)
        check_close(sigma, i, spectrum->sigma_top[i], json_real_value(json_array_get(values, (size_t)i)),
                    1e-12 * first);
    check_close(rank, h, spectrum->effective_rank, item(line, rank, h), 1e-8 * spectrum->effective_rank);
}

static void check_activations(const json_t *line, const char *name, const float *x, int n, int m) {
    ms_activation_scratch *scratch;
    ms_activation_statistics out;
    char key[64];
    ms_must(ms_activation_scratch_create(n, m, &scratch));
    ms_must(ms_activation_compute(scratch, name, x, n, m, &out));
    ms_activation_scratch_destroy(scratch);
    const struct {
        const char *key;
        double value;
    } values[] = {{"rms", out.rms},
                  {"max", out.largest},
                  {"rank", out.effective_rank},
                  {"participation", out.participation_ratio}};
    for (size_t i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "%s_%s", name, values[i].key);
        double expected = real(line, key);
        check_close(key, 0, values[i].value, expected, 1e-8 * expected);
    }
}

static float *make_stream(const json_t *golden, uint64_t seed, size_t n, size_t c) {
    int rank = integer(golden, "stream_rank");
    if (rank == 0) return uniform(seed + 6, n * c, 1);
    float *left = uniform(seed + 6, n * (size_t)rank, 1), *right = uniform(seed + 8, (size_t)rank * c, 1);
    float *out = calloc(n * c, sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c; j++) {
            double sum = 0;
            for (size_t k = 0; k < (size_t)rank; k++)
                sum += (double)left[i * (size_t)rank + k] * (double)right[k * c + j];
            out[i * c + j] = (float)sum;
        }
    free(left);
    free(right);
    return out;
}

static void check_case(const json_t *golden) {
    const ms_attention_shape shape = {integer(golden, "sequences"), integer(golden, "tokens"),
                                      integer(golden, "width"),     integer(golden, "heads"),
                                      integer(golden, "kv_heads"),  integer(golden, "head_size")};
    const json_t *line = json_object_get(golden, "line");
    uint64_t seed = (uint64_t)integer(golden, "seed");
    double amplitude = real(golden, "amplitude");
    size_t n = (size_t)shape.sequences * (size_t)shape.tokens, c = (size_t)shape.width;
    size_t q_width = (size_t)shape.heads * (size_t)shape.head_size,
           k_width = (size_t)shape.kv_heads * (size_t)shape.head_size;
    float *q = uniform(seed, n * q_width, amplitude), *k = uniform(seed + 1, n * k_width, amplitude);
    float *weights[4];
    for (size_t i = 0; i < 4; i++) weights[i] = uniform(seed + 2 + i, (i == 0 || i == 3 ? q_width : k_width) * c, 1);
    ms_attention_scratch *scratch;
    ms_attention_statistics *heads = calloc((size_t)shape.heads, sizeof *heads);
    ms_product_spectrum *qk = calloc((size_t)shape.heads, sizeof *qk), *ov = calloc((size_t)shape.heads, sizeof *ov);
    ms_must(ms_attention_scratch_create(&shape, &scratch));
    ms_must(ms_attention_compute(scratch, "layer 0", q, k, (float)(1 / sqrt((double)shape.head_size)), heads));
    const ms_attention_weights all = {"layer 0", weights[0], weights[1], weights[2], weights[3]};
    ms_must(ms_attention_products(scratch, &all, qk, ov));
    for (int h = 0; h < shape.heads; h++) {
        check_close("entropy of head", h, heads[h].entropy, item(line, "attention_entropy", h), 1e-10);
        double largest = item(line, "attention_logit_max", h);
        check_close("largest logit of head", h, heads[h].logit_max, largest, 1e-12 * fabs(largest));
        check_close("first token of head", h, heads[h].first_token, item(line, "attention_first_token", h), 1e-10);
        check_spectrum(line, "qk_sigma", "qk_rank", h, &qk[h]);
        check_spectrum(line, "ov_sigma", "ov_rank", h, &ov[h]);
    }
    float *stream = make_stream(golden, seed, n, c), *hidden = uniform(seed + 7, n * 3 * c, 1);
    for (size_t i = 0; i < n * 3 * c; i++) {
        double x = hidden[i] > 0 ? hidden[i] : 0;
        hidden[i] = (float)(x * x);
    }
    check_activations(line, "residual", stream, (int)n, (int)c);
    check_activations(line, "feed_forward", hidden, (int)n, (int)(3 * c));
    void *const all_memory[] = {q, k, weights[0], weights[1], weights[2], weights[3], heads, qk, ov, stream, hidden};
    for (size_t i = 0; i < sizeof all_memory / sizeof *all_memory; i++) free(all_memory[i]);
    ms_attention_scratch_destroy(scratch);
}

START_TEST(as_numpy) {
    json_error_t error;
    json_t *file = json_load_file("tests/golden/probe/probe.json", 0, &error);
    ck_assert_msg(file != NULL, "%s", error.text);
    const json_t *cases = json_object_get(file, "values");
    ck_assert_uint_eq(json_array_size(cases), 5);
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(json_array_get(cases, i));
    json_decref(file);
}
END_TEST

enum { T = 4, D = 2 };

static ms_attention_statistics one_head(const float *q, const float *k, double scale) {
    static const ms_attention_shape shape = {1, T, 3, 1, 1, D};
    ms_attention_scratch *scratch;
    ms_attention_statistics out;
    ms_must(ms_attention_scratch_create(&shape, &scratch));
    ms_must(ms_attention_compute(scratch, "layer 0", q, k, scale, &out));
    ms_attention_scratch_destroy(scratch);
    return out;
}

START_TEST(uniform_attention_has_entropy_1) {
    static const float zero[T * D], k[T * D] = {1, 2, 3, 4, 5, 6, 7, 8};
    ms_attention_statistics out = one_head(zero, k, 1);
    check_close("entropy", 0, out.entropy, 1, 1e-15);
    check_close("largest logit", 0, out.logit_max, 0, 0);
    check_close("first token", 0, out.first_token, (1 / 2.0 + 1 / 3.0 + 1 / 4.0) / 3, 1e-15);
}
END_TEST

START_TEST(attention_to_one_key_has_entropy_0) {
    static const float q[T * D] = {1, 0, 1, 0, 1, 0, 1, 0}, first[T * D] = {1, 0, 0, 0, 0, 0, 0, 0},
                             itself[T * D] = {0, 5, 1, 5, 2, 5, 3, 5};
    ms_attention_statistics out = one_head(q, first, 1e5);
    ck_assert(out.entropy == 0 && out.first_token == 1 && out.logit_max == 1e5);
    out = one_head(q, itself, 1e5);
    ck_assert(out.entropy == 0 && out.first_token == 0 && out.logit_max == 3e5);
}
END_TEST

/* The largest logit of all is that of query 0, which the means leave out. */
START_TEST(the_largest_logit_is_that_of_all_queries) {
    static const float q[T * D] = {9, 0}, k[T * D] = {1, 0};
    ck_assert(one_head(q, k, 1).logit_max == 9);
}
END_TEST

START_TEST(known_activations) {
    ms_activation_scratch *scratch;
    ms_activation_statistics out;
    ms_must(ms_activation_scratch_create(6, 4, &scratch));
    static const float zero[24], diagonal[16] = {-3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3};
    ms_must(ms_activation_compute(scratch, "x", zero, 6, 4, &out));
    ck_assert(out.rms == 0 && out.largest == 0 && isnan(out.effective_rank) && isnan(out.participation_ratio));
    ms_must(ms_activation_compute(scratch, "x", diagonal, 4, 4, &out));
    ck_assert(out.rms == 1.5 && out.largest == 3);
    check_close("rank", 0, out.effective_rank, 4, 1e-12);
    check_close("participation", 0, out.participation_ratio, 4, 1e-12);
    float same[24], tiny[24];
    for (int i = 0; i < 24; i++) {
        same[i] = (float)(1 + i % 4);
        tiny[i] = 1e-44f * (float)(i % 4 == i / 6); /* denormal */
    }
    ms_must(ms_activation_compute(scratch, "x", same, 6, 4, &out)); /* rank 1: through a direct SVD */
    check_close("rank", 0, out.effective_rank, 1, 1e-12);
    check_close("participation", 0, out.participation_ratio, 1, 1e-12);
    ms_must(ms_activation_compute(scratch, "x", tiny, 6, 4, &out));
    ck_assert(out.effective_rank >= 1 && out.effective_rank <= 4);
    for (int i = 0; i < 24; i++) same[i] = 1e30f * (float)(i % 3);
    ms_must(ms_activation_compute(scratch, "x", same, 6, 4, &out));
    ck_assert(isfinite(out.participation_ratio) && isfinite(out.rms));
    ms_activation_scratch_destroy(scratch);
}
END_TEST

START_TEST(a_product_that_is_0_has_no_rank) {
    static const ms_attention_shape shape = {1, 2, 4, 1, 1, 3};
    static const float zero[12];
    ms_attention_scratch *scratch;
    ms_product_spectrum qk, ov;
    const ms_attention_weights weights = {"layer 0", zero, zero, zero, zero};
    ms_must(ms_attention_scratch_create(&shape, &scratch));
    ms_must(ms_attention_products(scratch, &weights, &qk, &ov));
    ck_assert(isnan(qk.effective_rank) && isnan(ov.effective_rank) && qk.n_top == 3 && qk.sigma_top[0] == 0);
    ms_attention_scratch_destroy(scratch);
}
END_TEST

static void expect(ms_status status, ms_status expected, const char *part) {
    ck_assert_msg(status == expected && strstr(ms_status_message(), part), "status %s: %s", ms_status_text(status),
                  ms_status_message());
}

START_TEST(bad_input_is_named) {
    ms_attention_scratch *scratch;
    const ms_attention_shape good = {1, 2, 4, 2, 1, 3};
    ms_attention_shape shape = good;
    shape.heads = 0;
    expect(ms_attention_scratch_create(&shape, &scratch), MS_INVALID, "0 heads of 3");
    shape.heads = 3, shape.kv_heads = 2;
    expect(ms_attention_scratch_create(&shape, &scratch), MS_INVALID, "divide heads");
    shape = good;
    shape.tokens = 1;
    expect(ms_attention_scratch_create(&shape, &scratch), MS_INVALID, "1 sequences of 1 tokens");
    float q[12] = {0}, k[6] = {0}, w[24] = {0};
    ms_attention_statistics heads[2];
    ms_product_spectrum qk[2], ov[2];
    ms_must(ms_attention_scratch_create(&good, &scratch));
    k[5] = NAN;
    expect(ms_attention_compute(scratch, "layer 7", q, k, 1, heads), MS_NUMERIC,
           "attention of layer 7: element 5 of k is nan");
    float bad[24] = {0};
    bad[3] = INFINITY;
    const ms_attention_weights weights = {"layer 7", w, w, w, bad};
    expect(ms_attention_products(scratch, &weights, qk, ov), MS_NUMERIC, "element 3 of W_o is inf");
    ms_attention_scratch_destroy(scratch);
    ms_activation_scratch *activations;
    ms_activation_statistics out;
    expect(ms_activation_scratch_create(0, 4, &activations), MS_INVALID, "0 tokens and 4 channels");
    ms_must(ms_activation_scratch_create(2, 3, &activations));
    expect(ms_activation_compute(activations, "stream", q, 3, 3, &out), MS_INVALID, "stream: [3, 3], but scratch for");
    expect(ms_activation_compute(activations, "stream", k, 2, 3, &out), MS_NUMERIC, "stream: element 5 is nan");
    ms_activation_scratch_destroy(activations);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tracker/attention");
    TCase *tcase = tcase_create("attention");
    tcase_add_test(tcase, as_numpy);
    tcase_add_test(tcase, uniform_attention_has_entropy_1);
    tcase_add_test(tcase, attention_to_one_key_has_entropy_0);
    tcase_add_test(tcase, the_largest_logit_is_that_of_all_queries);
    tcase_add_test(tcase, known_activations);
    tcase_add_test(tcase, a_product_that_is_0_has_no_rank);
    tcase_add_test(tcase, bad_input_is_named);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
