/* The key of a stream of random numbers.  The generator itself is ms_philox of platform/random.h. */
#ifndef MS_BACKEND_CPU_PHILOX_H
#define MS_BACKEND_CPU_PHILOX_H

#include <stdint.h>

#include "platform/random.h"

/* 64-bit key of a (seed, stream) pair: both, mixed. */
static inline uint64_t ms_philox_key(uint64_t seed, uint64_t stream) {
    uint64_t state = ms_split_mix(&seed) ^ stream;
    return ms_split_mix(&state);
}

#endif
