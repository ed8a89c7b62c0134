/* The device probe: does this device add, subtract and multiply as IEEE-754 says, is nothing contracted, do subnormals
   survive?  One kernel over random triples, against this processor.  Subnormals are reported and not required: `exact`
   never meets one in training (see backend/exact.h). */
#include "backend/cuda/cuda_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda_device.h"
#include "backend/exact.h"
#include "platform/random.h"

enum { N_TRIPLES = 4096 };

typedef struct findings {
    int add, sub, mul, contracted, reassociated, function; /* cases that differ from this processor's */
    bool keeps_subnormals;
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

/* Normal numbers of both signs between 2^-8 and 2^8; y positive; in one triple of eight z all but cancels x y. */
static void make_triples(float *triples) {
    const uint32_t key[2] = {0x6d756f6eu, 0x73636f70u};
    for (uint32_t i = 0; i < N_TRIPLES; i++) {
        const uint32_t counter[4] = {i, 0, 0, 0};
        uint32_t words[4];
        ms_philox(counter, key, words);
        float *triple = triples + 3 * i;
        for (int k = 0; k < 3; k++)
            triple[k] = float_of((words[k] & 0x807fffffu) | (119u + (words[3] >> (8 * k) & 0xfu)) << 23);
        triple[1] = float_of(bits_of(triple[1]) & 0x7fffffffu);
        if (i % 8 == 0) triple[2] = -(triple[0] * triple[1]) * (1 + 0x1p-22f * (float)(words[3] >> 28));
    }
}

static bool same(float device, float host) { return bits_of(device) == bits_of(host); }

static findings compare(const float *triples, const float *results) {
    findings found = {.keeps_subnormals = true};
    for (int i = 0; i < N_TRIPLES; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2];
        const float *r = results + (size_t)i * MS_CUDA_PROBE_RESULTS;
        found.add += !same(r[0], x + y);
        found.sub += !same(r[1], x - y);
        found.mul += !same(r[2], x * y);
        found.contracted += !same(r[3], x * y + z);
        found.reassociated += !same(r[4], (x + y) - x);
        found.function += !same(r[5], ms_exp(x)) || !same(r[6], ms_log(y)) || !same(r[7], ms_reciprocal(z)) ||
                          !same(r[8], ms_rsqrt(y));
        if (bits_of(r[9]) == 0) found.keeps_subnormals = false;
    }
    return found;
}

static void judge(const findings *found, ms_device_verdict *out) {
    const char *subnormals = found->keeps_subnormals ? "subnormals are kept" : "subnormals are flushed to 0";
    out->exact = found->add + found->sub + found->mul + found->contracted + found->reassociated + found->function == 0;
    if (out->exact) {
        snprintf(out->text, sizeof out->text, "exact: yes (%d cases rounded correctly, nothing contracted; %s)",
                 N_TRIPLES, subnormals);
        return;
    }
    snprintf(out->text, sizeof out->text,
             "exact: no; of %d cases wrong: add %d, sub %d, mul %d, contracted %d, reassociated %d, functions %d; %s",
             N_TRIPLES, found->add, found->sub, found->mul, found->contracted, found->reassociated, found->function,
             subnormals);
}

/* host: the triples, and room for the results. */
static ms_status run(ms_backend_device *device, float *host, float *memory) {
    const size_t n_in = 3 * N_TRIPLES, n_out = (size_t)MS_CUDA_PROBE_RESULTS * N_TRIPLES;
    MS_TRY(ms_cuda_upload(device, memory, host, n_in * sizeof *host));
    MS_TRY(ms_cuda_probe_launch(memory, memory + n_in, N_TRIPLES, device->stream));
    return ms_cuda_download(device, memory + n_in, host + n_in, n_out * sizeof *host);
}

ms_status ms_cuda_probe_run(ms_backend_device *device, ms_device_verdict *out) {
    const size_t n_in = 3 * N_TRIPLES, size_bytes = (3 + MS_CUDA_PROBE_RESULTS) * N_TRIPLES * sizeof(float);
    memset(out, 0, sizeof *out);
    float *host = malloc(size_bytes);
    if (!host) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory");
    make_triples(host);
    void *memory;
    ms_status status = ms_cuda_allocate(device, size_bytes, &memory);
    if (status == MS_OK) status = run(device, host, memory);
    ms_cuda_release(device, memory, size_bytes);
    if (status == MS_OK) {
        findings found = compare(host, host + n_in);
        judge(&found, out);
    }
    free(host);
    return status;
}
