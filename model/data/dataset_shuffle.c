#include "model/data/dataset_shuffle.h"

#include "model/data/bpe_table.h"

enum { ROUNDS = 8 };

uint64_t ms_dataset_shuffle(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch) {
    unsigned half_bits = 1;
    while (half_bits < 32 && (uint64_t)1 << 2 * half_bits < n) half_bits++;
    uint64_t mask = ((uint64_t)1 << half_bits) - 1;
    uint64_t key = ms_bpe_mix(ms_bpe_mix(seed) + epoch);
    do {
        uint64_t left = i >> half_bits, right = i & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t mixed = left ^ (ms_bpe_mix(key + (round << 56) + right) & mask);
            left = right;
            right = mixed;
        }
        i = left << half_bits | right;
    } while (i >= n);
    return i;
}
