#include "cli/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"
#include "cli/options/suggest.h"
#include "train/defaults.h"

#define FREE MS_CONFIG_FREE
#define FIXED MS_CONFIG_FIXED
#define ADDED MS_CONFIG_ADDED

static const ms_config_key keys[] = {
#define SECTION(name, doc)
#define SECTION_END(name)
#define ROW(section, key) #section, #key, #section "." #key
#define AT(section, key) offsetof(ms_config, section.key), sizeof(((ms_config *)NULL)->section.key)
#define INT(section, key, initial, lowest, highest, resume, doc)                                                       \
    {ROW(section, key), MS_CONFIG_INT, AT(section, key), lowest, highest, initial, NULL, NULL, resume, doc},
#define FLOAT(section, key, initial, lowest, highest, resume, doc)                                                     \
    {ROW(section, key), MS_CONFIG_FLOAT, AT(section, key), lowest, highest, initial, NULL, NULL, resume, doc},
#define BOOL(section, key, initial, resume, doc)                                                                       \
    {ROW(section, key), MS_CONFIG_BOOL, AT(section, key), 0, 1, initial, NULL, NULL, resume, doc},
#define STRING(section, key, initial, resume, doc)                                                                     \
    {ROW(section, key), MS_CONFIG_STRING, AT(section, key), 0, 0, 0, initial, NULL, resume, doc},
#define CHOICE(section, key, type, INITIAL, resume, doc)                                                               \
    {ROW(section, key), MS_CONFIG_CHOICE, AT(section, key), 0, 0, INITIAL, NULL, type##_names, resume, doc},
#include "cli/config/config.def"
#undef SECTION
#undef SECTION_END
#undef ROW
#undef AT
#undef INT
#undef FLOAT
#undef BOOL
#undef CHOICE
#undef STRING
};

enum { N_KEYS = sizeof keys / sizeof *keys };
_Static_assert((int)N_KEYS <= (int)MS_CONFIG_KEYS_MAX, "MS_CONFIG_KEYS_MAX is too small");

const ms_config_key *ms_config_keys(int *out_n) {
    *out_n = N_KEYS;
    return keys;
}

bool ms_config_same_name(const char *a, const char *b) {
    for (;; a++, b++) {
        char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;
        if (x != y) return false;
        if (x == '\0') return true;
    }
}

const ms_config_key *ms_config_find(const char *full_name) {
    for (int i = 0; i < N_KEYS; i++) {
        if (ms_config_same_name(keys[i].full_name, full_name)) return &keys[i];
        if (strcmp(keys[i].name, "name") == 0 && ms_config_same_name(keys[i].section, full_name)) return &keys[i];
    }
    return NULL;
}

const char *ms_config_section_doc(const char *section) {
    static const struct {
        const char *name, *doc;
    } sections[] = {
#define SECTION(name, doc) {#name, doc},
#define SECTION_END(name)
#define INT(section, key, initial, lowest, highest, resume, doc)
#define FLOAT(section, key, initial, lowest, highest, resume, doc)
#define BOOL(section, key, initial, resume, doc)
#define CHOICE(section, key, type, INITIAL, resume, doc)
#define STRING(section, key, initial, resume, doc)
#include "cli/config/config.def"
#undef SECTION
#undef SECTION_END
#undef INT
#undef FLOAT
#undef BOOL
#undef CHOICE
#undef STRING
    };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(sections[i].name, section) == 0) return sections[i].doc;
    return "";
}

static void *value_of(ms_config *config, const ms_config_key *key) { return (char *)config + key->offset; }
static const void *value_in(const ms_config *config, const ms_config_key *key) {
    return (const char *)config + key->offset;
}

/* The value of a choice.  Each is an enumeration of its module, of whatever size: its bytes are copied, low ones first,
   as on all that this program runs on. */
static int choice_in(const ms_config *config, const ms_config_key *key) {
    unsigned long long value = 0;
    memcpy(&value, value_in(config, key), key->size_bytes);
    return (int)value;
}

static void set_choice_to(ms_config *config, const ms_config_key *key, int choice) {
    unsigned long long value = (unsigned long long)choice;
    memcpy(value_of(config, key), &value, key->size_bytes);
}

void ms_config_defaults(ms_config *out) {
    memset(out, 0, sizeof *out); /* padding too, so that configurations can be hashed or compared as bytes */
    for (int i = 0; i < N_KEYS; i++) {
        const ms_config_key *key = &keys[i];
        void *value = value_of(out, key);
        switch (key->type) {
        case MS_CONFIG_INT:
            *(int64_t *)value = (int64_t)key->initial;
            break;
        case MS_CONFIG_FLOAT:
            *(double *)value = key->initial;
            break;
        case MS_CONFIG_BOOL:
            *(bool *)value = key->initial != 0;
            break;
        case MS_CONFIG_CHOICE:
            set_choice_to(out, key, (int)key->initial);
            break;
        case MS_CONFIG_STRING:
            snprintf(value, MS_CONFIG_STRING_SIZE, "%s", key->initial_string);
            break;
        }
    }
}

/* The shortest of the usual forms that reads back to the same double. */
static void print_double(double value, char *out, size_t size) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    snprintf(out, size, "%s", text);
}

const char *ms_config_value_text(const ms_config *config, const ms_config_key *key, char *out, size_t size) {
    const void *value = value_in(config, key);
    switch (key->type) {
    case MS_CONFIG_INT:
        snprintf(out, size, "%lld", (long long)*(const int64_t *)value);
        break;
    case MS_CONFIG_FLOAT:
        print_double(*(const double *)value, out, size);
        break;
    case MS_CONFIG_BOOL:
        snprintf(out, size, "%s", *(const bool *)value ? "true" : "false");
        break;
    case MS_CONFIG_CHOICE:
        snprintf(out, size, "%s", key->choices[choice_in(config, key)]);
        break;
    case MS_CONFIG_STRING:
        snprintf(out, size, "%s", (const char *)value);
        break;
    }
    return out;
}

const char *ms_config_allowed_text(const ms_config_key *key, char *out, size_t size) {
    out[0] = '\0';
    switch (key->type) {
    case MS_CONFIG_INT:
        snprintf(out, size, "%.0f to %.0f", key->lowest, key->highest);
        break;
    case MS_CONFIG_FLOAT:
        snprintf(out, size, "%.10g to %.10g", key->lowest, key->highest);
        break;
    case MS_CONFIG_BOOL:
        snprintf(out, size, "true | false");
        break;
    case MS_CONFIG_STRING:
        snprintf(out, size, "text");
        break;
    case MS_CONFIG_CHOICE:
        for (size_t i = 0, used = 0; key->choices[i] && used < size; i++)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " | " : "", key->choices[i]);
        break;
    }
    return out;
}

static ms_status unknown_key(const char *full_name) {
    char hint[MS_CONFIG_HINT_SIZE];
    if (ms_config_hint(full_name, "", hint))
        return MS_FAIL(MS_NOT_FOUND, "unknown key %s; did you mean %s?", full_name, hint);
    return MS_FAIL(MS_NOT_FOUND, "unknown key %s; see muonscope train --help-config", full_name);
}

/* The value that the field calls by a second name too; `text` itself where it is none. */
static const char *first_name(const ms_config_key *key, const char *text) {
    static const struct { const char *key, *second_name, *value; } names[] = {{"schedule.name", "trapezoid", "wsd"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].key, key->full_name) == 0 && ms_config_same_name(names[i].second_name, text))
            return names[i].value;
    return text;
}

static ms_status set_choice(ms_config *config, const ms_config_key *key, const char *text) {
    ms_suggestion suggestion;
    text = first_name(key, text);
    ms_suggestion_init(text, &suggestion);
    for (int i = 0; key->choices[i]; i++) {
        if (ms_config_same_name(key->choices[i], text)) {
            set_choice_to(config, key, i);
            return MS_OK;
        }
        ms_suggestion_offer(&suggestion, key->choices[i]);
    }
    char allowed[256];
    const char *best = ms_suggestion_best(&suggestion);
    return MS_FAIL(MS_INVALID, "%s: '%s' is not one of %s%s%s%s", key->full_name, text,
                   ms_config_allowed_text(key, allowed, sizeof allowed), best ? "; did you mean " : "",
                   best ? best : "", best ? "?" : "");
}

/* RFC 3629 without the surrogate and overlong forms' finer points: enough for libyaml to read the text back. */
static bool is_utf8(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        int n_more = *c < 0x80                 ? 0
                     : *c >= 0xC2 && *c < 0xE0 ? 1
                     : *c >= 0xE0 && *c < 0xF0 ? 2
                     : *c >= 0xF0 && *c < 0xF5 ? 3
                                               : -1;
        if (n_more < 0) return false;
        uint32_t code = n_more == 0 ? *c : *c & (0x3Fu >> n_more);
        c++;
        for (int i = 0; i < n_more; i++, c++) {
            if ((*c & 0xC0) != 0x80) return false;
            code = code << 6 | (*c & 0x3Fu);
        }
        bool overlong = (n_more == 2 && code < 0x800) || (n_more == 3 && code < 0x10000);
        if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    }
    return true;
}

static ms_status set_string(const ms_config_key *key, const char *text, char *out) {
    size_t length = strlen(text);
    if (length >= MS_CONFIG_STRING_SIZE)
        return MS_FAIL(MS_INVALID, "%s: text of %zu bytes, at most %d allowed", key->full_name, length,
                       MS_CONFIG_STRING_SIZE - 1);
    if (!is_utf8(text)) return MS_FAIL(MS_INVALID, "%s: '%s' is not UTF-8", key->full_name, text);
    memset(out, 0, MS_CONFIG_STRING_SIZE);
    memcpy(out, text, length);
    return MS_OK;
}

static ms_status set_number(const ms_config_key *key, const char *text, void *value) {
    char allowed[256];
    ms_config_allowed_text(key, allowed, sizeof allowed);
    int64_t integer = 0;
    double number = 0;
    ms_status status = key->type == MS_CONFIG_INT ? ms_parse_int(text, key->full_name, MS_INVALID, &integer)
                                                  : ms_parse_float(text, key->full_name, MS_INVALID, &number);
    if (status != MS_OK) return MS_FAIL(status, "%s (allowed: %s)", ms_status_message(), allowed);
    if (key->type == MS_CONFIG_INT) number = (double)integer;
    if (number < key->lowest || number > key->highest)
        return MS_FAIL(MS_INVALID, "%s: %s is out of range (allowed: %s)", key->full_name, text, allowed);
    if (key->type == MS_CONFIG_INT)
        *(int64_t *)value = integer;
    else
        *(double *)value = number;
    return MS_OK;
}

ms_status ms_config_set(ms_config *config, const char *full_name, const char *text) {
    const ms_config_key *key = ms_config_find(full_name);
    if (!key) return unknown_key(full_name);
    void *value = value_of(config, key);
    switch (key->type) {
    case MS_CONFIG_INT:
    case MS_CONFIG_FLOAT:
        return set_number(key, text, value);
    case MS_CONFIG_BOOL:
        return ms_parse_bool(text, key->full_name, MS_INVALID, value);
    case MS_CONFIG_CHOICE:
        return set_choice(config, key, text);
    case MS_CONFIG_STRING:
        return set_string(key, text, value);
    }
    return MS_FAIL(MS_INTERNAL, "%s: key type %d", key->full_name, (int)key->type);
}

static bool same_value(const ms_config *a, const ms_config *b, const ms_config_key *key) {
    char x[MS_CONFIG_STRING_SIZE], y[MS_CONFIG_STRING_SIZE];
    return strcmp(ms_config_value_text(a, key, x, sizeof x), ms_config_value_text(b, key, y, sizeof y)) == 0;
}

int ms_config_difference(const ms_config *a, const ms_config *b, const ms_config_key **out, int capacity) {
    int n = 0;
    for (int i = 0; i < N_KEYS; i++) {
        if (same_value(a, b, &keys[i])) continue;
        if (n < capacity) out[n] = &keys[i];
        n++;
    }
    return n;
}

ms_status ms_config_check_resume(const ms_config *saved, const ms_config *wanted) {
    for (int i = 0; i < N_KEYS; i++) {
        if (keys[i].resume == MS_CONFIG_FREE || same_value(saved, wanted, &keys[i])) continue;
        char before[MS_CONFIG_STRING_SIZE], after[MS_CONFIG_STRING_SIZE];
        return MS_FAIL(MS_MISMATCH, "cannot resume: %s is %s in the run and %s now", keys[i].full_name,
                       ms_config_value_text(saved, &keys[i], before, sizeof before),
                       ms_config_value_text(wanted, &keys[i], after, sizeof after));
    }
    return MS_OK;
}

ms_status ms_config_fixed_text(const ms_config *config, char **out_text) {
    size_t size = (size_t)N_KEYS * (MS_CONFIG_STRING_SIZE + 64) + 1, used = 0;
    char *text = malloc(size);
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "configuration: no memory for its fixed keys");
    text[0] = '\0';
    ms_config defaults;
    ms_config_defaults(&defaults);
    for (int i = 0; i < N_KEYS; i++) {
        char value[MS_CONFIG_STRING_SIZE];
        /* The folder of the data may move; that it is the same data shows in the tokenizer's hash. */
        if (keys[i].resume == MS_CONFIG_FREE || strcmp(keys[i].full_name, "data.directory") == 0) continue;
        if (keys[i].resume == MS_CONFIG_ADDED && same_value(config, &defaults, &keys[i])) continue;
        ms_config_value_text(config, &keys[i], value, sizeof value);
        used += (size_t)snprintf(text + used, size - used, "%s=%s\n", keys[i].full_name, value);
    }
    return MS_OK;
}
