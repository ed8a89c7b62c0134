/* The part of a run's spectra that is drawn. */
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/plot_data.h"
#include "tracker/plot/selection.h"

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

ms_status ms_plot_data_select(ms_plot_data *data, const char *layers, const char *projections) {
    ms_selection selection;
    MS_TRY(ms_selection_parse(layers, projections, &selection));
    bool kept_projections[MS_PLOT_PROJECTIONS], *kept_layers = malloc((size_t)data->n_layers + 1);
    if (!kept_layers) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %d layers", data->n_layers);
    for (int i = 0; i < data->n_layers; i++) kept_layers[i] = ms_selection_has(&selection, data->layers[i], NULL);
    for (int p = 0; p < data->n_projections; p++)
        kept_projections[p] = ms_selection_has(&selection, -1, data->projections[p]);
    ms_status status = ms_selection_check(&selection);
    if (status == MS_OK) keep(data, kept_projections, kept_layers);
    if (status == MS_OK && layers) data->chose_layers = true;
    free(kept_layers);
    return status;
}
