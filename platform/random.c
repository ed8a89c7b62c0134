#include "platform/random.h"

#include <math.h>
#include <string.h>

void ms_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    /* Multipliers and Weyl increments of the paper. */
    const uint64_t multiplier_0 = 0xD2511F53u, multiplier_1 = 0xCD9E8D57u;
    const uint32_t weyl_0 = 0x9E3779B9u, weyl_1 = 0xBB67AE85u;
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product_0 = multiplier_0 * x0, product_1 = multiplier_1 * x2;
        x0 = (uint32_t)(product_1 >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(product_0 >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)product_1;
        x3 = (uint32_t)product_0;
        k0 += weyl_0;
        k1 += weyl_1;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

uint64_t ms_name_hash(const char *name) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) hash = (hash ^ *c) * 0x100000001B3u;
    return hash;
}

void ms_random_init(uint64_t seed, const char *name, uint64_t step, ms_random *out) {
    memset(out, 0, sizeof *out);
    /* The key is a block of its own, so that neither near seeds nor near names give related streams. */
    uint64_t hash = ms_name_hash(name);
    const uint32_t seed_words[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t name_words[4] = {(uint32_t)hash, (uint32_t)(hash >> 32), 0, 0};
    uint32_t mixed[4];
    ms_philox4x32_10(name_words, seed_words, mixed);
    out->key[0] = mixed[0];
    out->key[1] = mixed[1];
    out->counter[2] = (uint32_t)step;
    out->counter[3] = (uint32_t)(step >> 32);
    out->n_used = 4;
}

uint32_t ms_random_u32(ms_random *random) {
    if (random->n_used == 4) {
        ms_philox4x32_10(random->counter, random->key, random->block);
        if (++random->counter[0] == 0) random->counter[1]++;
        random->n_used = 0;
    }
    return random->block[random->n_used++];
}

uint64_t ms_random_u64(ms_random *random) {
    uint64_t low = ms_random_u32(random);
    return low | (uint64_t)ms_random_u32(random) << 32;
}

uint64_t ms_random_below(ms_random *random, uint64_t bound) {
    /* 2^64 mod bound values at the bottom are refused: what is left is a whole number of ranges. */
    uint64_t refused = (0 - bound) % bound;
    for (;;) {
        uint64_t value = ms_random_u64(random);
        if (value >= refused) return value % bound;
    }
}

double ms_random_uniform(ms_random *random) { return (double)(ms_random_u64(random) >> 11) * 0x1p-53; }

double ms_random_gauss(ms_random *random) {
    if (random->has_spare) {
        random->has_spare = 0;
        return random->spare;
    }
    double radius = sqrt(-2 * log(1 - ms_random_uniform(random))); /* 1 - u lies in (0, 1] */
    double angle = 6.283185307179586476925 * ms_random_uniform(random);
    random->spare = radius * sin(angle);
    random->has_spare = 1;
    return radius * cos(angle);
}
