#include "tracker/plot/selection.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { CHOSEN = 1, MET = 2 };

/* A number of at most 4 digits; moves *text behind it.  -1: there is none. */
static int read_layer(const char **text) {
    int value = 0, n_digits = 0;
    for (; isdigit((unsigned char)**text) && n_digits < 4; (*text)++, n_digits++) value = 10 * value + (**text - '0');
    return n_digits > 0 ? value : -1;
}

static ms_status add_range(ms_selection *selection, const char *item, size_t length) {
    const char *at = item;
    int from = read_layer(&at), to = from;
    if (from >= 0 && *at == '-') {
        at++;
        to = read_layer(&at);
    }
    if (from < 0 || to < from || (size_t)(at - item) != length)
        return MS_FAIL(MS_USAGE, "--layers: '%.*s' is no layer and no range of layers, such as 5 or 18-21", (int)length,
                       item);
    for (int layer = from; layer <= to; layer++) selection->layers[layer] = CHOSEN;
    return MS_OK;
}

static ms_status add_name(ms_selection *selection, const char *item, size_t length) {
    if (length == 0) return MS_FAIL(MS_USAGE, "--projections: an empty name");
    if (selection->n_projections == MS_SELECTION_NAMES)
        return MS_FAIL(MS_USAGE, "--projections: more than %d names", MS_SELECTION_NAMES);
    selection->projections[selection->n_projections++] = (ms_selection_name){item, length, false};
    return MS_OK;
}

static ms_status parse(const char *list, ms_selection *selection,
                       ms_status (*add)(ms_selection *selection, const char *item, size_t length)) {
    for (const char *at = list; at;) {
        size_t length = strcspn(at, ",");
        MS_TRY(add(selection, at, length));
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return MS_OK;
}

ms_status ms_selection_parse(const char *layers, const char *projections, ms_selection *out) {
    memset(out, 0, sizeof *out);
    out->all_layers = layers == NULL;
    out->lowest = MS_SELECTION_LAYERS;
    out->highest = -1;
    MS_TRY(parse(layers, out, add_range));
    return parse(projections, out, add_name);
}

static void meet_name(ms_selection *selection, const char *name) {
    for (int i = 0; i < selection->n_met; i++)
        if (strncmp(selection->met[i], name, MS_SELECTION_NAME_SIZE) == 0) return;
    if (selection->n_met == MS_SELECTION_MET) return;
    snprintf(selection->met[selection->n_met++], sizeof *selection->met, "%.*s", MS_SELECTION_NAME_SIZE, name);
}

bool ms_selection_has(ms_selection *selection, int64_t layer, const char *projection) {
    bool has_layer = selection->all_layers || layer < 0, has_name = selection->n_projections == 0 || !projection;
    if (layer >= 0 && layer < MS_SELECTION_LAYERS) {
        has_layer = has_layer || (selection->layers[layer] & CHOSEN);
        selection->layers[layer] |= MET;
        if (layer < selection->lowest) selection->lowest = layer;
        if (layer > selection->highest) selection->highest = layer;
    }
    if (projection) meet_name(selection, projection);
    for (int i = 0; projection && i < selection->n_projections; i++) {
        ms_selection_name *name = &selection->projections[i];
        if (strlen(projection) != name->length || memcmp(projection, name->text, name->length) != 0) continue;
        has_name = name->seen = true;
    }
    return has_layer && has_name;
}

ms_status ms_selection_check(const ms_selection *selection) {
    for (int layer = 0; layer < MS_SELECTION_LAYERS; layer++) {
        if (selection->layers[layer] != CHOSEN) continue;
        return selection->highest < 0 ? MS_FAIL(MS_NOT_FOUND, "--layers: the run has no layers")
                                      : MS_FAIL(MS_NOT_FOUND, "--layers: the run has no layer %d; it has %lld to %lld",
                                                layer, (long long)selection->lowest, (long long)selection->highest);
    }
    char met[MS_SELECTION_MET * (MS_SELECTION_NAME_SIZE + 2) + 1] = "none";
    for (int i = 0, used = 0; i < selection->n_met; i++)
        used += snprintf(met + used, sizeof met - (size_t)used, "%s%s", i ? ", " : "", selection->met[i]);
    for (int i = 0; i < selection->n_projections; i++) {
        const ms_selection_name *name = &selection->projections[i];
        if (!name->seen)
            return MS_FAIL(MS_NOT_FOUND, "--projections: the run has no projection '%.*s'; it has %s",
                           (int)name->length, name->text, met);
    }
    return MS_OK;
}
