#include "cli/run_model.h"

#include <stdlib.h>

#include "cli/config/trainer_config.h"
#include "model/data/dataset_sidecar.h"
#include "platform/file.h"
#include "train/settings.h"
#include "train/text.h"

static ms_status open_tokenizer(const ms_run_folder *folder, const char *what, bool is_wanted, ms_tokenizer **out) {
    char *path = ms_path_join(folder->path, MS_SIDECAR_TOKENIZER);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a path", what);
    ms_status status = is_wanted || ms_file_exists(path) ? ms_tokenizer_open(path, out) : MS_OK;
    free(path);
    if (status != MS_OK && is_wanted)
        return ms_status_note(status, "%s: the run has no tokenizer to make text with", what);
    return status == MS_OK ? MS_OK : ms_status_note(status, "%s", what);
}

static ms_status open_run(const ms_run_folder *folder, const char *what, bool wants_tokenizer, ms_run_model *run) {
    ms_config_defaults(&run->config);
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&run->config, folder->config, NULL), folder->config));
    MS_TRY(open_tokenizer(folder, what, wants_tokenizer, &run->tokenizer));
    int vocabulary = run->tokenizer ? ms_tokenizer_vocab_size(run->tokenizer) : (int)run->config.model.vocabulary;
    run->model = ms_model_config_from_config(&run->config, vocabulary);
    run->end_of_text = -1;
    return run->tokenizer ? ms_text_find_end(folder->path, run->tokenizer, &run->end_of_text) : MS_OK;
}

ms_status ms_run_model_open(const ms_run_folder *folder, const char *what, bool wants_tokenizer, const char *device,
                            int64_t n_threads, ms_run_model *out) {
    *out = (ms_run_model){0};
    ms_status status = open_run(folder, what, wants_tokenizer, out);
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

void ms_run_model_finish(ms_run_model *run) {
    ms_device_close(run->device);
    ms_tokenizer_close(run->tokenizer);
    run->device = NULL;
    run->tokenizer = NULL;
}
