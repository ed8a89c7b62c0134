#include "cli/config/run_config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/init_from.h"
#include "cli/config/trainer_config.h"
#include "platform/progress.h"

ms_status ms_run_config_init(const ms_config *config, ms_run_config *out) {
    memset(out, 0, sizeof *out);
    MS_TRY(ms_config_check(config));
    MS_TRY(ms_config_text(config, &out->config_text));
    MS_TRY(ms_config_fixed_text(config, &out->fixed_text));
    MS_TRY(ms_config_settings_text(config, &out->settings_text));
    out->options = (ms_run_options){
        .trainer = ms_trainer_options_from_config(config, 0),
        .n_steps = ms_config_steps(config),
        .initial = {.fill = config->init.from[0] ? ms_init_from_open_and_fill : NULL,
                    .context = (void *)config->init.from},
        .initial_name = config->init.from[0] ? config->init.from : NULL,
        .data = config->data.directory,
        .validation_every = config->validation.every,
        .validation_sequences = config->validation.sequences,
        .checkpoint_every = config->checkpoint.every,
        .checkpoints_kept = (int32_t)config->checkpoint.keep,
        .tracker_every = config->tracker.enabled ? config->tracker.every : 0,
        .tracking = {.n_slots = (int32_t)config->tracker.slots,
                     .n_threads = (int32_t)config->tracker.threads,
                     .when_behind = config->tracker.when_behind,
                     .every_step = config->tracker.every_step},
        .hash_every = config->train.hash_every,
        .spectra = config->tracker.spectrum,
        .probe = config->tracker.probe,
        .probe_sequences = (int32_t)config->tracker.probe_sequences,
        .probe_tokens = (int32_t)config->tracker.probe_tokens,
        .sample = {.prompt = config->sample.prompt,
                   .n_tokens = config->sample.tokens,
                   .sampling = {.temperature = config->sample.temperature,
                                .top_k = config->sample.top_k,
                                .seed = (uint64_t)config->train.seed}},
        .log_every = config->log.every > 0 ? config->log.every : ms_progress_every(ms_config_steps(config)),
        .log_level = MS_LOG_INFO,
        .config_text = out->config_text,
        .fixed_text = out->fixed_text,
        .settings_text = out->settings_text,
    };
    return MS_OK;
}

void ms_run_config_finish(ms_run_config *run_config) {
    free(run_config->config_text);
    free(run_config->fixed_text);
    free(run_config->settings_text);
    run_config->config_text = run_config->fixed_text = run_config->settings_text = NULL;
}
