/* A training job's variables as named tensors: hashes, checkpoints, resuming.

   Stacked variables are saved a layer at a time under the names PyTorch users expect: "blocks.attention.qkvo.weight"
   [L,R,C] becomes "blocks.0.attention.qkvo.weight" [R,C] and so on, "momentum.blocks.x" becomes "momentum.blocks.0.x".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/trainer.h"

/* Host copies of all variables of one kind. */
typedef struct tensor_list {
    ms_safetensor *tensors;
    size_t n_tensors, capacity;
    void **blocks; /* what tensors and names point into, owned */
    size_t n_blocks;
} tensor_list;

static void finish_list(tensor_list *list) {
    for (size_t i = 0; i < list->n_tensors; i++) free((char *)list->tensors[i].name);
    for (size_t i = 0; i < list->n_blocks; i++) free(list->blocks[i]);
    free(list->blocks);
    free(list->tensors);
    *list = (tensor_list){0};
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

static ms_status reserve_list(const ms_trainer *trainer, ms_variable_kind kind, tensor_list *list) {
    size_t n_variables = 0;
    for (int i = 0; i < ms_variables_count(trainer->variables); i++) {
        const ms_variable *variable = ms_variables_get(trainer->variables, i);
        if (variable->kind != kind) continue;
        n_variables++;
        list->capacity += is_stacked(variable) ? (size_t)variable->shape.dim[0] : 1;
    }
    list->tensors = calloc(list->capacity + 1, sizeof *list->tensors);
    list->blocks = calloc(n_variables + 1, sizeof *list->blocks);
    return list->tensors && list->blocks
               ? MS_OK
               : MS_FAIL(MS_OUT_OF_MEMORY, "checkpoint: no memory for %zu tensors", list->capacity);
}

/* Appends the tensors of a variable whose values are at data (NULL: names and shapes only). */
static ms_status append_variable(const ms_variable *variable, const char *data, tensor_list *list) {
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

static ms_status download_list(ms_trainer *trainer, ms_variable_kind kind, tensor_list *list) {
    MS_TRY(reserve_list(trainer, kind, list));
    for (int i = 0; i < ms_variables_count(trainer->variables); i++) {
        const ms_variable *variable = ms_variables_get(trainer->variables, i);
        if (variable->kind != kind) continue;
        int64_t count = ms_shape_count(&variable->shape);
        void *data = malloc((size_t)count * sizeof(float));
        if (!data)
            return MS_FAIL(MS_OUT_OF_MEMORY, "checkpoint: no memory for %s (%lld bytes)", variable->name,
                           (long long)count * (long long)sizeof(float));
        list->blocks[list->n_blocks++] = data;
        MS_TRY(ms_store_download(trainer->store, i, 0, count, data));
        MS_TRY(append_variable(variable, data, list));
    }
    return MS_OK;
}

static ms_status download_all(ms_trainer *trainer, tensor_list *model, tensor_list *state) {
    if (trainer->options.numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "checkpoint: the f64 oracle's weights are not saved");
    MS_TRY(download_list(trainer, MS_VARIABLE_PARAMETER, model));
    return download_list(trainer, MS_VARIABLE_STATE, state);
}

static ms_status hash_lists(const tensor_list *model, const tensor_list *state, char out_weights[65],
                            char out_state[65]) {
    MS_TRY(ms_tensors_sha256(model->tensors, model->n_tensors, out_weights));
    return ms_tensors_sha256(state->tensors, state->n_tensors, out_state);
}

ms_status ms_trainer_hashes(ms_trainer *trainer, char out_weights[65], char out_state[65]) {
    tensor_list model = {0}, state = {0};
    out_weights[0] = out_state[0] = '\0';
    ms_status status = download_all(trainer, &model, &state);
    if (status == MS_OK) status = hash_lists(&model, &state, out_weights, out_state);
    finish_list(&model);
    finish_list(&state);
    return status;
}

ms_status ms_trainer_save(ms_trainer *trainer, const char *checkpoints, const ms_dataset *dataset,
                          const char *config_hash, char out_weights[65], char out_state[65]) {
    tensor_list model = {0}, state = {0};
    out_weights[0] = out_state[0] = '\0';
    ms_status status = download_all(trainer, &model, &state);
    if (status == MS_OK) status = hash_lists(&model, &state, out_weights, out_state);
    if (status == MS_OK) {
        const ms_checkpoint_entry entries[] = {
            {.key = "weights_sha256", .kind = MS_CHECKPOINT_TEXT, .text = out_weights},
            {.key = "optimizer_state_sha256", .kind = MS_CHECKPOINT_TEXT, .text = out_state},
            {.key = "numerics", .kind = MS_CHECKPOINT_TEXT, .text = ms_numerics_name(trainer->options.numerics)},
            {.key = "device", .kind = MS_CHECKPOINT_TEXT, .text = trainer->options.device},
        };
        ms_checkpoint_info info = {.step = trainer->step,
                                   .tokens = trainer->tokens_seen,
                                   .data_position = (int64_t)ms_dataset_position(dataset),
                                   .seed = (int64_t)trainer->options.seed,
                                   .adamw_step = trainer->step,
                                   .config_hash = config_hash,
                                   .entries = entries,
                                   .n_entries = sizeof entries / sizeof *entries};
        status =
            ms_checkpoint_write(checkpoints, &info, model.tensors, model.n_tensors, state.tensors, state.n_tensors);
    }
    finish_list(&model);
    finish_list(&state);
    return status;
}

static ms_status check_tensor(const ms_safetensor *have, const ms_safetensor *want) {
    bool same = strcmp(have->dtype, want->dtype) == 0 && have->rank == want->rank;
    for (int i = 0; same && i < want->rank; i++) same = have->shape[i] == want->shape[i];
    if (same) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "checkpoint tensor %s: %s of %zu bytes, this model has F32 of %zu bytes", want->name,
                   have->dtype, have->size_bytes, want->size_bytes);
}

/* Uploads every variable of a kind from a file that must hold exactly these tensors. */
static ms_status load_kind(ms_trainer *trainer, ms_variable_kind kind, const ms_safetensors *file) {
    tensor_list list = {0};
    ms_status status = reserve_list(trainer, kind, &list);
    if (status == MS_OK && ms_safetensors_count(file) != list.capacity)
        status = MS_FAIL(MS_MISMATCH, "checkpoint holds %zu tensors, this model has %zu", ms_safetensors_count(file),
                         list.capacity);
    for (int i = 0; status == MS_OK && i < ms_variables_count(trainer->variables); i++) {
        const ms_variable *variable = ms_variables_get(trainer->variables, i);
        if (variable->kind != kind) continue;
        size_t first = list.n_tensors;
        status = append_variable(variable, NULL, &list);
        int64_t offset = 0;
        for (size_t j = first; status == MS_OK && j < list.n_tensors; j++) {
            const ms_safetensor *found;
            status = ms_safetensors_find(file, list.tensors[j].name, &found);
            if (status == MS_OK) status = check_tensor(found, &list.tensors[j]);
            int64_t count = (int64_t)(list.tensors[j].size_bytes / sizeof(float));
            if (status == MS_OK) status = ms_store_upload(trainer->store, i, offset, count, found->data);
            offset += count;
        }
    }
    finish_list(&list);
    return status;
}

ms_status ms_trainer_load(ms_trainer *trainer, const ms_checkpoint *checkpoint, ms_dataset *dataset) {
    if (trainer->options.numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "checkpoint: the f64 oracle does not load one");
    const ms_checkpoint_info *info = ms_checkpoint_get_info(checkpoint);
    MS_TRY(load_kind(trainer, MS_VARIABLE_PARAMETER, ms_checkpoint_model(checkpoint)));
    MS_TRY(load_kind(trainer, MS_VARIABLE_STATE, ms_checkpoint_optimizer(checkpoint)));
    MS_TRY(ms_model_upload_constants(&trainer->model, trainer->store, trainer->options.numerics));
    MS_TRY(ms_dataset_seek(dataset, (uint64_t)info->data_position));
    trainer->step = info->step;
    trainer->tokens_seen = info->tokens;
    return MS_OK;
}
