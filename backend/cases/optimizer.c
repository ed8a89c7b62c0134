/* Cases of clip_factor, ema_nesterov, scale_by_inverse_norm, adamw, random_normal. */
#include <math.h>

#include "backend/cases/case.h"
#include "backend/cases/sizes.h"

/* Of `fast`: a root by its inverse (2 ulp, a product) and a division (2.5 ulp). */
static const double native_root_and_division = 5 + 5;

bool ms_cases_clip_factor(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 5, 33, 5001};
    if (i >= 8) return false;
    *out = ms_case_of(MS_OP_CLIP_FACTOR);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(sizes[i / 2]), MS_CASE_POSITIVE);
    out->attributes.clip_factor.max_norm = i % 2 ? 100.0f : 0.25f;
    out->bound = ms_case_depth(sizes[i / 2]) / 2 + 9; /* sqrt 3.9, sum 1, reciprocal 2.5, product 1 */
    out->native = native_root_and_division;
    return true;
}

static void ema_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *m = in[0], *g = in[1], *clip = in[2];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = out[1][i] = fabs((double)m[i]) + fabs((double)g[i] * (clip ? (double)clip[1] : 1));
}

bool ms_cases_ema_nesterov(int i, ms_op_case *out) {
    if (i >= 4 * MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_EMA_NESTEROV);
    for (int k = 0; k < 2; k++) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i / 4]), MS_CASE_SPARSE);
    if (i % 2) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(2), MS_CASE_POSITIVE);
    out->attributes.ema_nesterov.nesterov = i / 2 % 2 == 1;
    out->attributes.ema_nesterov.momentum = i % 3 ? (ms_coefficient){0.95f, -1} : (ms_coefficient){1.0f, 0};
    out->scalars[0] = 0.875f;
    out->magnitude = ema_magnitude;
    out->bound = 6; /* at most five roundings, 1 - b among them */
    return true;
}

bool ms_cases_scale_by_inverse_norm(int i, ms_op_case *out) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {3, 7, 5}, {2, 97, 64}, {5, 131, 257}};
    if (i >= 4) return false;
    *out = ms_case_of(MS_OP_SCALE_BY_INVERSE_NORM);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_3(shapes[i][0], shapes[i][1], shapes[i][2]), MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shapes[i][0], 1), MS_CASE_POSITIVE);
    out->attributes.inverse_norm = (ms_inverse_norm_attributes){1.01f, 1e-7f};
    out->bound = 10; /* sqrt 3.9, product, sum, reciprocal 2.5, product */
    out->native = native_root_and_division;
    return true;
}

static void adamw_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *m = in[0], *g = in[2], *w = in[3], *clip = in[4];
    const ms_adamw_attributes *a = &test->attributes.adamw;
    double lr = (double)ms_case_coefficient(test, a->lr), bias1 = (double)ms_case_coefficient(test, a->inverse_bias1),
           bias2 = (double)ms_case_coefficient(test, a->inverse_bias2);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        double m_size = (double)a->beta1 * fabs((double)m[i]) +
                        (1 - (double)a->beta1) * fabs((double)g[i] * (clip ? (double)clip[1] : 1));
        double root = sqrt(out[1][i] * bias2) + (double)a->epsilon;
        out[0][i] = m_size;
        out[2][i] = lr * (m_size * bias1 / root + (double)a->decay * fabs((double)w[i]));
    }
}

bool ms_cases_adamw(int i, ms_op_case *out) {
    static const ms_case_fill fills[] = {MS_CASE_SPARSE, MS_CASE_POSITIVE, MS_CASE_SPARSE, MS_CASE_NORMAL};
    if (i >= 2 * MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_ADAMW);
    for (int k = 0; k < 4; k++) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i / 2]), fills[k]);
    if (i % 2) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(2), MS_CASE_POSITIVE);
    out->attributes.adamw = (ms_adamw_attributes){{0.0005f, 1}, 0.9f, 0.999f, 1e-8f, 0.2f, {1, 2}, {1, 3}};
    out->scalars[1] = 0.7f, out->scalars[2] = 1.9f, out->scalars[3] = 300.0f;
    out->magnitude = adamw_magnitude;
    out->bound = 20; /* m 4, v 5 and the bias 1 under the root, sqrt 3.9, two sums, reciprocal 2.5, four products */
    out->native = native_root_and_division;
    return true;
}

bool ms_cases_random_normal(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 2, 3, 5, 255, 256, 257, 16385, 33001};
    if (i >= 9) return false;
    *out = ms_case_of(MS_OP_RANDOM_NORMAL);
    out->attributes.random_normal = (ms_random_normal_attributes){
        {0.02f, 0}, 0x123456789abcdef0u + (uint64_t)i, (uint64_t)i << 40, 1, ms_shape_1(sizes[i])};
    out->scalars[0] = 0.5f, out->scalars[1] = (float)i;
    out->bound = 13; /* log 1.7 halved, sqrt 3.9, sine 3.5, four products */
    return true;
}
