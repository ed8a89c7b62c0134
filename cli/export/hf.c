#include "cli/export/hf.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/trainer_config.h"
#include "cli/export/hf_card.h"
#include "model/data/dataset_sidecar.h"
#include "model/data/tokenizer.h"
#include "model/hf/architecture.h"
#include "model/hf/weights.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/output.h"
#include "platform/temporary.h"
#include "train/run_folder.h"
#include "train/settings.h"
#include "train/text.h"

/* All that is at work. */
typedef struct exporting {
    const ms_export_hf_request *request;
    ms_run_folder run;
    ms_config config;
    ms_model_config model;
    ms_hf_architecture architecture;
    ms_tokenizer *tokenizer; /* NULL: the run has none */
    char *tokenizer_path;
    int32_t end_of_text; /* -1: none */
    char *end_text;      /* its text; NULL: none */
    ms_checkpoint *checkpoint;
    ms_hf_tensors tensors;
    ms_hf_written written;
} exporting;

/* ---- what is read ---- */

/* What is in the place is never touched. */
static ms_status check_out(const char *out) {
    if (!*out) return MS_FAIL(MS_USAGE, "--out: the name of a new folder is needed");
    if (ms_is_link(out) || (ms_file_exists(out) && !ms_is_directory(out)))
        return MS_FAIL(MS_INVALID, "--out %s is there and is no folder: name a new one", out);
    if (!ms_is_directory(out)) return MS_OK;
    ms_listing names;
    MS_TRY(ms_listing_read(out, &names));
    size_t n = names.n;
    ms_listing_finish(&names);
    if (n == 0) return MS_OK;
    return MS_FAIL(MS_INVALID, "--out %s holds %zu entr%s already: name a new folder", out, n, n == 1 ? "y" : "ies");
}

static ms_status keep_end_text(exporting *all) {
    const uint8_t *bytes;
    size_t size;
    MS_TRY(ms_text_find_end(all->run.path, all->tokenizer, &all->end_of_text));
    if (all->end_of_text < 0) return MS_OK;
    MS_TRY(ms_tokenizer_token(all->tokenizer, all->end_of_text, &bytes, &size));
    all->end_text = strndup((const char *)bytes, size);
    return all->end_text ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a token");
}

static ms_status open_tokenizer(exporting *all) {
    all->end_of_text = -1;
    all->tokenizer_path = ms_path_join(all->run.path, MS_SIDECAR_TOKENIZER);
    if (!all->tokenizer_path) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
    if (!ms_file_exists(all->tokenizer_path)) return MS_OK;
    MS_TRY(ms_tokenizer_open(all->tokenizer_path, &all->tokenizer));
    return keep_end_text(all);
}

/* Vocabulary 0 in the configuration stands for that of the data: the checkpoint knows it too. */
static ms_status describe_model(exporting *all) {
    const ms_safetensor *embedding;
    MS_TRY(ms_safetensors_find(ms_checkpoint_model(all->checkpoint), "embedding.weight", &embedding));
    int64_t rows = embedding->rank > 0 ? embedding->shape[0] : 0;
    if (rows < 1 || rows > INT32_MAX) return MS_FAIL(MS_CORRUPT, "embedding.weight has %lld rows", (long long)rows);
    all->model = ms_model_config_from_config(&all->config, (int32_t)rows);
    int tokens = all->tokenizer ? ms_tokenizer_vocab_size(all->tokenizer) : 0;
    if (tokens > all->model.vocabulary)
        return MS_FAIL(MS_MISMATCH, "%s has %d tokens, the model %d", all->tokenizer_path, tokens,
                       all->model.vocabulary);
    return MS_OK;
}

static ms_status load(exporting *all) {
    MS_TRY(ms_run_folder_open(all->request->run, &all->run));
    ms_config_defaults(&all->config);
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&all->config, all->run.config, NULL), all->run.config));
    all->model = ms_model_config_from_config(&all->config, 0);
    MS_TRY_NOTE(ms_hf_architecture_of(&all->model, &all->architecture), "export: %s", all->run.path);
    MS_TRY(open_tokenizer(all));
    MS_TRY(ms_checkpoint_open_or_name(all->run.checkpoints, all->request->step, "--step", &all->checkpoint));
    MS_TRY_NOTE(describe_model(all), "export: %s", all->run.path);
    ms_status status = ms_hf_tensors_plan(&all->model, ms_checkpoint_model(all->checkpoint), &all->tensors);
    return ms_settings_note_fault(status, all->run.config);
}

/* ---- what is written ---- */

static ms_status write_object(const ms_hf_folder *folder, const char *name, ms_status made, json_t *object) {
    if (made == MS_OK) made = ms_hf_folder_write_json(folder, name, object);
    json_decref(object);
    return made;
}

static ms_status write_config(const exporting *all, const ms_hf_folder *folder) {
    json_t *object;
    ms_status status = ms_hf_config(&all->model, all->end_of_text, all->request->dtype, &object);
    return write_object(folder, "config.json", status, object);
}

/* How the run's own samples are drawn. */
static ms_status write_generation(const exporting *all, const ms_hf_folder *folder) {
    static const char name[] = "generation_config.json";
    json_t *object;
    double temperature = all->config.sample.temperature;
    ms_status status = ms_json_pack(&object, name, "{s:b}", "do_sample", temperature > 0);
    if (status == MS_OK && all->end_of_text >= 0)
        status = ms_json_set(object, name, "bos_token_id", json_integer(all->end_of_text));
    if (status == MS_OK && all->end_of_text >= 0)
        status = ms_json_set(object, name, "eos_token_id", json_integer(all->end_of_text));
    if (status == MS_OK && temperature > 0) status = ms_json_set(object, name, "temperature", json_real(temperature));
    if (status == MS_OK && temperature > 0)
        status = ms_json_set(object, name, "top_k", json_integer(all->config.sample.top_k));
    return write_object(folder, name, status, object);
}

static ms_status write_tokenizer(const exporting *all, const ms_hf_folder *folder) {
    static const char name[] = "tokenizer_config.json";
    if (!all->tokenizer) return MS_OK;
    char *text;
    size_t size;
    MS_TRY(ms_file_read(all->tokenizer_path, &text, &size));
    ms_status status = ms_hf_folder_write(folder, MS_SIDECAR_TOKENIZER, text, size);
    free(text);
    MS_TRY(status);
    json_t *object;
    status = ms_json_pack(&object, name, "{s:s, s:i, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                          "model_max_length", (int)all->model.sequence_length, "clean_up_tokenization_spaces", 0);
    if (status == MS_OK && all->end_text) status = ms_json_set_text(object, name, "bos_token", all->end_text);
    if (status == MS_OK && all->end_text) status = ms_json_set_text(object, name, "eos_token", all->end_text);
    return write_object(folder, name, status, object);
}

static ms_status write_card(const exporting *all, const ms_hf_folder *folder) {
    const ms_export_hf_card card = {.run = all->run.path,
                                    .config = &all->config,
                                    .model = &all->model,
                                    .dtype = all->request->dtype,
                                    .checkpoint = all->checkpoint,
                                    .end_of_text = all->end_text,
                                    .tokenizer_ids = all->tokenizer ? ms_tokenizer_vocab_size(all->tokenizer) : 0};
    char *text;
    MS_TRY(ms_export_hf_card_text(&card, &text));
    ms_status status = ms_hf_folder_write(folder, "README.md", text, strlen(text));
    free(text);
    return status;
}

static ms_status write_files(exporting *all, const ms_hf_folder *folder) {
    MS_TRY(write_config(all, folder));
    MS_TRY(write_generation(all, folder));
    MS_TRY(write_tokenizer(all, folder));
    MS_TRY(write_card(all, folder));
    const ms_hf_weights_options options = {all->request->dtype, all->request->shard_bytes};
    return ms_hf_weights_write(&all->tensors, folder, &options, &all->written);
}

static ms_status write_folder(exporting *all) {
    char *temporary;
    int descriptor;
    MS_TRY(ms_temporary_directory(all->request->out, &descriptor, &temporary));
    ms_status status = write_files(all, &(ms_hf_folder){descriptor, all->request->out});
    if (status == MS_OK) status = ms_rename(temporary, all->request->out);
    if (status != MS_OK) status = ms_directory_clear_away(status, temporary);
    ms_descriptor_close(descriptor);
    free(temporary);
    return status;
}

static void print(const exporting *all, FILE *printed) {
    ms_print_line(printed, "%s: %s, step %lld: %zu tensors in %s, %lld bytes in %d file%s%s", all->request->out,
                  all->architecture.name, (long long)ms_checkpoint_get_info(all->checkpoint)->step, all->tensors.n,
                  ms_dtype_name(all->request->dtype), (long long)all->written.size_bytes, all->written.n_files,
                  all->written.n_files == 1 ? "" : "s", all->tokenizer ? "" : "; no tokenizer: the run has none");
}

ms_status ms_export_hf(const ms_export_hf_request *request, FILE *printed) {
    exporting all = {.request = request, .run = MS_RUN_FOLDER_CLOSED};
    MS_TRY(check_out(request->out));
    ms_status status = load(&all);
    if (status == MS_OK) status = write_folder(&all);
    if (status == MS_OK) print(&all, printed);
    ms_hf_tensors_finish(&all.tensors);
    ms_checkpoint_close(all.checkpoint);
    ms_tokenizer_close(all.tokenizer);
    free(all.tokenizer_path);
    free(all.end_text);
    ms_run_folder_close(&all.run);
    return status;
}
