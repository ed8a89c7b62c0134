#include "platform/random.h"

#include <math.h>
#include <string.h>

#include "platform/hash.h"

/* Multipliers and Weyl increments of the paper's Philox4x32. */
enum { N_ROUNDS = 10 };
static const uint32_t multiplier_0 = 0xD2511F53u, multiplier_1 = 0xCD9E8D57u;
static const uint32_t weyl_0 = 0x9E3779B9u, weyl_1 = 0xBB67AE85u;

void ms_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int i = 0; i < N_ROUNDS; i++) {
        uint64_t product_0 = (uint64_t)multiplier_0 * c0, product_1 = (uint64_t)multiplier_1 * c2;
        uint32_t next_0 = (uint32_t)(product_1 >> 32) ^ c1 ^ k0, next_2 = (uint32_t)(product_0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)product_1;
        c3 = (uint32_t)product_0;
        c0 = next_0;
        c2 = next_2;
        k0 += weyl_0;
        k1 += weyl_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t ms_name_hash(const char *name) { return ms_hash_append(MS_HASH_EMPTY, name, strlen(name)); }

static void block(uint64_t seed, uint64_t stream, uint64_t i_block, uint32_t out[4]) {
    const uint32_t counter[4] = {(uint32_t)i_block, (uint32_t)(i_block >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    ms_philox(counter, key, out);
}

uint32_t ms_random_word(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t words[4];
    block(seed, stream, index / 4, words);
    return words[index % 4];
}

/* 53 bits of two words. */
static double unit(uint32_t high, uint32_t low) { return (double)(((uint64_t)high << 21) | (low >> 11)) * 0x1p-53; }

double ms_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t words[4];
    block(seed, stream, index / 2, words);
    return index % 2 == 0 ? unit(words[0], words[1]) : unit(words[2], words[3]);
}

void ms_random_normal_fill(uint64_t seed, uint64_t stream, double deviation, size_t count, float *out) {
    const double two_pi = 6.28318530717958647693;
    for (size_t i = 0; i < count; i += 2) {
        uint32_t words[4];
        block(seed, stream, i / 2, words);
        /* 1 - u lies in (0, 1]: the logarithm is finite. */
        double radius = deviation * sqrt(-2 * log(1 - unit(words[0], words[1])));
        double angle = two_pi * unit(words[2], words[3]);
        out[i] = (float)(radius * cos(angle));
        if (i + 1 < count) out[i + 1] = (float)(radius * sin(angle));
    }
}
