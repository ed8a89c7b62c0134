#include "tests/ops/cases.h"

/* assign has no output, so the runner does not fit: direct calls. */
static void check_assign(ms_cpu_kernel kernel, ms_dtype dtype, size_t size, int64_t count) {
    uint8_t *x = malloc((size_t)count * size), *v = malloc((size_t)count * size + 1);
    for (int64_t i = 0; i < count * (int64_t)size; i++) x[i] = (uint8_t)(i * 7 + i / 255), v[i] = 0;
    v[(size_t)count * size] = 0x5A;
    ms_op_call resolved = {.op = MS_OP_ASSIGN};
    ms_pool *pool;
    for (int i = 0; i < 2; i++) {
        resolved.in[i].data = i == 0 ? x : v;
        resolved.in[i].dtype = dtype;
        resolved.in[i].shape = ms_shape_1(count);
    }
    ck_assert_int_eq(ms_pool_create(3, &pool), MS_OK);
    ms_cpu_call call = ms_cpu_call_of(&resolved, pool);
    ck_assert_int_eq(kernel(&call), MS_OK);
    ck_assert_mem_eq(x, v, (size_t)count * size);
    ck_assert_int_eq(v[(size_t)count * size], 0x5A);
    resolved.in[1].data = x; /* the plan computed x in place */
    ck_assert_int_eq(kernel(&call), MS_OK);
    ck_assert_mem_eq(x, v, (size_t)count * size);
    ms_pool_destroy(pool);
    free(x);
    free(v);
}

void ms_test_assign(void) {
    static const int64_t sizes[] = {1, 37, 300007};
    ms_cpu_kernel exact = ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_ASSIGN).run;
    ms_cpu_kernel oracle = ms_case_kernel(MS_NUMERICS_ORACLE, MS_OP_ASSIGN).run;
    for (int i = 0; i < 3; i++) {
        check_assign(exact, MS_DTYPE_F32, 4, sizes[i]);
        check_assign(oracle, MS_DTYPE_F32, 8, sizes[i]);
        check_assign(exact, MS_DTYPE_BF16, 2, sizes[i]);
        check_assign(oracle, MS_DTYPE_I32, 4, sizes[i]);
    }
}
