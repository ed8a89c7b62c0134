/* Counter-based random numbers for the host: Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as
   easy as 1, 2, 3", SC 2011).  A stream is named by (seed, name, step); its i-th block depends on nothing else, so
   draws are the same whatever was drawn before elsewhere.  Tensors on devices are drawn by the op `random_normal`, not
   here. */
#ifndef MS_PLATFORM_RANDOM_H
#define MS_PLATFORM_RANDOM_H

#include <stdint.h>

/* One block: four words from a counter and a key.  Thread-safe. */
void ms_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* 64-bit FNV-1a of a name's bytes (Fowler, Noll & Vo): turns names into stream numbers.  Thread-safe. */
uint64_t ms_name_hash(const char *name);

/* A stream being drawn from.  Plain data: a copy continues at the same place.  Not thread-safe on one object. */
typedef struct ms_random {
    uint32_t key[2];
    uint32_t counter[4]; /* block number, low word first, then the step */
    uint32_t block[4];   /* words of the last block */
    int32_t n_used;      /* of its words; 4: the next draw makes a block */
    int32_t has_spare;   /* a normal draw makes two numbers: the second waits here */
    double spare;
} ms_random;

/* The stream of (seed, name, step), at its start. */
void ms_random_init(uint64_t seed, const char *name, uint64_t step, ms_random *out);

uint32_t ms_random_u32(ms_random *random);
uint64_t ms_random_u64(ms_random *random);
/* Uniform on 0 .. bound - 1 without bias (rejection).  bound > 0. */
uint64_t ms_random_below(ms_random *random, uint64_t bound);
/* Uniform on [0, 1), a multiple of 2^-53. */
double ms_random_uniform(ms_random *random);
/* Standard normal by Box & Muller (1958).  Uses the C library's log, sqrt, sin, cos: bits may differ between C
 * libraries. */
double ms_random_gauss(ms_random *random);

#endif
