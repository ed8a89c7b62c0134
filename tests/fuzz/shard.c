/* Every token of a shard that is accepted can be read. */
#include "model/data/shard.h"
#include "tests/fuzz/fuzz.h"

enum { AT_ONCE = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_shard shard;
    ms_status status = ms_shard_open(ms_fuzz_file("shard.bin", data, size_bytes), &shard);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    for (int64_t begin = 0; begin < shard.n_tokens; begin += AT_ONCE) {
        int32_t tokens[AT_ONCE];
        int64_t n = shard.n_tokens - begin < AT_ONCE ? shard.n_tokens - begin : AT_ONCE;
        MS_FUZZ_CLAIM(ms_shard_read(&shard, begin, n, tokens) == MS_OK);
        for (int64_t i = 0; i < n; i++) MS_FUZZ_CLAIM(tokens[i] >= 0);
    }
    ms_shard_close(&shard);
    return 0;
}
