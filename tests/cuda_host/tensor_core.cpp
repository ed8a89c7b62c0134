#include "tests/cuda_host/tensor_core.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/cuda_host/poison.h"
#include "tests/cuda_host/report.h"

namespace ms_cuda_host {
namespace {

/* What a lane brings to an mma. */
struct Fragments {
    float *d;
    const unsigned *a, *b;
};

/* What a lane brings to an ldmatrix. */
struct RowLoad {
    unsigned *registers;
    const void *row;
};

template <class T> const T &operand(const Thread *lanes, unsigned lane) {
    return *reinterpret_cast<const T *>(lanes[lane].value);
}

float float_of_bits(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float bf16_half(unsigned pair, unsigned half) { return float_of_bits(half ? pair & 0xffff0000u : pair << 16); }

float tf32_value(unsigned bits) { return float_of_bits(bits & ~0x1fffu); }

void check_whole_warp(const Thread *lanes, unsigned group, const char *what) {
    if (group == 0xffffffffu) return;
    const Thread &lane = lanes[__builtin_ctz(group)];
    fatal("%s: only lanes %08x of the warp take part (%s:%d)", what, group, lane.site.file, lane.site.line);
}

/* Element (row, k) of A, (k, column) of B: which lane and register has it, by the figures of the PTX ISA. */
float bf16_a(const Thread *lanes, unsigned row, unsigned k) {
    unsigned lane = row % 8 * 4 + k % 8 / 2, i_register = row / 8 + k / 8 * 2;
    return bf16_half(operand<Fragments>(lanes, lane).a[i_register], k % 2);
}
float bf16_b(const Thread *lanes, unsigned k, unsigned column) {
    return bf16_half(operand<Fragments>(lanes, column * 4 + k % 8 / 2).b[k / 8], k % 2);
}
float tf32_a(const Thread *lanes, unsigned row, unsigned k) {
    return tf32_value(operand<Fragments>(lanes, row % 8 * 4 + k % 4).a[row / 8 + k / 4 * 2]);
}
float tf32_b(const Thread *lanes, unsigned k, unsigned column) {
    return tf32_value(operand<Fragments>(lanes, column * 4 + k % 4).b[k / 4]);
}

template <unsigned N_K, float (*A)(const Thread *, unsigned, unsigned), float (*B)(const Thread *, unsigned, unsigned)>
void combine_mma(Thread *lanes, unsigned group) {
    check_whole_warp(lanes, group, "mma");
    for (unsigned lane = 0; lane < WARP_SIZE; lane++)
        for (unsigned i = 0; i < 4; i++) {
            unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            float &sum = operand<Fragments>(lanes, lane).d[i];
            for (unsigned k = 0; k < N_K; k++) sum += A(lanes, row, k) * B(lanes, k, column);
        }
}

/* The 16-bit element (row, column) of the i-th matrix. */
unsigned element(const Thread *lanes, unsigned i, unsigned row, unsigned column) {
    const void *begin = operand<RowLoad>(lanes, i * 8 + row).row;
    uint16_t value;
    memcpy(&value, static_cast<const char *>(begin) + column * sizeof value, sizeof value);
    return value;
}

template <unsigned N_MATRICES, bool TRANSPOSED> void combine_ldmatrix(Thread *lanes, unsigned group) {
    check_whole_warp(lanes, group, "ldmatrix");
    for (unsigned i = 0; i < N_MATRICES; i++)
        for (unsigned lane = 0; lane < WARP_SIZE; lane++) {
            unsigned row = lane / 4, column = lane % 4 * 2;
            unsigned low = TRANSPOSED ? element(lanes, i, column, row) : element(lanes, i, row, column);
            unsigned high = TRANSPOSED ? element(lanes, i, column + 1, row) : element(lanes, i, row, column + 1);
            operand<RowLoad>(lanes, lane).registers[i] = high << 16 | low;
        }
}

template <unsigned N_MATRICES, bool TRANSPOSED> void ldmatrix(unsigned *registers, const void *row, Site site) {
    /* Of the lanes beyond the last row, addresses are not read. */
    if (place.thread->lane < N_MATRICES * 8) {
        shared_offset(row);
        if (reinterpret_cast<uintptr_t>(row) % 16)
            fatal("ldmatrix: %p is not aligned to 16 bytes (%s:%d)", row, site.file, site.line);
    }
    RowLoad load = {registers, row};
    warp_exchange(site, 0xffffffffu, combine_ldmatrix<N_MATRICES, TRANSPOSED>, reinterpret_cast<uint64_t>(&load), 0);
}

} // namespace
} // namespace ms_cuda_host

using namespace ms_cuda_host;

void ms_mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2], Site site) {
    Fragments fragments = {d, a, b};
    warp_exchange(site, 0xffffffffu, combine_mma<16, bf16_a, bf16_b>, reinterpret_cast<uint64_t>(&fragments), 0);
}

void ms_mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2], Site site) {
    Fragments fragments = {d, a, b};
    warp_exchange(site, 0xffffffffu, combine_mma<8, tf32_a, tf32_b>, reinterpret_cast<uint64_t>(&fragments), 0);
}

unsigned ms_tf32_of(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return (finite ? bits + 0x1000u : bits) & ~0x1fffu;
}

void ms_ldmatrix_x4(unsigned r[4], const void *row, Site site) { ldmatrix<4, false>(r, row, site); }
void ms_ldmatrix_x4_trans(unsigned r[4], const void *row, Site site) { ldmatrix<4, true>(r, row, site); }
void ms_ldmatrix_x2(unsigned r[2], const void *row, Site site) { ldmatrix<2, false>(r, row, site); }
void ms_ldmatrix_x2_trans(unsigned r[2], const void *row, Site site) { ldmatrix<2, true>(r, row, site); }

namespace {

void copy_async(void *shared, const void *global, bool exists, unsigned n_bytes, Site site) {
    shared_offset(shared);
    if (reinterpret_cast<uintptr_t>(shared) % n_bytes || reinterpret_cast<uintptr_t>(global) % n_bytes)
        fatal("cp.async: %p to %p, not aligned to %u bytes (%s:%d)", global, shared, n_bytes, site.file, site.line);
    Thread &thread = *place.thread;
    if (thread.n_copies == MAX_ASYNC_COPIES)
        fatal("cp.async: more than %u copies without a wait (%s:%d)", MAX_ASYNC_COPIES, site.file, site.line);
    AsyncCopy &copy = thread.copies[thread.n_copies++];
    copy = {shared, n_bytes, {0, 0, 0, 0}};
    if (exists) memcpy(copy.words, global, n_bytes);
    poison(static_cast<char *>(shared), static_cast<char *>(shared) + n_bytes);
}

} // namespace

void ms_copy_async(void *shared, const void *global, bool exists, Site site) {
    copy_async(shared, global, exists, 16, site);
}
void ms_copy_async_word(void *shared, const void *global, bool exists, Site site) {
    copy_async(shared, global, exists, 4, site);
}

void ms_wait_for_copies() {
    Thread &thread = *place.thread;
    for (unsigned i = 0; i < thread.n_copies; i++)
        memcpy(thread.copies[i].to, thread.copies[i].words, thread.copies[i].n_bytes);
    thread.n_copies = 0;
}

float ms_fast_exp2(float x) {
    float y = std::exp2(x);
    return y < 0x1p-126f ? 0.0f : y;
}
