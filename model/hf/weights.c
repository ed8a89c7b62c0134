#include "model/hf/weights.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bf16.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/signals.h"

enum { NAME_SIZE = 64 };

/* What is written, and where to. */
struct writing {
    const ms_hf_tensors *tensors;
    const ms_hf_folder *folder;
    ms_dtype dtype;
};

/* Tensors from `first` on, up to `end`, which go into one file. */
struct shard {
    size_t first, end;
};

static size_t tensor_bytes(const struct writing *w, size_t i) {
    return (size_t)ms_hf_tensor_count(&w->tensors->tensors[i]) * ms_dtype_size(w->dtype);
}

/* out [tensors->n] has room for a shard a tensor. */
static int divide(const struct writing *w, int64_t shard_bytes, struct shard *out) {
    int n = 0;
    int64_t used = 0;
    for (size_t i = 0; i < w->tensors->n; i++) {
        int64_t bytes = (int64_t)tensor_bytes(w, i);
        if (n == 0 || used + bytes > shard_bytes) {
            out[n++] = (struct shard){i, i};
            used = 0;
        }
        out[n - 1].end = i + 1;
        used += bytes;
    }
    return n;
}

static void shard_name(int i, int n, char out[NAME_SIZE]) {
    if (n == 1)
        snprintf(out, NAME_SIZE, "model.safetensors");
    else
        snprintf(out, NAME_SIZE, "model-%05d-of-%05d.safetensors", i + 1, n);
}

/* ---- a file ---- */

/* A tensor that its source has as it is. */
static bool is_plain(const ms_hf_tensor *tensor) { return tensor->factor == 1 && tensor->head_size == 0; }

/* In place: the halves lie before the numbers that are still to be read. */
static void round_to_bf16(float *values, size_t n) {
    char *out = (char *)values;
    for (size_t i = 0; i < n; i++) {
        uint16_t half = ms_bf16_from_f32(values[i]);
        memcpy(out + i * sizeof half, &half, sizeof half);
    }
}

/* The caller frees *out_copy, NULL where there is none. */
static ms_status describe(const struct writing *w, size_t i, float **out_copy, ms_safetensor *out) {
    const ms_hf_tensor *from = &w->tensors->tensors[i];
    bool is_bf16 = w->dtype == MS_DTYPE_BF16;
    size_t n = (size_t)ms_hf_tensor_count(from);
    *out = (ms_safetensor){.name = from->name, .dtype = is_bf16 ? "BF16" : "F32", .rank = from->columns ? 2 : 1};
    out->shape[0] = from->rows;
    out->shape[1] = from->columns;
    out->size_bytes = tensor_bytes(w, i);
    if (is_plain(from) && !is_bf16) {
        size_t row_bytes = (size_t)(from->columns ? from->columns : 1) * sizeof(float);
        out->data = (const char *)from->source->data + (size_t)from->first_row * row_bytes;
        return MS_OK;
    }
    *out_copy = malloc(n * sizeof **out_copy);
    if (!*out_copy) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu numbers of tensor %s", n, from->name);
    ms_hf_tensor_fill(from, *out_copy);
    if (is_bf16) round_to_bf16(*out_copy, n);
    out->data = *out_copy;
    return MS_OK;
}

static ms_status write_file(const ms_hf_folder *folder, const char *name, const ms_safetensor *tensors, size_t n) {
    char *path = ms_path_join(folder->path, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", folder->path);
    ms_writer writer;
    ms_status status = ms_writer_open_entry(folder->descriptor, name, path, &writer);
    if (status == MS_OK) {
        status = ms_safetensors_write_to(&writer, tensors, n, NULL, 0);
        if (status == MS_OK)
            status = ms_writer_commit(&writer);
        else
            ms_writer_abort(&writer);
    }
    free(path);
    return status;
}

static ms_status write_shard(const struct writing *w, const struct shard *shard, const char *name) {
    size_t n = shard->end - shard->first;
    ms_safetensor *all = calloc(n, sizeof *all);
    float **copies = calloc(n, sizeof *copies);
    ms_status status = all && copies ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu tensors", n);
    for (size_t i = 0; status == MS_OK && i < n; i++) {
        status = ms_signals_check("export");
        if (status == MS_OK) status = describe(w, shard->first + i, &copies[i], &all[i]);
    }
    if (status == MS_OK) status = write_file(w->folder, name, all, n);
    for (size_t i = 0; copies && i < n; i++) free(copies[i]);
    free(copies);
    free(all);
    return status;
}

/* ---- the index ---- */

static ms_status fill_index(const ms_hf_tensors *tensors, const struct shard *shards, int n_shards, json_t *map) {
    char name[NAME_SIZE];
    for (int i = 0; i < n_shards; i++) {
        shard_name(i, n_shards, name);
        for (size_t k = shards[i].first; k < shards[i].end; k++)
            MS_TRY(ms_json_set_text(map, "the index", tensors->tensors[k].name, name));
    }
    return MS_OK;
}

static ms_status write_index(const ms_hf_tensors *tensors, const struct shard *shards, const ms_hf_written *written,
                             const ms_hf_folder *folder) {
    json_t *map = json_object(), *index = NULL;
    ms_status status =
        map ? fill_index(tensors, shards, written->n_files, map) : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the index");
    if (status == MS_OK)
        status = ms_json_pack(&index, "the index", "{s:{s:I}, s:O}", "metadata", "total_size",
                              (json_int_t)written->size_bytes, "weight_map", map);
    if (status == MS_OK) status = ms_hf_folder_write_json(folder, "model.safetensors.index.json", index);
    json_decref(index);
    json_decref(map);
    return status;
}

ms_status ms_hf_weights_write(const ms_hf_tensors *tensors, const ms_hf_folder *folder,
                              const ms_hf_weights_options *options, ms_hf_written *out) {
    const struct writing w = {tensors, folder, options->dtype};
    *out = (ms_hf_written){0};
    struct shard *shards = calloc(tensors->n + 1, sizeof *shards);
    if (!shards) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu tensors", tensors->n);
    out->n_files = divide(&w, options->shard_bytes > 0 ? options->shard_bytes : MS_HF_SHARD_BYTES, shards);
    for (size_t i = 0; i < tensors->n; i++) out->size_bytes += (int64_t)tensor_bytes(&w, i);
    ms_status status = MS_OK;
    for (int i = 0; status == MS_OK && i < out->n_files; i++) {
        char name[NAME_SIZE];
        shard_name(i, out->n_files, name);
        status = write_shard(&w, &shards[i], name);
    }
    if (status == MS_OK && out->n_files > 1) status = write_index(tensors, shards, out, folder);
    free(shards);
    return status;
}
