#include "cli/verify/training.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config/run_config.h"
#include "cli/config/trainer_config.h"
#include "platform/file.h"
#include "platform/json_lines.h"
#include "platform/random.h"

void ms_verify_outcome_finish(ms_verify_outcome *outcome) {
    free(outcome->spectra);
    memset(outcome, 0, sizeof *outcome);
}

/* ---- changing weights ---- */

ms_status ms_verify_plant_weight(ms_trainer *trainer, uint32_t change) {
    int variable = trainer->model.parameters[trainer->model.n_parameters - 1].variable;
    uint32_t bits;
    MS_TRY(ms_store_download(trainer->store, variable, 0, 1, &bits));
    bits ^= change;
    return ms_store_upload(trainer->store, variable, 0, 1, &bits);
}

ms_status ms_verify_add_noise(ms_trainer *trainer, double noise) {
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        int variable = trainer->model.parameters[i].variable;
        ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
        int64_t count = ms_shape_count(&shape);
        float *weights = malloc((size_t)count * sizeof *weights);
        if (!weights) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %lld weights", (long long)count);
        ms_status status = ms_store_download(trainer->store, variable, 0, count, weights);
        uint32_t word = 0;
        for (int64_t e = 0; status == MS_OK && e < count; e++) {
            if (e % 32 == 0) word = ms_random_word((uint64_t)trainer->step, (uint64_t)i, (uint64_t)e / 32);
            weights[e] = (float)((double)weights[e] * (word >> e % 32 & 1u ? 1 + noise : 1 - noise));
        }
        if (status == MS_OK) status = ms_store_upload(trainer->store, variable, 0, count, weights);
        free(weights);
        MS_TRY(status);
    }
    return MS_OK;
}

/* The steps alone, without logs and checkpoints. */
static ms_status train_with_noise(ms_run *run, double noise, ms_verify_outcome *out) {
    while (run->trainer->step < run->options.n_steps) {
        ms_step_result result;
        MS_TRY(ms_verify_add_noise(run->trainer, noise));
        MS_TRY(ms_trainer_step(run->trainer, ms_dataset_source(run->train), NULL, &result));
        out->losses[out->n_losses++] = result.loss;
    }
    return MS_OK;
}

/* ---- what came out ---- */

static ms_status read_losses(const char *path, ms_verify_outcome *out) {
    char *text;
    size_t size;
    MS_TRY(ms_file_read(path, &text, &size));
    ms_json_lines lines = {.data = text, .size_bytes = size};
    while (out->n_losses < MS_VERIFY_MAX_STEPS && ms_json_lines_next(&lines)) {
        const json_t *loss = json_object_get(lines.value, "loss");
        if (loss) out->losses[out->n_losses++] = json_number_value(loss);
    }
    ms_json_lines_finish(&lines);
    free(text);
    return MS_OK;
}

static ms_status collect(const ms_run *run, ms_verify_outcome *out) {
    memcpy(out->weights_sha256, run->weights_sha256, sizeof out->weights_sha256);
    memcpy(out->state_sha256, run->state_sha256, sizeof out->state_sha256);
    MS_TRY(read_losses(run->folder.metrics, out));
    return ms_file_read(run->folder.spectra, &out->spectra, &out->spectra_bytes);
}

/* ---- the run ---- */

/* Of one segment. */
typedef struct parts {
    ms_run_config run_config;
    ms_run_folder folder; /* to go on with, until the run takes it over */
    ms_run *run;
} parts;

static bool follows(const ms_verify_segment *segment) { return segment->group && ms_group_rank(segment->group) > 0; }

static ms_status open_parts(const ms_verify_segment *segment, parts *p) {
    if (segment->resume && !follows(segment)) {
        ms_config saved;
        ms_config_defaults(&saved);
        MS_TRY(ms_run_folder_resume(segment->folder, &p->folder));
        MS_TRY(ms_config_load_file(&saved, p->folder.config, NULL));
        MS_TRY(ms_config_check_resume(&saved, segment->config));
    }
    MS_TRY(ms_run_config_init(segment->config, &p->run_config));
    p->run_config.options.log_every = 0;
    p->run_config.options.log_level = follows(segment) ? MS_LOG_ERROR : MS_LOG_WARNING;
    p->run_config.options.trainer.group = segment->group;
    return ms_run_open(segment->device, &p->run_config.options, &p->run);
}

static ms_status start(const ms_verify_segment *segment, parts *p) {
    ms_status status = open_parts(segment, p);
    MS_TRY(segment->group ? ms_group_agree(segment->group, status) : status);
    if (follows(segment)) return ms_run_follow(p->run);
    return segment->resume ? ms_run_resume(p->run, &p->folder) : ms_run_create(p->run, segment->folder);
}

static ms_status train(const ms_verify_segment *segment, parts *p, ms_verify_outcome *out) {
    int64_t n_steps = ms_config_steps(segment->config);
    if (n_steps > MS_VERIFY_MAX_STEPS)
        return MS_FAIL(MS_INVALID, "verify: %lld steps, at most %d", (long long)n_steps, MS_VERIFY_MAX_STEPS);
    MS_TRY(start(segment, p));
    if (follows(segment)) return MS_OK;
    if (segment->plant) MS_TRY(ms_verify_plant_weight(p->run->trainer, segment->plant));
    if (segment->noise != 0) return train_with_noise(p->run, segment->noise, out);
    ms_status status = ms_run_train(p->run);
    if (status == MS_INTERRUPTED) return MS_FAIL(status, "verify: interrupted");
    MS_TRY(status);
    return collect(p->run, out);
}

static void close_parts(parts *p) {
    ms_run_close(p->run);
    ms_run_config_finish(&p->run_config);
    ms_run_folder_close(&p->folder);
}

ms_status ms_verify_train(const ms_verify_segment *segment, ms_verify_outcome *out) {
    memset(out, 0, sizeof *out);
    parts p = {.folder = MS_RUN_FOLDER_CLOSED};
    ms_status status = train(segment, &p, out);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message()); /* closing may overwrite it */
    close_parts(&p);
    if (status == MS_OK) return MS_OK;
    ms_verify_outcome_finish(out);
    return ms_status_set(status, "%s", message);
}
