#include "model/checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/sha256.h"

static int compare_by_name(const void *left, const void *right) {
    const ms_safetensor *a = *(const ms_safetensor *const *)left, *b = *(const ms_safetensor *const *)right;
    return strcmp(a->name, b->name);
}

static ms_status hash_tensor(ms_sha256 *hash, const ms_safetensor *tensor) {
    char shape[MS_SAFETENSOR_RANK_MAX * 21 + 1] = "";
    size_t length = 0;
    for (int i = 0; i < tensor->rank; i++)
        length += (size_t)snprintf(shape + length, sizeof shape - length, "%s%" PRId64, i ? "," : "", tensor->shape[i]);
    MS_TRY(ms_sha256_update(hash, tensor->name, strlen(tensor->name) + 1));
    MS_TRY(ms_sha256_update(hash, tensor->dtype, strlen(tensor->dtype) + 1));
    MS_TRY(ms_sha256_update(hash, shape, length + 1));
    return tensor->size_bytes > 0 ? ms_sha256_update(hash, tensor->data, tensor->size_bytes) : MS_OK;
}

ms_status ms_tensors_sha256(const ms_safetensor *tensors, size_t n_tensors, char out_hexadecimal[65]) {
    out_hexadecimal[0] = '\0';
    for (size_t i = 0; i < n_tensors; i++) MS_TRY(ms_safetensor_check(&tensors[i]));
    const ms_safetensor **sorted = malloc((n_tensors + 1) * sizeof *sorted);
    if (!sorted) return MS_FAIL(MS_OUT_OF_MEMORY, "sha256: no memory for %zu tensors", n_tensors);
    for (size_t i = 0; i < n_tensors; i++) sorted[i] = &tensors[i];
    qsort(sorted, n_tensors, sizeof *sorted, compare_by_name);
    ms_sha256 *hash = NULL;
    ms_status status = ms_sha256_create(&hash);
    for (size_t i = 0; status == MS_OK && i < n_tensors; i++) {
        if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            status = MS_FAIL(MS_INVALID, "tensor %s is given twice", sorted[i]->name);
        else
            status = hash_tensor(hash, sorted[i]);
    }
    free(sorted);
    if (status == MS_OK) return ms_sha256_finish(hash, out_hexadecimal);
    ms_sha256_destroy(hash);
    return status;
}
