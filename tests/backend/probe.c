/* The probe that allows `exact`: what it accepts, that one wrong result of any kind refuses the device, and that
   opening the device then says so.  In this program "cuda:0" is a device whose results are made below (--wrap). */
#include "backend/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend_impl.h"
#include "backend/exact.h"
#include "tests/support/suite.h"

/* In the order of backend/probe.h. */
enum { ADD, SUB, MUL, MUL_ADD, ADD_SUB, EXP, LOG, RECIPROCAL, RSQRT, SUBNORMAL };

static float triples[3 * MS_PROBE_TRIPLES], results[MS_PROBE_RESULTS * MS_PROBE_TRIPLES];

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float *result(int i, int which) { return &results[i * MS_PROBE_RESULTS + which]; }

/* The triple of the special numbers number i and j: +0, -0, 1, -1, infinity, -infinity, NaN and the one below 1. */
static float *special(int i, int j, int which) { return result(MS_PROBE_RANDOM + 8 * i + j, which); }

static void set_up(void) {
    ms_probe_triples(triples);
    for (int i = 0; i < MS_PROBE_TRIPLES; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2];
        const float right[MS_PROBE_RESULTS] = {x + y,       x - y,
                                               x * y,       x * y + z,
                                               (x + y) - x, ms_exp(x),
                                               ms_log(y),   ms_reciprocal(z),
                                               ms_rsqrt(y), float_of(0x00800000u + (uint32_t)i % 256u)};
        memcpy(result(i, 0), right, sizeof right);
    }
}

static void change_last_bit(float *x) {
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    *x = float_of(bits ^ 1u);
}

static void expect_text(const ms_device_verdict *verdict, const char *part) {
    ck_assert_msg(strstr(verdict->text, part) != NULL, "\"%s\" is not in \"%s\"", part, verdict->text);
}

static void expect_yes(const char *part) {
    ms_device_verdict verdict;
    verdict.exact = ms_probe_judge(triples, results, verdict.text, sizeof verdict.text);
    ck_assert_msg(verdict.exact, "%s", verdict.text);
    expect_text(&verdict, "exact: yes");
    expect_text(&verdict, part);
}

static void expect_no(const char *counts) {
    ms_device_verdict verdict;
    verdict.exact = ms_probe_judge(triples, results, verdict.text, sizeof verdict.text);
    ck_assert_msg(!verdict.exact, "accepted, must be \"%s\"", counts);
    expect_text(&verdict, "exact: no; of 4160 cases wrong: ");
    expect_text(&verdict, counts);
}

START_TEST(test_right_results) { expect_yes("4160 cases rounded correctly, nothing contracted; subnormals are kept"); }
END_TEST

static const struct {
    int which;
    const char *counts;
} kinds[] = {
    {ADD, "add 1, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 0;"},
    {SUB, "add 0, sub 1, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 0;"},
    {MUL, "add 0, sub 0, mul 1, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 0;"},
    {MUL_ADD, "add 0, sub 0, mul 0, contracted 1, reassociated 0, zeros, infinities and NaN 0, functions 0;"},
    {ADD_SUB, "add 0, sub 0, mul 0, contracted 0, reassociated 1, zeros, infinities and NaN 0, functions 0;"},
    {EXP, "add 0, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 1;"},
    {LOG, "add 0, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 1;"},
    {RECIPROCAL, "add 0, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 1;"},
    {RSQRT, "add 0, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 0, functions 1;"},
};

/* The last bit of one result, in the first, a middle and the last random triple. */
START_TEST(test_one_wrong_result) {
    const int places[] = {0, 1777, MS_PROBE_RANDOM - 1};
    for (int k = 0; k < 3; k++) {
        float *wrong = result(places[k], kinds[_i].which), right = *wrong;
        change_last_bit(wrong);
        expect_no(kinds[_i].counts);
        *wrong = right;
    }
}
END_TEST

/* What compilers and drivers do when they are not told otherwise. */
START_TEST(test_wrong_special) {
    const char *counts = "add 0, sub 0, mul 0, contracted 0, reassociated 0, zeros, infinities and NaN 1, functions 0;";
    const struct {
        int i, j, which;
        float wrong;
    } faults[] = {
        {1, 1, ADD, 0.0f},      /* -0 + -0 */
        {0, 1, ADD, -0.0f},     /* 0 + -0 */
        {0, 0, SUB, -0.0f},     /* 0 - 0 */
        {0, 3, MUL, 0.0f},      /* 0 * -1 */
        {4, 4, SUB, 0.0f},      /* infinity - infinity as x - x */
        {0, 4, MUL, 0.0f},      /* 0 * infinity as 0 * y */
        {6, 6, SUB, 0.0f},      /* NaN - NaN as x - x */
        {0, 6, MUL, 0.0f},      /* 0 * NaN as 0 * y */
        {6, 2, ADD, 1.0f},      /* NaN + 1 */
        {4, 3, ADD, 0x1p127f},  /* infinity - 1 */
        {5, 2, MUL, INFINITY},  /* -infinity * 1 */
        {2, 7, ADD, NAN},       /* 1 + (1 - 2^-24) */
        {7, 7, MUL, 1.0f},      /* (1 - 2^-24)^2, rounded up */
        {4, 5, ADD, -INFINITY}, /* infinity - infinity */
    };
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        float *wrong = special(faults[k].i, faults[k].j, faults[k].which), right = *wrong;
        *wrong = faults[k].wrong;
        expect_no(counts);
        *wrong = right;
    }
    expect_yes("subnormals are kept");
}
END_TEST

START_TEST(test_any_nan_will_do) {
    *special(4, 4, SUB) = float_of(0x7f800001u);
    *special(6, 2, ADD) = float_of(0xffffffffu);
    expect_yes("subnormals are kept");
}
END_TEST

/* Two wrong results of one triple are two; two wrong functions of one triple are one. */
START_TEST(test_counts) {
    for (int which = ADD; which <= RSQRT; which++) change_last_bit(result(9, which));
    change_last_bit(result(10, ADD));
    *special(1, 1, ADD) = 0;
    expect_no("add 2, sub 1, mul 1, contracted 1, reassociated 1, zeros, infinities and NaN 1, functions 1;");
}
END_TEST

/* The triples tell x y + z rounded once from twice, and (x + y) - x from y: in far more than one of them. */
START_TEST(test_triples_find_transformations) {
    int contracted = 0, reassociated = 0;
    for (int i = 0; i < MS_PROBE_RANDOM; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2];
        contracted += fmaf(x, y, z) != x * y + z;
        reassociated += y != (x + y) - x;
        *result(i, MUL_ADD) = fmaf(x, y, z);
        *result(i, ADD_SUB) = y;
    }
    ck_assert_int_ge(contracted, MS_PROBE_RANDOM / 8);
    ck_assert_int_ge(reassociated, MS_PROBE_RANDOM / 8);
    char counts[160];
    snprintf(counts, sizeof counts, "add 0, sub 0, mul 0, contracted %d, reassociated %d, zeros", contracted,
             reassociated);
    expect_no(counts);
}
END_TEST

START_TEST(test_subnormals_are_reported) {
    *result(5, SUBNORMAL) = 0;
    expect_yes("nothing contracted; subnormals are flushed to 0");
    for (int i = 0; i < MS_PROBE_TRIPLES; i++) *result(i, SUBNORMAL) = 0;
    expect_yes("nothing contracted; subnormals are flushed to 0");
    change_last_bit(result(0, SUB));
    expect_no("functions 0; subnormals are flushed to 0");
}
END_TEST

/* ---- a device with these results ---- */

struct ms_backend_device {
    ms_numerics numerics;
};

static int n_open, n_probes;
static ms_status probe_status;

static ms_status enumerate(ms_device_info *out, int capacity, int *out_n) {
    ms_device_info info = {.name = "cuda:0", .description = "made here", .usable = true};
    if (capacity > 0) out[0] = info;
    *out_n = 1;
    return MS_OK;
}

static ms_status open_device(int index, const ms_device_options *options, ms_backend_device **out) {
    ck_assert_int_eq(index, 0);
    *out = malloc(sizeof **out);
    ck_assert_ptr_nonnull(*out);
    (*out)->numerics = options->numerics;
    n_open++;
    return MS_OK;
}

static void close_device(ms_backend_device *device) {
    n_open--;
    free(device);
}

static ms_status probe(ms_backend_device *device, const float *given, float *out_results) {
    n_probes++;
    ck_assert_int_eq(device->numerics, MS_NUMERICS_EXACT);
    ck_assert_mem_eq(given, triples, sizeof triples);
    memcpy(out_results, results, sizeof results);
    return probe_status == MS_OK ? MS_OK : MS_FAIL(probe_status, "the device is gone");
}

const ms_backend_impl *__wrap_ms_backend_cuda(void);
const ms_backend_impl *__wrap_ms_backend_cuda(void) {
    static const ms_backend_impl impl = {
        .name = "cuda", .enumerate = enumerate, .open = open_device, .close = close_device, .probe = probe};
    return &impl;
}

static ms_status open_with(ms_numerics numerics, ms_device **out) {
    ms_device_options options = {"cuda:0", numerics, 1};
    return ms_device_open(&options, out);
}

START_TEST(test_exact_is_allowed) {
    ms_device *device;
    ms_must(open_with(MS_NUMERICS_EXACT, &device));
    ck_assert_int_eq(n_probes, 1);
    ck_assert_int_eq(n_open, 1);
    ms_device_close(device);
    ck_assert_int_eq(n_open, 0);
}
END_TEST

START_TEST(test_exact_is_refused) {
    change_last_bit(result(40, kinds[_i].which));
    ms_device *device;
    ck_assert_int_eq(open_with(MS_NUMERICS_EXACT, &device), MS_UNSUPPORTED);
    ck_assert_ptr_null(device);
    ck_assert_int_eq(n_open, 0);
    const char *message = ms_status_message(), *start = "cuda:0 (made here) cannot give exact numerics: exact: no; ";
    ck_assert_msg(strstr(message, start) == message, "message: %s", message);
    ck_assert_msg(strstr(message, kinds[_i].counts) != NULL, "message: %s", message);
}
END_TEST

START_TEST(test_fast_is_not_probed) {
    change_last_bit(result(40, ADD));
    ms_device *device;
    ms_must(open_with(MS_NUMERICS_FAST, &device));
    ck_assert_int_eq(n_probes, 0);
    ms_device_close(device);
    ck_assert_int_eq(n_open, 0);
}
END_TEST

START_TEST(test_list_tells_the_verdict) {
    ms_device_verdict verdict;
    ms_must(ms_device_probe("cuda:0", &verdict));
    ck_assert(verdict.exact);
    *special(0, 4, MUL) = 0;
    ms_must(ms_device_probe("cuda:0", &verdict));
    ck_assert(!verdict.exact);
    expect_text(&verdict, "zeros, infinities and NaN 1");
    ck_assert_int_eq(n_open, 0);
}
END_TEST

/* A device that cannot run the probe is not exact either. */
START_TEST(test_probe_fails) {
    probe_status = MS_DEVICE_LOST;
    ms_device *device;
    ck_assert_int_eq(open_with(MS_NUMERICS_EXACT, &device), MS_DEVICE_LOST);
    ck_assert_ptr_null(device);
    ck_assert_int_eq(n_open, 0);
    ck_assert_msg(strstr(ms_status_message(), "probe: the device is gone") != NULL, "message: %s", ms_status_message());
    ms_device_verdict verdict;
    ck_assert_int_eq(ms_device_probe("cuda:0", &verdict), MS_DEVICE_LOST);
    ck_assert(!verdict.exact);
    ck_assert_int_eq(n_open, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("backend/probe");
    TCase *tests = tcase_create("probe");
    int n_kinds = sizeof kinds / sizeof *kinds;
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_right_results);
    tcase_add_loop_test(tests, test_one_wrong_result, 0, n_kinds);
    tcase_add_test(tests, test_wrong_special);
    tcase_add_test(tests, test_any_nan_will_do);
    tcase_add_test(tests, test_counts);
    tcase_add_test(tests, test_triples_find_transformations);
    tcase_add_test(tests, test_subnormals_are_reported);
    tcase_add_test(tests, test_exact_is_allowed);
    tcase_add_loop_test(tests, test_exact_is_refused, 0, n_kinds);
    tcase_add_test(tests, test_fast_is_not_probed);
    tcase_add_test(tests, test_list_tells_the_verdict);
    tcase_add_test(tests, test_probe_fails);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
