/* A configuration as YAML, in and out. */
#include "cli/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/yaml_text.h"
#include "cli/options/suggest.h"
#include "platform/escape.h"
#include "platform/file.h"
#include "train/settings.h"

struct reader {
    ms_config *config;
    const char *name; /* of the file, for messages */
    yaml_document_t *document;
    size_t line_of[MS_CONFIG_KEYS_MAX]; /* where a key was set, 0: not yet */
};

static size_t line_of(const yaml_node_t *node) { return node->start_mark.line + 1; }

static const char *text_of(const yaml_node_t *node) { return (const char *)node->data.scalar.value; }

static ms_status set_key(struct reader *reader, const char *full_name, const yaml_node_t *at,
                         const yaml_node_t *value) {
    const ms_config_key *key = ms_config_find(full_name);
    if (key && value->type != YAML_SCALAR_NODE) {
        char allowed[256];
        return MS_FAIL(MS_INVALID, "%s:%zu: %s takes one value (allowed: %s)", reader->name, line_of(at),
                       key->full_name, ms_config_allowed_text(key, allowed, sizeof allowed));
    }
    if (key) {
        int n_keys;
        const ms_config_key *keys = ms_config_keys(&n_keys);
        size_t *seen = &reader->line_of[key - keys];
        if (*seen)
            return MS_FAIL(MS_INVALID, "%s:%zu: %s was already set on line %zu", reader->name, line_of(at),
                           key->full_name, *seen);
        *seen = line_of(at);
        if (strlen(text_of(value)) != value->data.scalar.length)
            return MS_FAIL(MS_INVALID, "%s:%zu: %s holds a NUL byte", reader->name, line_of(at), key->full_name);
    }
    ms_status status = ms_config_set(reader->config, full_name, key ? text_of(value) : "");
    if (status == MS_OK) return MS_OK;
    return ms_status_note(MS_INVALID, "%s:%zu", reader->name, line_of(at));
}

/* With a value it is a key that stands alone. */
static ms_status unknown_section(const struct reader *reader, const yaml_node_t *at, bool has_value) {
    int n_keys;
    char hint[MS_CONFIG_HINT_SIZE];
    const ms_config_key *found = ms_config_find(text_of(at));
    if (found)
        return MS_FAIL(MS_INVALID, "%s:%zu: %s is a key of section %s: write %s: {%s: ...}", reader->name, line_of(at),
                       found->full_name, found->section, found->section, found->name);
    if (has_value && ms_config_hint(text_of(at), "", hint))
        return MS_FAIL(MS_INVALID, "%s:%zu: unknown key %s; did you mean %s?", reader->name, line_of(at), text_of(at),
                       hint);
    const ms_config_key *keys = ms_config_keys(&n_keys);
    ms_suggestion suggestion;
    ms_suggestion_init(text_of(at), &suggestion);
    for (int i = 0; i < n_keys; i++) ms_suggestion_offer(&suggestion, keys[i].section);
    const char *best = ms_suggestion_best(&suggestion);
    return MS_FAIL(MS_INVALID, "%s:%zu: unknown section %s%s%s%s", reader->name, line_of(at), text_of(at),
                   best ? "; did you mean " : "", best ? best : "; see muonscope train --help-config", best ? "?" : "");
}

static ms_status read_section(struct reader *reader, const yaml_node_t *section, const yaml_node_t *body) {
    for (yaml_node_pair_t *pair = body->data.mapping.pairs.start; pair < body->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        if (key->type != YAML_SCALAR_NODE)
            return MS_FAIL(MS_INVALID, "%s:%zu: a key of section %s is not a name", reader->name, line_of(key),
                           text_of(section));
        char full_name[128];
        snprintf(full_name, sizeof full_name, "%s.%s", text_of(section), text_of(key));
        MS_TRY(set_key(reader, full_name, key, value));
    }
    return MS_OK;
}

static ms_status read_root(struct reader *reader, const yaml_node_t *root) {
    if (root->type != YAML_MAPPING_NODE)
        return MS_FAIL(MS_INVALID, "%s:%zu: the configuration is not a mapping of sections", reader->name,
                       line_of(root));
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        if (key->type != YAML_SCALAR_NODE)
            return MS_FAIL(MS_INVALID, "%s:%zu: a section is not a name", reader->name, line_of(key));
        if (ms_config_section_doc(text_of(key))[0] == '\0')
            return unknown_section(reader, key, value->type == YAML_SCALAR_NODE);
        if (value->type == YAML_MAPPING_NODE) {
            MS_TRY(read_section(reader, key, value));
        } else if (value->type == YAML_SCALAR_NODE && ms_config_find(text_of(key))) {
            MS_TRY(set_key(reader, text_of(key), key, value)); /* `optimizer: adamw` */
        } else if (value->type != YAML_SCALAR_NODE || value->data.scalar.length > 0) {
            return MS_FAIL(MS_INVALID, "%s:%zu: section %s holds keys, not a value", reader->name, line_of(key),
                           text_of(key));
        }
    }
    return MS_OK;
}

static void add_given(const struct reader *reader, ms_config_given *given) {
    for (int i = 0; given && i < MS_CONFIG_KEYS_MAX; i++) given->keys[i] |= reader->line_of[i] > 0;
}

static ms_status load_text(ms_config *config, const char *name, const char *text, size_t size_bytes,
                           ms_config_given *given) {
    yaml_document_t document;
    MS_TRY(ms_yaml_load(name, text, size_bytes, &document));
    ms_config changed = *config; /* a file that fails half-way changes nothing */
    struct reader reader = {&changed, name, &document, {0}};
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    ms_status status = root ? read_root(&reader, root) : MS_OK;
    yaml_document_delete(&document);
    if (status != MS_OK) return status;
    *config = changed;
    add_given(&reader, given);
    return MS_OK;
}

ms_status ms_config_load_text(ms_config *config, const char *name, const char *text, size_t size_bytes) {
    return load_text(config, name, text, size_bytes, NULL);
}

/* A run of `fast` that is older than model.loss_chunk had chunks of 512 tokens, not today's default: what a run wrote
   holds every key that there was. */
static void keep_loss_chunk(const ms_config_given *written, ms_config *config) {
    int n_keys;
    const ms_config_key *key = ms_config_find("model.loss_chunk");
    if (!written->keys[key - ms_config_keys(&n_keys)] && config->train.numerics == MS_NUMERICS_FAST)
        config->model.loss_chunk = MS_LOSS_CHUNK;
}

ms_status ms_config_load_file(ms_config *config, const char *path, ms_config_given *given) {
    char *text;
    size_t size_bytes;
    ms_config_given written = {.keys = {false}}; /* by a run, whether somebody gave it or not */
    MS_TRY(ms_file_read(path, &text, &size_bytes));
    bool of_run = strstr(text, MS_SETTINGS_HASH_LINE);
    ms_status status = load_text(config, path, text, size_bytes, of_run ? &written : given);
    if (given && strncmp(text, MS_CONFIG_PARTIAL_LINE, strlen(MS_CONFIG_PARTIAL_LINE)) == 0) given->is_partial = true;
    free(text);
    if (status == MS_OK && of_run) keep_loss_chunk(&written, config);
    return status;
}

ms_status ms_config_load_preset(ms_config *config, const char *name) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    char known[256] = "";
    size_t used = 0;
    for (const ms_preset *preset = ms_presets; preset->name; preset++) {
        if (strcmp(preset->name, name) == 0) {
            char title[96];
            snprintf(title, sizeof title, "preset %s", name);
            return ms_config_load_text(config, title, preset->text, preset->size_bytes);
        }
        ms_suggestion_offer(&suggestion, preset->name);
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", preset->name);
    }
    const char *best = ms_suggestion_best(&suggestion);
    return MS_FAIL(MS_NOT_FOUND, "no preset '%s' (there are %s)%s%s%s", name, known, best ? "; did you mean " : "",
                   best ? best : "", best ? "?" : "");
}

static void print_string(const char *text, FILE *stream) {
    fputc('"', stream);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(stream, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7F)
            fprintf(stream, "\\x%02X", *c);
        else
            fputc(*c, stream);
    }
    fputc('"', stream);
}

static void print_key(const ms_config *config, const ms_config_key *key, FILE *stream) {
    char value[MS_CONFIG_STRING_SIZE], allowed[256];
    ms_config_value_text(config, key, value, sizeof value);
    fprintf(stream, "  # %s (%s)\n  %s: ", key->doc, ms_config_allowed_text(key, allowed, sizeof allowed), key->name);
    if (key->type == MS_CONFIG_STRING)
        print_string(value, stream);
    else
        fputs(value, stream);
    fputc('\n', stream);
}

static void print_all(const ms_config *config, FILE *stream) {
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    for (int i = 0; i < n_keys; i++) {
        if (i == 0 || strcmp(keys[i].section, keys[i - 1].section) != 0)
            fprintf(stream, "%s# %s\n%s:\n", i ? "\n" : "", ms_config_section_doc(keys[i].section), keys[i].section);
        print_key(config, &keys[i], stream);
    }
}

ms_status ms_config_text(const ms_config *config, char **out_text) {
    size_t size;
    *out_text = NULL;
    FILE *stream = open_memstream(out_text, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its text");
    print_all(config, stream);
    if (fclose(stream) == 0) return MS_OK;
    free(*out_text);
    *out_text = NULL;
    return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its text");
}

ms_status ms_config_settings_text(const ms_config *config, char **out_text) {
    size_t size;
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    *out_text = NULL;
    FILE *stream = open_memstream(out_text, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its settings");
    for (int i = 0; i < n_keys; i++) {
        char value[MS_CONFIG_STRING_SIZE];
        ms_config_value_text(config, &keys[i], value, sizeof value);
        fprintf(stream, "%s=", keys[i].full_name);
        if (keys[i].type == MS_CONFIG_STRING)
            print_string(value, stream);
        else
            fputs(value, stream);
        fputc('\n', stream);
    }
    if (fclose(stream) == 0) return MS_OK;
    free(*out_text);
    *out_text = NULL;
    return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its settings");
}

void ms_config_print_help(const ms_config *config, FILE *stream) {
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    fprintf(stream, "Keys, set in a YAML file (--config FILE) or as --section.key=value:\n");
    for (int i = 0; i < n_keys; i++) {
        const ms_config_key *key = &keys[i];
        char value[MS_CONFIG_STRING_SIZE], shown[4 * MS_CONFIG_STRING_SIZE], allowed[256];
        if (i == 0 || strcmp(key->section, keys[i - 1].section) != 0)
            fprintf(stream, "\n%s: %s\n", key->section, ms_config_section_doc(key->section));
        ms_config_value_text(config, key, value, sizeof value);
        bool quote = key->type == MS_CONFIG_STRING;
        fprintf(stream, "  %s = %s%s%s  (%s)%s\n      %s\n", key->full_name, quote ? "\"" : "",
                ms_escape(value, shown, sizeof shown), quote ? "\"" : "",
                ms_config_allowed_text(key, allowed, sizeof allowed),
                key->resume != MS_CONFIG_FREE ? "  fixed on resume" : "", key->doc);
    }
}
