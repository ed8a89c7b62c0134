/* What is accepted can be read to its last byte, and is the same after it was written and read again. */
#include <string.h>

#include "model/checkpoint/safetensors.h"
#include "tests/fuzz/fuzz.h"

static unsigned sum_bytes(const ms_safetensor *tensor) {
    unsigned sum = 0;
    for (size_t i = 0; i < tensor->size_bytes; i++) sum += ((const uint8_t *)tensor->data)[i];
    return sum;
}

static void check_again(const ms_safetensors *file) {
    size_t n = ms_safetensors_count(file);
    const char *path = ms_fuzz_path("again.safetensors");
    MS_FUZZ_CLAIM(ms_safetensors_write(path, ms_safetensors_all(file), n, NULL, 0) == MS_OK);
    ms_safetensors *again;
    MS_FUZZ_CLAIM(ms_safetensors_open(path, &again) == MS_OK);
    MS_FUZZ_CLAIM(ms_safetensors_count(again) == n);
    for (size_t i = 0; i < n; i++) {
        const ms_safetensor *tensor = ms_safetensors_at(file, i), *other;
        MS_FUZZ_CLAIM(ms_safetensors_find(again, tensor->name, &other) == MS_OK);
        MS_FUZZ_CLAIM(tensor->rank == other->rank && strcmp(tensor->dtype, other->dtype) == 0);
        MS_FUZZ_CLAIM(memcmp(tensor->shape, other->shape, sizeof tensor->shape) == 0);
        MS_FUZZ_CLAIM(tensor->size_bytes == other->size_bytes && sum_bytes(tensor) == sum_bytes(other));
    }
    ms_safetensors_close(again);
}

/* Without copies the bytes are the same. */
static void check_unaligned(const ms_safetensors *file) {
    ms_safetensors *other;
    MS_FUZZ_CLAIM(ms_safetensors_open_unaligned(ms_fuzz_path("model.safetensors"), &other) == MS_OK);
    MS_FUZZ_CLAIM(ms_safetensors_count(other) == ms_safetensors_count(file));
    for (size_t i = 0; i < ms_safetensors_count(file); i++)
        MS_FUZZ_CLAIM(sum_bytes(ms_safetensors_at(file, i)) == sum_bytes(ms_safetensors_at(other, i)));
    ms_safetensors_close(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_safetensors *file;
    ms_status status = ms_safetensors_open(ms_fuzz_file("model.safetensors", data, size_bytes), &file);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    for (size_t i = 0; i < ms_safetensors_count(file); i++)
        MS_FUZZ_CLAIM(ms_safetensor_check(ms_safetensors_at(file, i)) == MS_OK);
    (void)ms_safetensors_get_metadata(file, "format");
    check_unaligned(file);
    check_again(file);
    ms_safetensors_close(file);
    return 0;
}
