#include "model/checkpoint/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are written as they lie in memory");

#define METADATA_KEY "__metadata__"

static const uint64_t header_bytes_max = 100000000; /* the reference reader's limit */

/* In the order in which the reference writer stores them: its dtype enumeration, backwards. */
static const struct {
    const char *name;
    size_t size_bytes;
} dtypes[] = {{"U64", 8},     {"I64", 8},     {"F64", 8}, {"C64", 8}, {"F32", 4}, {"U32", 4},
              {"I32", 4},     {"BF16", 2},    {"F16", 2}, {"U16", 2}, {"I16", 2}, {"F8_E8M0", 1},
              {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

struct ms_safetensors {
    char *path;             /* owned, for messages */
    ms_map map;             /* owned */
    json_t *header;         /* owned; lends the names */
    ms_safetensor *tensors; /* owned, in file order */
    void **copies;          /* owned, [n_tensors]: aligned copy of an unaligned tensor, else NULL */
    size_t n_tensors;
    bool keeps_unaligned; /* no copies */
};

static int dtype_find(const char *name) {
    for (int i = 0; i < N_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) return i;
    return -1;
}

size_t ms_safetensor_element_bytes(const char *dtype) {
    int i = dtype_find(dtype);
    return i < 0 ? 0 : dtypes[i].size_bytes;
}

const char *ms_safetensor_shape_text(int rank, const int64_t *shape, char out[MS_SAFETENSOR_SHAPE_SIZE]) {
    size_t n = (size_t)snprintf(out, MS_SAFETENSOR_SHAPE_SIZE, "[");
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(out + n, MS_SAFETENSOR_SHAPE_SIZE - n, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(out + n, MS_SAFETENSOR_SHAPE_SIZE - n, "]");
    return out;
}

bool ms_safetensor_has_shape(const ms_safetensor *tensor, int rank, const int64_t *shape) {
    bool same = tensor->rank == rank;
    for (int i = 0; same && i < rank; i++) same = tensor->shape[i] == shape[i];
    return same;
}

/* False when the number of bytes does not fit 63 bits. */
static bool bytes_of_shape(const int64_t *shape, int rank, size_t element_bytes, uint64_t *out) {
    uint64_t bytes = element_bytes;
    for (int i = 0; i < rank; i++) {
        if (shape[i] != 0 && bytes > (uint64_t)INT64_MAX / (uint64_t)shape[i]) return false;
        bytes *= (uint64_t)shape[i];
    }
    *out = bytes;
    return true;
}

ms_status ms_safetensor_check(const ms_safetensor *tensor) {
    const char *name = tensor->name;
    if (!name || !*name) return MS_FAIL(MS_INVALID, "tensor without a name");
    if (strcmp(name, METADATA_KEY) == 0) return MS_FAIL(MS_INVALID, "tensor %s: the name is reserved", name);
    size_t element_bytes = tensor->dtype ? ms_safetensor_element_bytes(tensor->dtype) : 0;
    if (element_bytes == 0)
        return MS_FAIL(MS_INVALID, "tensor %s: unknown dtype %s", name, tensor->dtype ? tensor->dtype : "(none)");
    if (tensor->rank < 0 || tensor->rank > MS_SAFETENSOR_RANK_MAX)
        return MS_FAIL(MS_INVALID, "tensor %s: rank %d is not in 0..%d", name, tensor->rank, MS_SAFETENSOR_RANK_MAX);
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0)
            return MS_FAIL(MS_INVALID, "tensor %s: dimension %d is %lld", name, i, (long long)tensor->shape[i]);
    uint64_t bytes;
    if (!bytes_of_shape(tensor->shape, tensor->rank, element_bytes, &bytes))
        return MS_FAIL(MS_INVALID, "tensor %s: the shape has more than 2^63 bytes", name);
    if (bytes != tensor->size_bytes)
        return MS_FAIL(MS_INVALID, "tensor %s: the shape takes %llu bytes, %zu were given", name,
                       (unsigned long long)bytes, tensor->size_bytes);
    if (bytes > 0 && !tensor->data) return MS_FAIL(MS_INVALID, "tensor %s: no data for %zu bytes", name, (size_t)bytes);
    return MS_OK;
}

/* ---- writing ---- */

static int compare_for_file(const void *left, const void *right) {
    const ms_safetensor *a = *(const ms_safetensor *const *)left, *b = *(const ms_safetensor *const *)right;
    int by_dtype = dtype_find(a->dtype) - dtype_find(b->dtype);
    return by_dtype ? by_dtype : strcmp(a->name, b->name);
}

static json_t *metadata_json(const ms_safetensors_metadata *metadata, size_t n_metadata, ms_status *status) {
    json_t *object = json_pack("{s:s}", "format", "pt");
    for (size_t i = 0; object && *status == MS_OK && i < n_metadata; i++) {
        if (json_object_get(object, metadata[i].key))
            *status = MS_FAIL(MS_INVALID, "metadata key %s is given twice or reserved", metadata[i].key);
        else
            *status = ms_json_set_text(object, "metadata", metadata[i].key, metadata[i].value);
    }
    return object;
}

static ms_status add_tensor_json(json_t *root, const ms_safetensor *tensor, uint64_t begin) {
    if (json_object_get(root, tensor->name)) return MS_FAIL(MS_INVALID, "tensor %s is given twice", tensor->name);
    json_t *entry, *shape = json_array();
    MS_TRY(ms_json_pack(&entry, "header", "{s:s, s:o, s:[I,I]}", "dtype", tensor->dtype, "shape", shape, "data_offsets",
                        (json_int_t)begin, (json_int_t)(begin + tensor->size_bytes)));
    MS_TRY(ms_json_set(root, "tensor", tensor->name, entry));
    for (int i = 0; i < tensor->rank; i++) MS_TRY(ms_json_append(shape, "header", json_integer(tensor->shape[i])));
    return MS_OK;
}

/* The JSON text of the header; the caller frees it. */
static ms_status build_header(const ms_safetensor *const *sorted, size_t n_tensors,
                              const ms_safetensors_metadata *metadata, size_t n_metadata, char **out_text) {
    ms_status status = MS_OK;
    json_t *root = json_object();
    json_t *entries = metadata_json(metadata, n_metadata, &status);
    if (status == MS_OK && (!root || json_object_set(root, METADATA_KEY, entries) != 0))
        status = MS_FAIL(MS_OUT_OF_MEMORY, "safetensors: no memory for the header");
    uint64_t offset = 0;
    for (size_t i = 0; status == MS_OK && i < n_tensors; i++) {
        status = add_tensor_json(root, sorted[i], offset);
        offset += sorted[i]->size_bytes;
    }
    if (status == MS_OK) status = ms_json_text(root, "safetensors", JSON_COMPACT, out_text);
    json_decref(entries);
    json_decref(root);
    return status;
}

static ms_status write_sorted(ms_writer *writer, const char *header, const ms_safetensor *const *sorted, size_t n) {
    size_t text_bytes = strlen(header), padding = (8 - text_bytes % 8) % 8;
    uint64_t header_bytes = text_bytes + padding;
    if (header_bytes > header_bytes_max)
        return MS_FAIL(MS_INVALID, "%s: a header of %llu bytes is above the format's %llu", writer->path,
                       (unsigned long long)header_bytes, (unsigned long long)header_bytes_max);
    MS_TRY(ms_writer_write(writer, &header_bytes, sizeof header_bytes));
    MS_TRY(ms_writer_write(writer, header, text_bytes));
    MS_TRY(ms_writer_write(writer, "        ", padding));
    for (size_t i = 0; i < n; i++) MS_TRY(ms_writer_write(writer, sorted[i]->data, sorted[i]->size_bytes));
    return MS_OK;
}

ms_status ms_safetensors_write_to(ms_writer *writer, const ms_safetensor *tensors, size_t n_tensors,
                                  const ms_safetensors_metadata *metadata, size_t n_metadata) {
    const char *path = writer->path;
    for (size_t i = 0; i < n_tensors; i++) MS_TRY_NOTE(ms_safetensor_check(&tensors[i]), "%s", path);
    const ms_safetensor **sorted = malloc((n_tensors + 1) * sizeof *sorted);
    if (!sorted) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu tensors", path, n_tensors);
    for (size_t i = 0; i < n_tensors; i++) sorted[i] = &tensors[i];
    qsort(sorted, n_tensors, sizeof *sorted, compare_for_file);
    char *header = NULL;
    ms_status status = build_header(sorted, n_tensors, metadata, n_metadata, &header);
    if (status != MS_OK)
        status = ms_status_note(status, "%s", path);
    else
        status = write_sorted(writer, header, sorted, n_tensors);
    free(header);
    free(sorted);
    return status;
}

ms_status ms_safetensors_write(const char *path, const ms_safetensor *tensors, size_t n_tensors,
                               const ms_safetensors_metadata *metadata, size_t n_metadata) {
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    ms_status status = ms_safetensors_write_to(&writer, tensors, n_tensors, metadata, n_metadata);
    if (status == MS_OK) return ms_writer_commit(&writer);
    ms_writer_abort(&writer);
    return status;
}

/* ---- reading ---- */

static ms_status parse_metadata(const char *path, json_t *metadata) {
    if (!json_is_object(metadata)) return MS_FAIL(MS_CORRUPT, "%s: " METADATA_KEY " is not an object", path);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) return MS_FAIL(MS_CORRUPT, "%s: metadata %s is not a string", path, key);
    }
    return MS_OK;
}

static ms_status parse_shape(const char *path, json_t *shape, ms_safetensor *tensor) {
    if (!json_is_array(shape)) return MS_FAIL(MS_CORRUPT, "%s: tensor %s has no shape", path, tensor->name);
    size_t rank = json_array_size(shape);
    if (rank > MS_SAFETENSOR_RANK_MAX)
        return MS_FAIL(MS_UNSUPPORTED, "%s: tensor %s has rank %zu, at most %d is supported", path, tensor->name, rank,
                       MS_SAFETENSOR_RANK_MAX);
    tensor->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        json_t *dimension = json_array_get(shape, i);
        if (!json_is_integer(dimension) || json_integer_value(dimension) < 0)
            return MS_FAIL(MS_CORRUPT, "%s: tensor %s: dimension %zu is not a count", path, tensor->name, i);
        tensor->shape[i] = json_integer_value(dimension);
    }
    return MS_OK;
}

/* Fills everything but `data`, and leaves the offset of the first byte in *out_begin. */
static ms_status parse_tensor(const char *path, json_t *entry, ms_safetensor *tensor, uint64_t *out_begin) {
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return MS_FAIL(MS_CORRUPT, "%s: tensor %s is not an object of dtype, shape and data_offsets", path,
                       tensor->name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype) return MS_FAIL(MS_CORRUPT, "%s: tensor %s has no dtype", path, tensor->name);
    int i_dtype = dtype_find(dtype);
    if (i_dtype < 0) return MS_FAIL(MS_UNSUPPORTED, "%s: tensor %s has dtype %s", path, tensor->name, dtype);
    tensor->dtype = dtypes[i_dtype].name;
    MS_TRY(parse_shape(path, json_object_get(entry, "shape"), tensor));
    json_t *offsets = json_object_get(entry, "data_offsets");
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return MS_FAIL(MS_CORRUPT, "%s: tensor %s: data_offsets are not a begin and an end", path, tensor->name);
    uint64_t bytes, span = (uint64_t)(json_integer_value(end) - json_integer_value(begin));
    if (!bytes_of_shape(tensor->shape, tensor->rank, dtypes[i_dtype].size_bytes, &bytes) || bytes != span)
        return MS_FAIL(MS_CORRUPT, "%s: tensor %s: its shape does not take the %llu bytes of its data_offsets", path,
                       tensor->name, (unsigned long long)span);
    tensor->size_bytes = (size_t)bytes;
    *out_begin = (uint64_t)json_integer_value(begin);
    return MS_OK;
}

typedef struct placed_tensor {
    ms_safetensor tensor;
    uint64_t begin; /* offset in the byte buffer */
} placed_tensor;

static int compare_by_place(const void *left, const void *right) {
    const placed_tensor *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->tensor.size_bytes != b->tensor.size_bytes) return a->tensor.size_bytes < b->tensor.size_bytes ? -1 : 1;
    return strcmp(a->tensor.name, b->tensor.name);
}

/* Points the sorted tensors into the map; each must begin where the one before ended. */
static ms_status place_tensors(ms_safetensors *file, const placed_tensor *placed, uint64_t data_begin) {
    uint64_t data_bytes = file->map.size_bytes - data_begin, expected = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        ms_safetensor *tensor = &file->tensors[i];
        *tensor = placed[i].tensor;
        if (placed[i].begin != expected)
            return MS_FAIL(MS_CORRUPT, "%s: tensor %s begins at byte %llu, the tensors before it end at %llu",
                           file->path, tensor->name, (unsigned long long)placed[i].begin, (unsigned long long)expected);
        expected += tensor->size_bytes;
        if (expected > data_bytes)
            return MS_FAIL(MS_CORRUPT, "%s: truncated: tensor %s ends at byte %llu of %llu", file->path, tensor->name,
                           (unsigned long long)expected, (unsigned long long)data_bytes);
        const uint8_t *data = file->map.data + data_begin + placed[i].begin;
        bool is_aligned = (uintptr_t)data % ms_safetensor_element_bytes(tensor->dtype) == 0;
        if (tensor->size_bytes > 0 && !is_aligned && !file->keeps_unaligned) {
            if (!(file->copies[i] = malloc(tensor->size_bytes)))
                return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu bytes of tensor %s", file->path,
                               tensor->size_bytes, tensor->name);
            data = memcpy(file->copies[i], data, tensor->size_bytes);
        }
        tensor->data = data;
    }
    if (expected != data_bytes)
        return MS_FAIL(MS_CORRUPT, "%s: the tensors take %llu bytes, the file holds %llu", file->path,
                       (unsigned long long)expected, (unsigned long long)data_bytes);
    return MS_OK;
}

static ms_status parse_header(ms_safetensors *file, placed_tensor *placed) {
    const char *name;
    json_t *entry;
    size_t i = 0;
    json_object_foreach(file->header, name, entry) {
        if (strcmp(name, METADATA_KEY) == 0) {
            MS_TRY(parse_metadata(file->path, entry));
            continue;
        }
        placed[i].tensor.name = name;
        MS_TRY(parse_tensor(file->path, entry, &placed[i].tensor, &placed[i].begin));
        i++;
    }
    qsort(placed, file->n_tensors, sizeof *placed, compare_by_place);
    return MS_OK;
}

static ms_status load_header(ms_safetensors *file, uint64_t *out_data_begin) {
    uint64_t header_bytes, size_bytes = file->map.size_bytes;
    if (size_bytes < sizeof header_bytes)
        return MS_FAIL(MS_CORRUPT, "%s: %zu bytes are too few for a safetensors file", file->path,
                       file->map.size_bytes);
    memcpy(&header_bytes, file->map.data, sizeof header_bytes);
    if (header_bytes > header_bytes_max && header_bytes <= size_bytes - sizeof header_bytes)
        return MS_FAIL(MS_CORRUPT, "%s: a header of %llu bytes is above the format's %llu", file->path,
                       (unsigned long long)header_bytes, (unsigned long long)header_bytes_max);
    if (header_bytes > size_bytes - sizeof header_bytes)
        return MS_FAIL(MS_CORRUPT, "%s: truncated or not safetensors: a header of %llu bytes in a file of %llu",
                       file->path, (unsigned long long)header_bytes, (unsigned long long)size_bytes);
    const char *text = (const char *)file->map.data + sizeof header_bytes;
    if (header_bytes == 0 || text[0] != '{')
        return MS_FAIL(MS_CORRUPT, "%s: the header is not a JSON object", file->path);
    json_error_t error;
    file->header = json_loadb(text, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!file->header) return MS_FAIL(MS_CORRUPT, "%s: header byte %d: %s", file->path, error.position, error.text);
    *out_data_begin = sizeof header_bytes + header_bytes;
    return MS_OK;
}

static ms_status load(ms_safetensors *file) {
    uint64_t data_begin;
    MS_TRY(load_header(file, &data_begin));
    file->n_tensors = json_object_size(file->header) - (json_object_get(file->header, METADATA_KEY) ? 1 : 0);
    placed_tensor *placed = calloc(file->n_tensors + 1, sizeof *placed);
    file->tensors = calloc(file->n_tensors + 1, sizeof *file->tensors);
    file->copies = calloc(file->n_tensors + 1, sizeof *file->copies);
    ms_status status = MS_OK;
    if (!placed || !file->tensors || !file->copies)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu tensors", file->path, file->n_tensors);
    if (status == MS_OK) status = parse_header(file, placed);
    if (status == MS_OK) status = place_tensors(file, placed, data_begin);
    free(placed);
    return status;
}

static ms_status open_file(const char *path, bool keeps_unaligned, ms_safetensors **out) {
    *out = NULL;
    ms_safetensors *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) {
        free(file);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory to open it", path);
    }
    file->keeps_unaligned = keeps_unaligned;
    ms_status status = ms_map_open(path, &file->map);
    if (status == MS_OK) status = load(file);
    if (status != MS_OK) {
        ms_safetensors_close(file);
        return status;
    }
    *out = file;
    return MS_OK;
}

ms_status ms_safetensors_open(const char *path, ms_safetensors **out) { return open_file(path, false, out); }
ms_status ms_safetensors_open_unaligned(const char *path, ms_safetensors **out) { return open_file(path, true, out); }

void ms_safetensors_close(ms_safetensors *file) {
    if (!file) return;
    for (size_t i = 0; file->copies && i < file->n_tensors; i++) free(file->copies[i]);
    free(file->copies);
    free(file->tensors);
    json_decref(file->header);
    ms_map_close(&file->map);
    free(file->path);
    free(file);
}

size_t ms_safetensors_count(const ms_safetensors *file) { return file->n_tensors; }

const ms_safetensor *ms_safetensors_all(const ms_safetensors *file) { return file->tensors; }

const ms_safetensor *ms_safetensors_at(const ms_safetensors *file, size_t index) { return &file->tensors[index]; }

ms_status ms_safetensors_find(const ms_safetensors *file, const char *name, const ms_safetensor **out) {
    *out = NULL;
    for (size_t i = 0; i < file->n_tensors; i++) {
        if (strcmp(file->tensors[i].name, name) != 0) continue;
        *out = &file->tensors[i];
        return MS_OK;
    }
    return MS_FAIL(MS_NOT_FOUND, "%s: no tensor %s", file->path, name);
}

const char *ms_safetensors_get_metadata(const ms_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, METADATA_KEY), key));
}
