#include "backend/cpu/philox.h"
#include "platform/random.h"
#include "tests/ops/cases.h"

/* Straight from the definition in backend/cpu/random_normal.c, one element at a time. */
static float normal_at(const ms_random_normal_attributes *attributes, uint32_t step, float deviation, int64_t i) {
    uint64_t key = ms_philox_key(attributes->seed, attributes->stream), q = (uint64_t)i / 4;
    const uint32_t counter[4] = {(uint32_t)q, (uint32_t)(q >> 32), step, 0};
    const uint32_t words_key[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t word[4];
    ms_philox(counter, words_key, word);
    uint32_t w0 = word[i / 2 % 2 * 2], w1 = word[i / 2 % 2 * 2 + 1];
    float u = 1.0f - (float)(w0 >> 9) * 0x1p-23f, t = (float)(w1 & 0x7fffffu) * 0x1p-23f - 0.5f;
    float radius = ms_sqrt(-2.0f * ms_log(u)), c = ms_cos_quarter(t), s = ms_sin_quarter(t);
    const float turned[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
    return deviation * (radius * turned[w1 >> 30][i % 2]);
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    (void)in;
    const ms_random_normal_attributes *attributes = &test->attributes.random_normal;
    float deviation = ms_case_coefficient(test, attributes->deviation);
    uint32_t step = attributes->step_scalar >= 0 ? (uint32_t)test->scalars[attributes->step_scalar] : 0;
    for (int64_t i = 0; i < ms_shape_count(&attributes->shape); i++)
        ((float *)out[0])[i] = normal_at(attributes, step, deviation, i);
}

/* n samples: mean, variance, third and fourth moments within 5 standard errors, the largest where it must be, and pairs
   uncorrelated. */
static void check_moments(void) {
    enum { N = 1 << 20 };
    float *y = malloc(N * sizeof *y);
    ms_op_call resolved = {.op = MS_OP_RANDOM_NORMAL};
    resolved.attributes.random_normal = (ms_random_normal_attributes){{1, -1}, 42, 7, -1, ms_shape_1(N)};
    resolved.out[0].data = y, resolved.out[0].shape = ms_shape_1(N);
    ms_cpu_call call = ms_cpu_call_of(&resolved, NULL);
    ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_RANDOM_NORMAL).run(&call), MS_OK);
    double sum[5] = {0}, neighbours = 0, largest = 0, within = 0;
    for (int64_t i = 0; i < N; i++) {
        double x = (double)y[i], power = 1;
        for (int k = 0; k < 5; k++, power *= x) sum[k] += power / N;
        neighbours += x * (double)y[i ^ 1] / N;
        largest = fmax(largest, fabs(x));
        within += fabs(x) < 1;
    }
    double error = 5 / sqrt((double)N);
    ck_assert_msg(fabs(sum[1]) < error, "mean %g", sum[1]);
    ck_assert_msg(fabs(sum[2] - 1) < error * sqrt(2), "variance %g", sum[2]);
    ck_assert_msg(fabs(sum[3]) < error * sqrt(15), "third moment %g", sum[3]);
    ck_assert_msg(fabs(sum[4] - 3) < error * sqrt(96), "fourth moment %g", sum[4]);
    ck_assert_msg(fabs(neighbours) < error, "neighbours correlate: %g", neighbours);
    ck_assert_msg(largest > 4.3 && largest < 5.7, "largest %g", largest);
    ck_assert_msg(fabs(within / N - 0.682689492) < error * 0.4655, "within one deviation: %g", within / N);
    free(y);
}

void ms_test_random_normal(void) {
    check_moments();
    ms_case_check_all(MS_OP_RANDOM_NORMAL, reference);
    ms_op_case bad;
    ck_assert(ms_case_make(MS_OP_RANDOM_NORMAL, 0, &bad));
    bad.scalars[1] = -1; /* the step */
    ck_assert_int_eq(ms_case_status(&bad, NULL), MS_INVALID);
}
