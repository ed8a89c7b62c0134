/* Where series change, as marks of the plots. */
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/plot_data.h"

static enum ms_plot_key find_key(const char *name) {
    int key = 0;
    while (key < MS_PLOT_N_KEYS && strcmp(ms_plot_key_names[key], name) != 0) key++;
    return (enum ms_plot_key)key;
}

static int find_projection(const ms_plot_data *data, const char *name) {
    for (int p = 0; p < data->n_projections; p++)
        if (strcmp(data->projections[p], name) == 0) return p;
    return -1;
}

ms_status ms_plot_data_add_changes(ms_plot_data *data, const ms_plot_series *series, const int64_t *steps, int n) {
    ms_plot_change change = {.key = MS_PLOT_N_KEYS, .layer = series->layer};
    bool is_loss = strcmp(series->key, "loss") == 0;
    if (!is_loss) {
        change.key = find_key(series->key);
        change.i_projection = find_projection(data, series->projection);
        if (change.key == MS_PLOT_N_KEYS || change.i_projection < 0 ||
            !ms_plot_data_has(data, change.i_projection, series->layer))
            return MS_OK;
    }
    data->marks_changes[change.key] = true;
    if (n == 0) return MS_OK;
    ms_plot_change *larger = realloc(data->changes, (data->n_changes + (size_t)n) * sizeof *larger);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %zu changes", data->n_changes + (size_t)n);
    data->changes = larger;
    for (int i = 0; i < n; i++) {
        change.step = steps[i];
        data->changes[data->n_changes++] = change;
    }
    return MS_OK;
}

bool ms_plot_data_changes(const ms_plot_data *data, const ms_plot_spectrum *spectrum, enum ms_plot_key key) {
    for (size_t c = 0; c < data->n_changes; c++) {
        const ms_plot_change *change = &data->changes[c];
        if (change->key == key && change->step == spectrum->step && change->layer == spectrum->layer &&
            change->i_projection == spectrum->i_projection)
            return true;
    }
    return false;
}
