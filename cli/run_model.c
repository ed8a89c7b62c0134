#include "cli/run_model.h"

#include <stdlib.h>

#include "cli/config/trainer_config.h"
#include "model/data/dataset_sidecar.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/shell.h"
#include "train/settings.h"
#include "train/text.h"

static ms_status open_tokenizer(const char *folder, const char *what, bool is_wanted, ms_tokenizer **out) {
    char *path = ms_path_join(folder, MS_SIDECAR_TOKENIZER);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a path", what);
    ms_status status = is_wanted || ms_file_exists(path) ? ms_tokenizer_open(path, out) : MS_OK;
    free(path);
    if (status != MS_OK && is_wanted)
        return ms_status_note(status, "%s: the run has no tokenizer to make text with", what);
    return status == MS_OK ? MS_OK : ms_status_note(status, "%s", what);
}

/* Rows of the embedding for all of the tokenizer's ids. */
static ms_status check_vocabulary(const char *folder, const char *what, const ms_run_model *run) {
    int n = run->tokenizer ? ms_tokenizer_vocab_size(run->tokenizer) : 0;
    if (n <= run->model.vocabulary) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: %s/" MS_SIDECAR_TOKENIZER " has %d tokens, the model %d", what, folder, n,
                   run->model.vocabulary);
}

static ms_status open_run(const ms_run_folder *folder, const char *what, bool wants_tokenizer, ms_run_model *run) {
    ms_config_defaults(&run->config);
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&run->config, folder->config, NULL), folder->config));
    MS_TRY(open_tokenizer(folder->path, what, wants_tokenizer, &run->tokenizer));
    int vocabulary = run->tokenizer ? ms_tokenizer_vocab_size(run->tokenizer) : (int)run->config.model.vocabulary;
    run->model = ms_model_config_from_config(&run->config, vocabulary);
    run->end_of_text = -1;
    MS_TRY(ms_settings_note_fault(check_vocabulary(folder->path, what, run), folder->config));
    return run->tokenizer ? ms_text_find_end(folder->path, run->tokenizer, &run->end_of_text) : MS_OK;
}

/* The rest, when `status` of reading what the model is was MS_OK. */
static ms_status open_device(ms_status status, const char *device, int64_t n_threads, ms_run_model *out) {
    ms_device_options options = ms_device_options_from_config(&out->config);
    if (device) options.name = device;
    options.n_threads = (int32_t)n_threads;
    if (status == MS_OK) status = ms_device_open(&options, &out->device);
    if (status != MS_OK) {
        ms_run_model_finish(out);
        return status;
    }
    if (ms_device_threads(out->device) > 0) ms_warn_of_threads(n_threads);
    return MS_OK;
}

ms_status ms_run_model_open(const ms_run_folder *folder, const char *what, bool wants_tokenizer, const char *device,
                            int64_t n_threads, ms_run_model *out) {
    *out = (ms_run_model){0};
    return open_device(open_run(folder, what, wants_tokenizer, out), device, n_threads, out);
}

bool ms_is_hf_folder(const char *path) {
    return ms_folder_has(path, "config.json") && !ms_folder_has(path, "config.yaml");
}

ms_status ms_refuse_hf_folder(const char *path, const char *what) {
    if (!ms_is_hf_folder(path)) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED,
                   "%s: %s is a Hugging Face folder, and a run is needed: muonscope train --init_from %s makes one, "
                   "muonscope evaluate %s scores texts",
                   what, path, ms_shell_quote(path).text, ms_shell_quote(path).text);
}

static ms_status describe_folder(const ms_init_from *source, int64_t sequence_length, ms_run_model *out) {
    enum { SEQUENCE_LENGTH = 2048, PASS_TOKENS = 4096 };
    ms_config_given given = {.keys = {false}};
    ms_config *config = &out->config;
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys), *length = ms_config_find("model.sequence_length");
    ms_config_defaults(config);
    given.keys[length - keys] = sequence_length > 0;
    config->model.sequence_length = sequence_length > 0 ? sequence_length : SEQUENCE_LENGTH;
    MS_TRY(ms_init_from_resolve(source, &given, config));
    config->train.batch_sequences =
        config->model.sequence_length < PASS_TOKENS ? PASS_TOKENS / config->model.sequence_length : 1;
    out->model = ms_model_config_from_config(config, 0);
    out->end_of_text = ms_init_from_begin_id(source);
    return ms_init_from_check(source, &out->model);
}

static ms_status open_folder(const char *path, int64_t sequence_length, ms_run_model *out) {
    char note[600];
    MS_TRY(ms_init_from_open(path, "evaluate", &out->source));
    MS_TRY(describe_folder(out->source, sequence_length, out));
    ms_init_from_length_note(out->source, out->config.model.sequence_length, note, sizeof note);
    if (*note) ms_print_line(stderr, "muonscope: warning: %s", note);
    MS_TRY(open_tokenizer(path, "evaluate", false, &out->tokenizer));
    return check_vocabulary(path, "evaluate", out);
}

ms_status ms_hf_model_open(const char *path, int64_t sequence_length, const char *device, int64_t n_threads,
                           ms_run_model *out) {
    *out = (ms_run_model){0};
    return open_device(open_folder(path, sequence_length, out), device, n_threads, out);
}

void ms_run_model_finish(ms_run_model *run) {
    ms_device_close(run->device);
    ms_tokenizer_close(run->tokenizer);
    ms_init_from_close(run->source);
    run->device = NULL;
    run->tokenizer = NULL;
    run->source = NULL;
}
