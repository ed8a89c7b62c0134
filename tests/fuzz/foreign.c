/* A folder of weights: the input is its index and its config.json, which share what shards there are.  Every part of
   every tensor that is found lies within its tensor.
   Input: the index, a line "==", config.json. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/foreign/foreign.h"
#include "model/foreign/parts.h"
#include "tests/fuzz/fuzz.h"

/* The one shard, written once: names of every layout, 16-bit numbers, each 24 x 8 or 8 x 24 of them. */
static void write_shard(void) {
    static bool is_written;
    if (is_written) return;
    is_written = true;
    static const char *const names[] = {"h.0.attn.c_attn.weight",
                                        "layers.1.attention.query_key_value.weight",
                                        "layers.1.self_attn.qkv_proj.weight",
                                        "layers.1.mlp.gate_up_proj.weight",
                                        "layers.1.self_attn.kv_a_proj_with_mqa.weight",
                                        "layers.1.self_attn.kv_b_proj.weight",
                                        "blocks.2.attention.qkvo.weight",
                                        "layers.1.mlp.experts.3.up_proj.weight"};
    enum { N = sizeof names / sizeof *names };
    static const char zeros[2 * 24 * 8];
    ms_safetensor tensors[N + 1];
    for (int i = 0; i < N; i++)
        tensors[i] = (ms_safetensor){names[i], "F16", 2, {i % 2 ? 24 : 8, i % 2 ? 8 : 24}, zeros, sizeof zeros};
    tensors[N] = (ms_safetensor){"layers.1.experts", "F16", 3, {2, 12, 8}, zeros, sizeof zeros};
    MS_FUZZ_CLAIM(ms_safetensors_write(ms_fuzz_path("a.safetensors"), tensors, N + 1, NULL, 0) == MS_OK);
}

static void check_part(const ms_part *part, const ms_safetensor *tensor) {
    char text[160];
    size_t n = (size_t)part->rows * (size_t)part->cols;
    MS_FUZZ_CLAIM(part->rows >= 1 && part->cols >= 1 && n * 2 <= tensor->size_bytes);
    char *copy = malloc(2 * n);
    MS_FUZZ_CLAIM(copy);
    ms_part_copy(part, tensor->data, 2, copy);
    free(copy);
    MS_FUZZ_CLAIM(*ms_part_text(part, tensor, text, sizeof text));
}

static void check_tensor(const ms_safetensor *tensor, const ms_model_sizes *sizes) {
    ms_parts parts = ms_parts_of(tensor, sizes);
    int64_t n_elements = 0;
    for (int64_t slice = 0; slice < parts.n_slices; slice++)
        for (int i = 0; i < parts.n; i++) {
            ms_part part = ms_parts_get(&parts, i, slice);
            check_part(&part, tensor);
            n_elements += part.rows * part.cols;
        }
    MS_FUZZ_CLAIM(n_elements * 2 == (int64_t)tensor->size_bytes); /* each element in one part */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char *const names[] = {"model.safetensors.index.json", "config.json"};
    const char *paths[2];
    write_shard();
    ms_fuzz_files(data, size_bytes, names, 2, paths);
    if (!paths[0]) return 0;
    if (!paths[1]) (void)remove(ms_fuzz_path(names[1]));
    ms_foreign *weights;
    ms_status status = ms_foreign_open(paths[0], &weights);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    for (size_t i = 0; i < ms_foreign_count(weights); i++) {
        const ms_safetensor *tensor = ms_foreign_at(weights, i);
        MS_FUZZ_CLAIM(ms_foreign_find(weights, tensor->name) == tensor);
        check_tensor(tensor, ms_foreign_sizes(weights));
    }
    ms_foreign_close(weights);
    return 0;
}
