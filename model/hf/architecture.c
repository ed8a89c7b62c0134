#include "model/hf/architecture.h"

#include <stdio.h>
#include <stdlib.h>

#include "platform/json.h"

ms_status ms_hf_architecture_of(const ms_model_config *config, ms_hf_architecture *out) {
    bool has_gate = config->activation == MS_ACTIVATION_SWIGLU;
    if (!has_gate && config->activation != MS_ACTIVATION_RELU2)
        return MS_FAIL(MS_UNSUPPORTED,
                       "model.activation %s has no gate, and the feed-forward layer of Llama and Qwen3 has one: with "
                       "model.activation swiglu, or relu2 (which is its own gate), the model could be exported",
                       ms_activation_names[config->activation]);
    if (config->qk_norm && config->qkv_bias)
        return MS_FAIL(
            MS_UNSUPPORTED,
            "attention.qk_norm with attention.qkv_bias is no architecture of transformers: without the norm it "
            "would be exported as Qwen2, without the biases as Qwen3");
    const char *name = config->qk_norm    ? "Qwen3ForCausalLM"
                       : config->qkv_bias ? "Qwen2ForCausalLM"
                                          : "LlamaForCausalLM";
    *out = (ms_hf_architecture){.name = name,
                                .type = config->qk_norm    ? "qwen3"
                                        : config->qkv_bias ? "qwen2"
                                                           : "llama",
                                .activation = has_gate ? "silu" : "relu",
                                .gate_is_up = !has_gate};
    return MS_OK;
}

/* The number with the fewest digits that is `value` as f32: 1e-06 of 1e-06f, which is 9.99999997e-07. */
static double shortest(float value) {
    enum { F32_DIGITS = 9 };
    char text[32];
    for (int digits = 1; digits <= F32_DIGITS; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    return strtod(text, NULL);
}

static json_t *token_id(int32_t id) { return id < 0 ? json_null() : json_integer(id); }

/* What not all of the architectures know: Qwen2 has biases without saying so. */
static ms_status add_own_keys(json_t *object, const ms_model_config *config) {
    if (!config->qkv_bias) MS_TRY(ms_json_set(object, "config.json", "attention_bias", json_false()));
    if (config->qk_norm || config->qkv_bias)
        return ms_json_set(object, "config.json", "use_sliding_window", json_false());
    MS_TRY(ms_json_set(object, "config.json", "mlp_bias", json_false()));
    return ms_json_set(object, "config.json", "pretraining_tp", json_integer(1));
}

static ms_status rope_parameters(const ms_model_config *config, json_t **out) {
    static const char what[] = "rope_parameters";
    double base = shortest(config->rope_base);
    switch (config->rope_scaling) {
    case MS_ROPE_SCALING_LINEAR:
        return ms_json_pack(out, what, "{s:s, s:f, s:f}", "rope_type", "linear", "rope_theta", base, "factor",
                            config->rope_factor);
    case MS_ROPE_SCALING_LLAMA3:
        return ms_json_pack(out, what, "{s:s, s:f, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "rope_theta", base,
                            "factor", config->rope_factor, "low_freq_factor", config->rope_low, "high_freq_factor",
                            config->rope_high, "original_max_position_embeddings", (int)config->rope_original_length);
    case MS_ROPE_SCALING_NONE:
        break;
    }
    return ms_json_pack(out, what, "{s:s, s:f}", "rope_type", "default", "rope_theta", base);
}

/* rope_theta and rope_scaling are what transformers read before version 5, rope_parameters since. */
ms_status ms_hf_config(const ms_model_config *config, int32_t end_of_text, ms_dtype weights, json_t **out) {
    ms_hf_architecture architecture = {0};
    *out = NULL;
    MS_TRY(ms_hf_architecture_of(config, &architecture));
    double rope_base = shortest(config->rope_base);
    json_t *object, *rope;
    MS_TRY(rope_parameters(config, &rope));
    MS_TRY(ms_json_pack(&object, "config.json",
                        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:i, s:f, s:f, s:o, s:o, s:f, s:o, s:f, "
                        "s:o, s:o, s:s}",
                        "architectures", architecture.name, "model_type", architecture.type, "vocab_size",
                        (int)config->vocabulary, "hidden_size", (int)config->width, "intermediate_size",
                        (int)config->feed_forward, "num_hidden_layers", (int)config->layers, "num_attention_heads",
                        (int)config->heads, "num_key_value_heads", (int)config->kv_heads, "hidden_act",
                        architecture.activation, "head_dim", (int)config->head_size, "max_position_embeddings",
                        (int)config->sequence_length, "rms_norm_eps", shortest(config->norm_epsilon), "rope_theta",
                        rope_base, "rope_parameters", rope, "tie_word_embeddings", json_boolean(config->tied_head),
                        "attention_dropout", 0.0, "use_cache", json_true(), "initializer_range",
                        shortest(config->init_std), "bos_token_id", token_id(end_of_text), "eos_token_id",
                        token_id(end_of_text), "torch_dtype", weights == MS_DTYPE_BF16 ? "bfloat16" : "float32"));
    ms_status status = add_own_keys(object, config);
    if (status == MS_OK && config->rope_scaling != MS_ROPE_SCALING_NONE)
        status = ms_json_set(object, "config.json", "rope_scaling", json_deep_copy(rope));
    if (status == MS_OK)
        *out = object;
    else
        json_decref(object);
    return status;
}
