#include "tests/ops/runner.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu_widen.h"
#include "tests/ops/bf16.h"

enum { GUARD_BYTES = 512, POISON = 0xA5 };

/* Memory between guard words. */
typedef struct guarded {
    unsigned char *base;
    void *data; /* base + GUARD_BYTES + shift */
    size_t size, shift;
} guarded;

/* All operands of one call in one precision. */
typedef struct bench {
    guarded in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    size_t real_bytes;
} bench;

static char failure[512];
static uint64_t next_seed = 1;

#define FAIL(...)                                                                                                      \
    do {                                                                                                               \
        snprintf(failure, sizeof failure, __VA_ARGS__);                                                                \
        return false;                                                                                                  \
    } while (0)

void ms_naive_reduce_rows(const float *terms, int64_t n, int64_t columns, float *out) {
    int64_t n_blocks = (n + 4095) / 4096;
    float *sums = malloc((size_t)(n_blocks * columns) * sizeof *sums);
    for (int64_t b = 0; b < n_blocks; b++)
        for (int64_t c = 0; c < columns; c++) {
            float lane[32];
            bool has[32] = {false};
            for (int64_t i = b * 4096; i < n && i < (b + 1) * 4096; i++) {
                int64_t l = i % 32;
                lane[l] = has[l] ? lane[l] + terms[i * columns + c] : terms[i * columns + c];
                has[l] = true;
            }
            for (int h = 16; h > 0; h /= 2)
                for (int i = 0; i < h; i++)
                    if (has[i + h]) {
                        lane[i] = lane[i] + lane[i + h];
                        has[i + h] = false;
                    }
            sums[b * columns + c] = lane[0];
        }
    if (n_blocks == 1) {
        memcpy(out, sums, (size_t)columns * sizeof *out);
    } else {
        ms_naive_reduce_rows(sums, n_blocks, columns, out);
    }
    free(sums);
}

float ms_naive_reduce(const float *terms, int64_t n) {
    float out;
    ms_naive_reduce_rows(terms, n, 1, &out);
    return out;
}

/* ---- storage ---- */

static guarded guarded_new(size_t size, size_t shift) {
    guarded memory = {NULL, NULL, size, shift};
    if (posix_memalign((void **)&memory.base, 64, size + 2 * GUARD_BYTES + 64) != 0) abort();
    memset(memory.base, POISON, size + 2 * GUARD_BYTES + 64);
    memory.data = memory.base + GUARD_BYTES + shift;
    return memory;
}

static bool guarded_intact(const guarded *memory) {
    size_t before = GUARD_BYTES + memory->shift, total = memory->size + 2 * GUARD_BYTES + 64;
    for (size_t i = 0; i < total; i++)
        if ((i < before || i >= before + memory->size) && memory->base[i] != POISON) return false;
    return true;
}

static size_t element_bytes(ms_dtype dtype, size_t real_bytes) {
    return dtype == MS_DTYPE_F32 ? real_bytes : ms_dtype_size(dtype);
}

static size_t operand_bytes(ms_dtype dtype, const ms_shape *shape, size_t real_bytes) {
    return (size_t)ms_shape_count(shape) * element_bytes(dtype, real_bytes);
}

/* Inputs as f32 (the source of both precisions). */
static void inputs_new(const ms_op_test *test, void **in) {
    for (int i = 0; i < MS_MAX_INPUTS; i++) {
        in[i] = NULL;
        if (i >= test->c.n_inputs || test->c.shape[i].rank == 0) continue;
        in[i] = malloc(operand_bytes(test->c.dtype[i], &test->c.shape[i], 4));
        ms_case_fill_input(&test->c, i, in[i]);
    }
}

static void inputs_free(void **in) {
    for (int i = 0; i < MS_MAX_INPUTS; i++) free(in[i]);
}

static bench bench_new(const ms_op_test *test, void *const *in, size_t real_bytes, bool shifted) {
    bench b;
    memset(&b, 0, sizeof b);
    b.real_bytes = real_bytes;
    for (int i = 0; i < test->c.n_inputs; i++) {
        if (!in[i]) continue;
        size_t shift = shifted ? element_bytes(test->c.dtype[i], real_bytes) : 0;
        b.in[i] = guarded_new(operand_bytes(test->c.dtype[i], &test->c.shape[i], real_bytes), shift);
        if (real_bytes == 8 && test->c.dtype[i] == MS_DTYPE_F32) {
            for (int64_t e = 0; e < ms_shape_count(&test->c.shape[i]); e++)
                ((double *)b.in[i].data)[e] = (double)((const float *)in[i])[e];
        } else {
            memcpy(b.in[i].data, in[i], b.in[i].size);
        }
    }
    for (int k = 0; k < test->c.n_outputs; k++) {
        size_t shift = shifted ? element_bytes(test->c.out[k].dtype, real_bytes) : 0;
        b.out[k] = guarded_new(operand_bytes(test->c.out[k].dtype, &test->c.out[k].shape, real_bytes), shift);
    }
    return b;
}

static void bench_free(bench *b) {
    for (int i = 0; i < MS_MAX_INPUTS; i++) free(b->in[i].base);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) free(b->out[k].base);
}

/* ---- one call ---- */

/* Which outputs share an input's storage (alias[k]: input, or -1) and which are wanted. */
typedef struct run_options {
    int n_threads;
    int alias[MS_MAX_OUTPUTS];
    bool unwanted[MS_MAX_OUTPUTS];
    const ms_cpu_level *level;
} run_options;

const ms_cpu_level *ms_case_level;

static const ms_cpu_level *chosen_level(void) {
    const ms_cpu_level *level;
    ck_assert_msg(ms_cpu_level_choose(&level) == MS_OK, "%s", ms_status_message());
    return level;
}

ms_cpu_kernel_entry ms_case_kernel(ms_numerics numerics, ms_op op) {
    return ms_cpu_kernel_find(chosen_level(), numerics, op);
}

int ms_case_levels(const ms_cpu_level *out[MS_CASE_LEVELS]) {
    int n = ms_cpu_level_list(out, MS_CASE_LEVELS);
    ck_assert_int_ge(n, 1);
    ck_assert_int_le(n, MS_CASE_LEVELS);
    return n;
}

static run_options plain_run(int n_threads) {
    run_options options = {n_threads, {-1, -1, -1, -1}, {false}, chosen_level()};
    return options;
}

ms_op_call ms_case_call(const ms_op_case *test) {
    ms_op_call call = {.op = test->op, .attributes = test->attributes};
    for (int i = 0; i < test->n_inputs; i++)
        if (test->shape[i].rank > 0)
            call.in[i] = (ms_operand){
                .dtype = test->dtype[i], .shape = test->shape[i], .count = ms_shape_count(&test->shape[i])};
    for (int k = 0; k < test->n_outputs; k++)
        call.out[k] = (ms_operand){
            .dtype = test->out[k].dtype, .shape = test->out[k].shape, .count = ms_shape_count(&test->out[k].shape)};
    call.gemm = ms_gemm_of(call.op, &call.attributes, &call.in[0].shape, &call.in[1].shape);
    return call;
}

static ms_status run_kernel(const ms_op_test *test, bench *b, const run_options *options) {
    double wide_scalars[4];
    for (int i = 0; i < 4; i++) wide_scalars[i] = (double)test->c.scalars[i];
    ms_op_call resolved = ms_case_call(&test->c);
    ms_pool *pool;
    ck_assert_int_eq(ms_pool_create(options->n_threads, &pool), MS_OK);
    ms_cpu_call call = ms_cpu_call_of(&resolved, pool);
    call.step_scalars = b->real_bytes == 8 ? (const void *)wide_scalars : (const void *)test->c.scalars;
    ms_numerics numerics = b->real_bytes == 8 ? MS_NUMERICS_ORACLE : MS_NUMERICS_EXACT;
    ms_case_level = options->level;
    ms_cpu_kernel_entry kernel = ms_cpu_kernel_find(options->level, numerics, test->c.op);
    if (test->kernel && b->real_bytes == 4) kernel.run = test->kernel;
    guarded workspace = guarded_new(ms_cpu_kernel_workspace(&kernel, &call), 0);
    call.workspace = workspace.data;
    for (int i = 0; i < test->c.n_inputs; i++) resolved.in[i].data = b->in[i].data;
    for (int k = 0; k < test->c.n_outputs; k++) {
        resolved.out[k].data = options->alias[k] >= 0 ? b->in[options->alias[k]].data : b->out[k].data;
        if (options->unwanted[k]) resolved.out[k].data = NULL;
    }
    ms_status status = ms_cpu_kernel_run(&kernel, &call);
    if (!guarded_intact(&workspace)) status = MS_FAIL(MS_INTERNAL, "workspace overrun");
    ms_pool_destroy(pool);
    free(workspace.base);
    return status;
}

/* ---- comparing ---- */

static bool same_f32(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static bool same_numbers(const ms_op_test *test, const void *want, const void *have, int k, const char *what) {
    const ms_tensor_info *out = &test->c.out[k];
    int64_t count = ms_shape_count(&out->shape);
    for (int64_t i = 0; i < count; i++) {
        if (out->dtype == MS_DTYPE_F32) {
            float a = ((const float *)want)[i], b = ((const float *)have)[i];
            uint32_t a_bits, b_bits;
            memcpy(&a_bits, &a, 4), memcpy(&b_bits, &b, 4);
            if (!same_f32(a, b))
                FAIL("%s: %s: output %d, element %lld: %.9g (%08x), must be %.9g (%08x)", ms_op_get(test->c.op)->name,
                     what, k, (long long)i, (double)b, b_bits, (double)a, a_bits);
        } else if (out->dtype == MS_DTYPE_BF16) {
            uint16_t a = ((const uint16_t *)want)[i], b = ((const uint16_t *)have)[i];
            if (a != b && !(isnan(ms_bf16_value(a)) && isnan(ms_bf16_value(b))))
                FAIL("%s: %s: output %d, element %lld: %.9g (%04x), must be %.9g (%04x)", ms_op_get(test->c.op)->name,
                     what, k, (long long)i, ms_bf16_value(b), b, ms_bf16_value(a), a);
        } else {
            size_t size = ms_dtype_size(out->dtype);
            if (memcmp((const char *)want + (size_t)i * size, (const char *)have + (size_t)i * size, size) != 0)
                FAIL("%s: %s: output %d, element %lld differs", ms_op_get(test->c.op)->name, what, k, (long long)i);
        }
    }
    return true;
}

/* Guards, and that inputs which are not shared are unchanged. */
static bool check_memory(const ms_op_test *test, const bench *b, void *const *in, const run_options *options,
                         const char *what) {
    for (int i = 0; i < test->c.n_inputs; i++) {
        if (!in[i]) continue;
        bool shared = false;
        for (int k = 0; k < test->c.n_outputs; k++) shared = shared || options->alias[k] == i;
        if (!guarded_intact(&b->in[i])) FAIL("%s: %s: wrote around input %d", ms_op_get(test->c.op)->name, what, i);
        if (!shared && b->real_bytes == 4 && memcmp(b->in[i].data, in[i], b->in[i].size) != 0)
            FAIL("%s: %s: changed input %d", ms_op_get(test->c.op)->name, what, i);
    }
    for (int k = 0; k < test->c.n_outputs; k++)
        if (!guarded_intact(&b->out[k])) FAIL("%s: %s: wrote around output %d", ms_op_get(test->c.op)->name, what, k);
    return true;
}

/* Runs in f32 and holds every wanted output against `want` (NULL: nothing to compare with yet). */
static bool run_and_compare(const ms_op_test *test, void *const *in, const run_options *options, bool shifted,
                            void *const *want, const char *what) {
    bench b = bench_new(test, in, 4, shifted);
    bool good = true;
    if (run_kernel(test, &b, options) != MS_OK) {
        snprintf(failure, sizeof failure, "%s: %s: %s", ms_op_get(test->c.op)->name, what, ms_status_message());
        good = false;
    }
    good = good && check_memory(test, &b, in, options, what);
    for (int k = 0; good && k < test->c.n_outputs; k++) {
        if (options->unwanted[k]) continue;
        const void *have = options->alias[k] >= 0 ? b.in[options->alias[k]].data : b.out[k].data;
        good = same_numbers(test, want[k], have, k, what);
    }
    bench_free(&b);
    return good;
}

static bool check_levels(const ms_op_test *test, void *const *in, void *const *want, const char *what) {
    const ms_cpu_level *levels[MS_CASE_LEVELS];
    int n = ms_case_levels(levels);
    for (int i = 0; i < n; i++) {
        run_options options = plain_run(2);
        options.level = levels[i];
        char text[80];
        snprintf(text, sizeof text, "%s, %s", levels[i]->name, what);
        if (!run_and_compare(test, in, &options, false, want, text)) return false;
    }
    return true;
}

static bool check_aliases(const ms_op_test *test, void *const *in, void *const *want) {
    run_options all = plain_run(2);
    for (int k = 0; k < test->c.n_outputs; k++)
        for (int i = 0; i < test->c.n_inputs; i++) {
            if (!in[i] || !ms_op_may_alias(test->c.op, k, i)) continue;
            run_options one = plain_run(2);
            one.alias[k] = all.alias[k] = i;
            if (!run_and_compare(test, in, &one, false, want, "in place")) return false;
        }
    return run_and_compare(test, in, &all, false, want, "all in place");
}

static bool check_unwanted(const ms_op_test *test, void *const *in, void *const *want) {
    for (int k = 0; k < test->c.n_outputs; k++) {
        run_options options = plain_run(2);
        options.unwanted[k] = true;
        if (!run_and_compare(test, in, &options, false, want, "an output not wanted")) return false;
    }
    return true;
}

/* Element i of an f32 or bf16 operand, 0 of others. */
static double number_of(const ms_tensor_info *info, const void *data, int64_t i, size_t real_bytes) {
    if (info->dtype == MS_DTYPE_BF16) return ms_bf16_value(((const uint16_t *)data)[i]);
    if (info->dtype != MS_DTYPE_F32) return 0;
    return real_bytes == 8 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static bool check_oracle(const ms_op_test *test, void *const *in, void *const *exact) {
    bench one = bench_new(test, in, 8, false), two = bench_new(test, in, 8, true);
    run_options run_one = plain_run(1), run_two = plain_run(2);
    bool good = run_kernel(test, &one, &run_one) == MS_OK && run_kernel(test, &two, &run_two) == MS_OK;
    if (!good) snprintf(failure, sizeof failure, "%s: oracle: %s", ms_op_get(test->c.op)->name, ms_status_message());
    double *magnitude[MS_MAX_OUTPUTS] = {NULL};
    for (int k = 0; k < test->c.n_outputs; k++) {
        int64_t count = ms_shape_count(&test->c.out[k].shape);
        magnitude[k] = malloc((size_t)count * sizeof(double));
        for (int64_t i = 0; i < count; i++) magnitude[k][i] = fabs(number_of(&test->c.out[k], one.out[k].data, i, 8));
    }
    if (test->c.magnitude && test->in_bf16)
        ms_bf16_magnitude(test, (const void *const *)in, magnitude);
    else if (test->c.magnitude)
        test->c.magnitude(&test->c, (const void *const *)in, magnitude);
    for (int k = 0; good && k < test->c.n_outputs; k++) {
        if (memcmp(one.out[k].data, two.out[k].data, one.out[k].size) != 0) {
            snprintf(failure, sizeof failure, "%s: oracle: output %d depends on the threads",
                     ms_op_get(test->c.op)->name, k);
            good = false;
        }
        for (int64_t i = 0; good && i < ms_shape_count(&test->c.out[k].shape); i++) {
            double want = number_of(&test->c.out[k], one.out[k].data, i, 8);
            double have = number_of(&test->c.out[k], exact[k], i, 4);
            double bound = test->c.bound * 0x1p-24 * magnitude[k][i] + 0x1p-126;
            if (test->c.out[k].dtype == MS_DTYPE_BF16)
                bound += 0x1p-8 * (fabs(have) + fabs(want)); /* both are rounded */
            if (fabs(have - want) <= bound || (isnan(have) && isnan(want))) continue;
            snprintf(failure, sizeof failure, "%s: output %d, element %lld: %.9g, oracle %.17g: error %.3g, bound %.3g",
                     ms_op_get(test->c.op)->name, k, (long long)i, have, want, fabs(have - want), bound);
            good = false;
        }
    }
    for (int k = 0; k < test->c.n_outputs; k++) free(magnitude[k]);
    bench_free(&one);
    bench_free(&two);
    return good;
}

static void outputs_new(const ms_op_test *test, void **out) {
    for (int k = 0; k < test->c.n_outputs; k++)
        out[k] = malloc(operand_bytes(test->c.out[k].dtype, &test->c.out[k].shape, 4));
}

static void outputs_free(const ms_op_test *test, void **out) {
    for (int k = 0; k < test->c.n_outputs; k++) free(out[k]);
}

static bool has_nan(const ms_op_test *test, void *const *out) {
    for (int k = 0; k < test->c.n_outputs; k++)
        for (int64_t i = 0; i < ms_shape_count(&test->c.out[k].shape); i++)
            if (isnan(number_of(&test->c.out[k], out[k], i, 4))) return true;
    return false;
}

static void call_reference(const ms_op_test *test, void *const *in, void *const *out) {
    if (test->in_bf16)
        ms_bf16_reference(test, (const void *const *)in, out);
    else
        test->reference(&test->c, (const void *const *)in, out);
}

static bool check_special(const ms_op_test *test, void **in) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    void *want[MS_MAX_OUTPUTS];
    outputs_new(test, want);
    bool good = true;
    for (int i = 0; good && i < test->c.n_inputs; i++) {
        bool is_f32 = test->c.dtype[i] == MS_DTYPE_F32;
        if (!in[i] || (!is_f32 && test->c.dtype[i] != MS_DTYPE_BF16)) continue;
        size_t size = is_f32 ? sizeof(float) : sizeof(uint16_t);
        char *element = (char *)in[i] + (size_t)(ms_shape_count(&test->c.shape[i]) / 2) * size;
        float kept;
        memcpy(&kept, element, size);
        for (int v = 0; good && v < 3; v++) {
            uint16_t narrow = ms_nearest_bf16((double)values[v]);
            memcpy(element, is_f32 ? (const void *)&values[v] : &narrow, size);
            call_reference(test, in, want);
            good = check_levels(test, in, want, "NaN or infinity in an input");
            if (good && v == 0 && !has_nan(test, want)) {
                snprintf(failure, sizeof failure, "%s: a NaN in input %d is lost", ms_op_get(test->c.op)->name, i);
                good = false;
            }
        }
        memcpy(element, &kept, size);
    }
    outputs_free(test, want);
    return good;
}

static bool check_case(ms_op_test *test) {
    failure[0] = 0;
    test->c.seed = next_seed++;
    if (ms_case_infer(&test->c) != MS_OK) FAIL("shape rule: %s", ms_status_message());
    void *in[MS_MAX_INPUTS], *want[MS_MAX_OUTPUTS];
    inputs_new(test, in);
    outputs_new(test, want);
    call_reference(test, in, want);
    bool good = true;
    for (int n = 1; good && n <= 3; n++) {
        run_options options = plain_run(n);
        good = run_and_compare(test, in, &options, n == 3, want, n == 1 ? "one thread" : "several threads");
    }
    good = good && check_levels(test, in, want, "two threads") && check_aliases(test, in, want) &&
           check_unwanted(test, in, want);
    good = good && check_oracle(test, in, want);
    if (!test->c.skip_special) good = good && check_special(test, in);
    inputs_free(in);
    outputs_free(test, want);
    return good;
}

const char *ms_case_failure(ms_op_test *test) {
    if (!check_case(test)) return failure;
    ms_op_test in_bf16;
    if (test->in_bf16 || test->kernel || !ms_bf16_test(test, (int)(test->c.seed % 1000), &in_bf16)) return "";
    if (check_case(&in_bf16)) return "";
    char text[sizeof failure];
    memcpy(text, failure, sizeof failure);
    snprintf(failure, sizeof failure, "in bf16: %.400s", text);
    return failure;
}

void ms_case_check(const ms_op_case *test, ms_case_reference reference) {
    ms_op_test with_reference = {.c = *test, .reference = reference};
    const char *text = ms_case_failure(&with_reference);
    ck_assert_msg(text[0] == 0, "%s (case %llu)", text, (unsigned long long)with_reference.c.seed);
}

void ms_case_check_all(ms_op op, ms_case_reference reference) {
    ms_op_case test;
    for (int i = 0; ms_case_make(op, i, &test); i++)
        if (!test.large) ms_case_check(&test, reference);
}

ms_status ms_case_status(const ms_op_case *test, const void *const *in) {
    ms_op_test alone = {.c = *test};
    ck_assert_int_eq(ms_case_infer(&alone.c), MS_OK);
    bench b = bench_new(&alone, (void *const *)in, 4, false);
    run_options options = plain_run(2);
    ms_status status = run_kernel(&alone, &b, &options);
    bench_free(&b);
    return status;
}
