#include "cli/config/trainer_config.h"

/* Choices are cast between the enums of the configuration and those of model and optim: same order, held to by these.
 */
_Static_assert((int)MS_CONFIG_ACTIVATION_SWIGLU == (int)MS_ACTIVATION_SWIGLU, "activation");
_Static_assert((int)MS_CONFIG_ROPE_HALF_SPLIT == (int)MS_ROPE_HALF_SPLIT, "rope layout");
_Static_assert((int)MS_CONFIG_RESIDUAL_LEARNED_LAYER == (int)MS_RESIDUAL_LEARNED_LAYER, "residual scale");
_Static_assert((int)MS_CONFIG_RESIDUAL_LEARNED_BRANCH == (int)MS_RESIDUAL_LEARNED_BRANCH, "residual scale");
_Static_assert((int)MS_CONFIG_INIT_SLOPE == (int)MS_INIT_SLOPE, "init scheme");
_Static_assert((int)MS_CONFIG_INIT_STRETCHED == (int)MS_INIT_STRETCHED, "init scheme");
_Static_assert((int)MS_CONFIG_OPTIMIZER_ADAMW == (int)MS_OPTIMIZER_ADAMW, "optimizer");
_Static_assert((int)MS_CONFIG_COEFFICIENTS_JORDAN == (int)MS_COEFFICIENTS_JORDAN, "coefficients");
_Static_assert((int)MS_CONFIG_COEFFICIENTS_MODULA == (int)MS_COEFFICIENTS_MODULA, "coefficients");
_Static_assert((int)MS_CONFIG_COEFFICIENTS_JORDAN_CONVERGENT == (int)MS_COEFFICIENTS_JORDAN_CONVERGENT, "coefficients");
_Static_assert((int)MS_CONFIG_SCALING_MOONLIGHT == (int)MS_SCALING_MOONLIGHT, "scaling");
_Static_assert((int)MS_CONFIG_SCALING_ROWS_COLS == (int)MS_SCALING_ROWS_COLS, "scaling");
_Static_assert((int)MS_CONFIG_SPLIT_PER_PROJECTION == (int)MS_SPLIT_PER_PROJECTION, "split");
_Static_assert((int)MS_CONFIG_SPLIT_PER_HEAD == (int)MS_SPLIT_PER_HEAD, "split");
_Static_assert((int)MS_CONFIG_DECAY_DECOUPLED == (int)MS_DECAY_DECOUPLED, "decay mode");
_Static_assert((int)MS_CONFIG_DECAY_UPDATE == (int)MS_DECAY_UPDATE, "decay mode");
_Static_assert((int)MS_CONFIG_DECAY_BOTH == (int)MS_DECAY_BOTH, "decay mode");
_Static_assert((int)MS_CONFIG_SCHEDULE_COSINE == (int)MS_SCHEDULE_COSINE, "schedule");
_Static_assert((int)MS_CONFIG_SCHEDULE_LINEAR == (int)MS_SCHEDULE_LINEAR, "schedule");
_Static_assert((int)MS_CONFIG_NUMERICS_EXACT == (int)MS_NUMERICS_EXACT, "numerics");
_Static_assert((int)MS_CONFIG_STORAGE_F32 == (int)MS_DTYPE_F32, "storage");
_Static_assert((int)MS_CONFIG_STORAGE_BF16 == (int)MS_DTYPE_BF16, "storage");

ms_model_config ms_model_config_from_config(const ms_config *config, int32_t vocabulary) {
    return (ms_model_config){
        .layers = (int32_t)config->model.layers,
        .width = (int32_t)config->model.width,
        .heads = (int32_t)config->model.heads,
        .kv_heads = (int32_t)config->model.kv_heads,
        .head_size = (int32_t)config->model.head_size,
        .feed_forward = (int32_t)config->model.feed_forward,
        .vocabulary = config->model.vocabulary ? (int32_t)config->model.vocabulary : vocabulary,
        .sequence_length = (int32_t)config->model.sequence_length,
        .activation = (ms_activation)config->model.activation,
        .tied_head = config->model.tied_head,
        .merged = config->attention.merged,
        .qk_norm = config->attention.qk_norm,
        .recompute = config->model.recompute,
        .storage = (ms_dtype)config->train.storage,
        .rope_layout = (ms_rope_layout)config->attention.rope_layout,
        .residual_scale = (ms_residual_scale)config->model.residual_scale,
        .residual_scale_init = (float)config->model.residual_scale_init,
        .norm_epsilon = (float)config->model.norm_epsilon,
        .rope_base = (float)config->attention.rope_base,
        .init_scheme = (ms_init_scheme)config->init.scheme,
        .init_std = (float)config->init.std,
        .init_depth_factor = (float)config->init.depth_factor,
    };
}

ms_device_options ms_device_options_from_config(const ms_config *config) {
    return (ms_device_options){.name = config->train.device,
                               .numerics = (ms_numerics)config->train.numerics,
                               .n_threads = (int32_t)config->train.threads};
}

ms_trainer_options ms_trainer_options_from_config(const ms_config *config, int32_t vocabulary) {
    return (ms_trainer_options){
        .model = ms_model_config_from_config(config, vocabulary),
        .optimizer = {.kind = (ms_optimizer_kind)config->optimizer.name,
                      .gradient_clip = (float)config->optimizer.gradient_clip,
                      .muon = {.lr = config->muon.lr,
                               .momentum = config->muon.momentum,
                               .nesterov = config->muon.nesterov,
                               .coefficients = (ms_coefficients)config->muon.coefficients,
                               .scaling = (ms_muon_scaling)config->muon.scaling,
                               .split = (ms_muon_split)config->muon.split,
                               .head_size = (int32_t)config->model.head_size,
                               .decay_mode = (ms_decay_mode)config->muon.decay_mode,
                               .decay = (float)config->muon.decay},
                      .adamw = {.lr = config->adamw.lr,
                                .beta1 = (float)config->adamw.beta1,
                                .beta2 = (float)config->adamw.beta2,
                                .epsilon = (float)config->adamw.epsilon,
                                .matrix_decay = (float)config->adamw.matrix_decay}},
        .schedule = {.kind = (ms_schedule_kind)config->schedule.name,
                     .warmup_steps = config->schedule.warmup_steps,
                     .total_steps = ms_config_steps(config),
                     .final_fraction = config->schedule.final_fraction},
        .device_name = config->train.device,
        .seed = (uint64_t)config->train.seed,
        .batch_sequences = (int32_t)config->train.batch_sequences,
        .accumulation = (int32_t)config->train.accumulation,
    };
}
