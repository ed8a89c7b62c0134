/* Keys without effect: one table says what each needs, one rule what follows.  docs/trust.md states the rule. */
#include "cli/config/config_effect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config/config.h"

enum outcome { WARNED, REFUSED };

/* A key has an effect where the key `needs` has one of `values`: words between spaces, "!0" any but 0.  Rows are looked
   at in their order, and a key has at most one line. */
struct rule {
    const char *keys;   /* a key, or what several begin with: "muon." */
    const char *off;    /* the value by which the key asks for nothing, which is never without effect; NULL: none */
    const char *needs;  /* another key */
    const char *values; /* of it */
    enum outcome outcome;
    const char *when_key, *when_values; /* the rule holds only where this key has one of these values; NULL: always */
};

#define NEEDS(keys, needs, values)                                                                                     \
    { keys, NULL, needs, values, WARNED, NULL, NULL }
#define ASKS(keys, off, needs, values)                                                                                 \
    { keys, off, needs, values, WARNED, NULL, NULL }
#define CONTRADICTS(keys, off, needs, values)                                                                          \
    { keys, off, needs, values, REFUSED, NULL, NULL }
#define CONTRADICTS_WHEN(keys, off, needs, values, when_key, when_values)                                              \
    { keys, off, needs, values, REFUSED, when_key, when_values }

static const struct rule rules[] = {
    NEEDS("muon.", "optimizer.name", "muon normuon"),
    NEEDS("normuon.", "optimizer.name", "normuon"),
    NEEDS("sgd.", "optimizer.name", "sgd"),
    ASKS("adamw.matrix_lr", "0", "optimizer.name", "adamw"),
    NEEDS("adamw.matrix_decay", "optimizer.name", "adamw"),
    NEEDS("muon.nesterov", "muon.momentum", "!0"),
    NEEDS("sgd.nesterov", "sgd.momentum", "!0"),
    CONTRADICTS("muon.decay", "0", "muon.decay_mode", "!none"),
    ASKS("muon.decay_mode", "none", "muon.decay", "!0"),
    CONTRADICTS("muon.coefficients", "polar_express", "muon.spectral_exponent", "0"),
    CONTRADICTS_WHEN("intervention.cautious_decay", "false", "muon.decay_mode", "decoupled both", "optimizer.name",
                     "muon normuon"),
    CONTRADICTS_WHEN("intervention.cautious_decay", "false", "muon.decay", "!0", "optimizer.name", "muon normuon"),
    CONTRADICTS_WHEN("intervention.cautious_decay", "false", "sgd.decay", "!0", "optimizer.name", "sgd"),
    CONTRADICTS_WHEN("intervention.cautious_decay", "false", "adamw.matrix_decay", "!0", "optimizer.name", "adamw"),
    NEEDS("intervention.noise_", "intervention.noise", "!0"),
    CONTRADICTS("intervention.qk_clip", "0", "attention.qk_norm", "false"),
    CONTRADICTS("intervention.qk_clip", "0", "train.control", "!noise"), /* it has no forward pass, so no logits */
    CONTRADICTS("init.sigma_gate", "0", "model.activation", "swiglu"),
    NEEDS("attention.rope_factor", "attention.rope_scaling", "!none"),
    NEEDS("attention.rope_low", "attention.rope_scaling", "llama3"),
    NEEDS("attention.rope_high", "attention.rope_scaling", "llama3"),
    NEEDS("attention.rope_original_length", "attention.rope_scaling", "llama3"),
    NEEDS("init.depth_factor", "init.scheme", "!normal"),
    NEEDS("init.depth_factor", "model.layers", "!1"),
    NEEDS("schedule.final_fraction", "schedule.name", "!constant"),
    ASKS("schedule.steps", "0", "schedule.name", "!constant"),
    NEEDS("schedule.at_resume", "schedule.name", "!constant"),
    NEEDS("schedule.decay_fraction", "schedule.name", "wsd"),
    NEEDS("train.steps", "train.tokens", "0"),
    NEEDS("validation.sequences", "validation.every", "!0"),
    ASKS("tracker.", "false", "tracker.enabled", "true"),
    NEEDS("tracker.probe_", "tracker.probe", "true"),
    ASKS("sample.", "0", "data.directory", "!synthetic"),
    NEEDS("sample.", "sample.tokens", "!0"),
    NEEDS("sample.top_k", "sample.temperature", "!0"),
};

/* Whether a key's value is `word`: the same text, or the same number (-0 is 0). */
static bool is_word(const char *value, const char *word, size_t length) {
    if (strlen(value) == length && strncmp(value, word, length) == 0) return true;
    char *value_end, *word_end;
    double a = strtod(value, &value_end), b = strtod(word, &word_end);
    return *value && *value_end == '\0' && word_end == word + length && a == b;
}

static const char *value_of(const ms_config *config, const char *full_name, char out[MS_CONFIG_STRING_SIZE]) {
    const ms_config_key *key = ms_config_find(full_name);
    assert(key != NULL);
    return ms_config_value_text(config, key, out, MS_CONFIG_STRING_SIZE);
}

static bool has_one_of(const ms_config *config, const char *full_name, const char *values) {
    char value[MS_CONFIG_STRING_SIZE];
    value_of(config, full_name, value);
    if (*values == '!') return !is_word(value, values + 1, strlen(values + 1));
    for (const char *word = values; *word;) {
        size_t length = strcspn(word, " ");
        if (is_word(value, word, length)) return true;
        word += length + (word[length] == ' ');
    }
    return false;
}

static bool is_family(const struct rule *rule) { return strchr("._", rule->keys[strlen(rule->keys) - 1]) != NULL; }

/* Whether a given key is one that the rule finds without effect. */
static bool is_idle(const ms_config *config, const struct rule *rule, const ms_config_key *key) {
    size_t length = strlen(rule->keys);
    if (strncmp(key->full_name, rule->keys, length) != 0) return false;
    if (!is_family(rule) && key->full_name[length]) return false;
    return strcmp(key->full_name, rule->needs) != 0 && (!rule->off || !has_one_of(config, key->full_name, rule->off));
}

/* "set schedule.name wsd", "set optimizer.name muon or normuon", "set another init.scheme". */
static void print_way_out(const struct rule *rule, FILE *stream) {
    if (*rule->values == '!') {
        fprintf(stream, "set another %s", rule->needs);
        return;
    }
    fprintf(stream, "set %s ", rule->needs);
    for (const char *c = rule->values; *c; c++)
        if (*c == ' ')
            fputs(" or ", stream);
        else
            fputc(*c, stream);
}

/* The line of one rule, without its end, about the keys of `left` that are idle by it, which are taken out; false:
   there are none. */
static bool print_idle(const ms_config *config, const struct rule *rule, ms_config_given *left, FILE *stream) {
    int n_keys, n = 0;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    if (has_one_of(config, rule->needs, rule->values)) return false;
    if (rule->when_key && !has_one_of(config, rule->when_key, rule->when_values)) return false;
    char value[MS_CONFIG_STRING_SIZE];
    for (int i = 0; i < n_keys; i++) {
        if (!left->keys[i] || !is_idle(config, rule, &keys[i])) continue;
        left->keys[i] = false;
        fprintf(stream, "%s%s", n++ ? ", " : "", keys[i].full_name);
        if (rule->off && !is_family(rule))
            fprintf(stream, " %s", ms_config_value_text(config, &keys[i], value, sizeof value));
    }
    if (n == 0) return false;
    fprintf(stream, " ha%s no effect: %s is %s; leave %s out or ", n == 1 ? "s" : "ve", rule->needs,
            value_of(config, rule->needs, value), n == 1 ? "it" : "them");
    print_way_out(rule, stream);
    return true;
}

static ms_status no_memory(void) { return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its warnings"); }

ms_status ms_config_check_effect(const ms_config *config, const ms_config_given *given, char **out_warnings) {
    ms_config_given left = *given;
    size_t size;
    ms_status status = MS_OK;
    *out_warnings = NULL;
    FILE *stream = open_memstream(out_warnings, &size);
    if (!stream) return no_memory();
    for (size_t i = 0; status == MS_OK && i < sizeof rules / sizeof *rules; i++) {
        fflush(stream); /* which sets size: where this rule's line begins */
        size_t begin = size;
        if (!print_idle(config, &rules[i], &left, stream)) continue;
        fflush(stream);
        if (rules[i].outcome == REFUSED)
            status = MS_FAIL(MS_INVALID, "%s", *out_warnings + begin);
        else
            fputc('\n', stream);
    }
    bool complete = !ferror(stream);
    if (fclose(stream) != 0 || !complete) status = no_memory();
    if (status == MS_OK) return MS_OK;
    free(*out_warnings);
    *out_warnings = NULL;
    return status;
}
