/* The configuration that a golden was made with, from JSON; what is missing or not known fails the test. */
#ifndef MS_TESTS_GOLDEN_CONFIG_H
#define MS_TESTS_GOLDEN_CONFIG_H

#include <check.h>
#include <jansson.h>
#include <string.h>

#include "model/model.h"

static inline int golden_choice(const json_t *config, const char *key, const char *const *names) {
    const char *value = json_string_value(json_object_get(config, key));
    for (int i = 0; names[i]; i++)
        if (value && strcmp(value, names[i]) == 0) return i;
    ck_abort_msg("golden: %s is %s", key, value ? value : "missing");
    return -1;
}

static inline int golden_integer(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    ck_assert_msg(json_is_integer(value), "golden: no %s", key);
    return (int)json_integer_value(value);
}

static inline bool golden_boolean(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    ck_assert_msg(json_is_boolean(value), "golden: no %s", key);
    return json_is_true(value);
}

/* Sizes, activation and qk_norm; other fields stay. */
static inline void golden_read_model(const json_t *config, ms_model_config *model) {
    model->layers = golden_integer(config, "layers");
    model->width = golden_integer(config, "width");
    model->heads = golden_integer(config, "heads");
    model->kv_heads = golden_integer(config, "kv_heads");
    model->head_size = golden_integer(config, "head_size");
    model->feed_forward = golden_integer(config, "feed_forward");
    model->vocabulary = golden_integer(config, "vocabulary");
    model->sequence_length = golden_integer(config, "sequence_length");
    model->activation = (ms_activation)golden_choice(config, "activation", ms_activation_names);
    model->qk_norm = golden_boolean(config, "qk_norm");
}

#endif
