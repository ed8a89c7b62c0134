/* Calls of cuBLASLt.  What each promises is in NVIDIA's cublasLt.h; scalars are read from the host.

   An opaque handle is the address of an object of ours.  The one algorithm needs what alignment and workspace the
   preference offers it, and a matmul that offers less is refused, so that a promise that is not kept shows. */
#include <algorithm>
#include <cstring>
#include <cublasLt.h>

#include "tests/cuda_host/gemm.h"
#include "tests/cuda_host/report.h"

using namespace ms_cuda_host;

namespace {

const uint64_t WANTED_WORKSPACE_BYTES = 64 * 1024;

/* What a cublasLtMatmulDesc_t, a cublasLtMatrixLayout_t, a cublasLtMatmulPreference_t stands for.  All attributes are
   of types that NVIDIA's header names. */
struct Operation {
    cublasComputeType_t compute;
    cudaDataType scale_type;
    int32_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
    int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
};
struct Layout {
    uint32_t type;
    int32_t order = CUBLASLT_ORDER_COL;
    uint64_t n_rows, n_columns;
    int64_t leading;
    int32_t n_batches = 1;
    int64_t batch_stride = 0;
};
struct Preference {
    uint64_t workspace_bytes = 0;
    uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
    uint32_t alignment[4] = {256, 256, 256, 256}; /* bytes, of A, B, C, D */
};

/* What a cublasLtMatmulAlgo_t holds. */
struct Algorithm {
    uint64_t magic;
    uint64_t workspace_bytes;
    uint32_t alignment[4];
};
const uint64_t ALGORITHM_MAGIC = 0x6d732d6c742d616cull;
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm fits its opaque place");

template <class Ours, class Handle> Ours &ours(Handle handle) { return *reinterpret_cast<Ours *>(handle); }

/* Copies an attribute of exactly this size. */
template <class T> cublasStatus_t set(T &field, const void *value, size_t size_bytes) {
    if (!value || size_bytes != sizeof field) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&field, value, sizeof field);
    return CUBLAS_STATUS_SUCCESS;
}

Matrices matrices(const void *data, const Layout &layout) {
    Matrices x;
    x.data = const_cast<void *>(data);
    x.type = static_cast<cudaDataType>(layout.type);
    x.n_rows = static_cast<int64_t>(layout.n_rows);
    x.n_columns = static_cast<int64_t>(layout.n_columns);
    x.leading = layout.leading;
    x.row_major = layout.order == CUBLASLT_ORDER_ROW;
    x.batch_stride = layout.batch_stride;
    return x;
}

/* The matmul of these descriptors, without addresses and scalars. */
cublasStatus_t describe(cublasLtMatmulDesc_t operation_handle, const Layout &a, const Layout &b, const Layout &c,
                        const Layout &d, Gemm &gemm) {
    const Operation &operation = ours<Operation>(operation_handle);
    for (const Layout *layout : {&a, &b, &c, &d}) {
        if (layout->order != CUBLASLT_ORDER_COL && layout->order != CUBLASLT_ORDER_ROW)
            return CUBLAS_STATUS_NOT_SUPPORTED;
        if (layout->n_rows == 0 || layout->n_columns == 0 || layout->n_batches != d.n_batches)
            return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (operation.scale_type != CUDA_R_32F || operation.pointer_mode != CUBLASLT_POINTER_MODE_HOST ||
        operation.epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    gemm = {};
    gemm.a = matrices(nullptr, a);
    gemm.b = matrices(nullptr, b);
    gemm.c = matrices(nullptr, c);
    gemm.d = matrices(nullptr, d);
    gemm.transpose_a = operation.transpose_a != CUBLAS_OP_N;
    gemm.transpose_b = operation.transpose_b != CUBLAS_OP_N;
    gemm.compute = operation.compute;
    gemm.n_batches = d.n_batches;
    return check_gemm(gemm);
}

/* What the algorithm was promised. */
cublasStatus_t check_promises(const Algorithm &algorithm, const void *const operands[4], const void *workspace,
                              size_t workspace_bytes) {
    if (algorithm.magic != ALGORITHM_MAGIC) return CUBLAS_STATUS_INVALID_VALUE;
    for (int i = 0; i < 4; i++) {
        if (reinterpret_cast<uintptr_t>(operands[i]) % algorithm.alignment[i] == 0) continue;
        explain("cublasLtMatmul: operand %c at %p, but the algorithm was chosen for an alignment of %u bytes",
                "ABCD"[i], operands[i], algorithm.alignment[i]);
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (algorithm.workspace_bytes == 0 || (workspace && workspace_bytes >= algorithm.workspace_bytes))
        return CUBLAS_STATUS_SUCCESS;
    explain("cublasLtMatmul: a workspace of %zu bytes, but the algorithm needs %zu", workspace_bytes,
            static_cast<size_t>(algorithm.workspace_bytes));
    return CUBLAS_STATUS_INVALID_VALUE;
}

char the_handle; /* its address is every cublasLtHandle_t: a handle has no state */

template <class Handle, class Object> cublasStatus_t give(Handle *out, Object *object) {
    *out = reinterpret_cast<Handle>(object);
    return CUBLAS_STATUS_SUCCESS;
}

template <class Object, class Handle> cublasStatus_t take_back(Handle handle) {
    delete reinterpret_cast<Object *>(handle);
    return CUBLAS_STATUS_SUCCESS;
}

} // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out) {
    if (!out) return CUBLAS_STATUS_INVALID_VALUE;
    return give(out, &the_handle);
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    return handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                        cudaDataType scale_type) {
    if (!out) return CUBLAS_STATUS_INVALID_VALUE;
    Operation *operation = new Operation();
    operation->compute = compute;
    operation->scale_type = scale_type;
    return give(out, operation);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) { return take_back<Operation>(handle); }

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t size_bytes) {
    Operation &operation = ours<Operation>(handle);
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
        return set(operation.pointer_mode, value, size_bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(operation.transpose_a, value, size_bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(operation.transpose_b, value, size_bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(operation.epilogue, value, size_bytes);
    default:
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t n_rows,
                                          uint64_t n_columns, int64_t leading) {
    if (!out) return CUBLAS_STATUS_INVALID_VALUE;
    Layout *layout = new Layout();
    layout->type = type;
    layout->n_rows = n_rows;
    layout->n_columns = n_columns;
    layout->leading = leading;
    return give(out, layout);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) { return take_back<Layout>(handle); }

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t size_bytes) {
    Layout &layout = ours<Layout>(handle);
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
        return set(layout.type, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return set(layout.order, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
        return set(layout.n_rows, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
        return set(layout.n_columns, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
        return set(layout.leading, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
        return set(layout.n_batches, value, size_bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
        return set(layout.batch_stride, value, size_bytes);
    default:
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
    if (!out) return CUBLAS_STATUS_INVALID_VALUE;
    return give(out, new Preference());
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
    return take_back<Preference>(handle);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t size_bytes) {
    Preference &preference = ours<Preference>(handle);
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return set(preference.workspace_bytes, value, size_bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return set(preference.reduction_schemes, value, size_bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        return set(preference.alignment[0], value, size_bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        return set(preference.alignment[1], value, size_bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        return set(preference.alignment[2], value, size_bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return set(preference.alignment[3], value, size_bytes);
    default:
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference_handle, int n_asked,
                                              cublasLtMatmulHeuristicResult_t *results, int *n_found) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!operation || !a || !b || !c || !d || !preference_handle || n_asked < 1 || !results || !n_found)
        return CUBLAS_STATUS_INVALID_VALUE;
    *n_found = 0;
    Gemm gemm;
    cublasStatus_t status =
        describe(operation, ours<Layout>(a), ours<Layout>(b), ours<Layout>(c), ours<Layout>(d), gemm);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const Preference &preference = ours<Preference>(preference_handle);
    Algorithm algorithm = {ALGORITHM_MAGIC, std::min(preference.workspace_bytes, WANTED_WORKSPACE_BYTES), {}};
    for (int i = 0; i < 4; i++) algorithm.alignment[i] = std::max(preference.alignment[i], 1u);
    results[0] = {};
    memcpy(&results[0].algo, &algorithm, sizeof algorithm);
    results[0].workspaceSize = algorithm.workspace_bytes;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    results[0].wavesCount = 1.0f;
    *n_found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

/* There is one algorithm: number 0, with a tile, stages and so on of 0. */
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute, void *value,
                                                    size_t size_bytes, size_t *written_bytes) {
    uint64_t magic;
    if (!algorithm || !value) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&magic, algorithm, sizeof magic);
    bool is_short =
        attribute == CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID || attribute == CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID;
    size_t wanted = is_short ? sizeof(uint16_t) : sizeof(uint32_t);
    if (magic != ALGORITHM_MAGIC || size_bytes < wanted) return CUBLAS_STATUS_INVALID_VALUE;
    memset(value, 0, wanted);
    if (written_bytes) *written_bytes = wanted;
    return CUBLAS_STATUS_SUCCESS;
}

/* That of the headers. */
size_t cublasLtGetVersion(void) { return CUBLAS_VERSION; }

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!operation || !alpha || !beta || !a_layout || !b_layout || !c_layout || !d_layout)
        return CUBLAS_STATUS_INVALID_VALUE;
    Gemm gemm;
    cublasStatus_t status = describe(operation, ours<Layout>(a_layout), ours<Layout>(b_layout), ours<Layout>(c_layout),
                                     ours<Layout>(d_layout), gemm);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (algorithm) {
        Algorithm chosen;
        const void *const operands[4] = {a, b, c, d};
        memcpy(&chosen, algorithm, sizeof chosen);
        status = check_promises(chosen, operands, workspace, workspace_bytes);
        if (status != CUBLAS_STATUS_SUCCESS) return status;
        gemm.workspace = chosen.workspace_bytes ? workspace : nullptr;
        gemm.workspace_bytes = chosen.workspace_bytes;
    }
    gemm.a.data = const_cast<void *>(a);
    gemm.b.data = const_cast<void *>(b);
    gemm.c.data = const_cast<void *>(c);
    gemm.d.data = d;
    gemm.alpha = *static_cast<const float *>(alpha);
    gemm.beta = *static_cast<const float *>(beta);
    return submit_gemm(gemm, stream);
}
}
