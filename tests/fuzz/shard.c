/* Every token of a shard that is accepted can be read, but for ids of 2^31 or more, which are refused. */
#include "model/data/shard.h"

#include <stdbool.h>

#include "tests/fuzz/fuzz.h"

enum { AT_ONCE = 64 };

/* The tokens as they stand in the file, without the module. */
static uint32_t id_at(const uint8_t *data, const ms_shard *shard, int64_t i) {
    const uint8_t *at = data + MS_SHARD_HEADER_BYTES + i * shard->token_bytes;
    uint32_t id = 0;
    for (int b = 0; b < shard->token_bytes; b++) id |= (uint32_t)at[b] << (8 * b);
    return id;
}

static void check_tokens(const uint8_t *data, const ms_shard *shard, int64_t begin, int64_t n) {
    int32_t tokens[AT_ONCE];
    bool refused = false;
    for (int64_t i = 0; i < n; i++) refused |= id_at(data, shard, begin + i) > INT32_MAX;
    ms_status status = ms_shard_read(shard, begin, n, tokens);
    MS_FUZZ_CLAIM((status == MS_CORRUPT) == refused);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return;
    }
    for (int64_t i = 0; i < n; i++) MS_FUZZ_CLAIM((uint32_t)tokens[i] == id_at(data, shard, begin + i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_shard shard;
    ms_status status = ms_shard_open(ms_fuzz_file("shard.bin", data, size_bytes), &shard);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    for (int64_t begin = 0; begin < shard.n_tokens; begin += AT_ONCE)
        check_tokens(data, &shard, begin, shard.n_tokens - begin < AT_ONCE ? shard.n_tokens - begin : AT_ONCE);
    ms_shard_close(&shard);
    return 0;
}
