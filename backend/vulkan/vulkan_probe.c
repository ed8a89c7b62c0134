/* The device probe: does this device add, subtract and multiply as IEEE-754 says, does `precise` hold, do subnormals
   survive?  One shader over random triples, against this processor.  Subnormals are reported and not required: `exact`
   never meets one in training (see backend/exact.h). */
#include "backend/vulkan/vulkan_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/exact.h"
#include "platform/random.h"

enum { N_RANDOM = 4096, N_SPECIAL = 64, N_TRIPLES = N_RANDOM + N_SPECIAL, N_RESULTS = 10, WIDTH = 64 };

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

/* Pairs of what a driver may treat as if it did not exist, unless it is told not to: x and y are one of these each. */
static const uint32_t special_bits[8] = {0x00000000u, 0x80000000u, 0x3f800000u, 0xbf800000u,
                                         0x7f800000u, 0xff800000u, 0x7fc00000u, 0x3f7fffffu};

static void make_special(float *triples) {
    for (int i = 0; i < N_SPECIAL; i++) {
        triples[3 * i] = float_of(special_bits[i / 8]);
        triples[3 * i + 1] = float_of(special_bits[i % 8]);
        triples[3 * i + 2] = 1;
    }
}

/* Normal numbers of both signs between 2^-8 and 2^8; y positive; in one triple of eight z all but cancels x y. */
static void make_triples(float *triples) {
    const uint32_t key[2] = {0x6d756f6eu, 0x73636f70u};
    for (uint32_t i = 0; i < N_RANDOM; i++) {
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

/* The same number, zero or infinity with its sign, or any NaN. */
static bool alike(float device, float host) {
    return same(device, host) || ((bits_of(device) & 0x7fffffffu) > 0x7f800000u && host != host);
}

static void compare_special(const float *triples, const float *results, ms_vulkan_probe *out) {
    for (int i = 0; i < N_SPECIAL; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1];
        const float *r = results + (size_t)i * N_RESULTS;
        out->wrong_special += !alike(r[0], x + y) || !alike(r[1], x - y) || !alike(r[2], x * y);
    }
}

static void compare(const float *triples, const float *results, ms_vulkan_probe *out) {
    *out = (ms_vulkan_probe){.n_cases = N_TRIPLES, .keeps_subnormals = true};
    compare_special(triples + 3 * N_RANDOM, results + N_RESULTS * N_RANDOM, out);
    for (int i = 0; i < N_RANDOM; i++) {
        float x = triples[3 * i], y = triples[3 * i + 1], z = triples[3 * i + 2];
        const float *r = results + (size_t)i * N_RESULTS;
        out->wrong_add += !same(r[0], x + y);
        out->wrong_sub += !same(r[1], x - y);
        out->wrong_mul += !same(r[2], x * y);
        out->contracted += !same(r[3], x * y + z);
        out->reassociated += !same(r[4], (x + y) - x);
        out->wrong_function += !same(r[5], ms_exp(x)) || !same(r[6], ms_log(y)) || !same(r[7], ms_reciprocal(z)) ||
                               !same(r[8], ms_rsqrt(y));
        /* halving an odd smallest number rounds, to even, when subnormals are kept */
        if (bits_of(r[9]) == 0) out->keeps_subnormals = false;
    }
}

static ms_status record(ms_backend_device *device, VkCommandBuffer commands, VkDeviceAddress triples,
                        VkDeviceAddress results) {
    int shader;
    ms_vulkan_limits limits = device->limits;
    limits.numerics = MS_NUMERICS_EXACT; /* what is asked about, whatever the device was opened for */
    MS_TRY(ms_vulkan_shader_find(&limits, "probe", &shader));
    const uint32_t constants[3] = {WIDTH, 1, 1};
    VkPipeline pipeline;
    MS_TRY(ms_vulkan_pipeline_get(device, shader, constants, 3, &pipeline));
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(device->call.vkBeginCommandBuffer(commands, &begin), "beginning the probe");
    char push[MS_VULKAN_PUSH_BYTES] = {0};
    const VkDeviceAddress addresses[2] = {triples, results};
    const uint32_t count = N_TRIPLES;
    memcpy(push, addresses, sizeof addresses);
    memcpy(push + sizeof addresses, &count, sizeof count);
    device->call.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    device->call.vkCmdPushConstants(commands, device->pipelines.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push,
                                    push);
    device->call.vkCmdDispatch(commands, N_TRIPLES / WIDTH, 1, 1);
    ms_vulkan_full_barrier(device, commands);
    return ms_vulkan_status(device->call.vkEndCommandBuffer(commands), "ending the probe");
}

static ms_status run(ms_backend_device *device, const float *triples, ms_vulkan_range *inputs, ms_vulkan_range *outputs,
                     ms_vulkan_probe *out) {
    MS_TRY(ms_vulkan_allocate(device, MS_VULKAN_HOST_WRITES, 3 * N_TRIPLES * sizeof(float), inputs));
    MS_TRY(ms_vulkan_allocate(device, MS_VULKAN_HOST_READS, N_RESULTS * N_TRIPLES * sizeof(float), outputs));
    memcpy(inputs->mapped, triples, 3 * N_TRIPLES * sizeof(float));
    memset(outputs->mapped, 0xff, N_RESULTS * N_TRIPLES * sizeof(float));
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = device->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    VkCommandBuffer commands;
    MS_VULKAN_TRY(device->call.vkAllocateCommandBuffers(device->handle, &info, &commands),
                  "allocating a command buffer");
    uint64_t value = 0;
    ms_status status = record(device, commands, inputs->address, outputs->address);
    if (status == MS_OK) status = ms_vulkan_submit(device, commands, &value);
    if (status == MS_OK) status = ms_vulkan_wait(device, value);
    device->call.vkFreeCommandBuffers(device->handle, device->pool, 1, &commands);
    if (status == MS_OK) compare(triples, outputs->mapped, out);
    return status;
}

ms_status ms_vulkan_probe_run(ms_backend_device *device, ms_vulkan_probe *out) {
    float *triples = malloc(3 * N_TRIPLES * sizeof *triples);
    if (!triples) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    make_triples(triples);
    make_special(triples + 3 * N_RANDOM);
    ms_vulkan_range inputs = {0}, outputs = {0};
    ms_status status = run(device, triples, &inputs, &outputs, out);
    ms_vulkan_release(device, &inputs);
    ms_vulkan_release(device, &outputs);
    free(triples);
    return status;
}

bool ms_vulkan_probe_allows_exact(const ms_vulkan_probe *probe) {
    return probe->wrong_add + probe->wrong_sub + probe->wrong_mul + probe->contracted + probe->reassociated +
               probe->wrong_special + probe->wrong_function ==
           0;
}

void ms_vulkan_probe_text(const ms_vulkan_probe *probe, char *out, size_t size) {
    const char *subnormals = probe->keeps_subnormals ? "subnormals are kept" : "subnormals are flushed to 0";
    if (ms_vulkan_probe_allows_exact(probe)) {
        snprintf(out, size, "exact: yes (%d cases rounded correctly, `precise` holds; %s)", probe->n_cases, subnormals);
        return;
    }
    snprintf(out, size,
             "exact: no; of %d cases wrong: add %d, sub %d, mul %d, contracted %d, reassociated %d, "
             "zeros, infinities and NaN %d, functions %d; %s",
             probe->n_cases, probe->wrong_add, probe->wrong_sub, probe->wrong_mul, probe->contracted,
             probe->reassociated, probe->wrong_special, probe->wrong_function, subnormals);
}
