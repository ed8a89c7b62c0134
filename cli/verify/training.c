#include "cli/verify/training.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "train/run.h"
#include "platform/file.h"
#include "platform/random.h"

void ms_verify_outcome_finish(ms_verify_outcome *outcome) {
    free(outcome->spectra);
    memset(outcome, 0, sizeof *outcome);
}

/* ---- changing weights ---- */

static ms_status plant(ms_trainer *trainer, uint32_t change) {
    int variable = trainer->model.parameters[0].variable;
    uint32_t bits;
    MS_TRY(ms_store_download(trainer->store, variable, 0, 1, &bits));
    bits ^= change;
    return ms_store_upload(trainer->store, variable, 0, 1, &bits);
}

static ms_status add_noise(ms_trainer *trainer, double noise) {
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        int variable = trainer->model.parameters[i].variable;
        ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
        int64_t count = ms_shape_count(&shape);
        float *weights = malloc((size_t)count * sizeof *weights);
        if (!weights) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %lld weights", (long long)count);
        ms_status status = ms_store_download(trainer->store, variable, 0, count, weights);
        for (int64_t e = 0; status == MS_OK && e < count; e++) {
            bool up = ms_random_word((uint64_t)trainer->step, (uint64_t)i, (uint64_t)e) & 1u;
            weights[e] = (float)((double)weights[e] * (up ? 1 + noise : 1 - noise));
        }
        if (status == MS_OK) status = ms_store_upload(trainer->store, variable, 0, count, weights);
        free(weights);
        MS_TRY(status);
    }
    return MS_OK;
}

/* The steps alone, without logs and checkpoints. */
static ms_status train_with_noise(ms_train_run *run, double noise, ms_verify_outcome *out) {
    while (run->trainer->step < run->n_steps) {
        ms_step_result result;
        MS_TRY(add_noise(run->trainer, noise));
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
    char *next = text;
    while (*next && out->n_losses < MS_VERIFY_MAX_STEPS) {
        size_t length = strcspn(next, "\n");
        json_t *line = json_loadb(next, length, 0, NULL);
        const json_t *loss = json_object_get(line, "loss");
        if (loss) out->losses[out->n_losses++] = json_number_value(loss);
        json_decref(line);
        next += length + (next[length] == '\n');
    }
    free(text);
    return MS_OK;
}

static ms_status collect(const ms_train_run *run, ms_verify_outcome *out) {
    memcpy(out->weights_sha256, run->weights_sha256, sizeof out->weights_sha256);
    memcpy(out->state_sha256, run->state_sha256, sizeof out->state_sha256);
    MS_TRY(read_losses(run->folder.metrics, out));
    return ms_file_read(run->folder.spectra, &out->spectra, &out->spectra_bytes);
}

/* ---- the run ---- */

static ms_status train(const ms_verify_segment *segment, ms_train_run *run, ms_verify_outcome *out) {
    MS_TRY(ms_logger_create(MS_LOG_WARNING, &run->logger));
    if (segment->resume) {
        MS_TRY(ms_run_folder_resume(segment->folder, &run->folder, &run->config));
        run->has_folder = true;
        MS_TRY(ms_config_check_resume(&run->config, segment->config));
    }
    run->config = *segment->config;
    run->quiet = true;
    MS_TRY(ms_train_run_plan(run));
    if (run->n_steps > MS_VERIFY_MAX_STEPS)
        return MS_FAIL(MS_INVALID, "verify: %lld steps, at most %d", (long long)run->n_steps, MS_VERIFY_MAX_STEPS);
    MS_TRY(ms_train_run_start(run, segment->folder));
    if (segment->plant) MS_TRY(plant(run->trainer, segment->plant));
    if (segment->noise != 0) return train_with_noise(run, segment->noise, out);
    MS_TRY(ms_train_run_train(run));
    if (run->trainer->step < run->n_steps) return MS_FAIL(MS_INTERRUPTED, "verify: interrupted");
    return collect(run, out);
}

ms_status ms_verify_train(const ms_verify_segment *segment, ms_verify_outcome *out) {
    memset(out, 0, sizeof *out);
    ms_train_run run;
    memset(&run, 0, sizeof run);
    run.folder.lock = -1;
    ms_status status = train(segment, &run, out);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message()); /* closing may overwrite it */
    ms_train_run_close(&run);
    if (status == MS_OK) return MS_OK;
    ms_verify_outcome_finish(out);
    return ms_status_set(status, "%s", message);
}
