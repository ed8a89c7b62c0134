#include "model/data/tokenizer_pipeline.h"

#include <string.h>

#define WAY_OUT "`muonscope tokenizer train` makes a tokenizer that is"

const char *ms_json_type(const json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "(no type)";
}

/* True unless the option is absent, null, false, 0 or "". */
static bool is_set(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value) || json_is_false(value)) return false;
    if (json_is_number(value)) return json_number_value(value) != 0;
    return !(json_is_string(value) && json_string_length(value) == 0);
}

/* ---- normalizers ---- */

static ms_status read_normalizer(const json_t *step, ms_pipeline *out) {
    if (!step || json_is_null(step)) return MS_OK;
    const char *type = ms_json_type(step);
    if (strcmp(type, "Sequence") == 0) {
        size_t i;
        const json_t *inner;
        json_array_foreach(json_object_get(step, "normalizers"), i, inner) MS_TRY(read_normalizer(inner, out));
        return MS_OK;
    }
    for (int form = 0; form < MS_N_NORMAL_FORMS; form++) {
        if (strcmp(type, ms_normal_form_name((ms_normal_form)form)) != 0) continue;
        if (out->n_forms == MS_NORMALIZERS_MAX)
            return MS_FAIL(MS_UNSUPPORTED, "more than %d normalizers are not supported", MS_NORMALIZERS_MAX);
        out->forms[out->n_forms++] = (ms_normal_form)form;
        return MS_OK;
    }
    return MS_FAIL(MS_UNSUPPORTED, "normalizer %s is not supported (NFC, NFD, NFKC and NFKD are)", type);
}

json_t *ms_pipeline_normalizer(const ms_pipeline *pipeline) {
    if (pipeline->n_forms == 0) return json_null();
    json_t *steps = json_array();
    int failed = 0;
    for (size_t i = 0; i < pipeline->n_forms; i++)
        failed |= json_array_append_new(steps, json_pack("{s:s}", "type", ms_normal_form_name(pipeline->forms[i])));
    if (failed) {
        json_decref(steps);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps);
}

/* ---- pre-tokenizers ---- */

static ms_status read_split(const json_t *step, ms_pipeline *out) {
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    const char *behavior = json_string_value(json_object_get(step, "behavior"));
    if ((!regex && !literal) || !behavior)
        return MS_FAIL(MS_CORRUPT, "pre_tokenizer Split has no pattern (Regex or String) or no behavior");
    int i = 0;
    while (i < MS_N_SPLIT_BEHAVIORS && strcmp(behavior, ms_split_behavior_name((ms_split_behavior)i)) != 0) i++;
    if (i == MS_N_SPLIT_BEHAVIORS)
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer Split: behavior %s is not supported", behavior);
    ms_split_rule rule = {.pattern = (char *)(regex ? regex : literal),
                          .is_literal = !regex,
                          .is_inverted = json_is_true(json_object_get(step, "invert")),
                          .behavior = (ms_split_behavior)i};
    MS_TRY_NOTE(ms_split_rules_add(&out->rules, rule), "pre_tokenizer Split");
    return MS_OK;
}

/* One step; *at_end: ByteLevel was read, after which there is no text to split any more. */
static ms_status read_pre_tokenizer(const json_t *step, ms_pipeline *out, bool *at_end) {
    const char *type = ms_json_type(step);
    if (strcmp(type, "Sequence") == 0) {
        size_t i;
        const json_t *inner;
        json_array_foreach(json_object_get(step, "pretokenizers"), i, inner)
            MS_TRY(read_pre_tokenizer(inner, out, at_end));
        return MS_OK;
    }
    if (*at_end) return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer %s after ByteLevel is not supported", type);
    if (strcmp(type, "Split") == 0) return read_split(step, out);
    if (strcmp(type, "Digits") == 0)
        return ms_split_rules_add_digits(&out->rules, json_is_true(json_object_get(step, "individual_digits")));
    if (strcmp(type, "ByteLevel") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer %s is not supported (Split, Digits and ByteLevel are)", type);
    if (is_set(step, "add_prefix_space"))
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer ByteLevel with add_prefix_space is not supported");
    *at_end = true;
    return json_is_false(json_object_get(step, "use_regex")) ? MS_OK : ms_split_rules_add_gpt2(&out->rules);
}

json_t *ms_json_byte_level(bool prefix_space, bool use_regex) {
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix_space, "trim_offsets", 1,
                     "use_regex", use_regex);
}

json_t *ms_pipeline_pre_tokenizer(const ms_pipeline *pipeline) {
    int family = ms_split_rules_family(&pipeline->rules);
    if (family == 0) return ms_json_byte_level(false, true);
    if (family == 1)
        return json_pack("{s:s, s:[{s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Digits",
                         "individual_digits", 1, ms_json_byte_level(false, true));
    json_t *steps = json_array();
    int failed = 0;
    for (size_t i = 0; i < pipeline->rules.n; i++) {
        const ms_split_rule *rule = &pipeline->rules.rules[i];
        failed |= json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern",
                                                         rule->is_literal ? "String" : "Regex", rule->pattern,
                                                         "behavior", ms_split_behavior_name(rule->behavior), "invert",
                                                         (int)rule->is_inverted));
    }
    failed |= json_array_append_new(steps, ms_json_byte_level(false, false));
    if (failed) {
        json_decref(steps);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps);
}

/* ---- the model's options ---- */

static ms_status read_model(const json_t *model, bool is_byte_level, ms_pipeline *out) {
    /* Old files leave the model's type out. */
    if (json_object_get(model, "type") && strcmp(ms_json_type(model), "BPE") != 0)
        return MS_FAIL(MS_UNSUPPORTED, "model %s is not supported: byte-level BPE is; " WAY_OUT, ms_json_type(model));
    if (is_set(model, "byte_fallback") && !is_byte_level)
        return MS_FAIL(MS_UNSUPPORTED, "BPE with byte_fallback (SentencePiece's, as in Llama 2 and Gemma) is not "
                                       "supported: byte-level BPE is; " WAY_OUT);
    static const char *const refused[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (is_set(model, refused[i])) return MS_FAIL(MS_UNSUPPORTED, "model BPE with %s is not supported", refused[i]);
    if (is_set(model, "byte_fallback")) out->needs_all_bytes = "model BPE with byte_fallback";
    if (is_set(model, "unk_token")) out->needs_all_bytes = "model BPE with unk_token";
    out->ignore_merges = is_set(model, "ignore_merges");
    return MS_OK;
}

static ms_status read_steps(const json_t *root, ms_pipeline *out) {
    const json_t *pre_tokenizer = json_object_get(root, "pre_tokenizer");
    bool is_byte_level = false;
    ms_status status = json_is_object(pre_tokenizer) ? read_pre_tokenizer(pre_tokenizer, out, &is_byte_level) : MS_OK;
    /* What a file without ByteLevel is can be said by its model better than by its steps. */
    MS_TRY(read_model(json_object_get(root, "model"), is_byte_level, out));
    MS_TRY(status);
    if (!json_is_object(pre_tokenizer))
        return MS_FAIL(MS_UNSUPPORTED, "pre_tokenizer null is not supported: byte-level BPE (ByteLevel) is; " WAY_OUT);
    if (!is_byte_level)
        return MS_FAIL(MS_UNSUPPORTED,
                       "pre_tokenizer %s without ByteLevel is not supported: byte-level BPE is; " WAY_OUT,
                       ms_json_type(pre_tokenizer));
    return read_normalizer(json_object_get(root, "normalizer"), out);
}

ms_status ms_pipeline_read(const json_t *root, ms_pipeline *out) {
    *out = (ms_pipeline){0};
    ms_status status = read_steps(root, out);
    if (status != MS_OK) ms_pipeline_finish(out);
    return status;
}
