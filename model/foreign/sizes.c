#include "model/foreign/sizes.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

/* The value of a key, of the file or of its part for text; NULL where neither has it, or has null. */
static const json_t *find(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    if (!value || json_is_null(value)) value = json_object_get(json_object_get(config, "text_config"), key);
    return value && !json_is_null(value) ? value : NULL;
}

/* The first of the keys (ended by NULL) that is there. */
static ms_status read_size(const char *path, const json_t *config, const char *const *keys, int64_t *out) {
    *out = 0;
    for (; *keys; keys++) {
        const json_t *value = find(config, *keys);
        if (!value) continue;
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > MS_MODEL_SIZE_MAX)
            return MS_FAIL(MS_CORRUPT, "%s: %s is not a whole number of 1 to %d", path, *keys, MS_MODEL_SIZE_MAX);
        *out = json_integer_value(value);
        return MS_OK;
    }
    return MS_OK;
}

#define READ_SIZE(out, ...) MS_TRY(read_size(path, config, (const char *const[]){__VA_ARGS__, NULL}, out))

/* GPT-BigCode's models have one key and value head where their config.json does not say. */
static bool has_one_key(const json_t *config, const ms_model_sizes *sizes) {
    const json_t *value = find(config, "multi_query");
    return value ? json_is_true(value) : strcmp(sizes->type, "gpt_bigcode") == 0;
}

static ms_status read_sizes(const char *path, const json_t *config, ms_model_sizes *out) {
    int64_t width;
    if (!json_is_object(config)) return MS_FAIL(MS_CORRUPT, "%s: not a JSON object", path);
    const char *type = json_string_value(find(config, "model_type"));
    snprintf(out->type, sizeof out->type, "%s", type ? type : "");
    READ_SIZE(&width, "hidden_size", "n_embd", "d_model");
    READ_SIZE(&out->heads, "num_attention_heads", "n_head", "num_heads");
    READ_SIZE(&out->kv_heads, "num_key_value_heads");
    READ_SIZE(&out->head_size, "head_dim");
    READ_SIZE(&out->latent, "kv_lora_rank");
    READ_SIZE(&out->not_rotated, "qk_nope_head_dim");
    READ_SIZE(&out->values, "v_head_dim");
    if (out->kv_heads == 0) out->kv_heads = has_one_key(config, out) ? 1 : out->heads;
    if (out->head_size == 0 && out->heads > 0 && width % out->heads == 0) out->head_size = width / out->heads;
    out->has_config = true;
    return MS_OK;
}

ms_status ms_model_sizes_read(const char *path, ms_model_sizes *out) {
    *out = (ms_model_sizes){0};
    if (!ms_file_exists(path)) return MS_OK;
    char *text;
    size_t size_bytes;
    json_error_t error;
    MS_TRY(ms_file_read(path, &text, &size_bytes));
    json_t *config = json_loadb(text, size_bytes, 0, &error);
    ms_status status =
        config ? read_sizes(path, config, out) : MS_FAIL(MS_CORRUPT, "%s: line %d: %s", path, error.line, error.text);
    json_decref(config);
    free(text);
    if (status != MS_OK) *out = (ms_model_sizes){0};
    return status;
}
