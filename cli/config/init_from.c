#include "cli/config/init_from.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint.h"
#include "model/checkpoint/checkpoint_names.h"
#include "model/checkpoint/named_tensors.h"
#include "model/data/dataset_sidecar.h"
#include "model/hf/source.h"
#include "platform/file.h"

struct ms_init_from {
    const char *what;          /* that opened it, which messages begin with */
    char *path;                /* without slashes at its end */
    ms_checkpoint *checkpoint; /* of ours; NULL: a Hugging Face folder */
    ms_hf_source *folder;
    char *tokenizer; /* path of its tokenizer, which may not exist */
};

/* ---- open ---- */

/* The path without its last part; the caller frees it; NULL: no memory. */
static char *path_above(const char *path) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] != '/') end--;
    while (end > 1 && path[end - 1] == '/') end--;
    return end > 0 ? strndup(path, end) : strdup(".");
}

static ms_status open_run(ms_init_from *source) {
    char *checkpoints = ms_path_join(source->path, "checkpoints");
    int64_t step;
    source->tokenizer = ms_path_join(source->path, MS_SIDECAR_TOKENIZER);
    ms_status status = checkpoints && source->tokenizer
                           ? ms_checkpoint_latest(checkpoints, &step)
                           : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its paths", source->path);
    if (status == MS_OK) status = ms_checkpoint_open(checkpoints, step, &source->checkpoint);
    free(checkpoints);
    return status;
}

static ms_status open_step(ms_init_from *source, int64_t step) {
    char *checkpoints = path_above(source->path);
    source->tokenizer = ms_path_join(source->path, "../../" MS_SIDECAR_TOKENIZER);
    ms_status status = checkpoints && source->tokenizer
                           ? ms_checkpoint_open(checkpoints, step, &source->checkpoint)
                           : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its paths", source->path);
    free(checkpoints);
    return status;
}

static ms_status open_folder(ms_init_from *source) {
    source->tokenizer = ms_path_join(source->path, MS_SIDECAR_TOKENIZER);
    if (!source->tokenizer) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its paths", source->path);
    return ms_hf_source_open(source->path, &source->folder);
}

static ms_status open_source(ms_init_from *source) {
    const char *path = source->path, *slash = strrchr(path, '/');
    int64_t step;
    if (ms_folder_has(path, "config.yaml")) return open_run(source);
    if (ms_checkpoint_parse_name(slash ? slash + 1 : path, &step) && ms_folder_has(path, MS_CHECKPOINT_STATE_NAME))
        return open_step(source, step);
    if (ms_folder_has(path, "config.json")) return open_folder(source);
    if (!ms_file_exists(path)) return MS_FAIL(MS_NOT_FOUND, "no such folder");
    return MS_FAIL(
        MS_NOT_FOUND,
        "it is no model: neither a run (config.yaml), nor a checkpoint of one (step_N with %s), nor a Hugging "
        "Face folder (config.json)",
        MS_CHECKPOINT_STATE_NAME);
}

ms_status ms_init_from_open(const char *path, const char *what, ms_init_from **out) {
    *out = NULL;
    ms_init_from *source = calloc(1, sizeof *source);
    if (!source || !(source->path = strdup(path))) {
        free(source);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s %s: no memory to open it", what, path);
    }
    source->what = what;
    for (size_t n = strlen(source->path); n > 1 && source->path[n - 1] == '/'; n--) source->path[n - 1] = '\0';
    ms_status status = open_source(source);
    if (status != MS_OK) {
        status = ms_status_note(status, "%s %s", what, path);
        ms_init_from_close(source);
        return status;
    }
    *out = source;
    return MS_OK;
}

void ms_init_from_close(ms_init_from *source) {
    if (!source) return;
    ms_checkpoint_close(source->checkpoint);
    ms_hf_source_close(source->folder);
    free(source->tokenizer);
    free(source->path);
    free(source);
}

/* ---- keys ---- */

static const char *const model_keys[] = {"model.layers",
                                         "model.width",
                                         "model.heads",
                                         "model.kv_heads",
                                         "model.head_size",
                                         "model.feed_forward",
                                         "model.vocabulary",
                                         "model.activation",
                                         "model.tied_head",
                                         "model.norm_epsilon",
                                         "model.embedding_scale",
                                         "model.residual_scale",
                                         "model.residual_scale_init",
                                         "attention.qk_norm",
                                         "attention.qkv_bias",
                                         "attention.rope_base",
                                         "attention.rope_layout",
                                         "attention.merged",
                                         "attention.rope_scaling",
                                         "attention.rope_factor",
                                         "attention.rope_low",
                                         "attention.rope_high",
                                         "attention.rope_original_length",
                                         "model.sequence_length"};
enum { N_MODEL_KEYS = sizeof model_keys / sizeof *model_keys };

/* Those that may differ from the source's. */
static bool is_free(const ms_init_from *source, const char *name) {
    if (strcmp(name, "model.sequence_length") == 0) return true;
    return source->folder && (strcmp(name, "attention.merged") == 0 || strcmp(name, "model.embedding_scale") == 0);
}

static bool is_given(const ms_config_given *given, const char *name) {
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys), *key = ms_config_find(name);
    return key && given->keys[key - keys];
}

/* Settings of a checkpoint, "section.key=value" a line, as far as they are of the model. */
static ms_status read_settings(const ms_init_from *source, ms_config *out) {
    const ms_checkpoint_entry *settings;
    MS_TRY(ms_checkpoint_find(source->checkpoint, "settings", MS_CHECKPOINT_TEXT, &settings));
    ms_config_defaults(out); /* settings lack keys that were added later, and are at their default */
    for (const char *line = settings->text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char text[MS_CONFIG_STRING_SIZE];
        size_t length = strcspn(line, "\n"), name = strcspn(line, "=\n");
        if (length >= sizeof text || line[name] != '=') continue;
        memcpy(text, line, length);
        text[length] = text[name] = '\0';
        for (int i = 0; i < N_MODEL_KEYS; i++)
            if (strcmp(text, model_keys[i]) == 0) MS_TRY(ms_config_set(out, text, text + name + 1));
    }
    const ms_safetensor *embedding;
    MS_TRY(ms_safetensors_find(ms_checkpoint_model(source->checkpoint), "embedding.weight", &embedding));
    if (embedding->rank == 2) out->model.vocabulary = embedding->shape[0];
    return MS_OK;
}

static void read_description(const ms_hf_description *d, const ms_config_given *given, ms_config *out) {
    out->model.layers = d->layers;
    out->model.width = d->width;
    out->model.heads = d->heads;
    out->model.kv_heads = d->kv_heads;
    out->model.head_size = d->head_size;
    out->model.feed_forward = d->feed_forward;
    out->model.vocabulary = d->vocabulary;
    out->model.activation = d->activation;
    out->model.tied_head = d->tied_head;
    out->model.norm_epsilon = d->norm_epsilon;
    out->model.embedding_scale = 1;
    out->model.residual_scale = MS_RESIDUAL_FIXED;
    out->model.residual_scale_init = 1;
    out->attention.qk_norm = d->qk_norm;
    out->attention.qkv_bias = d->qkv_bias;
    out->attention.rope_base = d->rope_base;
    out->attention.rope_layout = MS_ROPE_HALF_SPLIT;
    out->attention.rope_scaling = d->rope_scaling;
    if (d->rope_scaling != MS_ROPE_SCALING_NONE) out->attention.rope_factor = d->rope_factor;
    if (d->rope_scaling == MS_ROPE_SCALING_LLAMA3) {
        out->attention.rope_low = d->rope_low;
        out->attention.rope_high = d->rope_high;
        out->attention.rope_original_length = d->rope_original_length;
    }
    if (d->heads * d->head_size != d->width) out->attention.merged = false;
    int64_t longest = d->window > 0 && (d->positions == 0 || d->window < d->positions) ? d->window : d->positions;
    if (longest > 0 && out->model.sequence_length > longest && !is_given(given, "model.sequence_length"))
        out->model.sequence_length = longest;
}

static ms_status take_key(const ms_init_from *source, const ms_config *from, const char *name,
                          const ms_config_given *given, ms_config *config) {
    const ms_config_key *key = ms_config_find(name);
    char has[MS_CONFIG_STRING_SIZE], wants[MS_CONFIG_STRING_SIZE];
    if (!key) return MS_FAIL(MS_INTERNAL, "init.from: there is no key %s", name);
    if (is_given(given, name)) {
        ms_config_value_text(from, key, has, sizeof has);
        ms_config_value_text(config, key, wants, sizeof wants);
        if (strcmp(has, wants) == 0 || is_free(source, name)) return MS_OK;
        return MS_FAIL(MS_MISMATCH, "%s %s: %s is %s there, and %s is asked for: leave it out", source->what,
                       source->path, name, has, wants);
    }
    memcpy((char *)config + key->offset, (const char *)from + key->offset, key->size_bytes);
    return MS_OK;
}

ms_status ms_init_from_resolve(const ms_init_from *source, const ms_config_given *given, ms_config *config) {
    ms_config from = *config;
    if (source->checkpoint)
        MS_TRY_NOTE(read_settings(source, &from), "%s %s", source->what, source->path);
    else
        read_description(ms_hf_source_description(source->folder), given, &from);
    for (int i = 0; i < N_MODEL_KEYS; i++) MS_TRY(take_key(source, &from, model_keys[i], given, config));
    int64_t window = source->folder ? ms_hf_source_description(source->folder)->window : 0;
    if (window > 0 && config->model.sequence_length > window)
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s %s: a query sees the last %lld tokens there (sliding_window), and all here: "
                       "model.sequence_length must be at most that, not %lld",
                       source->what, source->path, (long long)window, (long long)config->model.sequence_length);
    return MS_OK;
}

/* ---- tensors ---- */

static ms_status check_own(const ms_init_from *source, const ms_safetensor *wanted, size_t n) {
    const ms_safetensors *file = ms_checkpoint_model(source->checkpoint);
    char has[MS_SAFETENSOR_SHAPE_SIZE], wants[MS_SAFETENSOR_SHAPE_SIZE];
    for (size_t i = 0; i < n; i++) {
        const ms_safetensor *found;
        MS_TRY(ms_safetensors_find(file, wanted[i].name, &found));
        if (strcmp(found->dtype, "F32") == 0 && ms_safetensor_has_shape(found, wanted[i].rank, wanted[i].shape))
            continue;
        return MS_FAIL(MS_MISMATCH, "tensor %s is %s %s, this model wants F32 %s", wanted[i].name, found->dtype,
                       ms_safetensor_shape_text(found->rank, found->shape, has),
                       ms_safetensor_shape_text(wanted[i].rank, wanted[i].shape, wants));
    }
    if (ms_safetensors_count(file) == n) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "it has %zu tensors, this model %zu", ms_safetensors_count(file), n);
}

static ms_status check_tensors(const ms_init_from *source, const ms_model_config *model, const ms_safetensor *wanted,
                               size_t n) {
    if (source->folder) MS_TRY_NOTE(ms_hf_source_check(source->folder, model, wanted, n), "%s", source->what);
    if (source->checkpoint) MS_TRY_NOTE(check_own(source, wanted, n), "%s %s", source->what, source->path);
    return MS_OK;
}

/* Of the tensors of a run: they are checked. */
static ms_status check_own_numbers(const ms_init_from *source) {
    const ms_safetensors *file = ms_checkpoint_model(source->checkpoint);
    for (size_t i = 0; i < ms_safetensors_count(file); i++) {
        const ms_safetensor *tensor = ms_safetensors_at(file, i);
        for (size_t at = 0; at < tensor->size_bytes; at += sizeof(float)) {
            float value;
            memcpy(&value, (const char *)tensor->data + at, sizeof value);
            if (!isfinite(value)) return MS_FAIL(MS_NUMERIC, "tensor %s has a number that is not finite", tensor->name);
        }
    }
    return MS_OK;
}

static ms_status check_numbers(const ms_init_from *source, const ms_model_config *model, const ms_safetensor *wanted,
                               size_t n) {
    MS_TRY(check_tensors(source, model, wanted, n));
    if (source->folder) MS_TRY_NOTE(ms_hf_source_check_numbers(source->folder, model, wanted, n), "%s", source->what);
    if (source->checkpoint) MS_TRY_NOTE(check_own_numbers(source), "%s %s", source->what, source->path);
    return MS_OK;
}

typedef ms_status check_of_tensors(const ms_init_from *source, const ms_model_config *model,
                                   const ms_safetensor *wanted, size_t n);

/* Calls `check` with the tensors of the model, which have no data. */
static ms_status check_model(const ms_init_from *source, const ms_model_config *config, check_of_tensors *check) {
    ms_variables *variables;
    ms_model model;
    ms_named_tensors list = {0};
    MS_TRY(ms_variables_create(&variables));
    ms_status status = ms_model_init(config, variables, &model);
    if (status != MS_OK) status = ms_status_note(status, "%s %s", source->what, source->path);
    if (status == MS_OK) status = ms_named_tensors_list(variables, MS_VARIABLE_PARAMETER, &list);
    if (status == MS_OK) status = check(source, config, list.tensors, list.n_tensors);
    ms_named_tensors_finish(&list);
    ms_variables_destroy(variables);
    return status;
}

ms_status ms_init_from_check(const ms_init_from *source, const ms_model_config *config) {
    return check_model(source, config, check_tensors);
}

ms_status ms_init_from_check_numbers(const ms_init_from *source, const ms_model_config *config) {
    return check_model(source, config, check_numbers);
}

int32_t ms_init_from_begin_id(const ms_init_from *source) {
    return source->folder ? ms_hf_source_description(source->folder)->begin_id : -1;
}

static ms_status fill_own(const ms_init_from *source, const ms_safetensor *tensors, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const ms_safetensor *found;
        MS_TRY(ms_safetensors_find(ms_checkpoint_model(source->checkpoint), tensors[i].name, &found));
        memcpy((void *)tensors[i].data, found->data, tensors[i].size_bytes);
    }
    return MS_OK;
}

ms_status ms_init_from_fill(void *context, const ms_model_config *model, const ms_safetensor *tensors, size_t n) {
    const ms_init_from *source = context;
    if (source->folder) { /* which checks them too */
        MS_TRY_NOTE(ms_hf_source_fill(source->folder, model, tensors, n), "%s", source->what);
        return MS_OK;
    }
    MS_TRY(check_tensors(source, model, tensors, n));
    return fill_own(source, tensors, n);
}

ms_status ms_init_from_open_and_fill(void *path, const ms_model_config *model, const ms_safetensor *tensors, size_t n) {
    ms_init_from *source;
    MS_TRY(ms_init_from_open(path, "init.from", &source));
    ms_status status = ms_init_from_fill(source, model, tensors, n);
    ms_init_from_close(source);
    return status;
}

/* ---- what is to be said ---- */

const char *ms_init_from_length_note(const ms_init_from *source, int64_t sequence_length, char *out, size_t size) {
    int64_t positions = source->folder ? ms_hf_source_description(source->folder)->positions : 0;
    out[0] = '\0';
    if (positions > 0 && sequence_length > positions)
        snprintf(out, size,
                 "sequences of %lld tokens are longer than %s was made for: its config.json has %lld positions "
                 "(max_position_embeddings), and the angles of later ones are new to its weights",
                 (long long)sequence_length, source->path, (long long)positions);
    return out;
}

const char *ms_init_from_tokenizer_note(const ms_init_from *source, const ms_tokenizer *tokenizer, char *out,
                                        size_t size) {
    ms_tokenizer *theirs;
    out[0] = '\0';
    if (!tokenizer || !ms_file_exists(source->tokenizer)) return out;
    if (ms_tokenizer_open(source->tokenizer, &theirs) != MS_OK) {
        snprintf(out, size, "whether the data's token ids mean what they mean in %s is not known: %s", source->path,
                 ms_status_message());
        return out;
    }
    if (strcmp(ms_tokenizer_sha256(theirs), ms_tokenizer_sha256(tokenizer)) != 0)
        snprintf(out, size,
                 "the data have another tokenizer (%.12s...) than %s (%.12s...): the same ids mean other texts",
                 ms_tokenizer_sha256(tokenizer), source->path, ms_tokenizer_sha256(theirs));
    ms_tokenizer_close(theirs);
    return out;
}
