/* Random numbers for the host.  Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is
   counter-based: a draw depends on (seed, stream, counter) alone, so any position can be computed at any time.
   SplitMix64 is sequential: for test data, orders and keys.  Thread-safe. */
#ifndef MS_PLATFORM_RANDOM_H
#define MS_PLATFORM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* One block of Philox4x32-10: four random words for a counter and a key. */
void ms_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* 64-bit hash of a name (platform/hash.h), to use as a stream. */
uint64_t ms_name_hash(const char *name);

/* Word `index` of a stream: key = seed, counter = (index / 4, stream). */
uint32_t ms_random_word(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits, draw `index` of a stream. */
double ms_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* out[i] = deviation * standard normal, i in [0, count): Box-Muller in double from draws 2 * (i / 2) and 2 * (i / 2) +
   1 of the stream, rounded to f32. */
void ms_random_normal_fill(uint64_t seed, uint64_t stream, double deviation, size_t count, float *out);

/* The next word of a sequence: SplitMix64 (Steele, Lea & Flood 2014).  Any state will do.  The words of different
   states differ, so that the word of a key's own state is a well-mixed hash of the key. */
static inline uint64_t ms_split_mix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1), 53 bits of the next word. */
static inline double ms_split_mix_uniform(uint64_t *state) {
    return (double)(ms_split_mix(state) >> 11) * (1.0 / 9007199254740992.0); /* 2^-53 */
}

#endif
