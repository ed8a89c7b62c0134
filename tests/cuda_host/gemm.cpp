#include "tests/cuda_host/gemm.h"

#include <cblas.h>
#include <cstring>
#include <cuda_bf16.h>
#include <vector>

#include "tests/cuda_host/poison.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/runtime.h"

namespace ms_cuda_host {
namespace {

size_t size_of(cudaDataType type) { return type == CUDA_R_32F ? sizeof(float) : sizeof(__nv_bfloat16); }

int64_t n_rows_of_op(const Matrices &x, bool transposed) { return transposed ? x.n_columns : x.n_rows; }
int64_t n_columns_of_op(const Matrices &x, bool transposed) { return transposed ? x.n_rows : x.n_columns; }

bool is_known_compute(cublasComputeType_t compute) {
    return compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
           compute == CUBLAS_COMPUTE_32F_FAST_TF32 || compute == CUBLAS_COMPUTE_32F_FAST_16BF;
}

bool is_valid_layout(const Matrices &x) {
    return x.n_rows >= 0 && x.n_columns >= 0 && x.leading >= 1 && x.leading >= (x.row_major ? x.n_columns : x.n_rows);
}

/* Bytes from the first element to behind the last one of the batch. */
size_t extent_bytes(const Matrices &x, int64_t n_batches) {
    int64_t inner = x.row_major ? x.n_columns : x.n_rows, outer = x.row_major ? x.n_rows : x.n_columns;
    return static_cast<size_t>((n_batches - 1) * x.batch_stride + (outer - 1) * x.leading + inner) * size_of(x.type);
}

/* An operand outside device memory would be a fault of the device, so it stops the program here. */
void check_place(Runtime &runtime, const char *name, const Matrices &x, int64_t n_batches) {
    if (x.n_rows == 0 || x.n_columns == 0) return;
    size_t size_bytes = extent_bytes(x, n_batches);
    if (!runtime.device.holds(x.data, size_bytes))
        fatal("gemm: %s at %p with %zu bytes does not lie in an allocation of device memory", name, x.data,
              size_bytes);
    if (reinterpret_cast<uintptr_t>(x.data) % size_of(x.type))
        fatal("gemm: %s at %p is not aligned to an element", name, x.data);
}

size_t index_of(const Matrices &x, int64_t row, int64_t column) {
    return static_cast<size_t>(x.row_major ? row * x.leading + column : column * x.leading + row);
}

float load(const Matrices &x, int64_t i_batch, int64_t row, int64_t column) {
    size_t i = static_cast<size_t>(i_batch * x.batch_stride) + index_of(x, row, column);
    if (x.type == CUDA_R_32F) return static_cast<const float *>(x.data)[i];
    return __bfloat162float(static_cast<const __nv_bfloat16 *>(x.data)[i]);
}

void store(const Matrices &x, int64_t i_batch, int64_t row, int64_t column, float value) {
    size_t i = static_cast<size_t>(i_batch * x.batch_stride) + index_of(x, row, column);
    if (x.type == CUDA_R_32F)
        static_cast<float *>(x.data)[i] = value;
    else
        static_cast<__nv_bfloat16 *>(x.data)[i] = __float2bfloat16(value);
}

float round_factor(float x, cublasComputeType_t compute) {
    if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) return __bfloat162float(__float2bfloat16(x));
    if (compute != CUBLAS_COMPUTE_32F_FAST_TF32) return x;
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= ~0x1fffu; /* tensor cores ignore 13 bits; who rounds before does better */
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* op(x) of one matrix as f32, column-major without gaps. */
std::vector<float> packed(const Matrices &x, bool transposed, int64_t i_batch, cublasComputeType_t compute) {
    int64_t n_rows = n_rows_of_op(x, transposed), n_columns = n_columns_of_op(x, transposed);
    std::vector<float> values(static_cast<size_t>(n_rows * n_columns));
    for (int64_t column = 0; column < n_columns; column++)
        for (int64_t row = 0; row < n_rows; row++) {
            float value = transposed ? load(x, i_batch, column, row) : load(x, i_batch, row, column);
            values[static_cast<size_t>(column * n_rows + row)] = round_factor(value, compute);
        }
    return values;
}

void run_gemm(const Gemm &gemm) {
    int m = static_cast<int>(gemm.d.n_rows), n = static_cast<int>(gemm.d.n_columns);
    int k = static_cast<int>(n_columns_of_op(gemm.a, gemm.transpose_a));
    char *workspace = static_cast<char *>(gemm.workspace);
    if (workspace) poison(workspace, workspace + gemm.workspace_bytes);
    for (int64_t i = 0; i < gemm.n_batches; i++) {
        std::vector<float> product(static_cast<size_t>(m) * static_cast<size_t>(n));
        if (k > 0) {
            std::vector<float> a = packed(gemm.a, gemm.transpose_a, i, gemm.compute);
            std::vector<float> b = packed(gemm.b, gemm.transpose_b, i, gemm.compute);
            cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, m, n, k, gemm.alpha, a.data(), m, b.data(), k, 0.0f,
                        product.data(), m);
        }
        for (int64_t column = 0; column < n; column++)
            for (int64_t row = 0; row < m; row++) {
                float value = product[static_cast<size_t>(column * m + row)];
                if (gemm.beta != 0.0f) value += gemm.beta * load(gemm.c, i, row, column);
                store(gemm.d, i, row, column, value);
            }
    }
}

} // namespace

cublasStatus_t check_gemm(const Gemm &gemm) {
    int64_t m = n_rows_of_op(gemm.a, gemm.transpose_a), k = n_columns_of_op(gemm.a, gemm.transpose_a);
    int64_t n = n_columns_of_op(gemm.b, gemm.transpose_b);
    bool fits = n_rows_of_op(gemm.b, gemm.transpose_b) == k && gemm.d.n_rows == m && gemm.d.n_columns == n &&
                gemm.c.n_rows == m && gemm.c.n_columns == n && gemm.n_batches >= 1;
    if (!fits || m > INT32_MAX || n > INT32_MAX || k > INT32_MAX) return CUBLAS_STATUS_INVALID_VALUE;
    for (const Matrices *x : {&gemm.a, &gemm.b, &gemm.c, &gemm.d})
        if (!is_valid_layout(*x)) return CUBLAS_STATUS_INVALID_VALUE;
    bool in_f32 = gemm.a.type == CUDA_R_32F && gemm.d.type == CUDA_R_32F;
    bool in_bf16 = gemm.a.type == CUDA_R_16BF && (gemm.d.type == CUDA_R_32F || gemm.d.type == CUDA_R_16BF);
    bool types = (in_f32 || in_bf16) && gemm.b.type == gemm.a.type && gemm.c.type == gemm.d.type;
    return types && is_known_compute(gemm.compute) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t submit_gemm(const Gemm &gemm, cudaStream_t stream) {
    cublasStatus_t status = check_gemm(gemm);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (gemm.d.n_rows == 0 || gemm.d.n_columns == 0) return CUBLAS_STATUS_SUCCESS;
    cudaError_t error = api_call([&](Runtime &runtime) {
        check_place(runtime, "a", gemm.a, gemm.n_batches);
        check_place(runtime, "b", gemm.b, gemm.n_batches);
        if (gemm.beta != 0.0f) check_place(runtime, "c", gemm.c, gemm.n_batches);
        check_place(runtime, "the result", gemm.d, gemm.n_batches);
        if (gemm.workspace && !runtime.device.holds(gemm.workspace, gemm.workspace_bytes))
            fatal("gemm: the workspace %p of %zu bytes is not device memory", gemm.workspace, gemm.workspace_bytes);
        static const char cublas = 0;
        cudaError_t used = runtime.use(stream, "cuBLAS", &cublas);
        return used == cudaSuccess ? runtime.submit(stream, "gemm", [gemm] { run_gemm(gemm); }) : used;
    });
    return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

} // namespace ms_cuda_host
