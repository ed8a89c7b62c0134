/* Matmuls of cuBLAS and cuBLASLt: all transposes, strides, batches and types against a loop; promises that are not
   kept. */
#include <cublasLt.h>
#include <cublas_v2.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda_host/child.h"
#include "tests/cuda_host/support.h"
#include "tests/support/suite.h"

#define CK(call) ck_assert_int_eq(call, 0)

enum { M = 5, N_COLUMNS = 7, K = 9, N_BATCHES = 3 };

/* A batch of column-major matrices with room between columns and matrices. */
typedef struct batch {
    int n_rows, n_columns, leading, stride; /* stride in elements */
    int count;                              /* elements of the whole batch */
    float *values;                          /* owned */
    void *device;                           /* f32 or bf16 */
} batch;

static batch new_batch(int n_rows, int n_columns, bool bf16, unsigned seed) {
    batch x = {.n_rows = n_rows, .n_columns = n_columns, .leading = n_rows + 2};
    x.stride = x.leading * n_columns + 3;
    x.count = x.stride * N_BATCHES;
    x.values = test_random(x.count, seed);
    for (int i = 0; i < x.count; i++) x.values[i] = roundf(x.values[i] * 100.0f); /* bf16 and TF32 hold these */
    if (!bf16) {
        x.device = test_upload(x.values, (size_t)x.count * sizeof(float));
        return x;
    }
    unsigned short *bits = malloc((size_t)x.count * sizeof *bits);
    for (int i = 0; i < x.count; i++) bits[i] = test_bf16(x.values[i]);
    x.device = test_upload(bits, (size_t)x.count * sizeof *bits);
    free(bits);
    return x;
}

static float value_at(const batch *x, bool transposed, int i_batch, int row, int column) {
    int i = transposed ? row * x->leading + column : column * x->leading + row;
    return x->values[i_batch * x->stride + i];
}

/* c = alpha op(a) op(b) + beta c. */
typedef struct gemm {
    batch a, b, c;
    bool ta, tb;       /* whether a, b are transposed */
    cudaDataType type; /* of a and b */
    float alpha, beta;
} gemm;

/* What element (row, column) must become: integers, exact in f32. */
static float expected(const gemm *g, int i_batch, int row, int column) {
    float sum = 0.0f;
    for (int k = 0; k < K; k++)
        sum += value_at(&g->a, g->ta, i_batch, row, k) * value_at(&g->b, g->tb, i_batch, k, column);
    return g->alpha * sum + g->beta * value_at(&g->c, false, i_batch, row, column);
}

static cublasLtMatrixLayout_t layout_of(const batch *x, cudaDataType type) {
    cublasLtMatrixLayout_t layout;
    int32_t count = N_BATCHES;
    int64_t stride = x->stride;
    CK(cublasLtMatrixLayoutCreate(&layout, type, (uint64_t)x->n_rows, (uint64_t)x->n_columns, x->leading));
    CK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    CK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
    return layout;
}

static void run_lt(const gemm *g) {
    const batch *a = &g->a, *b = &g->b, *c = &g->c;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t operation;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t result;
    int n_found;
    uint64_t workspace_bytes = 4096;
    uint32_t alignment = 2;
    int32_t op_a = g->ta ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = g->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    CK(cublasLtCreate(&handle));
    CK(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    CK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &op_a, sizeof op_a));
    CK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSB, &op_b, sizeof op_b));
    cublasLtMatrixLayout_t a_layout = layout_of(a, g->type), b_layout = layout_of(b, g->type),
                           c_layout = layout_of(c, CUDA_R_32F);
    CK(cublasLtMatmulPreferenceCreate(&preference));
    CK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                            sizeof workspace_bytes));
    for (int i = 0; i < 4; i++)
        CK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES + i, &alignment,
                                                sizeof alignment));
    CK(cublasLtMatmulAlgoGetHeuristic(handle, operation, a_layout, b_layout, c_layout, c_layout, preference, 1, &result,
                                      &n_found));
    ck_assert_int_eq(n_found, 1);
    ck_assert_uint_eq(result.workspaceSize, workspace_bytes);
    void *workspace = test_device(workspace_bytes);
    /* One byte too few is refused. */
    ck_assert_int_eq(cublasLtMatmul(handle, operation, &g->alpha, a->device, a_layout, b->device, b_layout, &g->beta,
                                    c->device, c_layout, c->device, c_layout, &result.algo, workspace,
                                    workspace_bytes - 1, NULL),
                     CUBLAS_STATUS_INVALID_VALUE);
    CK(cublasLtMatmul(handle, operation, &g->alpha, a->device, a_layout, b->device, b_layout, &g->beta, c->device,
                      c_layout, c->device, c_layout, &result.algo, workspace, workspace_bytes, NULL));
    CK(cublasLtMatmulPreferenceDestroy(preference));
    CK(cublasLtMatrixLayoutDestroy(a_layout));
    CK(cublasLtMatrixLayoutDestroy(b_layout));
    CK(cublasLtMatrixLayoutDestroy(c_layout));
    CK(cublasLtMatmulDescDestroy(operation));
    CK(cublasLtDestroy(handle));
}

static void run_blas(const gemm *g) {
    const batch *a = &g->a, *b = &g->b, *c = &g->c;
    cublasHandle_t handle;
    CK(cublasCreate(&handle));
    CK(cublasSetStream(handle, NULL));
    CK(cublasGemmStridedBatchedEx(handle, g->ta ? CUBLAS_OP_T : CUBLAS_OP_N, g->tb ? CUBLAS_OP_T : CUBLAS_OP_N, M,
                                  N_COLUMNS, K, &g->alpha, a->device, g->type, a->leading, a->stride, b->device,
                                  g->type, b->leading, b->stride, &g->beta, c->device, CUDA_R_32F, c->leading,
                                  c->stride, N_BATCHES, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    CK(cublasDestroy(handle));
}

/* _i: bit 0 transposes a, 1 transposes b, 2 bf16, 3 cuBLASLt. */
START_TEST(matmuls) {
    bool ta = _i & 1, tb = _i & 2, bf16 = _i & 4;
    gemm g = {.ta = ta, .tb = tb, .type = bf16 ? CUDA_R_16BF : CUDA_R_32F, .alpha = 2.0f, .beta = 3.0f};
    g.a = ta ? new_batch(K, M, bf16, 1) : new_batch(M, K, bf16, 1);
    g.b = tb ? new_batch(N_COLUMNS, K, bf16, 2) : new_batch(K, N_COLUMNS, bf16, 2);
    g.c = new_batch(M, N_COLUMNS, false, 3);
    batch c = g.c;
    float *result = malloc((size_t)c.count * sizeof *result);
    (_i & 8 ? run_lt : run_blas)(&g);
    test_download(result, c.device, (size_t)c.count * sizeof *result);
    /* Everything else is as it was. */
    for (int i = 0; i < c.count; i++) {
        int i_batch = i / c.stride, column = i % c.stride / c.leading, row = i % c.stride % c.leading;
        bool inside = row < M && column < N_COLUMNS;
        float right = inside ? expected(&g, i_batch, row, column) : c.values[i];
        ck_assert_msg(result[i] == right, "element %d: %g, not %g", i, (double)result[i], (double)right);
    }
    test_free_all();
    free(g.a.values);
    free(g.b.values);
    free(g.c.values);
    free(result);
}
END_TEST

/* beta 0 does not read c, which is poison; TF32 rounds factors; a row-major layout is the transposed one. */
START_TEST(row_major_tf32_without_c) {
    float a[2 * 3] = {1, 2, 3, 4, 5, 6}, b[3 * 2] = {1, 0, 0, 1, 1, 1}, d[2 * 2], alpha = 1.0f, beta = 0.0f;
    a[0] += 0x1p-12f;
    int32_t order = CUBLASLT_ORDER_ROW;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t layouts[3];
    CK(cublasLtCreate(&handle));
    CK(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F));
    CK(cublasLtMatrixLayoutCreate(&layouts[0], CUDA_R_32F, 2, 3, 3));
    CK(cublasLtMatrixLayoutCreate(&layouts[1], CUDA_R_32F, 3, 2, 2));
    CK(cublasLtMatrixLayoutCreate(&layouts[2], CUDA_R_32F, 2, 2, 2));
    for (int i = 0; i < 3; i++)
        CK(cublasLtMatrixLayoutSetAttribute(layouts[i], CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order));
    void *device_a = test_upload(a, sizeof a), *device_b = test_upload(b, sizeof b), *device_d = test_device(sizeof d);
    CK(cublasLtMatmul(handle, operation, &alpha, device_a, layouts[0], device_b, layouts[1], &beta, device_d,
                      layouts[2], device_d, layouts[2], NULL, NULL, 0, NULL));
    test_download(d, device_d, sizeof d);
    const float right[4] = {4, 5, 10, 11};
    for (int i = 0; i < 4; i++) ck_assert(d[i] == right[i]);
    for (int i = 0; i < 3; i++) CK(cublasLtMatrixLayoutDestroy(layouts[i]));
    CK(cublasLtMatmulDescDestroy(operation));
    CK(cublasLtDestroy(handle));
    test_free_all();
}
END_TEST

static cublasStatus_t sgemm(int m, int n, int k, int lda, const float *a, float *c) {
    cublasHandle_t handle;
    float one = 1.0f, zero = 0.0f;
    CK(cublasCreate(&handle));
    cublasStatus_t status = cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, lda, a, k, &zero, c, m);
    CK(cublasDestroy(handle));
    return status;
}

START_TEST(bad_matmuls_are_refused) {
    float *x = test_device(64 * sizeof *x);
    ck_assert_int_eq(sgemm(4, 4, 4, 3, x, x), CUBLAS_STATUS_INVALID_VALUE);
    ck_assert_int_eq(sgemm(-1, 4, 4, 4, x, x), CUBLAS_STATUS_INVALID_VALUE);
    ck_assert_int_eq(sgemm(4, 0, 4, 4, x, x), CUBLAS_STATUS_SUCCESS);
    test_free_all();
}
END_TEST

static void run_host_operand(int unused) {
    (void)unused;
    float host[16] = {0}, *x = test_device(16 * sizeof *x);
    sgemm(4, 4, 4, 4, host, x);
}

static void run_short_operand(int unused) {
    (void)unused;
    float *x = test_device(15 * sizeof *x), *c = test_device(16 * sizeof *c);
    sgemm(4, 4, 4, 4, x, c);
}

START_TEST(operands_outside_are_stopped) {
    test_must_abort(run_host_operand, 0, "gemm: a at 0x");
    test_must_abort(run_short_operand, 0, "with 64 bytes does not lie in an allocation of device memory");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cuda_host cublas");
    TCase *tests = tcase_create("cublas");
    tcase_add_loop_test(tests, matmuls, 0, 16);
    tcase_add_test(tests, row_major_tf32_without_c);
    tcase_add_test(tests, bad_matmuls_are_refused);
    tcase_add_test(tests, operands_outside_are_stopped);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
