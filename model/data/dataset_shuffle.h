/* A permutation of 0..n-1 that needs no memory: position i goes to a place computed from i, seed and epoch alone. */
#ifndef MS_MODEL_DATA_DATASET_SHUFFLE_H
#define MS_MODEL_DATA_DATASET_SHUFFLE_H

#include <stdint.h>

/* Where position i, i < n, n >= 1, goes; a bijection on 0..n-1 for each (seed, epoch).  Thread-safe.
   A balanced Feistel network of 8 rounds over the next even number of bits (Luby & Rackoff 1988), iterated until the
   result is below n (cycle walking, Black & Rogaway 2002): fewer than 4 times on average. */
uint64_t ms_dataset_shuffle(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch);

#endif
