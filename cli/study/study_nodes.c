#include "cli/study/study_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"
#include "cli/options/suggest.h"

const char *ms_study_scalar(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

size_t ms_study_n_items(const yaml_node_t *node) {
    if (node->type != YAML_SEQUENCE_NODE) return 1;
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

const yaml_node_t *ms_study_item(const ms_study_reader *reader, const yaml_node_t *node, size_t i) {
    if (node->type != YAML_SEQUENCE_NODE) return node;
    return yaml_document_get_node(reader->document, node->data.sequence.items.start[i]);
}

/* --- mappings --- */

static ms_status check_key(ms_study_reader *reader, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
                           const char *what) {
    const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
    const char *text = ms_study_scalar(key);
    if (key->type != YAML_SCALAR_NODE || !*text || strlen(text) != key->data.scalar.length)
        return MS_STUDY_FAIL(reader, key, "a key of %s is not a name", what);
    for (const yaml_node_pair_t *before = mapping->data.mapping.pairs.start; before < pair; before++) {
        const yaml_node_t *other = yaml_document_get_node(reader->document, before->key);
        if (strcmp(ms_study_scalar(other), text) == 0)
            return MS_STUDY_FAIL(reader, key, "%s was already given on line %zu", text, other->start_mark.line + 1);
    }
    return MS_OK;
}

ms_status ms_study_read_pairs(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                              ms_status (*read)(ms_study_reader *reader, const yaml_node_t *key,
                                                const yaml_node_t *value, void *target),
                              void *target) {
    if (node->type != YAML_MAPPING_NODE) return MS_STUDY_FAIL(reader, node, "%s is not a mapping of keys", what);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        MS_TRY(check_key(reader, node, pair, what));
        MS_TRY(read(reader, yaml_document_get_node(reader->document, pair->key),
                    yaml_document_get_node(reader->document, pair->value), target));
    }
    return MS_OK;
}

struct fields {
    const ms_study_field *fields;
    const char *what;
    void *target;
};

static ms_status read_field(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target) {
    const struct fields *fields = target;
    ms_suggestion suggestion;
    ms_suggestion_init(ms_study_scalar(key), &suggestion);
    for (const ms_study_field *field = fields->fields; field->name; field++) {
        if (strcmp(field->name, ms_study_scalar(key)) == 0)
            return field->read(reader, field->name, value, (char *)fields->target + field->offset);
        ms_suggestion_offer(&suggestion, field->name);
    }
    const char *best = ms_suggestion_best(&suggestion);
    char known[256] = "";
    for (const ms_study_field *field = fields->fields; field->name; field++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", *known ? ", " : "", field->name);
    return MS_STUDY_FAIL(reader, key, "%s has no key %s%s%s%s (it has %s)", fields->what, ms_study_scalar(key),
                         best ? "; did you mean " : "", best ? best : "", best ? "?" : "", known);
}

ms_status ms_study_read_fields(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                               const ms_study_field *fields, void *target) {
    struct fields all = {fields, what, target};
    return ms_study_read_pairs(reader, node, what, read_field, &all);
}

/* --- values --- */

ms_status ms_study_read_text(ms_study_reader *reader, const yaml_node_t *node, const char *what, char *out,
                             size_t size) {
    if (node->type != YAML_SCALAR_NODE) return MS_STUDY_FAIL(reader, node, "%s takes one value", what);
    const char *text = ms_study_scalar(node);
    size_t length = node->data.scalar.length;
    if (length == 0 || strlen(text) != length) return MS_STUDY_FAIL(reader, node, "%s is empty", what);
    if (length >= size)
        return MS_STUDY_FAIL(reader, node, "%s has %zu bytes, at most %zu are taken", what, length, size - 1);
    memcpy(out, text, length + 1);
    return MS_OK;
}

ms_status ms_study_read_name(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                             char out[MS_STUDY_NAME_SIZE]) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    MS_TRY(ms_study_read_text(reader, node, what, out, MS_STUDY_NAME_SIZE));
    if (out[strspn(out, allowed)] != '\0' || out[0] == '.')
        return MS_STUDY_FAIL(reader, node, "%s '%s': a name has letters, digits, '_' and '.', and begins with no '.'",
                             what, out);
    return MS_OK;
}

ms_status ms_study_read_bool(ms_study_reader *reader, const yaml_node_t *node, const char *what, bool *out) {
    char text[16];
    MS_TRY(ms_study_read_text(reader, node, what, text, sizeof text));
    if (ms_parse_bool(text, what, MS_INVALID, out) == MS_OK) return MS_OK;
    return MS_STUDY_FAIL(reader, node, "%s: '%s' is neither true nor false", what, text);
}

ms_status ms_study_read_number(ms_study_reader *reader, const yaml_node_t *node, const char *what, double *out) {
    char text[64];
    MS_TRY(ms_study_read_text(reader, node, what, text, sizeof text));
    if (ms_parse_float(text, what, MS_INVALID, out) == MS_OK) return MS_OK;
    return MS_STUDY_FAIL(reader, node, "%s: '%s' is no number", what, text);
}

ms_status ms_study_field_text(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    return ms_study_read_text(reader, value, name, target, MS_STUDY_TEXT_SIZE);
}

ms_status ms_study_field_name(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    return ms_study_read_name(reader, value, name, target);
}

ms_status ms_study_field_bool(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    return ms_study_read_bool(reader, value, name, target);
}

ms_status ms_study_field_number(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    return ms_study_read_number(reader, value, name, target);
}

ms_status ms_study_field_node(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target) {
    (void)reader;
    (void)name;
    *(const yaml_node_t **)target = value;
    return MS_OK;
}

/* --- seeds --- */

static ms_status add_seed(ms_study_reader *reader, const yaml_node_t *node, int64_t seed, ms_study_seeds *out) {
    int at = out->n;
    while (at > 0 && out->items[at - 1] > seed) at--;
    if (at > 0 && out->items[at - 1] == seed)
        return MS_STUDY_FAIL(reader, node, "seed %lld is there twice", (long long)seed);
    if (out->n == MS_STUDY_SEEDS) return MS_STUDY_FAIL(reader, node, "more than %d seeds", MS_STUDY_SEEDS);
    memmove(&out->items[at + 1], &out->items[at], (size_t)(out->n - at) * sizeof *out->items);
    out->items[at] = seed;
    out->n++;
    return MS_OK;
}

static ms_status read_seed(const char *text, int64_t *out) {
    ms_config trial;
    ms_config_defaults(&trial);
    ms_status status = ms_config_set(&trial, "train.seed", text);
    *out = trial.train.seed;
    return status;
}

static ms_status read_range(ms_study_reader *reader, const yaml_node_t *node, ms_study_seeds *out) {
    char text[64];
    int64_t from, to;
    MS_TRY(ms_study_read_text(reader, node, "a seed", text, sizeof text));
    char *dash = strchr(text, '-');
    if (dash) *dash = '\0';
    if (read_seed(text, &from) != MS_OK || read_seed(dash ? dash + 1 : text, &to) != MS_OK || to < from)
        return MS_STUDY_FAIL(reader, node, "'%s' is neither a seed nor a range of seeds such as 1-8",
                             ms_study_scalar(node));
    for (int64_t seed = from; seed <= to; seed++) MS_TRY(add_seed(reader, node, seed, out));
    return MS_OK;
}

ms_status ms_study_read_seeds(ms_study_reader *reader, const yaml_node_t *node, ms_study_seeds *out) {
    out->n = 0;
    if (ms_study_n_items(node) == 0) return MS_STUDY_FAIL(reader, node, "%s: there is none", "seeds");
    for (size_t i = 0; i < ms_study_n_items(node); i++) MS_TRY(read_range(reader, ms_study_item(reader, node, i), out));
    return MS_OK;
}

/* --- settings --- */

ms_status ms_study_read_setting(ms_study_reader *reader, const char *full_name, const yaml_node_t *value,
                                ms_study_settings *out) {
    ms_config trial;
    const ms_config_key *key = ms_config_find(full_name);
    ms_config_defaults(&trial);
    const char *text = ms_study_scalar(value);
    if (key && (value->type != YAML_SCALAR_NODE || strlen(text) != value->data.scalar.length))
        return MS_STUDY_FAIL(reader, value, "%s takes one value", key->full_name);
    if (ms_config_set(&trial, full_name, key ? text : "") != MS_OK)
        return ms_status_note(MS_INVALID, "%s:%zu", reader->name, value->start_mark.line + 1);
    if (strcmp(key->full_name, "train.seed") == 0)
        return MS_STUDY_FAIL(reader, value, "%s is what `seeds` sets", key->full_name);
    for (int i = 0; i < out->n; i++)
        if (out->items[i].key == key) return MS_STUDY_FAIL(reader, value, "%s was already set", key->full_name);
    if (out->n == MS_STUDY_SETTINGS) return MS_STUDY_FAIL(reader, value, "more than %d keys", MS_STUDY_SETTINGS);
    out->items[out->n].key = key;
    snprintf(out->items[out->n].value, sizeof out->items[out->n].value, "%s", text);
    out->n++;
    return MS_OK;
}

/* Of one section. */
struct section {
    const char *name;
    ms_study_settings *settings;
};

static ms_status read_in_section(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                                 void *target) {
    const struct section *section = target;
    char full_name[128];
    snprintf(full_name, sizeof full_name, "%s.%s", section->name, ms_study_scalar(key));
    return ms_study_read_setting(reader, full_name, value, section->settings);
}

static ms_status read_pair(ms_study_reader *reader, const yaml_node_t *key, const yaml_node_t *value, void *target) {
    struct section section = {ms_study_scalar(key), target};
    if (value->type == YAML_MAPPING_NODE)
        return ms_study_read_pairs(reader, value, section.name, read_in_section, &section);
    return ms_study_read_setting(reader, section.name, value, target);
}

ms_status ms_study_read_settings(ms_study_reader *reader, const yaml_node_t *node, ms_study_settings *out) {
    return ms_study_read_pairs(reader, node, "a set of keys", read_pair, out);
}
