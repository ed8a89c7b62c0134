/* CUDA's barriers, warp functions and atomics for kernels on the CPU.  Names and meaning: CUDA C++ Programming
   Guide. */
#ifndef MS_TESTS_CUDA_HOST_COOPERATION_H
#define MS_TESTS_CUDA_HOST_COOPERATION_H

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/cuda_host/block.h"

namespace ms_cuda_host {

void combine_nothing(Thread *lanes, unsigned group);
void combine_ballot(Thread *lanes, unsigned group);
/* result = value of lane `source`; aborts where that lane does not take part. */
void combine_shuffle(Thread *lanes, unsigned group);

template <class T> T shuffle(Site site, unsigned mask, T value, unsigned source) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t), "at most 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = warp_exchange(site, mask, combine_shuffle, bits, source);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first lane of the caller's subsection of `width` lanes, a power of 2. */
inline unsigned subsection_begin(int width) { return place.thread->lane & ~static_cast<unsigned>(width - 1); }

/* `source` where it lies in the caller's subsection, else the caller. */
inline unsigned in_subsection(int64_t source, int width) {
    unsigned begin = subsection_begin(width);
    bool inside = source >= begin && source < static_cast<int64_t>(begin) + width;
    return inside ? static_cast<unsigned>(source) : place.thread->lane;
}

} // namespace ms_cuda_host

inline void __syncthreads(ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    ms_cuda_host::block_barrier(site, 0);
}

inline int __syncthreads_count(int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return ms_cuda_host::block_barrier(site, predicate);
}

inline int __syncthreads_or(int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return ms_cuda_host::block_barrier(site, predicate) != 0;
}

inline int __syncthreads_and(int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return ms_cuda_host::block_barrier(site, predicate == 0) == 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    ms_cuda_host::warp_exchange(site, mask, ms_cuda_host::combine_nothing, 0, 0);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return static_cast<unsigned>(
        ms_cuda_host::warp_exchange(site, mask, ms_cuda_host::combine_ballot, predicate != 0, 0));
}

inline int __any_sync(unsigned mask, int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return __ballot_sync(mask, predicate, site) != 0;
}

inline int __all_sync(unsigned mask, int predicate, ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    return __ballot_sync(mask, predicate == 0, site) == 0;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    unsigned lane =
        ms_cuda_host::subsection_begin(width) + (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1));
    return ms_cuda_host::shuffle(site, mask, value, lane);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    unsigned lane = ms_cuda_host::place.thread->lane, source = (lane ^ static_cast<unsigned>(lane_mask)) & 31u;
    /* A lane may read from an earlier subsection, not from a later one. */
    bool valid = source < ms_cuda_host::subsection_begin(width) + static_cast<unsigned>(width);
    return ms_cuda_host::shuffle(site, mask, value, valid ? source : lane);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    int64_t source = static_cast<int64_t>(ms_cuda_host::place.thread->lane) + delta;
    return ms_cuda_host::shuffle(site, mask, value, ms_cuda_host::in_subsection(source, width));
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 ms_cuda_host::Site site = ms_cuda_host::Site::here()) {
    int64_t source = static_cast<int64_t>(ms_cuda_host::place.thread->lane) - delta;
    return ms_cuda_host::shuffle(site, mask, value, ms_cuda_host::in_subsection(source, width));
}

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Atomics of int, unsigned, unsigned long long (and float for add and exchange): the value before, relaxed order as on
   a device. */

namespace ms_cuda_host {

/* *address = change(*address), atomically; the value before. */
template <class T, class Change> T atomic_change(T *address, Change change) {
    T before;
    __atomic_load(address, &before, __ATOMIC_RELAXED);
    for (;;) {
        T after = change(before);
        if (__atomic_compare_exchange(address, &before, &after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return before;
    }
}

} // namespace ms_cuda_host

template <class T> T atomicAdd(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return static_cast<T>(before + value); });
}
template <class T> T atomicSub(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return static_cast<T>(before - value); });
}
template <class T> T atomicMin(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return value < before ? value : before; });
}
template <class T> T atomicMax(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return before < value ? value : before; });
}
template <class T> T atomicAnd(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return before & value; });
}
template <class T> T atomicOr(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return before | value; });
}
template <class T> T atomicXor(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T before) { return before ^ value; });
}
template <class T> T atomicExch(T *address, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address, [value](T) { return value; });
}
template <class T> T atomicCAS(T *address, std::common_type_t<T> compare, std::common_type_t<T> value) {
    return ms_cuda_host::atomic_change(address,
                                       [compare, value](T before) { return before == compare ? value : before; });
}

/* An offset in the block's shared memory; aborts for any other address. */
inline size_t __cvta_generic_to_shared(const void *address) { return ms_cuda_host::shared_offset(address); }

#endif
