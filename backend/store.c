/* Storage of variables on a device. */
#include "backend/store.h"

#include <stdlib.h>
#include <string.h>

static ms_status allocate_variables(ms_store *store) {
    ms_device *device = store->device;
    size_t *sizes = calloc((size_t)store->n_variables + 1, sizeof *sizes);
    if (!sizes) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    for (int i = 0; i < store->n_variables; i++) {
        const ms_variable *variable = ms_variables_get(store->variables, i);
        sizes[i] = (size_t)ms_shape_count(&variable->shape) * ms_device_element_bytes(device, variable->dtype);
    }
    if (device->impl->expect) device->impl->expect(device->device, sizes, store->n_variables);
    ms_status status = MS_OK;
    for (int i = 0; status == MS_OK && i < store->n_variables; i++) {
        status = device->impl->allocate(device->device, sizes[i], &store->buffers[i]);
        if (status != MS_OK)
            status = ms_status_note(status, "variable %s (after %zu bytes)",
                                    ms_variables_get(store->variables, i)->name, store->bytes);
        store->bytes += sizes[i];
    }
    free(sizes);
    return status;
}

ms_status ms_store_create(ms_device *device, const ms_variables *variables, ms_store **out) {
    *out = NULL;
    ms_store *store = calloc(1, sizeof *store);
    if (!store) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    store->device = device;
    store->variables = variables;
    store->n_variables = ms_variables_count(variables);
    store->buffers = calloc((size_t)store->n_variables + 1, sizeof *store->buffers);
    ms_status status = store->buffers ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    if (status == MS_OK) status = allocate_variables(store);
    if (status != MS_OK) {
        ms_store_destroy(store);
        return status;
    }
    *out = store;
    return MS_OK;
}

void ms_store_destroy(ms_store *store) {
    if (!store) return;
    for (int i = 0; store->buffers && i < store->n_variables; i++)
        if (store->buffers[i]) store->device->impl->release(store->device->device, store->buffers[i]);
    free(store->buffers);
    free(store->parts);
    free(store);
}

size_t ms_store_bytes(const ms_store *store) { return store->bytes; }

static ms_status check_range(const ms_store *store, int variable, int64_t offset, int64_t count, size_t *out_bytes) {
    if (variable < 0 || variable >= store->n_variables)
        return MS_FAIL(MS_INVALID, "store: variable %d of %d", variable, store->n_variables);
    const ms_variable *info = ms_variables_get(store->variables, variable);
    int64_t total = ms_shape_count(&info->shape);
    if (offset < 0 || count < 0 || offset > total || count > total - offset)
        return MS_FAIL(MS_INVALID, "variable %s: %lld elements from element %lld on, it has %lld", info->name,
                       (long long)count, (long long)offset, (long long)total);
    *out_bytes = ms_device_element_bytes(store->device, info->dtype);
    return MS_OK;
}

static ms_dtype dtype_of(const ms_store *store, int variable) {
    return ms_variables_get(store->variables, variable)->dtype;
}

/* Elements that pass from float to double, or back, at a time. */
enum { PIECE = 8192 };

static bool holds_doubles(const ms_store *store) { return store->device->impl->f32_bytes(store->device->device) == 8; }

static ms_status need_f32(const ms_store *store, int variable) {
    ms_dtype dtype = dtype_of(store, variable);
    if (dtype == MS_DTYPE_F32) return MS_OK;
    return MS_FAIL(MS_INVALID, "variable %s is %s: doubles go to and from f32 alone",
                   ms_variables_get(store->variables, variable)->name, ms_dtype_name(dtype));
}

static ms_status find_part(const ms_store *store, const ms_store_part *part, ms_backend_part *out) {
    size_t size = 0;
    MS_TRY(check_range(store, part->variable, part->offset, part->count, &size));
    *out = (ms_backend_part){store->buffers[part->variable], (size_t)part->offset * size, (size_t)part->count * size};
    return MS_OK;
}

static ms_status upload(ms_store *store, const ms_backend_part *part, const void *data) {
    return store->device->impl->upload(store->device->device, part->buffer, part->offset_bytes, data, part->size_bytes);
}

static ms_status download(ms_store *store, const ms_backend_part *part, void *out_data) {
    return store->device->impl->download(store->device->device, part, 1, &out_data);
}

static ms_backend_part piece_of(const ms_backend_part *part, size_t first, size_t count, size_t element_bytes) {
    return (ms_backend_part){part->buffer, part->offset_bytes + first * element_bytes, count * element_bytes};
}

/* floats to a device that holds doubles. */
static ms_status upload_widened(ms_store *store, const ms_backend_part *part, const float *data) {
    double piece[PIECE];
    size_t count = part->size_bytes / sizeof *piece;
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        for (size_t i = 0; i < n; i++) piece[i] = (double)data[done + i];
        ms_backend_part some = piece_of(part, done, n, sizeof *piece);
        MS_TRY(upload(store, &some, piece));
    }
    return MS_OK;
}

/* doubles to a device that holds floats. */
static ms_status upload_rounded(ms_store *store, const ms_backend_part *part, const double *data) {
    float piece[PIECE];
    size_t count = part->size_bytes / sizeof *piece;
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        for (size_t i = 0; i < n; i++) piece[i] = (float)data[done + i];
        ms_backend_part some = piece_of(part, done, n, sizeof *piece);
        MS_TRY(upload(store, &some, piece));
    }
    return MS_OK;
}

/* floats from a device that holds doubles. */
static ms_status download_rounded(ms_store *store, const ms_backend_part *part, float *out_data) {
    double piece[PIECE];
    size_t count = part->size_bytes / sizeof *piece;
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        ms_backend_part some = piece_of(part, done, n, sizeof *piece);
        MS_TRY(download(store, &some, piece));
        for (size_t i = 0; i < n; i++) out_data[done + i] = (float)piece[i];
    }
    return MS_OK;
}

/* `count` floats at the beginning of the memory become doubles. */
static void widen(double *data, int64_t count) {
    for (int64_t i = count - 1; i >= 0; i--) {
        float narrow;
        memcpy(&narrow, (const char *)data + (size_t)i * sizeof narrow, sizeof narrow);
        data[i] = (double)narrow;
    }
}

ms_status ms_store_upload(ms_store *store, int variable, int64_t offset, int64_t count, const void *data) {
    ms_backend_part part;
    MS_TRY(find_part(store, &(ms_store_part){variable, offset, count}, &part));
    if (dtype_of(store, variable) == MS_DTYPE_F32 && holds_doubles(store)) return upload_widened(store, &part, data);
    return upload(store, &part, data);
}

ms_status ms_store_upload_f64(ms_store *store, int variable, int64_t offset, int64_t count, const double *data) {
    ms_backend_part part;
    MS_TRY(find_part(store, &(ms_store_part){variable, offset, count}, &part));
    MS_TRY(need_f32(store, variable));
    return holds_doubles(store) ? upload(store, &part, data) : upload_rounded(store, &part, data);
}

ms_status ms_store_download(ms_store *store, int variable, int64_t offset, int64_t count, void *out_data) {
    return ms_store_download_parts(store, &(ms_store_part){variable, offset, count}, 1, &out_data);
}

ms_status ms_store_download_f64(ms_store *store, int variable, int64_t offset, int64_t count, double *out_data) {
    void *out = out_data;
    return ms_store_download_parts_f64(store, &(ms_store_part){variable, offset, count}, 1, &out);
}

/* All parts as the backend knows them, in memory that the store keeps: a step allocates nothing. */
static ms_status find_parts(ms_store *store, const ms_store_part *parts, int n_parts) {
    if (n_parts < 0) return MS_FAIL(MS_INVALID, "store: %d parts, must be at least 0", n_parts);
    if (n_parts > store->part_capacity) {
        ms_backend_part *grown = realloc(store->parts, (size_t)n_parts * sizeof *grown);
        if (!grown) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory for %d parts", n_parts);
        store->parts = grown;
        store->part_capacity = n_parts;
    }
    for (int i = 0; i < n_parts; i++) MS_TRY(find_part(store, &parts[i], &store->parts[i]));
    return MS_OK;
}

ms_status ms_store_download_parts(ms_store *store, const ms_store_part *parts, int n_parts, void *const *out_data) {
    MS_TRY(find_parts(store, parts, n_parts));
    if (!holds_doubles(store))
        return store->device->impl->download(store->device->device, store->parts, n_parts, out_data);
    for (int i = 0; i < n_parts; i++)
        MS_TRY(dtype_of(store, parts[i].variable) == MS_DTYPE_F32
                   ? download_rounded(store, &store->parts[i], out_data[i])
                   : download(store, &store->parts[i], out_data[i]));
    return MS_OK;
}

ms_status ms_store_download_parts_f64(ms_store *store, const ms_store_part *parts, int n_parts, void *const *out_data) {
    MS_TRY(find_parts(store, parts, n_parts));
    for (int i = 0; i < n_parts; i++) MS_TRY(need_f32(store, parts[i].variable));
    for (int i = 0; i < n_parts && holds_doubles(store); i++) MS_TRY(download(store, &store->parts[i], out_data[i]));
    if (holds_doubles(store)) return MS_OK;
    MS_TRY(ms_store_download_parts(store, parts, n_parts, out_data)); /* floats: half of the memory */
    for (int i = 0; i < n_parts; i++) widen(out_data[i], parts[i].count);
    return MS_OK;
}

ms_status ms_store_announce(ms_store *store, const ms_store_part *parts, int n_parts) {
    MS_TRY(find_parts(store, parts, n_parts));
    const ms_backend_impl *impl = store->device->impl;
    return impl->announce ? impl->announce(store->device->device, store->parts, n_parts) : MS_OK;
}
