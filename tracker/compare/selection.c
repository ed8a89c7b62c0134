#include "tracker/compare/selection.h"

#include <ctype.h>
#include <string.h>

/* A number of at most 4 digits; moves *text behind it.  -1: there is none. */
static int64_t read_layer(const char **text) {
    int64_t value = 0;
    int n_digits = 0;
    for (; isdigit((unsigned char)**text) && n_digits < 4; (*text)++, n_digits++) value = 10 * value + (**text - '0');
    return n_digits > 0 ? value : -1;
}

static ms_status add_range(ms_selection *selection, const char *item, size_t length) {
    const char *at = item;
    int64_t from = read_layer(&at), to = from;
    if (from >= 0 && *at == '-') {
        at++;
        to = read_layer(&at);
    }
    if (from < 0 || to < from || (size_t)(at - item) != length)
        return MS_FAIL(MS_USAGE, "--layers: '%.*s' is no layer and no range of layers, such as 5 or 18-21", (int)length,
                       item);
    selection->layers[selection->n_layers++] = (ms_selection_range){from, to, false};
    return MS_OK;
}

static ms_status add_name(ms_selection *selection, const char *item, size_t length) {
    if (length == 0) return MS_FAIL(MS_USAGE, "--projections: an empty name");
    selection->projections[selection->n_projections++] = (ms_selection_name){item, length, false};
    return MS_OK;
}

static ms_status parse(const char *list, const char *what, ms_selection *selection,
                       ms_status (*add)(ms_selection *selection, const char *item, size_t length)) {
    int n = 0;
    for (const char *at = list; at; n++) {
        size_t length = strcspn(at, ",");
        if (n == MS_SELECTION_ITEMS) return MS_FAIL(MS_USAGE, "%s: more than %d items", what, MS_SELECTION_ITEMS);
        MS_TRY(add(selection, at, length));
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return MS_OK;
}

ms_status ms_selection_parse(const char *layers, const char *projections, ms_selection *out) {
    *out = (ms_selection){.n_layers = 0};
    MS_TRY(parse(layers, "--layers", out, add_range));
    return parse(projections, "--projections", out, add_name);
}

bool ms_selection_has(ms_selection *selection, int64_t layer, const char *projection) {
    bool has_layer = selection->n_layers == 0 || layer < 0, has_name = selection->n_projections == 0 || !projection;
    for (int i = 0; i < selection->n_layers; i++) {
        ms_selection_range *range = &selection->layers[i];
        if (layer < range->from || layer > range->to) continue;
        has_layer = range->seen = true;
    }
    for (int i = 0; projection && i < selection->n_projections; i++) {
        ms_selection_name *name = &selection->projections[i];
        if (strlen(projection) != name->length || memcmp(projection, name->text, name->length) != 0) continue;
        has_name = name->seen = true;
    }
    return has_layer && has_name;
}

ms_status ms_selection_check(const ms_selection *selection) {
    for (int i = 0; i < selection->n_layers; i++)
        if (!selection->layers[i].seen)
            return MS_FAIL(MS_NOT_FOUND, "--layers: it has no layer %lld", (long long)selection->layers[i].from);
    for (int i = 0; i < selection->n_projections; i++) {
        const ms_selection_name *name = &selection->projections[i];
        if (!name->seen)
            return MS_FAIL(MS_NOT_FOUND, "--projections: it has no projection '%.*s'", (int)name->length, name->text);
    }
    return MS_OK;
}
