#include "model/hf/description.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

enum { SIZE_MAX_HERE = 1 << 24 };

/* A file, and the first error. */
struct reading {
    const char *path;
    const json_t *config;
    ms_status status;
};

/* NULL: it has no such key, or null. */
static const json_t *find(const struct reading *r, const char *key) {
    const json_t *value = json_object_get(r->config, key);
    return json_is_null(value) ? NULL : value;
}

/* A whole number; `otherwise` where there is none, -1: there must be one. */
static int64_t size_of(struct reading *r, const char *key, int64_t otherwise) {
    const json_t *value = find(r, key);
    if (r->status != MS_OK) return 0;
    if (!value && otherwise >= 0) return otherwise;
    if (!value) {
        r->status = MS_FAIL(MS_CORRUPT, "%s has no %s", r->path, key);
        return 0;
    }
    json_int_t size = json_is_integer(value) ? json_integer_value(value) : 0;
    if (size < 1 || size > SIZE_MAX_HERE)
        r->status = MS_FAIL(MS_CORRUPT, "%s: %s is not a whole number of 1 to %d", r->path, key, SIZE_MAX_HERE);
    return size;
}

static double positive(struct reading *r, const char *key, const json_t *value, double otherwise) {
    if (r->status != MS_OK || !value) return otherwise;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number > 0) || !isfinite(number))
        r->status = MS_FAIL(MS_CORRUPT, "%s: %s is not a positive number", r->path, key);
    return number;
}

static bool flag(struct reading *r, const char *key, bool otherwise) {
    const json_t *value = find(r, key);
    if (r->status != MS_OK || !value) return otherwise;
    if (!json_is_boolean(value)) r->status = MS_FAIL(MS_CORRUPT, "%s: %s is neither true nor false", r->path, key);
    return json_is_true(value);
}

/* What ours lacks. */
static void refuse(struct reading *r, const char *what) {
    if (r->status == MS_OK) r->status = MS_FAIL(MS_UNSUPPORTED, "%s: %s", r->path, what);
}

static double needed(struct reading *r, const json_t *scaling, const char *key) {
    const json_t *value = json_object_get(scaling, key);
    if (!value && r->status == MS_OK)
        r->status = MS_FAIL(MS_CORRUPT, "%s: the scaling of RoPE has no %s", r->path, key);
    return positive(r, key, value, 1);
}

static void read_llama3(struct reading *r, const json_t *scaling, ms_hf_description *out) {
    out->rope_scaling = MS_ROPE_SCALING_LLAMA3;
    out->rope_low = needed(r, scaling, "low_freq_factor");
    out->rope_high = needed(r, scaling, "high_freq_factor");
    double length = needed(r, scaling, "original_max_position_embeddings");
    if (r->status == MS_OK && (length > SIZE_MAX_HERE || floor(length) != length || out->rope_low >= out->rope_high))
        r->status = MS_FAIL(MS_CORRUPT, "%s: the scaling of RoPE has no sense: %g to %g turns in %g tokens", r->path,
                            out->rope_low, out->rope_high, length);
    out->rope_original_length = r->status == MS_OK ? (int64_t)length : 0;
}

/* scaling NULL: none. */
static void read_scaling(struct reading *r, const json_t *scaling, ms_hf_description *out) {
    const json_t *kind = json_object_get(scaling, "rope_type");
    const char *name = json_string_value(kind ? kind : json_object_get(scaling, "type"));
    char text[160];
    out->rope_factor = 1;
    if (!scaling || (name && strcmp(name, "default") == 0)) return;
    if (name && (strcmp(name, "linear") == 0 || strcmp(name, "llama3") == 0)) {
        out->rope_scaling = MS_ROPE_SCALING_LINEAR;
        out->rope_factor = needed(r, scaling, "factor");
        if (strcmp(name, "llama3") == 0) read_llama3(r, scaling, out);
        if (r->status == MS_OK && out->rope_factor < 1)
            r->status = MS_FAIL(MS_CORRUPT, "%s: the scaling of RoPE has a factor below 1", r->path);
        return;
    }
    snprintf(text, sizeof text, "RoPE of type %.40s: muonscope has linear and llama3", name ? name : "unknown");
    refuse(r, text);
}

/* rope_parameters since transformers 5, rope_theta and rope_scaling before. */
static void read_rope(struct reading *r, ms_hf_description *out) {
    const json_t *parameters = find(r, "rope_parameters"), *scaling = parameters ? parameters : find(r, "rope_scaling");
    const json_t *base = json_object_get(parameters, "rope_theta");
    out->rope_base = positive(r, "rope_theta", base ? base : find(r, "rope_theta"), 10000);
    read_scaling(r, scaling, out);
    const json_t *part = json_object_get(parameters, "partial_rotary_factor");
    if (!part) part = find(r, "partial_rotary_factor");
    if (part && json_number_value(part) != 1) refuse(r, "a part of each head is not rotated (partial_rotary_factor)");
}

/* Qwen's models have a window in their file that they use only where another key says so. */
static void read_window(struct reading *r, ms_hf_description *out) {
    bool is_used = flag(r, "use_sliding_window", strncmp(out->type, "qwen", 4) != 0);
    if (is_used) out->window = size_of(r, "sliding_window", 0);
}

static void read_activation(struct reading *r, ms_hf_description *out) {
    const char *name = json_string_value(find(r, "hidden_act"));
    char text[160];
    out->activation = name && strcmp(name, "relu") == 0 ? MS_ACTIVATION_RELU2 : MS_ACTIVATION_SWIGLU;
    snprintf(text, sizeof text, "hidden_act %.40s: it must be silu, or relu where each gate_proj is its up_proj",
             name ? name : "is not a text");
    if (find(r, "hidden_act") && (!name || (strcmp(name, "relu") != 0 && strcmp(name, "silu") != 0))) refuse(r, text);
}

static void read_family(struct reading *r, ms_hf_description *out) {
    const char *type = json_string_value(find(r, "model_type"));
    snprintf(out->type, sizeof out->type, "%s", type ? type : "");
    bool is_plain = strcmp(out->type, "llama") == 0 || strcmp(out->type, "mistral") == 0;
    out->qk_norm = strcmp(out->type, "qwen3") == 0;
    out->qkv_bias = strcmp(out->type, "qwen2") == 0;
    char text[200];
    snprintf(text, sizeof text, "model_type '%s': muonscope has llama (SmolLM2 too), mistral, qwen2 and qwen3",
             out->type);
    if (!is_plain && !out->qk_norm && !out->qkv_bias) refuse(r, text);
    if ((!out->qkv_bias && flag(r, "attention_bias", false)) || flag(r, "mlp_bias", false))
        refuse(
            r,
            "it has biases (attention_bias, mlp_bias), and muonscope has those of q, k and v alone, as Qwen2 has them");
    if (find(r, "quantization_config")) refuse(r, "its weights are quantized (quantization_config)");
}

static void read_sizes(struct reading *r, ms_hf_description *out) {
    out->layers = size_of(r, "num_hidden_layers", -1);
    out->width = size_of(r, "hidden_size", -1);
    out->heads = size_of(r, "num_attention_heads", -1);
    out->kv_heads = size_of(r, "num_key_value_heads", strcmp(out->type, "llama") == 0 ? out->heads : -1);
    int64_t usual = r->status == MS_OK && out->width % out->heads == 0 ? out->width / out->heads : -1;
    out->head_size = size_of(r, "head_dim", usual > 0 ? usual : -1);
    out->feed_forward = size_of(r, "intermediate_size", -1);
    out->vocabulary = size_of(r, "vocab_size", -1);
    out->positions = size_of(r, "max_position_embeddings", 0);
    out->tied_head = flag(r, "tie_word_embeddings", false);
    out->norm_epsilon = positive(r, "rms_norm_eps", find(r, "rms_norm_eps"), 1e-6);
}

static void read_begin(struct reading *r, ms_hf_description *out) {
    const json_t *id = find(r, "bos_token_id");
    long long value = json_is_integer(id) ? (long long)json_integer_value(id) : -1;
    char text[160];
    out->begin_id = (int32_t)value;
    if (id && !json_is_integer(id) && !json_is_null(id))
        refuse(r, "bos_token_id is not a whole number: mend it, or null");
    if (!json_is_integer(id) || (value >= 0 && value < out->vocabulary)) return;
    snprintf(text, sizeof text,
             "bos_token_id %lld is not in the vocabulary of %lld tokens (vocab_size): mend it, or null", value,
             (long long)out->vocabulary);
    refuse(r, text);
}

ms_status ms_hf_description_read(const char *path, ms_hf_description *out) {
    char *text;
    size_t size_bytes;
    json_error_t error;
    *out = (ms_hf_description){0};
    MS_TRY(ms_file_read(path, &text, &size_bytes));
    json_t *config = json_loadb(text, size_bytes, 0, &error);
    struct reading r = {path, config, MS_OK};
    if (!config)
        r.status = MS_FAIL(MS_CORRUPT, "%s: line %d: %s", path, error.line, error.text);
    else if (!json_is_object(config))
        r.status = MS_FAIL(MS_CORRUPT, "%s: not a JSON object", path);
    if (r.status == MS_OK) {
        read_family(&r, out);
        read_sizes(&r, out);
        read_activation(&r, out);
        read_rope(&r, out);
        read_window(&r, out);
        read_begin(&r, out);
    }
    json_decref(config);
    free(text);
    return r.status;
}
