#include "model/foreign/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    const char *name;
    ms_layout layout;
    const char *projection;
} rule;

static const rule rules[] = {
#define NAME(name, layout, projection) {name, MS_LAYOUT_##layout, projection},
#include "model/foreign/names.def"
};
enum { N_RULES = sizeof rules / sizeof *rules };

/* Bytes of the number that is a whole part between dots at the beginning of `text`; 0: there is none. */
static size_t number_at(const char *text) {
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 9 && text[n] == '.' ? n : 0;
}

/* What follows the first number, that number in *out_layer; NULL: there is none. */
static const char *after_layer(const char *name, int64_t *out_layer) {
    for (const char *at = name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
        size_t n = number_at(at);
        if (n == 0) continue;
        *out_layer = strtoll(at, NULL, 10);
        return at + n + 1;
    }
    return NULL;
}

/* Whether `rest` is the rule's name with numbers for each #; the last such number in *out_number. */
static bool matches(const char *pattern, const char *rest, int64_t *out_number) {
    while (*pattern) {
        size_t n = *pattern == '#' ? number_at(rest) : 0;
        if (n > 0) {
            *out_number = strtoll(rest, NULL, 10);
            rest += n;
            pattern++;
        } else if (*pattern++ != *rest++) {
            return false;
        }
    }
    return *rest == '\0';
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), n_end = strlen(end);
    return n >= n_end && strcmp(name + n - n_end, end) == 0 && (n == n_end || name[n - n_end - 1] == '.');
}

ms_tensor_role ms_tensor_role_of(const char *name) {
    ms_tensor_role role = {.layer = -1, .expert = -1, .layout = MS_LAYOUT_WHOLE};
    const char *rest = after_layer(name, &role.layer);
    for (int i = 0; i < N_RULES; i++) {
        int64_t expert = -1;
        if (rest ? !matches(rules[i].name, rest, &expert) : !ends_with(name, rules[i].name)) continue;
        role.layout = rules[i].layout;
        role.projection = rules[i].projection;
        role.expert = expert;
        return role;
    }
    return role;
}
