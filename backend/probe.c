#include "backend/probe.h"

#include <stdio.h>
#include <string.h>

#include "backend/exact.h"
#include "platform/random.h"

typedef struct findings {
    int add, sub, mul, contracted, reassociated, special,
        function;          /* triples whose bits differ from this processor's */
    bool keeps_subnormals; /* as results and as operands */
} findings;

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void make_special(float *triples) {
    static const uint32_t bits[8] = {0x00000000u, 0x80000000u, 0x3f800000u, 0xbf800000u,
                                     0x7f800000u, 0xff800000u, 0x7fc00000u, 0x3f7fffffu};
    for (int i = 0; i < MS_PROBE_SPECIAL; i++) {
        triples[3 * i] = float_of(bits[i / 8]);
        triples[3 * i + 1] = float_of(bits[i % 8]);
        triples[3 * i + 2] = 1;
    }
}

void ms_probe_triples(float *out) {
    const uint32_t key[2] = {0x6d756f6eu, 0x73636f70u};
    for (uint32_t i = 0; i < MS_PROBE_RANDOM; i++) {
        const uint32_t counter[4] = {i, 0, 0, 0};
        uint32_t words[4];
        ms_philox(counter, key, words);
        float *triple = out + 3 * i;
        for (int k = 0; k < 3; k++)
            triple[k] = float_of((words[k] & 0x807fffffu) | (119u + (words[3] >> (8 * k) & 0xfu)) << 23);
        triple[1] = float_of(bits_of(triple[1]) & 0x7fffffffu);
        if (i % 8 == 0) triple[2] = -(triple[0] * triple[1]) * (1 + 0x1p-22f * (float)(words[3] >> 28));
    }
    make_special(out + 3 * MS_PROBE_RANDOM);
}

static bool same(float device, float host) { return bits_of(device) == bits_of(host); }

/* The same number, zero or infinity with its sign, or any NaN. */
static bool alike(float device, float host) {
    return same(device, host) || ((bits_of(device) & 0x7fffffffu) > 0x7f800000u && host != host);
}

static int count_wrong_special(const float *triples, const float *results) {
    int n_wrong = 0;
    for (int i = MS_PROBE_RANDOM; i < MS_PROBE_TRIPLES; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1];
        const float *r = results + (size_t)i * MS_PROBE_RESULTS;
        n_wrong += !alike(r[0], x + y) || !alike(r[1], x - y) || !alike(r[2], x * y);
    }
    return n_wrong;
}

static findings compare(const float *triples, const float *results) {
    findings found = {.special = count_wrong_special(triples, results), .keeps_subnormals = true};
    for (int i = 0; i < MS_PROBE_RANDOM; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2];
        const float *r = results + (size_t)i * MS_PROBE_RESULTS;
        found.add += !same(r[0], x + y);
        found.sub += !same(r[1], x - y);
        found.mul += !same(r[2], x * y);
        found.contracted += !same(r[3], x * y + z);
        found.reassociated += !same(r[4], (x + y) - x);
        found.function += !same(r[5], ms_exp(x)) || !same(r[6], ms_log(y)) || !same(r[7], ms_reciprocal(z)) ||
                          !same(r[8], ms_rsqrt(y));
        /* halving an odd smallest number rounds, to even, when subnormals are kept */
        if (bits_of(r[9]) == 0) found.keeps_subnormals = false;
    }
    return found;
}

bool ms_probe_judge(const float *triples, const float *results, char *out_text, size_t size) {
    findings found = compare(triples, results);
    const char *subnormals = found.keeps_subnormals ? "subnormals are kept" : "subnormals are flushed to 0";
    int n_wrong = found.add + found.sub + found.mul + found.contracted + found.reassociated + found.special;
    bool exact = n_wrong + found.function == 0;
    if (exact)
        snprintf(out_text, size, "exact: yes (%d cases rounded correctly, nothing contracted; %s)", MS_PROBE_TRIPLES,
                 subnormals);
    else
        snprintf(out_text, size,
                 "exact: no; of %d cases wrong: add %d, sub %d, mul %d, contracted %d, reassociated %d, "
                 "zeros, infinities and NaN %d, functions %d; %s",
                 MS_PROBE_TRIPLES, found.add, found.sub, found.mul, found.contracted, found.reassociated, found.special,
                 found.function, subnormals);
    return exact;
}
