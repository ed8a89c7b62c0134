#include "cli/config/trainer_config.h"

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
        .activation = config->model.activation,
        .tied_head = config->model.tied_head,
        .merged = config->attention.merged,
        .qk_norm = config->attention.qk_norm,
        .qkv_bias = config->attention.qkv_bias,
        .recompute = config->model.recompute,
        .storage = config->train.storage,
        .rope_layout = config->attention.rope_layout,
        .residual_scale = config->model.residual_scale,
        .residual_scale_init = (float)config->model.residual_scale_init,
        .embedding_scale = (float)config->model.embedding_scale,
        .norm_epsilon = (float)config->model.norm_epsilon,
        .rope_base = (float)config->attention.rope_base,
        .rope_scaling = config->attention.rope_scaling,
        .rope_factor = config->attention.rope_factor,
        .rope_low = config->attention.rope_low,
        .rope_high = config->attention.rope_high,
        .rope_original_length = (int32_t)config->attention.rope_original_length,
        .init_scheme = config->init.scheme,
        .init_std = (float)config->init.std,
        .init_depth_factor = (float)config->init.depth_factor,
        .init_sigma = {(float)config->init.sigma_q, (float)config->init.sigma_k, (float)config->init.sigma_v,
                       (float)config->init.sigma_o, (float)config->init.sigma_up, (float)config->init.sigma_gate,
                       (float)config->init.sigma_down},
    };
}

ms_device_options ms_device_options_from_config(const ms_config *config) {
    return (ms_device_options){
        .name = config->train.device, .numerics = config->train.numerics, .n_threads = (int32_t)config->train.threads};
}

static ms_muon_settings muon_from_config(const ms_config *config) {
    return (ms_muon_settings){.lr = config->muon.lr,
                              .momentum = config->muon.momentum,
                              .nesterov = config->muon.nesterov,
                              .coefficients = config->muon.coefficients,
                              .exponent = config->muon.spectral_exponent,
                              .scaling = config->muon.scaling,
                              .split = config->muon.split,
                              .decay_mode = config->muon.decay_mode,
                              .decay = (float)config->muon.decay};
}

ms_trainer_options ms_trainer_options_from_config(const ms_config *config, int32_t vocabulary) {
    uint32_t noise_projections;
    if (ms_projections_parse(config->intervention.noise_projections, &noise_projections) != MS_OK)
        noise_projections = 0; /* ms_config_check has refused it */
    return (ms_trainer_options){
        .model = ms_model_config_from_config(config, vocabulary),
        .optimizer = {.kind = config->optimizer.name,
                      .gradient_clip = (float)config->optimizer.gradient_clip,
                      .master = config->train.master,
                      .interventions = {.cautious_decay = config->intervention.cautious_decay,
                                        .noise = (float)config->intervention.noise,
                                        .noise_place = config->intervention.noise_place,
                                        .noise_first_layer = (int32_t)config->intervention.noise_first_layer,
                                        .noise_last_layer = (int32_t)config->intervention.noise_last_layer,
                                        .sphere = config->intervention.sphere,
                                        .soft_cap = (float)config->intervention.soft_cap,
                                        .spectral_decay = (float)config->intervention.spectral_decay,
                                        .qk_clip = (float)config->intervention.qk_clip},
                      .muon = muon_from_config(config),
                      .normuon = {.muon = muon_from_config(config), .beta2 = (float)config->normuon.beta2},
                      .sgd = {.lr = config->sgd.lr,
                              .momentum = config->sgd.momentum,
                              .nesterov = config->sgd.nesterov,
                              .decay = (float)config->sgd.decay},
                      .adamw = {.lr = config->adamw.lr,
                                .matrix_lr = config->adamw.matrix_lr,
                                .beta1 = (float)config->adamw.beta1,
                                .beta2 = (float)config->adamw.beta2,
                                .epsilon = (float)config->adamw.epsilon,
                                .matrix_decay = (float)config->adamw.matrix_decay}},
        .noise_projections = noise_projections,
        .schedule = {.kind = config->schedule.name,
                     .warmup_steps = config->schedule.warmup_steps,
                     .total_steps = ms_config_schedule_steps(config),
                     .final_fraction = config->schedule.final_fraction,
                     .convention = config->schedule.convention,
                     .decay_fraction = config->schedule.decay_fraction},
        .device_name = config->train.device,
        .seed = (uint64_t)config->train.seed,
        .init_seed = (uint64_t)config->init.seed,
        .batch_sequences = (int32_t)config->train.batch_sequences,
        .accumulation = (int32_t)config->train.accumulation,
        .loss_chunk = config->model.loss_chunk,
        .control = config->train.control,
    };
}
