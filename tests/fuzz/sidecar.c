/* What is accepted is the same after it was written and read again. */
#include <string.h>

#include "model/data/dataset_sidecar.h"
#include "tests/fuzz/fuzz.h"

static void check_split(const ms_sidecar_split *a, const ms_sidecar_split *b) {
    MS_FUZZ_CLAIM(a->n_shards == b->n_shards && a->n_tokens == b->n_tokens && a->n_documents == b->n_documents);
    int64_t n_tokens = 0;
    for (size_t i = 0; i < a->n_shards; i++) {
        const char *file = a->shards[i].file;
        MS_FUZZ_CLAIM(strcmp(file, b->shards[i].file) == 0 && strcmp(a->shards[i].sha256, b->shards[i].sha256) == 0);
        MS_FUZZ_CLAIM(!strchr(file, '/') && strcmp(file, "..") != 0 && strcmp(file, ".") != 0);
        n_tokens += a->shards[i].n_tokens;
    }
    MS_FUZZ_CLAIM(n_tokens == a->n_tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_sidecar sidecar, again;
    (void)ms_fuzz_file(MS_SIDECAR_NAME, data, size_bytes);
    ms_status status = ms_sidecar_read(ms_fuzz_folder(), &sidecar);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    MS_FUZZ_CLAIM(ms_sidecar_write(&sidecar, ms_fuzz_folder()) == MS_OK);
    MS_FUZZ_CLAIM(ms_sidecar_read(ms_fuzz_folder(), &again) == MS_OK);
    for (int split = 0; split < MS_N_SPLITS; split++) check_split(&sidecar.splits[split], &again.splits[split]);
    MS_FUZZ_CLAIM(sidecar.n_sources == again.n_sources && sidecar.vocab_size == again.vocab_size);
    ms_sidecar_finish(&again);
    ms_sidecar_finish(&sidecar);
    return 0;
}
