// Which lane and register of a warp holds which element of the matrices that tensor cores multiply: what backend/cuda/ops/mma.cuh
// believes, against tables written from the PTX ISA by themselves (9.7.14.5: "Matrix fragments for mma.m16n8k16 with floating
// point type", "... mma.m16n8k8 ... tf32", "ldmatrix").  Also the rounding to TF32 and copies to shared memory that are left out.
//
// nvcc makes a program for a device of it, tests/cuda_host one for the CPU.  All numbers are small integers, so that sums are exact.
// Usage: fragments [--planted-fault]      exit status 0: no element was wrong; --planted-fault: one table entry is false, and must be found
#include "backend/cuda/ops/mma.cuh"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

enum { LANES = 32, ROW_WORDS = 12 /* of a matrix in shared memory: 48 bytes */, TRIALS = 40 };

static __global__ void multiply_bf16(const unsigned *a, const unsigned *b, const float *c, float *d) {
    unsigned lane = threadIdx.x, left[4], right[2];
    float sums[4];
    for (int i = 0; i < 4; i++) left[i] = a[lane * 4 + i], sums[i] = c[lane * 4 + i];
    for (int i = 0; i < 2; i++) right[i] = b[lane * 2 + i];
    ms_mma_bf16_16x8x16(sums, left, right);
    for (int i = 0; i < 4; i++) d[lane * 4 + i] = sums[i];
}

static __global__ void multiply_tf32(const unsigned *a, const unsigned *b, const float *c, float *d) {
    unsigned lane = threadIdx.x, left[4], right[2];
    float sums[4];
    for (int i = 0; i < 4; i++) left[i] = a[lane * 4 + i], sums[i] = c[lane * 4 + i];
    for (int i = 0; i < 2; i++) right[i] = b[lane * 2 + i];
    ms_mma_tf32_16x8x8(sums, left, right);
    for (int i = 0; i < 4; i++) d[lane * 4 + i] = sums[i];
}

// Four matrices of 8 rows; row r of matrix i begins at word (8 i + r) ROW_WORDS.
static __global__ void load_matrices(const unsigned *matrices, unsigned *out, bool transposed) {
    MS_DYNAMIC_SHARED(unsigned, shared);
    for (unsigned i = threadIdx.x; i < LANES * ROW_WORDS; i += LANES) shared[i] = matrices[i];
    __syncthreads();
    unsigned r[4];
    const void *row = shared + threadIdx.x * ROW_WORDS;
    if (transposed)
        ms_ldmatrix_x4_trans(r, row);
    else
        ms_ldmatrix_x4(r, row);
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = r[i];
}

static __global__ void round_to_tf32(const float *x, unsigned *out) { out[threadIdx.x] = ms_tf32_of(x[threadIdx.x]); }

// Every third lane copies nothing.
static __global__ void copy_to_shared(const unsigned *words, unsigned *out, bool by_words) {
    MS_DYNAMIC_SHARED(unsigned, shared);
    if (by_words)
        for (int i = 0; i < 4; i++) ms_copy_async_word(shared + threadIdx.x * 4 + i, words + threadIdx.x * 4 + i, threadIdx.x % 3 != 0);
    else
        ms_copy_async(shared + threadIdx.x * 4, words + threadIdx.x * 4, threadIdx.x % 3 != 0);
    ms_wait_for_copies();
    __syncthreads();
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = shared[(LANES - 1 - threadIdx.x) * 4 + i];
}

static void must(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return;
    fprintf(stderr, "fragments: %s: %s\n", what, cudaGetErrorString(error));
    exit(2);
}

// An array of the device; freed with the object.
template <class T> class device_array {
  public:
    explicit device_array(const std::vector<T> &values) : n(values.size()) {
        must(cudaMalloc(reinterpret_cast<void **>(&data), n * sizeof(T)), "memory of the device");
        must(cudaMemcpy(data, values.data(), n * sizeof(T), cudaMemcpyHostToDevice), "copy to the device");
    }
    ~device_array() { (void)cudaFree(data); }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;
    std::vector<T> values() const {
        std::vector<T> out(n);
        must(cudaGetLastError(), "launch");
        must(cudaDeviceSynchronize(), "kernel");
        must(cudaMemcpy(out.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device");
        return out;
    }
    T *data = nullptr;

  private:
    size_t n;
};

static int n_checks, n_wrong;

static void check(bool right, const char *what, int lane, int i) {
    n_checks++;
    if (right) return;
    if (n_wrong++ < 20) printf("wrong: %s, lane %d, number %d\n", what, lane, i);
}

static unsigned bits_of(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// An integer in [-bound, bound].
static float integer(int bound) {
    static unsigned state = 12345;
    state = state * 1664525u + 1013904223u;
    return (float)((int)((state >> 8) % (unsigned)(2 * bound + 1)) - bound);
}

struct place {
    int row, column;
};

// PTX ISA, mma.m16n8k16 .bf16: element i of A (8 a lane), of B (4), and of C and D (4; of m16n8k8 too).
static place bf16_a(int lane, int i) {
    int group = lane >> 2, thread = lane % 4;
    return {i < 2 || (i >= 4 && i < 6) ? group : group + 8, i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8};
}
static place bf16_b(int lane, int i) {
    int group = lane >> 2, thread = lane % 4;
    return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
}
static bool planted; // one entry of this table is false
static place sum_of(int lane, int i) {
    int group = lane >> 2, thread = lane % 4;
    if (planted && lane == 5 && i == 3) return {group, thread * 2 + 1};
    return {i < 2 ? group : group + 8, thread * 2 + (i & 1)};
}
// PTX ISA, mma.m16n8k8 .tf32: 4 elements of A and 2 of B a lane.
static place tf32_a(int lane, int i) {
    int group = lane >> 2, thread = lane % 4;
    return {i == 0 || i == 2 ? group : group + 8, i == 0 || i == 1 ? thread : thread + 4};
}
static place tf32_b(int lane, int i) {
    int group = lane >> 2, thread = lane % 4;
    return {i == 0 ? thread : thread + 4, group};
}

// D = A B + C of depth 16 in bf16, two elements a word, or of depth 8 in TF32.
static void check_products(bool bf16) {
    const int depth = bf16 ? 16 : 8, a_elements = bf16 ? 8 : 4, b_elements = bf16 ? 4 : 2;
    for (int trial = 0; trial < TRIALS; trial++) {
        float left[16][16], right[16][8], sums[16][8];
        for (auto &row : left)
            for (float &x : row) x = integer(bf16 ? 100 : 500);
        for (auto &row : right)
            for (float &x : row) x = integer(bf16 ? 100 : 500);
        for (auto &row : sums)
            for (float &x : row) x = integer(1000);
        std::vector<unsigned> a(LANES * 4, 0), b(LANES * 2, 0);
        std::vector<float> c(LANES * 4), d(LANES * 4, 0);
        for (int lane = 0; lane < LANES; lane++) {
            for (int i = 0; i < a_elements; i++) {
                place p = bf16 ? bf16_a(lane, i) : tf32_a(lane, i);
                unsigned bits = bits_of(left[p.row][p.column]);
                a[lane * 4 + (bf16 ? i / 2 : i)] |= bf16 ? bits >> 16 << 16 * (i & 1) : bits;
            }
            for (int i = 0; i < b_elements; i++) {
                place p = bf16 ? bf16_b(lane, i) : tf32_b(lane, i);
                unsigned bits = bits_of(right[p.row][p.column]);
                b[lane * 2 + (bf16 ? i / 2 : i)] |= bf16 ? bits >> 16 << 16 * (i & 1) : bits;
            }
            for (int i = 0; i < 4; i++) {
                place p = sum_of(lane, i);
                c[lane * 4 + i] = sums[p.row][p.column];
            }
        }
        device_array<unsigned> device_a(a), device_b(b);
        device_array<float> device_c(c), device_d(d);
        if (bf16)
            MS_LAUNCH(multiply_bf16, 1, LANES, 0, 0, (const unsigned *)device_a.data, (const unsigned *)device_b.data,
                      (const float *)device_c.data, device_d.data);
        else
            MS_LAUNCH(multiply_tf32, 1, LANES, 0, 0, (const unsigned *)device_a.data, (const unsigned *)device_b.data,
                      (const float *)device_c.data, device_d.data);
        d = device_d.values();
        for (int lane = 0; lane < LANES; lane++)
            for (int i = 0; i < 4; i++) {
                place p = sum_of(lane, i);
                float expected = sums[p.row][p.column];
                for (int k = 0; k < depth; k++) expected += left[p.row][k] * right[k][p.column];
                check(d[lane * 4 + i] == expected, bf16 ? "mma m16n8k16 bf16" : "mma m16n8k8 tf32", lane, i);
            }
    }
}

// PTX ISA, ldmatrix .x4: lane l receives of matrix i the elements 2 (l % 4) and the next of row l / 4; .trans: of column l / 4.
static void check_loads(bool transposed) {
    std::vector<unsigned> words(LANES * ROW_WORDS);
    std::vector<unsigned short> halves(words.size() * 2);
    for (size_t i = 0; i < halves.size(); i++) halves[i] = (unsigned short)(0x4000 + i);
    memcpy(words.data(), halves.data(), words.size() * sizeof words[0]);
    device_array<unsigned> matrices(words), out(std::vector<unsigned>(LANES * 4, 0));
    MS_LAUNCH(load_matrices, 1, LANES, LANES * ROW_WORDS * sizeof(unsigned), 0, (const unsigned *)matrices.data, out.data, transposed);
    std::vector<unsigned> found = out.values();
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++) {
            int matrix = i / 2, row = lane / 4, column = lane % 4 * 2 + i % 2;
            size_t at = transposed ? (size_t)(8 * matrix + column) * 2 * ROW_WORDS + (size_t)row
                                   : (size_t)(8 * matrix + row) * 2 * ROW_WORDS + (size_t)column;
            check((found[lane * 4 + matrix] >> 16 * (i % 2) & 0xffff) == halves[at], transposed ? "ldmatrix.trans" : "ldmatrix", lane, i);
        }
}

// cvt.rna.tf32: to the nearest, halves away from zero; tensor cores read the upper 19 bits alone.
static void check_rounding() {
    std::vector<float> x(LANES);
    for (unsigned i = 0; i < LANES; i++) {
        unsigned bits = 0x3f800000u + i % 4 * 0x800u + i / 4 * 0x2000u + (i % 3 == 2) + (i % 2 << 31);
        memcpy(&x[i], &bits, sizeof bits);
    }
    device_array<float> device_x(x);
    device_array<unsigned> out(std::vector<unsigned>(LANES, 0));
    MS_LAUNCH(round_to_tf32, 1, LANES, 0, 0, (const float *)device_x.data, out.data);
    std::vector<unsigned> found = out.values();
    for (int lane = 0; lane < LANES; lane++)
        check((found[lane] & ~0x1fffu) == ((bits_of(x[lane]) + 0x1000u) & ~0x1fffu), "cvt.rna.tf32", lane, 0);
}

static void check_copies(bool by_words) {
    std::vector<unsigned> words(LANES * 4);
    for (unsigned i = 0; i < words.size(); i++) words[i] = 1000 + i;
    device_array<unsigned> device_words(words), out(std::vector<unsigned>(words.size(), 7));
    MS_LAUNCH(copy_to_shared, 1, LANES, LANES * 16, 0, (const unsigned *)device_words.data, out.data, by_words);
    std::vector<unsigned> found = out.values();
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) {
            int source = LANES - 1 - lane;
            check(found[lane * 4 + i] == (source % 3 ? words[source * 4 + i] : 0u), by_words ? "cp.async of words" : "cp.async", lane, i);
        }
}

int main(int argc, char **argv) {
    planted = argc == 2 && strcmp(argv[1], "--planted-fault") == 0;
    if (argc > 1 && !planted) {
        fprintf(stderr, "usage: fragments [--planted-fault]\n");
        return 2;
    }
    check_products(true);
    check_products(false);
    check_loads(false);
    check_loads(true);
    check_rounding();
    check_copies(false);
    check_copies(true);
    printf("fragments: %d checks, %d wrong\n", n_checks, n_wrong);
    return n_wrong != 0;
}
