/* A training job's hashes and checkpoints. */
#include "model/checkpoint/named_tensors.h"
#include "train/trainer_group.h"

static ms_status download_all(ms_trainer *trainer, ms_named_tensors *model, ms_named_tensors *state) {
    if (trainer->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "checkpoint: the f64 oracle's weights are not saved");
    MS_TRY(ms_named_tensors_download(trainer->store, trainer->variables, MS_VARIABLE_PARAMETER, model));
    if (trainer->shared) return ms_trainer_shared_collect(trainer, state);
    return ms_named_tensors_download(trainer->store, trainer->variables, MS_VARIABLE_STATE, state);
}

static ms_status hash_lists(const ms_named_tensors *model, const ms_named_tensors *state, char out_weights[65],
                            char out_state[65]) {
    MS_TRY(ms_tensors_sha256(model->tensors, model->n_tensors, out_weights));
    return ms_tensors_sha256(state->tensors, state->n_tensors, out_state);
}

ms_status ms_trainer_hashes(ms_trainer *trainer, char out_weights[65], char out_state[65]) {
    ms_named_tensors model = {0}, state = {0};
    out_weights[0] = out_state[0] = '\0';
    MS_TRY(ms_trainer_need_allocated(trainer, "hashes"));
    ms_status status = download_all(trainer, &model, &state);
    if (status == MS_OK) status = hash_lists(&model, &state, out_weights, out_state);
    ms_named_tensors_finish(&model);
    ms_named_tensors_finish(&state);
    return status;
}

ms_status ms_trainer_save(ms_trainer *trainer, const char *checkpoints, const ms_save_request *request,
                          char out_weights[65], char out_state[65]) {
    ms_named_tensors model = {0}, state = {0};
    out_weights[0] = out_state[0] = '\0';
    MS_TRY(ms_trainer_need_allocated(trainer, "a checkpoint"));
    ms_status status = download_all(trainer, &model, &state);
    if (status == MS_OK) status = hash_lists(&model, &state, out_weights, out_state);
    if (status == MS_OK) {
        ms_checkpoint_entry entries[4 + MS_MAX_SAVE_ENTRIES] = {
            {.key = "weights_sha256", .kind = MS_CHECKPOINT_TEXT, .text = out_weights},
            {.key = "optimizer_state_sha256", .kind = MS_CHECKPOINT_TEXT, .text = out_state},
            {.key = "numerics", .kind = MS_CHECKPOINT_TEXT, .text = ms_numerics_name(trainer->numerics)},
            {.key = "device", .kind = MS_CHECKPOINT_TEXT, .text = trainer->options.device_name},
        };
        for (size_t i = 0; i < request->n_entries; i++) entries[4 + i] = request->entries[i];
        char layout[MS_MODEL_LAYOUT_SIZE];
        ms_checkpoint_info info = {.step = trainer->step,
                                   .tokens = trainer->tokens_seen,
                                   .data_position = (int64_t)ms_dataset_position(request->dataset),
                                   .seed = (int64_t)trainer->options.seed,
                                   .adamw_step = trainer->step,
                                   .config_hash = request->config_hash,
                                   .entries = entries,
                                   .n_entries = 4 + request->n_entries,
                                   .folder_exists = request->folder_exists,
                                   .layout = ms_model_layout(&trainer->model, layout)};
        status =
            ms_checkpoint_write(checkpoints, &info, model.tensors, model.n_tensors, state.tensors, state.n_tensors);
    }
    ms_named_tensors_finish(&model);
    ms_named_tensors_finish(&state);
    return status;
}

ms_status ms_trainer_load(ms_trainer *trainer, const ms_checkpoint *checkpoint, ms_dataset *dataset) {
    MS_TRY(ms_trainer_need_allocated(trainer, "loading"));
    if (trainer->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "checkpoint: the f64 oracle does not load one");
    const ms_checkpoint_info *info = ms_checkpoint_get_info(checkpoint);
    MS_TRY(ms_named_tensors_upload(trainer->store, trainer->variables, MS_VARIABLE_PARAMETER,
                                   ms_checkpoint_model(checkpoint)));
    if (!trainer->shared)
        MS_TRY(ms_named_tensors_upload(trainer->store, trainer->variables, MS_VARIABLE_STATE,
                                       ms_checkpoint_optimizer(checkpoint)));
    MS_TRY(ms_model_upload_constants(&trainer->model, trainer->store));
    MS_TRY(ms_dataset_seek(dataset, (uint64_t)info->data_position));
    trainer->step = info->step;
    trainer->tokens_seen = info->tokens;
    return ms_trainer_shared_send(trainer, ms_checkpoint_optimizer(checkpoint), info->data_position);
}
