#include "tests/ops/fast.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/random.h"

enum { GUARD = 64, POISON = 0x5A };

/* size bytes at a 64-byte boundary between two guards, all poisoned. */
static char *guarded_new(size_t size) {
    char *base = NULL;
    ck_assert_int_eq(posix_memalign((void **)&base, 64, size + 2 * GUARD), 0);
    memset(base, POISON, size + 2 * GUARD);
    return base + GUARD;
}

static void guarded_free(char *data, size_t size) {
    for (int i = 0; i < GUARD; i++) {
        ck_assert_msg(data[-1 - i] == POISON, "wrote before a buffer of %zu bytes", size);
        ck_assert_msg(data[size + (size_t)i] == POISON, "wrote past a buffer of %zu bytes", size);
    }
    free(data - GUARD);
}

static size_t count_of(const ms_shape *shape) { return (size_t)ms_shape_count(shape); }

/* One run; out[k] are new guarded buffers. */
static void run(const ms_op_case *test, ms_cpu_kernel_entry kernel, int n_threads, void *const *in, char **out) {
    size_t real_bytes = kernel.conversion->real_bytes;
    ms_op_call resolved = ms_case_call(test);
    ms_pool *pool;
    ck_assert_int_eq(ms_pool_create(n_threads, &pool), MS_OK);
    ms_cpu_call call = ms_cpu_call_of(&resolved, pool);
    size_t workspace_bytes = kernel.workspace(&call);
    for (int i = 0; i < test->n_inputs; i++) resolved.in[i].data = in[i];
    for (int k = 0; k < test->n_outputs; k++)
        resolved.out[k].data = out[k] = guarded_new(count_of(&test->out[k].shape) * real_bytes);
    call.workspace = guarded_new(workspace_bytes);
    ck_assert_int_eq(kernel.run(&call), MS_OK);
    guarded_free(call.workspace, workspace_bytes);
    ms_pool_destroy(pool);
}

static void compare(const ms_op_case *test, char *const *fast, char *const *oracle, double *const *magnitude,
                    int n_threads) {
    for (int k = 0; k < test->n_outputs; k++) {
        for (size_t i = 0; i < count_of(&test->out[k].shape); i++) {
            double want = ((const double *)oracle[k])[i], have = (double)((const float *)fast[k])[i];
            double bound = test->bound * 0x1p-24 * magnitude[k][i] + 0x1p-100;
            ck_assert_msg(fabs(have - want) <= bound,
                          "%s, %d threads: output %d, element %zu: %.9g, oracle %.17g, bound %.3g",
                          ms_op_get(test->op)->name, n_threads, k, i, have, want, bound);
        }
    }
}

static void check_level(const ms_op_case *test, const ms_cpu_level *level, void *const *in, char *const *oracle,
                        double *const *magnitude) {
    char *fast[MS_MAX_OUTPUTS], *again[MS_MAX_OUTPUTS];
    ms_cpu_kernel_entry kernel = ms_cpu_kernel_find(level, MS_NUMERICS_FAST, test->op);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        run(test, kernel, n_threads, in, fast);
        run(test, kernel, n_threads, in, again);
        compare(test, fast, oracle, magnitude, n_threads);
        for (int k = 0; k < test->n_outputs; k++) {
            size_t size = count_of(&test->out[k].shape) * sizeof(float);
            ck_assert_msg(memcmp(fast[k], again[k], size) == 0, "%s, %s, %d threads: output %d does not repeat",
                          ms_op_get(test->op)->name, level->name, n_threads, k);
            guarded_free(fast[k], size);
            guarded_free(again[k], size);
        }
    }
}

void ms_fast_check(ms_op_case *test) {
    ck_assert_int_eq(ms_blas_prepare(), MS_OK);
    ck_assert_msg(ms_case_infer(test) == MS_OK, "%s", ms_status_message());
    void *in[MS_MAX_INPUTS] = {NULL}, *wide[MS_MAX_INPUTS] = {NULL};
    uint64_t state = 20240917;
    for (int i = 0; i < test->n_inputs; i++) {
        size_t n = count_of(&test->shape[i]);
        if (n == 0) continue;
        float *narrow = in[i] = malloc(n * sizeof(float));
        double *wider = wide[i] = malloc(n * sizeof(double));
        if (test->dtype[i] == MS_DTYPE_I32) {
            ms_case_fill_input(test, i, narrow);
            memcpy(wider, narrow, n * sizeof(int32_t));
            continue;
        }
        for (size_t e = 0; e < n; e++) wider[e] = narrow[e] = (float)(2 * ms_split_mix_uniform(&state) - 1);
    }
    char *oracle[MS_MAX_OUTPUTS];
    double *magnitude[MS_MAX_OUTPUTS];
    run(test, ms_case_kernel(MS_NUMERICS_ORACLE, test->op), 2, wide, oracle);
    for (int k = 0; k < test->n_outputs; k++) {
        size_t n = count_of(&test->out[k].shape);
        magnitude[k] = malloc(n * sizeof(double));
        for (size_t i = 0; i < n; i++) magnitude[k][i] = fabs(((double *)oracle[k])[i]);
    }
    test->magnitude(test, (const void *const *)in, magnitude);
    const ms_cpu_level *levels[MS_CASE_LEVELS];
    int n_levels = ms_case_levels(levels);
    for (int i = 0; i < n_levels; i++) check_level(test, levels[i], in, oracle, magnitude);
    for (int k = 0; k < test->n_outputs; k++) {
        guarded_free(oracle[k], count_of(&test->out[k].shape) * sizeof(double));
        free(magnitude[k]);
    }
    for (int i = 0; i < test->n_inputs; i++) free(in[i]), free(wide[i]);
}
