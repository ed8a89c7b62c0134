/* The part of a run's spectra that is drawn. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/plot_data.h"

enum { NAMES_SIZE = MS_PLOT_PROJECTIONS * (MS_PLOT_NAME_SIZE + 2) };

bool ms_plot_data_has(const ms_plot_data *data, int i_projection, int layer) {
    for (size_t i = 0; i < data->n_matrices; i++)
        if (data->spectra[i].i_projection == i_projection && data->spectra[i].layer == layer) return true;
    return false;
}

static int find_layer(const ms_plot_data *data, int layer) {
    for (int i = 0; i < data->n_layers; i++)
        if (data->layers[i] == layer) return i;
    return -1;
}

/* Drops what is not kept, by index of the projection and by index in data->layers. */
static void keep(ms_plot_data *data, const bool *projections, const bool *layers) {
    int new_index[MS_PLOT_PROJECTIONS] = {0}, n_projections = 0, n_layers = 0;
    size_t n = 0;
    for (size_t i = 0; i < data->n_spectra; i++)
        if (projections[data->spectra[i].i_projection] && layers[find_layer(data, data->spectra[i].layer)])
            data->spectra[n++] = data->spectra[i];
    data->n_spectra = n;
    for (int p = 0; p < data->n_projections; p++) {
        if (!projections[p]) continue;
        new_index[p] = n_projections;
        memmove(data->projections[n_projections++], data->projections[p], MS_PLOT_NAME_SIZE);
    }
    data->n_projections = n_projections;
    for (size_t i = 0; i < n; i++) data->spectra[i].i_projection = new_index[data->spectra[i].i_projection];
    size_t n_probes = 0;
    for (size_t i = 0; i < data->n_probes; i++) {
        int k = find_layer(data, data->probes[i].layer);
        if (k >= 0 && layers[k]) data->probes[n_probes++] = data->probes[i];
    }
    data->n_probes = n_probes;
    data->n_probe_layers = 0;
    while (data->n_probe_layers < n_probes && data->probes[data->n_probe_layers].step == data->probes[0].step)
        data->n_probe_layers++;
    for (int k = 0; k < data->n_layers; k++)
        if (layers[k]) data->layers[n_layers++] = data->layers[k];
    data->n_layers = n_layers;
    data->n_matrices = 0;
    while (data->n_matrices < n && data->spectra[data->n_matrices].step == data->spectra[0].step) data->n_matrices++;
}

/* Length of the item at `text`, and where the next one begins; NULL after the last. */
static size_t next_item(const char **text) {
    size_t length = strcspn(*text, ",");
    *text = (*text)[length] == ',' ? *text + length + 1 : NULL;
    return length;
}

ms_status ms_plot_data_keep_projections(ms_plot_data *data, const char *names, const char *what) {
    bool projections[MS_PLOT_PROJECTIONS] = {false}, *layers = malloc((size_t)data->n_layers + 1);
    if (!layers) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %d layers", data->n_layers);
    memset(layers, true, (size_t)data->n_layers);
    ms_status status = MS_OK;
    for (const char *at = names; at && status == MS_OK;) {
        const char *item = at;
        size_t length = next_item(&at);
        int p = 0;
        while (p < data->n_projections &&
               (strlen(data->projections[p]) != length || memcmp(data->projections[p], item, length) != 0))
            p++;
        if (p < data->n_projections) {
            projections[p] = true;
            continue;
        }
        char known[NAMES_SIZE] = "";
        for (p = 0; p < data->n_projections; p++) {
            if (p) strcat(known, ", ");
            strcat(known, data->projections[p]);
        }
        status =
            MS_FAIL(MS_NOT_FOUND, "%s: the run has no projection '%.*s'; it has %s", what, (int)length, item, known);
    }
    if (status == MS_OK) keep(data, projections, layers);
    free(layers);
    return status;
}

/* A number of at most 4 digits; moves *text behind it.  -1: there is none. */
static int read_layer(const char **text) {
    int value = 0, n_digits = 0;
    for (; isdigit((unsigned char)**text) && n_digits < 4; (*text)++, n_digits++) value = 10 * value + (**text - '0');
    return n_digits > 0 ? value : -1;
}

/* Marks the layers of one number or range. */
static ms_status mark_range(const ms_plot_data *data, const char *item, size_t length, const char *what, bool *layers) {
    const char *at = item;
    int from = read_layer(&at), to = from;
    if (from >= 0 && *at == '-') {
        at++;
        to = read_layer(&at);
    }
    if (from < 0 || to < from || (size_t)(at - item) != length)
        return MS_FAIL(MS_USAGE, "%s: '%.*s' is no layer and no range of layers, such as 5 or 18-21", what, (int)length,
                       item);
    for (int layer = from; layer <= to; layer++) {
        int i = find_layer(data, layer);
        if (i < 0)
            return MS_FAIL(MS_NOT_FOUND, "%s: the run has no layer %d; it has %d to %d", what, layer, data->layers[0],
                           data->layers[data->n_layers - 1]);
        layers[i] = true;
    }
    return MS_OK;
}

ms_status ms_plot_data_keep_layers(ms_plot_data *data, const char *ranges, const char *what) {
    bool projections[MS_PLOT_PROJECTIONS], *layers = calloc((size_t)data->n_layers + 1, sizeof *layers);
    if (!layers) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %d layers", data->n_layers);
    memset(projections, true, sizeof projections);
    ms_status status = MS_OK;
    for (const char *at = ranges; at && status == MS_OK;) {
        const char *item = at;
        size_t length = next_item(&at);
        status = mark_range(data, item, length, what, layers);
    }
    if (status == MS_OK) keep(data, projections, layers);
    free(layers);
    return status;
}
