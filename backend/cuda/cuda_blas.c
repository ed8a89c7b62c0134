/* cuBLASLt counts columns first: a row-major [R, C] is its column-major C x R.  So y^T = right left^T is what it is
   asked for, with right as its A and left as its B. */
#include "backend/cuda/cuda_blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cublas_lt.h"

enum { WORKSPACE_BYTES = 32 << 20, MAX_ALIGNMENT = 256 };

/* What an algorithm is chosen by; compared as bytes, so every one is zeroed first. */
typedef struct algorithm_key {
    int64_t n_rows, n_columns, depth, batch, left_step, right_step;
    uint32_t left_transposed, right_transposed, has_beta;
    uint32_t dtype, result_dtype;
    uint32_t left_alignment, right_alignment, c_alignment, y_alignment; /* bytes, powers of two */
} algorithm_key;

typedef struct algorithm {
    struct algorithm *next;
    algorithm_key key;
    cublasLtMatmulAlgo_t chosen;
} algorithm;

struct ms_cuda_blas {
    const ms_cublas_lt *lt; /* borrowed */
    cublasLtHandle_t handle;
    void *workspace; /* WORKSPACE_BYTES on the device; matmuls run one after the other on one stream */
    bool has_tf32;
    algorithm *algorithms; /* in the order of choosing */
};

/* cuBLASLt's objects for one matmul. */
typedef struct descriptors {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t right, left, y; /* y: of c too */
    cublasLtMatmulPreference_t preference;
} descriptors;

static ms_status blas_status(cublasStatus_t error, const char *what) {
    if (error == CUBLAS_STATUS_SUCCESS) return MS_OK;
    ms_status status = MS_INTERNAL;
    if (error == CUBLAS_STATUS_ALLOC_FAILED) status = MS_OUT_OF_MEMORY;
    if (error == CUBLAS_STATUS_NOT_SUPPORTED || error == CUBLAS_STATUS_ARCH_MISMATCH) status = MS_UNSUPPORTED;
    if (error == CUBLAS_STATUS_EXECUTION_FAILED) status = MS_DEVICE_LOST;
    return MS_FAIL(status, "cuda: cuBLASLt: %s: status %d", what, (int)error);
}
#define BLAS_TRY(call, what) MS_TRY(blas_status((call), (what)))

ms_status ms_cuda_blas_create(const ms_cuda_limits *limits, ms_cuda_memory *memory, ms_cuda_blas **out) {
    *out = NULL;
    ms_cuda_blas *blas = calloc(1, sizeof *blas);
    if (!blas) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for cuBLASLt");
    blas->has_tf32 = limits->compute_major >= 8;
    ms_status status = ms_cublas_lt_load(&blas->lt);
    if (status == MS_OK) status = blas_status(blas->lt->Create(&blas->handle), "creating a handle");
    if (status == MS_OK) status = ms_cuda_allocate(memory, WORKSPACE_BYTES, &blas->workspace);
    if (status != MS_OK) {
        ms_cuda_blas_destroy(memory, blas);
        return status;
    }
    *out = blas;
    return MS_OK;
}

void ms_cuda_blas_destroy(ms_cuda_memory *memory, ms_cuda_blas *blas) {
    if (!blas) return;
    while (blas->algorithms) {
        algorithm *first = blas->algorithms;
        blas->algorithms = first->next;
        free(first);
    }
    ms_cuda_release(memory, blas->workspace, WORKSPACE_BYTES);
    /* An error at the end has no one left to hear it. */
    if (blas->handle) (void)blas->lt->Destroy(blas->handle);
    free(blas);
}

static cudaDataType_t data_type(ms_dtype dtype) { return dtype == MS_DTYPE_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

/* The largest power of two up to MAX_ALIGNMENT that divides an address and the bytes between its matrices. */
static uint32_t alignment_of(const void *data, int64_t step, ms_dtype dtype) {
    uintptr_t bits = (uintptr_t)data | (uintptr_t)step * ms_dtype_size(dtype) | MAX_ALIGNMENT;
    return (uint32_t)(bits & (~bits + 1));
}

static algorithm_key key_of(const ms_cuda_blas_gemm *gemm) {
    algorithm_key key;
    memset(&key, 0, sizeof key);
    key.n_rows = gemm->left.n_rows;
    key.n_columns = gemm->right.n_rows;
    key.depth = gemm->depth;
    key.batch = gemm->batch;
    key.left_step = gemm->left.step;
    key.right_step = gemm->right.step;
    key.left_transposed = gemm->left.transposed;
    key.right_transposed = gemm->right.transposed;
    key.has_beta = gemm->c != NULL;
    key.dtype = (uint32_t)gemm->dtype;
    key.result_dtype = (uint32_t)gemm->result_dtype;
    key.left_alignment = alignment_of(gemm->left.data, gemm->left.step, gemm->dtype);
    key.right_alignment = alignment_of(gemm->right.data, gemm->right.step, gemm->dtype);
    int64_t step = gemm->batch > 1 ? key.n_rows * key.n_columns : 0;
    key.y_alignment = alignment_of(gemm->y, step, gemm->result_dtype);
    key.c_alignment = gemm->c ? alignment_of(gemm->c, step, gemm->result_dtype) : key.y_alignment;
    return key;
}

/* Row-major matrices [rows, columns], `step` elements from one to the next. */
typedef struct matrices {
    ms_dtype dtype;
    int64_t batch, rows, columns, step;
} matrices;

static ms_status make_layout(const ms_cublas_lt *lt, const matrices *x, cublasLtMatrixLayout_t *out) {
    int32_t count = (int32_t)x->batch;
    BLAS_TRY(lt->MatrixLayoutCreate(out, data_type(x->dtype), (uint64_t)x->columns, (uint64_t)x->rows, x->columns),
             "describing a matrix");
    if (x->batch == 1) return MS_OK;
    BLAS_TRY(lt->MatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
             "setting a batch");
    return blas_status(
        lt->MatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &x->step, sizeof x->step),
        "setting the step of a batch");
}

static ms_status make_factor_layout(const ms_cublas_lt *lt, const ms_cuda_blas_gemm *gemm,
                                    const ms_cuda_blas_factor *factor, cublasLtMatrixLayout_t *out) {
    matrices x = {gemm->dtype, gemm->batch, factor->n_rows, gemm->depth, factor->step};
    if (factor->transposed) {
        x.rows = gemm->depth;
        x.columns = factor->n_rows;
    }
    return make_layout(lt, &x, out);
}

static ms_status make_operation(const ms_cuda_blas *blas, const ms_cuda_blas_gemm *gemm, cublasLtMatmulDesc_t *out) {
    const ms_cublas_lt *lt = blas->lt;
    bool in_tf32 = gemm->dtype == MS_DTYPE_F32 && blas->has_tf32;
    cublasComputeType_t compute = in_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasOperation_t right = gemm->right.transposed ? CUBLAS_OP_N : CUBLAS_OP_T;
    cublasOperation_t left = gemm->left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    BLAS_TRY(lt->MatmulDescCreate(out, compute, CUDA_R_32F), "describing a matmul");
    BLAS_TRY(lt->MatmulDescSetAttribute(*out, CUBLASLT_MATMUL_DESC_TRANSA, &right, sizeof right),
             "setting a transpose");
    return blas_status(lt->MatmulDescSetAttribute(*out, CUBLASLT_MATMUL_DESC_TRANSB, &left, sizeof left),
                       "setting a transpose");
}

static ms_status prefer_u32(const ms_cublas_lt *lt, cublasLtMatmulPreference_t preference,
                            cublasLtMatmulPreferenceAttributes_t attribute, uint32_t value) {
    return blas_status(lt->MatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
                       "setting a preference");
}

/* What is reduced in a step of its own has one order; what is reduced in the output has that of arrival. */
static ms_status make_preference(const ms_cublas_lt *lt, const algorithm_key *key, cublasLtMatmulPreference_t *out) {
    uint64_t workspace = WORKSPACE_BYTES;
    BLAS_TRY(lt->MatmulPreferenceCreate(out), "creating a preference");
    BLAS_TRY(
        lt->MatmulPreferenceSetAttribute(*out, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace),
        "setting a preference");
    MS_TRY(prefer_u32(lt, *out, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    MS_TRY(prefer_u32(lt, *out, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key->right_alignment));
    MS_TRY(prefer_u32(lt, *out, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key->left_alignment));
    MS_TRY(prefer_u32(lt, *out, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key->c_alignment));
    return prefer_u32(lt, *out, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key->y_alignment);
}

static ms_status make_descriptors(const ms_cuda_blas *blas, const ms_cuda_blas_gemm *gemm, descriptors *out) {
    const ms_cublas_lt *lt = blas->lt;
    int64_t n_rows = gemm->left.n_rows, n_columns = gemm->right.n_rows;
    MS_TRY(make_operation(blas, gemm, &out->operation));
    MS_TRY(make_factor_layout(lt, gemm, &gemm->right, &out->right));
    MS_TRY(make_factor_layout(lt, gemm, &gemm->left, &out->left));
    matrices y = {gemm->result_dtype, gemm->batch, n_rows, n_columns, n_rows * n_columns};
    return make_layout(lt, &y, &out->y);
}

static void destroy_descriptors(const ms_cublas_lt *lt, descriptors *all) {
    if (all->preference) (void)lt->MatmulPreferenceDestroy(all->preference);
    if (all->y) (void)lt->MatrixLayoutDestroy(all->y);
    if (all->left) (void)lt->MatrixLayoutDestroy(all->left);
    if (all->right) (void)lt->MatrixLayoutDestroy(all->right);
    if (all->operation) (void)lt->MatmulDescDestroy(all->operation);
}

static ms_status choose(ms_cuda_blas *blas, const algorithm_key *key, descriptors *all, algorithm **out) {
    cublasLtMatmulHeuristicResult_t result;
    int n_found = 0;
    memset(&result, 0, sizeof result);
    MS_TRY(make_preference(blas->lt, key, &all->preference));
    cublasStatus_t error = blas->lt->MatmulAlgoGetHeuristic(blas->handle, all->operation, all->right, all->left, all->y,
                                                            all->y, all->preference, 1, &result, &n_found);
    if (error == CUBLAS_STATUS_SUCCESS && (n_found == 0 || result.state != CUBLAS_STATUS_SUCCESS))
        error = CUBLAS_STATUS_NOT_SUPPORTED;
    BLAS_TRY(error, "choosing an algorithm");
    algorithm *entry = calloc(1, sizeof *entry);
    if (!entry) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for an algorithm");
    entry->key = *key;
    entry->chosen = result.algo;
    algorithm **last = &blas->algorithms;
    while (*last) last = &(*last)->next;
    *last = entry;
    *out = entry;
    return MS_OK;
}

static ms_status run(ms_cuda_blas *blas, const ms_cuda_blas_gemm *gemm, descriptors *all, cudaStream_t stream) {
    algorithm_key key = key_of(gemm);
    algorithm *entry = blas->algorithms;
    while (entry && memcmp(&entry->key, &key, sizeof key) != 0) entry = entry->next;
    MS_TRY(make_descriptors(blas, gemm, all));
    if (!entry) MS_TRY(choose(blas, &key, all, &entry));
    float beta = gemm->c ? gemm->beta : 0.0f;
    return blas_status(blas->lt->Matmul(blas->handle, all->operation, &gemm->alpha, gemm->right.data, all->right,
                                        gemm->left.data, all->left, &beta, gemm->c ? gemm->c : gemm->y, all->y, gemm->y,
                                        all->y, &entry->chosen, blas->workspace, WORKSPACE_BYTES, stream),
                       "queueing a matmul");
}

ms_status ms_cuda_blas_run(ms_cuda_blas *blas, const ms_cuda_blas_gemm *gemm, cudaStream_t stream) {
    descriptors all = {NULL, NULL, NULL, NULL, NULL};
    ms_status status = run(blas, gemm, &all, stream);
    destroy_descriptors(blas->lt, &all);
    if (status == MS_OK) return MS_OK;
    return ms_status_note(status, "matmul of %s [%lld x %lld,%lld] and [%lld x %lld,%lld] in %s",
                          ms_dtype_name(gemm->dtype), (long long)gemm->batch, (long long)gemm->left.n_rows,
                          (long long)gemm->depth, (long long)gemm->batch, (long long)gemm->depth,
                          (long long)gemm->right.n_rows, ms_dtype_name(gemm->result_dtype));
}

/* A member of an algorithm's description; some are 16 bits wide, -1: cuBLASLt does not tell. */
static long member(const ms_cublas_lt *lt, const algorithm *entry, cublasLtMatmulAlgoConfigAttributes_t attribute,
                   bool is_short) {
    uint32_t wide = 0;
    uint16_t narrow = 0;
    size_t written;
    cublasStatus_t error =
        is_short ? lt->MatmulAlgoConfigGetAttribute(&entry->chosen, attribute, &narrow, sizeof narrow, &written)
                 : lt->MatmulAlgoConfigGetAttribute(&entry->chosen, attribute, &wide, sizeof wide, &written);
    return error != CUBLAS_STATUS_SUCCESS ? -1 : is_short ? (long)narrow : (long)wide;
}

static void describe(const ms_cublas_lt *lt, const algorithm *entry, char *out, size_t size) {
    const algorithm_key *key = &entry->key;
    size_t version = lt->GetVersion();
    int used =
        snprintf(out, size, "cuBLASLt %zu: %s%s [%lld x %lld,%lld] and %s[%lld,%lld]%s to %s, aligned %u %u %u %u",
                 version, ms_dtype_name((ms_dtype)key->dtype), key->left_transposed ? " transposed" : "",
                 (long long)key->batch, (long long)key->n_rows, (long long)key->depth,
                 key->right_transposed ? "transposed " : "", (long long)key->n_columns, (long long)key->depth,
                 key->has_beta ? " added" : "", ms_dtype_name((ms_dtype)key->result_dtype), key->left_alignment,
                 key->right_alignment, key->c_alignment, key->y_alignment);
    snprintf(out + used, size - (size_t)used,
             ": algorithm %ld, tile %ld, stages %ld, split %ld, reduction %ld, swizzle %ld, option %ld, inner %ld, "
             "cluster %ld",
             member(lt, entry, CUBLASLT_ALGO_CONFIG_ID, false), member(lt, entry, CUBLASLT_ALGO_CONFIG_TILE_ID, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_STAGES_ID, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, false),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, true),
             member(lt, entry, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, true));
}

int ms_cuda_blas_choices(const ms_cuda_blas *blas, int first, void (*tell)(void *context, const char *line),
                         void *context) {
    int n = 0;
    for (const algorithm *entry = blas ? blas->algorithms : NULL; entry; entry = entry->next, n++) {
        char line[400];
        if (n < first) continue;
        describe(blas->lt, entry, line, sizeof line);
        tell(context, line);
    }
    return n;
}
