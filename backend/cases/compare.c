#include "backend/cases/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t element_bits(const void *data, int64_t i, size_t size) {
    uint32_t bits = 0;
    memcpy(&bits, (const char *)data + (size_t)i * size, size);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool is_real(ms_dtype dtype) { return dtype == MS_DTYPE_F32 || dtype == MS_DTYPE_BF16; }

/* An f32 or bf16 number from its bits. */
static float number_of(ms_dtype dtype, uint32_t bits) { return float_of(dtype == MS_DTYPE_BF16 ? bits << 16 : bits); }

static void note(ms_case_difference *difference, int k, int64_t i, uint32_t expected, uint32_t found) {
    if (difference->differs) return;
    difference->differs = true;
    difference->output = k;
    difference->index = i;
    difference->expected = expected;
    difference->found = found;
}

void ms_case_compare_bits(const ms_op_case *test, int k, const void *expected, const void *found,
                          ms_case_difference *difference) {
    ms_dtype dtype = test->out[k].dtype;
    size_t size = ms_dtype_size(dtype);
    int64_t count = ms_shape_count(&test->out[k].shape);
    if (memcmp(expected, found, (size_t)count * size) == 0) return;
    for (int64_t i = 0; i < count; i++) {
        uint32_t a = element_bits(expected, i, size), b = element_bits(found, i, size);
        if (a == b) continue;
        if (is_real(dtype) && isnan(number_of(dtype, a)) && isnan(number_of(dtype, b))) continue;
        note(difference, k, i, a, b);
        return;
    }
}

/* f32 copies of bf16 inputs; wide[i] is NULL where in[i] serves as it is. */
static ms_status widen_inputs(const ms_op_case *test, const ms_case_values *values, float *wide[MS_MAX_INPUTS]) {
    for (int i = 0; i < test->n_inputs; i++) {
        if (!values->in[i] || test->dtype[i] != MS_DTYPE_BF16) continue;
        int64_t count = ms_shape_count(&test->shape[i]);
        wide[i] = malloc((size_t)count * sizeof(float));
        if (!wide[i]) return MS_FAIL(MS_OUT_OF_MEMORY, "case: no memory for %lld numbers", (long long)count);
        for (int64_t e = 0; e < count; e++) wide[i][e] = number_of(MS_DTYPE_BF16, ((const uint16_t *)values->in[i])[e]);
    }
    return MS_OK;
}

static double oracle_at(const ms_op_case *test, int k, const void *oracle, int64_t i) {
    if (test->out[k].dtype == MS_DTYPE_BF16) return (double)number_of(MS_DTYPE_BF16, ((const uint16_t *)oracle)[i]);
    return ((const double *)oracle)[i];
}

static ms_status start_magnitudes(const ms_op_case *test, const ms_case_values *oracle,
                                  double *bounds[MS_MAX_OUTPUTS]) {
    for (int k = 0; k < test->n_outputs; k++) {
        if (!is_real(test->out[k].dtype)) continue;
        int64_t count = ms_shape_count(&test->out[k].shape);
        bounds[k] = malloc((size_t)count * sizeof(double));
        if (!bounds[k]) return MS_FAIL(MS_OUT_OF_MEMORY, "case: no memory for %lld bounds", (long long)count);
        for (int64_t i = 0; i < count; i++) bounds[k][i] = fabs(oracle_at(test, k, oracle->out[k], i));
    }
    return MS_OK;
}

/* The f32 result and the oracle's are each rounded once to bf16, to nearest: 2^-8 of each, and the result's own error
   grows by as much. */
static double bf16_bound(double bound, double oracle) {
    return bound * (1 + 0x1p-7) + 2 * 0x1p-8 * (1 + 0x1p-7) * fabs(oracle);
}

static void make_bounds(const ms_op_case *test, const ms_case_values *oracle, const void *const *in,
                        const ms_matmul_rounding *fast, double *const bounds[MS_MAX_OUTPUTS]) {
    if (test->magnitude) test->magnitude(test, in, bounds);
    double unit = ms_case_bound(test, fast != NULL) * 0x1p-24;
    for (int k = 0; k < test->n_outputs; k++)
        for (int64_t i = 0; bounds[k] && i < ms_shape_count(&test->out[k].shape); i++)
            bounds[k][i] = unit * bounds[k][i] + 0x1p-100; /* results below are 0 on some devices */
    if (fast && test->matmul_error) test->matmul_error(test, fast, in, bounds);
    for (int k = 0; k < test->n_outputs; k++)
        for (int64_t i = 0; test->out[k].dtype == MS_DTYPE_BF16 && i < ms_shape_count(&test->out[k].shape); i++)
            bounds[k][i] = bf16_bound(bounds[k][i], oracle_at(test, k, oracle->out[k], i));
}

ms_status ms_case_bounds(const ms_op_case *test, const ms_case_values *oracle, const ms_matmul_rounding *fast,
                         double *out_bounds[MS_MAX_OUTPUTS]) {
    float *wide[MS_MAX_INPUTS] = {NULL};
    const void *in[MS_MAX_INPUTS];
    memset(out_bounds, 0, MS_MAX_OUTPUTS * sizeof *out_bounds);
    ms_status status = widen_inputs(test, oracle, wide);
    if (status == MS_OK) status = start_magnitudes(test, oracle, out_bounds);
    for (int i = 0; i < MS_MAX_INPUTS; i++) in[i] = wide[i] ? wide[i] : oracle->in[i];
    if (status == MS_OK) make_bounds(test, oracle, in, fast, out_bounds);
    for (int i = 0; i < MS_MAX_INPUTS; i++) free(wide[i]);
    if (status != MS_OK)
        for (int k = 0; k < MS_MAX_OUTPUTS; k++) free(out_bounds[k]);
    return status;
}

/* Error over bound; infinite where the kinds of number differ. */
static double error_over_bound(double oracle, double found, double bound) {
    if (isnan(oracle)) return isnan(found) ? 0 : HUGE_VAL;
    if (isinf(oracle)) return found == oracle ? 0 : HUGE_VAL;
    double error = fabs(found - oracle);
    return isnan(error) ? HUGE_VAL : error / bound;
}

/* The next number above: below zero, fewer bits are more. */
static uint32_t next_above(uint32_t bits, uint32_t sign) {
    if (bits == sign) return 1;
    return bits & sign ? bits - 1 : bits + 1;
}

uint32_t ms_case_beyond(const ms_op_case *test, int k, const void *oracle, const double *bounds, int64_t i) {
    ms_dtype dtype = test->out[k].dtype;
    double want = oracle_at(test, k, oracle, i);
    uint32_t bits = bits_of((float)(want + bounds[i])), sign = 0x80000000u;
    if (dtype == MS_DTYPE_BF16) bits >>= 16, sign >>= 16;
    while (error_over_bound(want, (double)number_of(dtype, bits), bounds[i]) <= 1) bits = next_above(bits, sign);
    return bits;
}

void ms_case_compare_oracle(const ms_op_case *test, int k, const void *oracle, const void *found, const double *bounds,
                            ms_case_difference *difference) {
    ms_dtype dtype = test->out[k].dtype;
    if (!is_real(dtype)) {
        ms_case_compare_bits(test, k, oracle, found, difference);
        return;
    }
    size_t size = ms_dtype_size(dtype);
    for (int64_t i = 0; i < ms_shape_count(&test->out[k].shape); i++) {
        double want = oracle_at(test, k, oracle, i);
        uint32_t bits = element_bits(found, i, size), want_bits = bits_of((float)want);
        double ratio = error_over_bound(want, (double)number_of(dtype, bits), bounds[i]);
        difference->worst = fmax(difference->worst, ratio);
        if (ratio > 1) note(difference, k, i, dtype == MS_DTYPE_BF16 ? want_bits >> 16 : want_bits, bits);
    }
}

static bool wants_nan(const ms_op_case *test, int k, const ms_case_references *references, int64_t i) {
    ms_dtype dtype = test->out[k].dtype;
    return isnan(oracle_at(test, k, references->oracle->out[k], i)) &&
           isnan(number_of(dtype, element_bits(references->exact->out[k], i, ms_dtype_size(dtype))));
}

int64_t ms_case_first_nan(const ms_op_case *test, int k, const ms_case_references *references) {
    for (int64_t i = 0; is_real(test->out[k].dtype) && i < ms_shape_count(&test->out[k].shape); i++)
        if (wants_nan(test, k, references, i)) return i;
    return -1;
}

void ms_case_compare_nan(const ms_op_case *test, int k, const ms_case_references *references, const void *found,
                         bool may_be_infinite, ms_case_difference *difference) {
    ms_dtype dtype = test->out[k].dtype;
    size_t size = ms_dtype_size(dtype);
    if (!is_real(dtype)) return;
    for (int64_t i = 0; i < ms_shape_count(&test->out[k].shape); i++) {
        uint32_t bits = element_bits(found, i, size), exact_bits = element_bits(references->exact->out[k], i, size);
        float number = number_of(dtype, bits);
        bool good = isnan(number) || (may_be_infinite && isinf(number));
        if (!good && wants_nan(test, k, references, i)) note(difference, k, i, exact_bits, bits);
    }
}
