#include "model/foreign/foreign.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/foreign/refusal.h"
#include "platform/directory.h"
#include "platform/file.h"

static const char index_ending[] = ".safetensors.index.json";
static const char file_ending[] = ".safetensors";

typedef struct shard {
    char *name; /* in the folder */
    ms_safetensors *file;
} shard;

struct ms_foreign {
    char *folder; /* where config.json and the shards are */
    shard *shards;
    size_t n_shards;
    const ms_safetensor **tensors; /* sorted; in the shards' files */
    size_t n_tensors;
    ms_foreign_fault *faults;
    size_t n_faults;
    ms_model_sizes sizes;
};

/* ---- faults ---- */

static ms_status add_fault(ms_foreign *weights, const char *name, const char *message) {
    ms_foreign_fault *larger = realloc(weights->faults, (weights->n_faults + 1) * sizeof *larger);
    if (larger) weights->faults = larger;
    char *name_copy = strdup(name), *message_copy = strdup(message);
    if (!larger || !name_copy || !message_copy) {
        free(name_copy);
        free(message_copy);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for what is wrong with it", name);
    }
    weights->faults[weights->n_faults++] = (ms_foreign_fault){name_copy, message_copy};
    return MS_OK;
}

/* ---- tensors by name ---- */

/* As strcmp, but numbers by their value. */
static int compare_names(const char *a, const char *b) {
    static const char digits[] = "0123456789";
    while (*a && *b) {
        size_t n = strspn(a, digits), m = strspn(b, digits);
        if (n > 0 && m > 0) {
            const char *a_end = a + n, *b_end = b + m;
            while (*a == '0' && a + 1 < a_end) a++;
            while (*b == '0' && b + 1 < b_end) b++;
            if (a_end - a != b_end - b) return a_end - a < b_end - b ? -1 : 1;
            int by_digits = strncmp(a, b, (size_t)(a_end - a));
            if (by_digits) return by_digits;
            a = a_end;
            b = b_end;
        } else if (*a != *b) {
            break;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int compare_tensors(const void *left, const void *right) {
    const char *a = (*(const ms_safetensor *const *)left)->name, *b = (*(const ms_safetensor *const *)right)->name;
    int by_value = compare_names(a, b);
    return by_value ? by_value : strcmp(a, b); /* "01" and "1" are equal by value */
}

static ms_status list_tensors(ms_foreign *weights, const char *path) {
    size_t n = 0;
    for (size_t i = 0; i < weights->n_shards; i++) n += ms_safetensors_count(weights->shards[i].file);
    weights->tensors = calloc(n + 1, sizeof(ms_safetensor *));
    if (!weights->tensors) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu tensors", path, n);
    for (size_t i = 0; i < weights->n_shards; i++)
        for (size_t j = 0; j < ms_safetensors_count(weights->shards[i].file); j++)
            weights->tensors[weights->n_tensors++] = ms_safetensors_at(weights->shards[i].file, j);
    qsort(weights->tensors, n, sizeof(ms_safetensor *), compare_tensors);
    return MS_OK;
}

static bool is_conv1d(const ms_safetensor *tensor) {
    return ms_name_ends_with(tensor->name, "attn.c_attn.weight") && tensor->rank == 2 &&
           tensor->shape[0] < tensor->shape[1];
}

/* ---- files ---- */

static ms_status open_shard(ms_foreign *weights, const char *name) {
    char *path = ms_path_join(weights->folder, name), *name_copy = strdup(name);
    ms_safetensors *file = NULL;
    ms_status status = path && name_copy ? ms_safetensors_open_unaligned(path, &file)
                                         : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", name);
    free(path);
    if (status != MS_OK) {
        free(name_copy);
        return status;
    }
    weights->shards[weights->n_shards++] = (shard){name_copy, file};
    return MS_OK;
}

static ms_status open_single(ms_foreign *weights, const char *name) {
    char *path = ms_path_join(weights->folder, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", name);
    ms_status status = ms_refuse_other_format(path);
    free(path);
    MS_TRY(status);
    weights->shards = calloc(1, sizeof *weights->shards);
    if (!weights->shards) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory", name);
    return open_shard(weights, name);
}

/* Each shard of the index once; those that cannot be opened become faults. */
static ms_status open_shards(ms_foreign *weights, const char *index_path, json_t *map) {
    const char *tensor;
    json_t *value, *seen = json_object();
    ms_status status = MS_OK;
    weights->shards = calloc(json_object_size(map) + 1, sizeof *weights->shards);
    if (!weights->shards || !seen) status = MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its shards", index_path);
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        if (status != MS_OK) break;
        if (!name || !ms_is_plain_name(name))
            status = MS_FAIL(MS_CORRUPT, "%s: the shard of tensor %s is '%s': it must be a file in the same folder",
                             index_path, tensor, name ? name : "(no text)");
        else if (!json_object_get(seen, name)) {
            if (json_object_set_new(seen, name, json_true()) != 0)
                status = MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its shards", index_path);
            else if (open_shard(weights, name) != MS_OK)
                status = add_fault(weights, name, ms_status_message());
        }
    }
    json_decref(seen);
    return status;
}

/* What the index lists and no file has, though the file that it names is open. */
static ms_status check_listed(ms_foreign *weights, json_t *map) {
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        bool is_open = false;
        for (size_t i = 0; i < weights->n_shards; i++) is_open |= strcmp(weights->shards[i].name, name) == 0;
        if (!is_open || ms_foreign_find(weights, tensor)) continue;
        char message[256];
        snprintf(message, sizeof message, "the index says that %.150s has it, and it has not", name);
        MS_TRY(add_fault(weights, tensor, message));
    }
    return MS_OK;
}

static ms_status use_index(ms_foreign *weights, const char *path, json_t *index) {
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return MS_FAIL(MS_CORRUPT, "%s: it has no weight_map", path);
    MS_TRY(open_shards(weights, path, map));
    if (weights->n_shards == 0)
        return MS_FAIL(MS_NOT_FOUND, "%s: none of its %zu shards can be read: %s", path, weights->n_faults,
                       weights->faults[0].message);
    MS_TRY(list_tensors(weights, path));
    return check_listed(weights, map);
}

static ms_status open_index(ms_foreign *weights, const char *name) {
    char *path = ms_path_join(weights->folder, name), *text = NULL;
    size_t size_bytes;
    json_error_t error;
    ms_status status =
        path ? ms_file_read(path, &text, &size_bytes) : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", name);
    if (status == MS_OK) {
        json_t *index = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, &error);
        status = index ? use_index(weights, path, index)
                       : MS_FAIL(MS_CORRUPT, "%s: line %d: %s", path, error.line, error.text);
        json_decref(index);
    }
    free(text);
    free(path);
    return status;
}

/* ---- which file ---- */

/* How many names end so, and the last of them. */
static int count_names(const ms_listing *names, const char *ending, const char **out_name) {
    int n = 0;
    for (size_t i = 0; i < names->n; i++) {
        if (!ms_name_ends_with(names->names[i], ending)) continue;
        *out_name = names->names[i];
        n++;
    }
    return n;
}

/* MS_UNSUPPORTED where the folder has weights of another format; else MS_NOT_FOUND. */
static ms_status refuse_folder(const char *folder, const ms_listing *names) {
    for (size_t i = 0; i < names->n; i++) {
        if (!ms_is_refused_name(names->names[i])) continue;
        char *path = ms_path_join(folder, names->names[i]);
        ms_status status = path ? ms_refuse_other_format(path) : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory", folder);
        free(path);
        if (status != MS_OK) return status;
    }
    return MS_FAIL(MS_NOT_FOUND, "folder %s has no safetensors file", folder);
}

static ms_status open_folder(ms_foreign *weights) {
    ms_listing names;
    const char *name = NULL;
    MS_TRY(ms_listing_read(weights->folder, &names));
    int n_indices = count_names(&names, index_ending, &name), n_files = 0;
    ms_status status;
    if (n_indices == 0) n_files = count_names(&names, file_ending, &name);
    bool has_usual = false;
    for (size_t i = 0; i < names.n; i++) has_usual |= strcmp(names.names[i], "model.safetensors") == 0;
    if (n_indices == 1)
        status = open_index(weights, name);
    else if (n_indices == 0 && (has_usual || n_files == 1))
        status = open_single(weights, has_usual ? "model.safetensors" : name);
    else if (n_indices + n_files == 0)
        status = refuse_folder(weights->folder, &names);
    else
        status =
            MS_FAIL(MS_INVALID, "folder %s has %d %s, among them %s: name the one to read", weights->folder,
                    n_indices ? n_indices : n_files, n_indices ? "indices" : "safetensors files and no index", name);
    ms_listing_finish(&names);
    return status;
}

/* Folder and name of a path to a file. */
static ms_status open_file(ms_foreign *weights, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    weights->folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (!weights->folder) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", path);
    return ms_name_ends_with(name, ".json") ? open_index(weights, name) : open_single(weights, name);
}

static ms_status open_path(ms_foreign *weights, const char *path) {
    if (ms_is_directory(path)) {
        weights->folder = strdup(path);
        MS_TRY(weights->folder ? open_folder(weights) : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", path));
    } else {
        MS_TRY(open_file(weights, path));
    }
    if (!weights->tensors) MS_TRY(list_tensors(weights, path));
    char *config = ms_path_join(weights->folder, "config.json");
    if (!config) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", path);
    ms_status status = ms_model_sizes_read(config, &weights->sizes);
    free(config);
    if (status != MS_OK) MS_TRY(add_fault(weights, "config.json", ms_status_message()));
    for (size_t i = 0; i < weights->n_tensors; i++) weights->sizes.is_conv1d |= is_conv1d(weights->tensors[i]);
    return MS_OK;
}

ms_status ms_foreign_open(const char *path, ms_foreign **out) {
    *out = NULL;
    MS_TRY(ms_path_check(path));
    ms_foreign *weights = calloc(1, sizeof *weights);
    if (!weights) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory to open it", path);
    ms_status status = open_path(weights, path);
    if (status != MS_OK) {
        ms_foreign_close(weights);
        return status;
    }
    *out = weights;
    return MS_OK;
}

void ms_foreign_close(ms_foreign *weights) {
    if (!weights) return;
    for (size_t i = 0; i < weights->n_shards; i++) {
        ms_safetensors_close(weights->shards[i].file);
        free(weights->shards[i].name);
    }
    for (size_t i = 0; i < weights->n_faults; i++) {
        free(weights->faults[i].name);
        free(weights->faults[i].message);
    }
    free(weights->shards);
    free(weights->tensors);
    free(weights->faults);
    free(weights->folder);
    free(weights);
}

size_t ms_foreign_count(const ms_foreign *weights) { return weights->n_tensors; }

const ms_safetensor *ms_foreign_at(const ms_foreign *weights, size_t i) { return weights->tensors[i]; }

const ms_safetensor *ms_foreign_find(const ms_foreign *weights, const char *name) {
    const ms_safetensor wanted = {.name = name}, *key = &wanted;
    const ms_safetensor *const *found =
        bsearch(&key, weights->tensors, weights->n_tensors, sizeof(ms_safetensor *), compare_tensors);
    return found ? *found : NULL;
}

const ms_model_sizes *ms_foreign_sizes(const ms_foreign *weights) { return &weights->sizes; }

const ms_foreign_fault *ms_foreign_faults(const ms_foreign *weights, size_t *out_n) {
    *out_n = weights->n_faults;
    return weights->faults;
}
