/* Opening, planning, starting, resuming and closing a run. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/meter.h"
#include "cli/config/trainer_config.h"
#include "platform/file.h"
#include "platform/sha256.h"

ms_status ms_config_fixed_hash(const ms_config *config, int32_t vocabulary, char out_hexadecimal[65]) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    size_t size = (size_t)n * (MS_CONFIG_STRING_SIZE + 64) + 64, used = 0;
    char *text = malloc(size);
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its hash");
    used += (size_t)snprintf(text, size, "vocabulary=%d\n", vocabulary);
    for (int i = 0; i < n; i++) {
        char value[MS_CONFIG_STRING_SIZE];
        /* The folder of the data may move; that it is the same data shows in the tokenizer's hash. */
        if (!keys[i].fixed || strcmp(keys[i].full_name, "data.directory") == 0) continue;
        ms_config_value_text(config, &keys[i], value, sizeof value);
        used += (size_t)snprintf(text + used, size - used, "%s=%s\n", keys[i].full_name, value);
    }
    ms_status status = ms_sha256_bytes(text, used, out_hexadecimal);
    free(text);
    return status;
}

static ms_status open_split(const ms_train_run *run, const char *split, ms_dataset **out) {
    const ms_config *config = &run->config;
    ms_dataset_options options = {.directory = config->data.directory,
                                  .split = split,
                                  .sequence_length = (int)config->model.sequence_length,
                                  .seed = (uint64_t)config->train.seed,
                                  .shuffle = strcmp(split, "train") == 0,
                                  .vocab_size = (int)config->model.vocabulary};
    ms_status status = ms_dataset_open(&options, out);
    if (status == MS_NOT_FOUND && strcmp(config->data.directory, "data/demo") == 0)
        return MS_FAIL(status, "%s (ci/demo_data.sh makes the demo corpus; --data.directory DIR names another)",
                       ms_status_message());
    return status;
}

static ms_status open_data(ms_train_run *run) {
    MS_TRY(open_split(run, "train", &run->train));
    if (run->config.validation.every > 0) MS_TRY(open_split(run, "val", &run->validation));
    const char *path = ms_dataset_tokenizer_path(run->train);
    if (!path) return MS_OK;
    MS_TRY(ms_tokenizer_open(path, &run->tokenizer));
    const char *expected = ms_dataset_tokenizer_sha256(run->train), *found = ms_tokenizer_sha256(run->tokenizer);
    if (expected && strcmp(expected, found) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: SHA-256 %.12s..., but the shards were made with tokenizer %.12s...", path,
                       found, expected);
    return MS_OK;
}

ms_status ms_train_run_plan(ms_train_run *run) {
    run->folder.lock = run->has_folder ? run->folder.lock : -1;
    run->resumed_step = run->saved_step = -1;
    run->last_loss = run->last_validation = NAN;
    MS_TRY(ms_config_check(&run->config));
    run->n_steps = ms_config_steps(&run->config);
    if (run->n_steps < 1)
        return MS_FAIL(MS_INVALID, "train.tokens %lld is less than one step of %lld tokens",
                       (long long)run->config.train.tokens, (long long)ms_config_tokens_per_step(&run->config));
    MS_TRY(open_data(run));
    int32_t vocabulary =
        run->config.model.vocabulary ? (int32_t)run->config.model.vocabulary : ms_dataset_vocab_size(run->train);
    MS_TRY(ms_config_fixed_hash(&run->config, vocabulary, run->config_hash));
    ms_trainer_options options = ms_trainer_options_from_config(&run->config, vocabulary);
    ms_device_options device = ms_device_options_from_config(&run->config);
    MS_TRY(ms_device_open(&device, &run->device));
    return ms_trainer_open(run->device, &options, &run->trainer);
}

void ms_train_run_device(const ms_train_run *run, char *out, size_t size) {
    const ms_device *device = run->device;
    const ms_device_info *info = ms_device_get_info(device);
    const char *name = run->config.train.device, *numerics = ms_numerics_name(run->trainer->numerics);
    if (ms_device_threads(device) > 0)
        snprintf(out, size, "%s, %d threads, %s numerics", name, ms_device_threads(device), numerics);
    else
        snprintf(out, size, "%s, %s numerics: %s, %s%s", name, numerics, info->description,
                 info->uuid[0] ? "UUID " : "", info->uuid[0] ? info->uuid : "no UUID");
}

/* Device memory is the plan; the host's share is what the tracker and a checkpoint's copy take. */
void ms_train_run_print(const ms_train_run *run, FILE *stream) {
    const ms_config *config = &run->config;
    const ms_trainer_facts *facts = &run->trainer->facts;
    const ms_memory_plan *memory = &facts->memory;
    const double mib = 1048576;
    char device[400];
    ms_train_run_device(run, device, sizeof device);
    fprintf(stream, "device        %s\n", device);
    fprintf(stream,
            "model         %lld layers, width %lld, %lld heads (%lld kv) of %lld, feed-forward %lld, vocabulary %d, "
            "sequence %lld\n",
            (long long)config->model.layers, (long long)config->model.width, (long long)config->model.heads,
            (long long)config->model.kv_heads, (long long)config->model.head_size,
            (long long)config->model.feed_forward, run->trainer->options.model.vocabulary,
            (long long)config->model.sequence_length);
    fprintf(stream, "parameters    %lld\n", (long long)facts->parameters);
    fprintf(stream, "storage       %s\n",
            run->trainer->options.model.storage == MS_DTYPE_BF16
                ? "bf16 activations and compute copies of the weights; f32 weights, gradients and optimizer"
                : "f32");
    if (run->trainer->options.optimizer.kind == MS_OPTIMIZER_MUON)
        fprintf(stream, "optimizer     muon (%s, %s) on the matrices, adamw on the rest\n",
                ms_coefficients_names[run->trainer->options.optimizer.muon.coefficients],
                ms_muon_split_names[run->trainer->options.optimizer.muon.split]);
    else
        fprintf(stream, "optimizer     adamw\n");
    fprintf(stream, "data          %s, %lld training sequences of %lld tokens\n", config->data.directory,
            (long long)ms_dataset_sequences(run->train), (long long)config->model.sequence_length);
    fprintf(stream, "step          %lld tokens, %d nodes, %.3g GFLOP (model: %.4g MFLOP per token)\n",
            (long long)facts->tokens_per_step, facts->nodes_per_step, facts->step_flops / 1e9,
            facts->model_flops_per_token / 1e6);
    fprintf(stream, "run           %lld steps, %.4g tokens\n", (long long)run->n_steps,
            (double)run->n_steps * (double)facts->tokens_per_step);
    fprintf(stream,
            "memory        %.1f MiB planned: parameters %.1f, gradients %.1f, optimizer %.1f, temporaries %.1f, "
            "scratch %.1f, other %.1f\n",
            (double)memory->total / mib, (double)memory->parameters / mib, (double)memory->gradients / mib,
            (double)memory->optimizer_state / mib, (double)memory->arena / mib, (double)memory->workspace / mib,
            (double)memory->other_variables / mib);
    double tracker = config->tracker.enabled ? (double)ms_tracking_planned_bytes(run->trainer, config) : 0;
    fprintf(stream, "host memory   tracker %.1f MiB, a checkpoint's copy %.1f MiB while it is written\n", tracker / mib,
            (double)(memory->parameters + memory->optimizer_state) / mib);
}

static ms_status open_logs(ms_train_run *run) {
    MS_TRY(ms_logger_attach(run->logger, run->folder.log));
    if (run->config.tracker.enabled)
        MS_TRY(ms_tracking_open(run->trainer, &run->config, run->folder.spectra, run->resumed_step, &run->tracking));
    return ms_run_log_open(run->folder.metrics, run->resumed_step, &run->metrics);
}

static ms_status restore(ms_train_run *run, const ms_checkpoint *checkpoint) {
    const ms_checkpoint_info *info = ms_checkpoint_get_info(checkpoint);
    if (strcmp(info->config_hash, run->config_hash) != 0)
        return MS_FAIL(MS_MISMATCH, "%s: the checkpoint of step %lld belongs to another configuration",
                       run->folder.path, (long long)info->step);
    if (run->tokenizer) {
        const ms_checkpoint_entry *entry;
        MS_TRY(ms_checkpoint_find(checkpoint, "tokenizer_sha256", MS_CHECKPOINT_TEXT, &entry));
        if (strcmp(entry->text, ms_tokenizer_sha256(run->tokenizer)) != 0)
            return MS_FAIL(MS_MISMATCH, "%s: trained with tokenizer %.12s..., the data in %s has %.12s...",
                           run->folder.path, entry->text, run->config.data.directory,
                           ms_tokenizer_sha256(run->tokenizer));
    }
    MS_TRY(ms_trainer_load(run->trainer, checkpoint, run->train));
    run->resumed_step = run->saved_step = run->trainer->step;
    MS_TRY(open_logs(run));
    if (!run->tracking) return MS_OK;
    const ms_checkpoint_entry *entry;
    ms_status status = ms_checkpoint_find(checkpoint, "tracker_norms", MS_CHECKPOINT_TEXT, &entry);
    if (status == MS_NOT_FOUND) return MS_OK; /* tracking was off until now */
    MS_TRY(status);
    return ms_tracking_restore(run->tracking, entry->text);
}

static ms_status resume(ms_train_run *run) {
    int64_t step;
    ms_checkpoint *checkpoint;
    MS_TRY_NOTE(ms_checkpoint_latest(run->folder.checkpoints, &step), "cannot resume %s", run->folder.path);
    MS_TRY_NOTE(ms_checkpoint_open(run->folder.checkpoints, step, &checkpoint), "cannot resume %s", run->folder.path);
    ms_status status = restore(run, checkpoint);
    ms_checkpoint_close(checkpoint);
    return status;
}

/* The run keeps the tokenizer it was trained with, so that its text can be decoded wherever the data goes. */
static ms_status keep_tokenizer(ms_train_run *run) {
    if (!run->tokenizer) return MS_OK;
    char *path = ms_path_join(run->folder.path, "tokenizer.json");
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a path");
    ms_status status = ms_tokenizer_save(run->tokenizer, path);
    free(path);
    return status;
}

static ms_status measure_peak(ms_train_run *run) {
    ms_bench_meter meter;
    ms_device *device = run->device;
    double gflops = 0;
    MS_TRY(ms_bench_meter_init(device, run->config.train.device, ms_device_threads(device), true, &meter));
    ms_status status = ms_bench_meter_flops(&meter, &gflops);
    ms_bench_meter_finish(&meter);
    run->peak_flops = 1e9 * gflops;
    return status;
}

ms_status ms_train_run_start(ms_train_run *run, const char *path) {
    MS_TRY(ms_trainer_allocate(run->trainer));
    if (run->has_folder) {
        MS_TRY(resume(run));
    } else {
        MS_TRY(ms_run_folder_create(path, &run->config, &run->folder));
        run->has_folder = true;
        MS_TRY(keep_tokenizer(run));
        MS_TRY(ms_trainer_initialise(run->trainer));
        MS_TRY(open_logs(run));
    }
    return run->quiet ? MS_OK : measure_peak(run);
}

void ms_train_run_close(ms_train_run *run) {
    ms_tracking_close(run->tracking);
    ms_run_log_close(run->metrics);
    ms_trainer_close(run->trainer);
    ms_device_close(run->device);
    ms_dataset_close(run->train);
    ms_dataset_close(run->validation);
    ms_tokenizer_close(run->tokenizer);
    if (run->has_folder) ms_run_folder_close(&run->folder);
    ms_logger_destroy(run->logger);
    memset(run, 0, sizeof *run);
    run->folder.lock = -1;
}
