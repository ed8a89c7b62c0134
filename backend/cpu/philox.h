/* Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based
   generator in 32-bit integer arithmetic.  Pure functions. */
#ifndef MS_BACKEND_CPU_PHILOX_H
#define MS_BACKEND_CPU_PHILOX_H

#include <stdint.h>

/* word [4]: the counter on entry, four random words on return. */
static inline void ms_philox(uint32_t word[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53u * word[0], product1 = (uint64_t)0xCD9E8D57u * word[2];
        uint32_t first = (uint32_t)(product1 >> 32) ^ word[1] ^ key0;
        uint32_t third = (uint32_t)(product0 >> 32) ^ word[3] ^ key1;
        word[0] = first, word[1] = (uint32_t)product1, word[2] = third, word[3] = (uint32_t)product0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

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
