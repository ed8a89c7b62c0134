#include "model/checkpoint/named_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ms_named_tensors_finish(ms_named_tensors *list) {
    for (size_t i = 0; i < list->n_tensors; i++) free((char *)list->tensors[i].name);
    for (size_t i = 0; i < list->n_copies; i++) free(list->copies[i]);
    free(list->copies);
    free(list->tensors);
    *list = (ms_named_tensors){0};
}

/* The name of layer `layer` of a variable, into malloc'ed memory; layer -1: the variable's own name. */
static char *tensor_name(const char *variable, int64_t layer) {
    size_t size = strlen(variable) + 24;
    char *name = malloc(size);
    if (!name) return NULL;
    const char *blocks = strstr(variable, "blocks.");
    if (layer < 0 || !blocks) {
        snprintf(name, size, "%s", variable);
    } else {
        const char *rest = blocks + strlen("blocks.");
        snprintf(name, size, "%.*s%lld.%s", (int)(rest - variable), variable, (long long)layer, rest);
    }
    return name;
}

static bool is_stacked(const ms_variable *variable) { return strstr(variable->name, "blocks.") != NULL; }

static ms_status reserve_list(const ms_variables *variables, ms_variable_kind kind, ms_named_tensors *list) {
    size_t n_variables = 0;
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind != kind) continue;
        n_variables++;
        list->capacity += is_stacked(variable) ? (size_t)variable->shape.dim[0] : 1;
    }
    list->tensors = calloc(list->capacity + 1, sizeof *list->tensors);
    list->copies = calloc(n_variables + 1, sizeof *list->copies);
    return list->tensors && list->copies
               ? MS_OK
               : MS_FAIL(MS_OUT_OF_MEMORY, "checkpoint: no memory for %zu tensors", list->capacity);
}

/* Appends the tensors of a variable whose values are at data (NULL: names and shapes only). */
static ms_status append_variable(const ms_variable *variable, const char *data, ms_named_tensors *list) {
    bool stacked = is_stacked(variable);
    int64_t layers = stacked ? variable->shape.dim[0] : 1;
    size_t bytes = (size_t)(ms_shape_count(&variable->shape) / layers) * sizeof(float);
    for (int64_t layer = 0; layer < layers; layer++) {
        ms_safetensor *tensor = &list->tensors[list->n_tensors];
        tensor->name = tensor_name(variable->name, stacked ? layer : -1);
        if (!tensor->name) return MS_FAIL(MS_OUT_OF_MEMORY, "checkpoint: no memory for names");
        list->n_tensors++;
        tensor->dtype = "F32";
        tensor->rank = variable->shape.rank - (stacked ? 1 : 0);
        for (int i = 0; i < tensor->rank; i++) tensor->shape[i] = variable->shape.dim[i + (stacked ? 1 : 0)];
        tensor->data = data ? data + (size_t)layer * bytes : NULL;
        tensor->size_bytes = bytes;
    }
    return MS_OK;
}

ms_status ms_named_tensors_list(const ms_variables *variables, ms_variable_kind kind, ms_named_tensors *list) {
    *list = (ms_named_tensors){0};
    MS_TRY(reserve_list(variables, kind, list));
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind == kind) MS_TRY(append_variable(variable, NULL, list));
    }
    return MS_OK;
}

ms_status ms_named_tensors_allocate(const ms_variables *variables, ms_variable_kind kind, ms_named_tensors *list) {
    *list = (ms_named_tensors){0};
    MS_TRY(reserve_list(variables, kind, list));
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind != kind) continue;
        int64_t count = ms_shape_count(&variable->shape);
        void *data = calloc((size_t)count, sizeof(float));
        if (!data)
            return MS_FAIL(MS_OUT_OF_MEMORY, "checkpoint: no memory for %s (%lld bytes)", variable->name,
                           (long long)count * (long long)sizeof(float));
        list->copies[list->n_copies++] = data;
        MS_TRY(append_variable(variable, data, list));
    }
    return MS_OK;
}

ms_status ms_named_tensors_download(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                                    ms_named_tensors *list) {
    size_t i_copy = 0;
    MS_TRY(ms_named_tensors_allocate(variables, kind, list));
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind != kind) continue;
        MS_TRY(ms_store_download(store, i, 0, ms_shape_count(&variable->shape), list->copies[i_copy++]));
    }
    return MS_OK;
}

ms_status ms_named_tensors_put(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                               const ms_named_tensors *list) {
    size_t i_copy = 0;
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind != kind) continue;
        MS_TRY(ms_store_upload(store, i, 0, ms_shape_count(&variable->shape), list->copies[i_copy++]));
    }
    return MS_OK;
}

static ms_status check_tensor(const ms_safetensor *have, const ms_safetensor *want) {
    if (strcmp(have->dtype, want->dtype) == 0 && ms_safetensor_has_shape(have, want->rank, want->shape)) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "checkpoint tensor %s: %s of %zu bytes, this model has F32 of %zu bytes", want->name,
                   have->dtype, have->size_bytes, want->size_bytes);
}

static ms_status check_count(const ms_safetensors *file, size_t wanted) {
    if (ms_safetensors_count(file) == wanted) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "checkpoint holds %zu tensors, this model has %zu", ms_safetensors_count(file), wanted);
}

ms_status ms_named_tensors_read(const ms_variables *variables, ms_variable_kind kind, const ms_safetensors *file,
                                ms_named_tensors *list) {
    MS_TRY(ms_named_tensors_allocate(variables, kind, list));
    MS_TRY(check_count(file, list->n_tensors));
    for (size_t i = 0; i < list->n_tensors; i++) {
        const ms_safetensor *found;
        MS_TRY(ms_safetensors_find(file, list->tensors[i].name, &found));
        MS_TRY(check_tensor(found, &list->tensors[i]));
        memcpy((void *)list->tensors[i].data, found->data, found->size_bytes);
    }
    return MS_OK;
}

ms_status ms_named_tensors_upload(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                                  const ms_safetensors *file) {
    ms_named_tensors list = {0};
    ms_status status = reserve_list(variables, kind, &list);
    if (status == MS_OK) status = check_count(file, list.capacity);
    for (int i = 0; status == MS_OK && i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        if (variable->kind != kind) continue;
        size_t first = list.n_tensors;
        status = append_variable(variable, NULL, &list);
        int64_t offset = 0;
        for (size_t j = first; status == MS_OK && j < list.n_tensors; j++) {
            const ms_safetensor *found;
            status = ms_safetensors_find(file, list.tensors[j].name, &found);
            if (status == MS_OK) status = check_tensor(found, &list.tensors[j]);
            int64_t count = (int64_t)(list.tensors[j].size_bytes / sizeof(float));
            if (status == MS_OK) status = ms_store_upload(store, i, offset, count, found->data);
            offset += count;
        }
    }
    ms_named_tensors_finish(&list);
    return status;
}
