#include "tracker/run_log_keys.h"

#include <string.h>

#include "platform/hash.h"

const ms_run_log_key ms_run_log_metrics_keys[] = {{"tokens", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
                                                  {"loss", MS_RUN_LOG_REAL, MS_RUN_LOG_ONE_OF},
                                                  {"validation_loss", MS_RUN_LOG_REAL, MS_RUN_LOG_ONE_OF},
                                                  {"loss_by_frequency", MS_RUN_LOG_REALS, MS_RUN_LOG_OPTIONAL},
                                                  {"lr", MS_RUN_LOG_REAL, MS_RUN_LOG_OPTIONAL},
                                                  {"grad_norm", MS_RUN_LOG_REAL, MS_RUN_LOG_OPTIONAL},
                                                  {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

const ms_run_log_key ms_run_log_hashes_keys[] = {{"tokens", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
                                                 {"sha256", MS_RUN_LOG_OBJECT, MS_RUN_LOG_REQUIRED},
                                                 {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

const ms_run_log_key ms_run_log_spectra_keys[] = {{"tokens", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
                                                  {"layer", MS_RUN_LOG_INDEX, MS_RUN_LOG_REQUIRED},
                                                  {"projection", MS_RUN_LOG_NAME, MS_RUN_LOG_REQUIRED},
                                                  {"sigma_top", MS_RUN_LOG_REALS, MS_RUN_LOG_REQUIRED},
#define ABOUT(key, ...)
#define LIST(key, ...) {#key, MS_RUN_LOG_ARRAY, MS_RUN_LOG_OPTIONAL},
#define SCALAR(key, ...) {#key, MS_RUN_LOG_REAL, MS_RUN_LOG_OPTIONAL},
#define SLOT(key, ...) {#key, MS_RUN_LOG_REAL, MS_RUN_LOG_OPTIONAL},
#include "tracker/metrics.def"
                                                  {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

const ms_run_log_key ms_run_log_index_keys[] = {
    {"layer", MS_RUN_LOG_INDEX, MS_RUN_LOG_REQUIRED}, {"projection", MS_RUN_LOG_NAME, MS_RUN_LOG_REQUIRED},
    {"of", MS_RUN_LOG_NAME, MS_RUN_LOG_REQUIRED},     {"file", MS_RUN_LOG_TEXT, MS_RUN_LOG_REQUIRED},
    {"row", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},   {"values", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
    {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

const ms_run_log_key ms_run_log_probes_keys[] = {{"tokens", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
                                                 {"layer", MS_RUN_LOG_INDEX, MS_RUN_LOG_REQUIRED},
                                                 {"attention_entropy", MS_RUN_LOG_REALS, MS_RUN_LOG_REQUIRED},
#define ABOUT(key, ...)
#define HEAD(key, ...) {#key, MS_RUN_LOG_ARRAY, MS_RUN_LOG_OPTIONAL},
#define HEAD_TOP(key, ...) {#key, MS_RUN_LOG_ARRAY, MS_RUN_LOG_OPTIONAL},
#define LAYER(key, ...) {#key, MS_RUN_LOG_REAL, MS_RUN_LOG_OPTIONAL},
#include "tracker/probe.def"
                                                 {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

const ms_run_log_key ms_run_log_sigma_max_keys[] = {{"tokens", MS_RUN_LOG_COUNT, MS_RUN_LOG_REQUIRED},
                                                    {"sigma_max", MS_RUN_LOG_OBJECT, MS_RUN_LOG_REQUIRED},
#define ABOUT(key, ...)
#define BY_PROJECTION(key, ...) {#key, MS_RUN_LOG_OBJECT, MS_RUN_LOG_OPTIONAL},
#include "tracker/step_sigma.def"
                                                    {NULL, MS_RUN_LOG_INDEX, MS_RUN_LOG_OPTIONAL}};

static bool is_real(const json_t *value) { return json_is_number(value) || json_is_null(value); }

static bool is_reals(const json_t *value) {
    size_t n = json_array_size(value); /* 0 of what is no array */
    for (size_t i = 0; i < n; i++)
        if (!is_real(json_array_get(value, i))) return false;
    return n > 0;
}

static bool is_name(const json_t *value) {
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return text && length > 0 && length <= 31 && strspn(text, letters) == length;
}

static bool is_of_type(const json_t *value, ms_run_log_type type) {
    switch (type) {
    case MS_RUN_LOG_INDEX:
    case MS_RUN_LOG_COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case MS_RUN_LOG_NAME:
        return is_name(value);
    case MS_RUN_LOG_TEXT:
        return json_is_string(value);
    case MS_RUN_LOG_REAL:
        return is_real(value);
    case MS_RUN_LOG_REALS:
        return is_reals(value);
    case MS_RUN_LOG_ARRAY:
        return json_is_array(value) || json_is_null(value);
    case MS_RUN_LOG_OBJECT:
        return json_is_object(value);
    }
    return false;
}

bool ms_run_log_has_keys(const json_t *line, const ms_run_log_key *keys) {
    bool wants_one = false, has_one = false;
    for (; keys->name; keys++) {
        const json_t *value = json_object_get(line, keys->name);
        if (value ? !is_of_type(value, keys->type) : keys->need == MS_RUN_LOG_REQUIRED) return false;
        wants_one |= keys->need == MS_RUN_LOG_ONE_OF;
        has_one |= keys->need == MS_RUN_LOG_ONE_OF && value;
    }
    return has_one || !wants_one;
}

uint64_t ms_run_log_subject_by_keys(const json_t *line, const ms_run_log_key *keys) {
    int64_t step = json_integer_value(json_object_get(line, "step"));
    uint64_t hash = ms_hash_append(MS_HASH_EMPTY, &step, sizeof step);
    for (; keys->name; keys++) {
        const json_t *value = json_object_get(line, keys->name);
        int64_t index = json_integer_value(value);
        bool is_subject =
            keys->need == MS_RUN_LOG_ONE_OF || keys->type == MS_RUN_LOG_INDEX || keys->type == MS_RUN_LOG_NAME;
        if (!value || !is_subject) continue;
        hash = ms_hash_append(hash, keys->name, strlen(keys->name) + 1);
        if (keys->type == MS_RUN_LOG_INDEX) hash = ms_hash_append(hash, &index, sizeof index);
        if (keys->type == MS_RUN_LOG_NAME)
            hash = ms_hash_append(hash, json_string_value(value), json_string_length(value) + 1);
    }
    return hash ? hash : 1;
}
