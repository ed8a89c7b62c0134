/* The key of a stream of random numbers.  The generator itself is ms_philox of platform/random.h. */
#ifndef MS_BACKEND_CPU_PHILOX_H
#define MS_BACKEND_CPU_PHILOX_H

#include <stdint.h>

/* 64-bit key of a (seed, stream) pair: the finaliser of SplitMix64 (Steele, Lea & Flood 2014) over both. */
static inline uint64_t ms_philox_key(uint64_t seed, uint64_t stream) {
    uint64_t key = seed;
    for (int i = 0; i < 2; i++) {
        key += 0x9E3779B97F4A7C15u;
        key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9u;
        key = (key ^ (key >> 27)) * 0x94D049BB133111EBu;
        key ^= key >> 31;
        if (i == 0) key ^= stream;
    }
    return key;
}

#endif
