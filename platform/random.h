/* Counter-based random numbers for the host: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1,
   2, 3").  A draw depends on (seed, stream, counter) alone, so any position can be computed at any time.
   Thread-safe. */
#ifndef MS_PLATFORM_RANDOM_H
#define MS_PLATFORM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* One block of Philox4x32-10: four random words for a counter and a key. */
void ms_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* 64-bit FNV-1a hash of a name, to use as a stream (Fowler, Noll, Vo). */
uint64_t ms_name_hash(const char *name);

/* Word `index` of a stream: key = seed, counter = (index / 4, stream). */
uint32_t ms_random_word(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits, draw `index` of a stream. */
double ms_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* out[i] = deviation * standard normal, i in [0, count): Box-Muller in double from draws 2 * (i / 2) and 2 * (i / 2) +
   1 of the stream, rounded to f32. */
void ms_random_normal_fill(uint64_t seed, uint64_t stream, double deviation, size_t count, float *out);

#endif
