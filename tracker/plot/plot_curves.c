/* Curves over steps: a panel for each projection, a line for each layer, dark for the first, light for the last. */
#include <math.h>
#include <string.h>

#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

enum { MAX_CHANCE = 3, MAX_MARKED_SNAPSHOTS = 40, MAX_NAMED_LAYERS = 20 };

/* One panel of a projection. */
typedef struct curve_band {
    enum ms_plot_key key;
    const char *label;                    /* of the y axis */
    int n_chance;                         /* levels drawn beside the measurement */
    enum ms_plot_key chance[MAX_CHANCE];  /* drawn of the first layer: the same, or nearly so, for every layer */
    const char *chance_names[MAX_CHANCE]; /* in the legend */
} curve_band;

typedef struct curve_set {
    const ms_plot_data *data;
    const curve_band *bands;
    ms_panels panels;
    bool marked; /* few enough snapshots for a mark at each */
} curve_set;

/* Data block $PROJECTION_LAYER: step; then the key and the chance levels of each band; one row a snapshot. */
static void write_series(FILE *out, const curve_set *curves, int p, int layer) {
    const ms_plot_data *data = curves->data;
    fprintf(out, "$%s_%d << EOD\n", data->projections[p], layer);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != p || spectrum->layer != layer) continue;
        fprintf(out, "%lld", (long long)spectrum->step);
        for (int b = 0; b < curves->panels.bands; b++) {
            const curve_band *band = &curves->bands[b];
            ms_script_value(out, spectrum->values[band->key]);
            for (int k = 0; k < band->n_chance; k++) ms_script_value(out, spectrum->values[band->chance[k]]);
        }
        fprintf(out, "\n");
    }
    fprintf(out, "EOD\n");
}

/* Data block $PROJECTION_LAYER_change_BAND: step and value where the key changes; none where it does not. */
static void write_changes(FILE *out, const curve_set *curves, const ms_plot_spectrum *of, int b) {
    const ms_plot_data *data = curves->data;
    enum ms_plot_key key = curves->bands[b].key;
    int n = 0;
    for (size_t c = 0; c < data->n_changes; c++) {
        const ms_plot_change *change = &data->changes[c];
        if (change->key != key || change->i_projection != of->i_projection || change->layer != of->layer) continue;
        for (size_t i = 0; i < data->n_spectra; i++) {
            const ms_plot_spectrum *spectrum = &data->spectra[i];
            if (spectrum->step != change->step || spectrum->i_projection != of->i_projection ||
                spectrum->layer != of->layer)
                continue;
            if (n++ == 0) fprintf(out, "$%s_%d_change_%d << EOD\n", data->projections[of->i_projection], of->layer, b);
            fprintf(out, "%lld", (long long)spectrum->step);
            ms_script_value(out, spectrum->values[key]);
            fprintf(out, "\n");
        }
    }
    if (n > 0) fprintf(out, "EOD\n");
}

static bool has_changes(const ms_plot_data *data, enum ms_plot_key key, int p, int layer) {
    for (size_t c = 0; c < data->n_changes; c++)
        if (data->changes[c].key == key && data->changes[c].i_projection == p && data->changes[c].layer == layer)
            return true;
    return false;
}

/* Column of a band's key in the data blocks; its chance levels follow it. */
static int column_of(const curve_set *curves, int b) {
    int column = 2;
    for (int i = 0; i < b; i++) column += 1 + curves->bands[i].n_chance;
    return column;
}

static ms_range band_range(const curve_set *curves, int b) {
    const curve_band *band = &curves->bands[b];
    ms_range range = MS_NO_RANGE;
    for (size_t i = 0; i < curves->data->n_spectra; i++) {
        const double *values = curves->data->spectra[i].values;
        ms_range_add(&range, values[band->key]);
        for (int k = 0; k < band->n_chance; k++) ms_range_add(&range, values[band->chance[k]]);
    }
    return ms_range_widened(range);
}

/* A level that older runs, or other optimizers, lack is not in the legend. */
static bool is_known(const ms_plot_data *data, enum ms_plot_key key) {
    for (size_t i = 0; i < data->n_spectra; i++)
        if (isfinite(data->spectra[i].values[key])) return true;
    return false;
}

/* Every layer has its entry in the legend, or every second, and so on, as fits. */
static bool is_named(const ms_plot_data *data, int i_layer) {
    return i_layer % ((data->n_layers + MAX_NAMED_LAYERS - 1) / MAX_NAMED_LAYERS) == 0;
}

/* Bands that have a level of the same name share its entry in the legend. */
static bool is_named_before(const curve_set *curves, int b, int k) {
    for (int i = 0; i < b; i++)
        if (k < curves->bands[i].n_chance &&
            strcmp(curves->bands[i].chance_names[k], curves->bands[b].chance_names[k]) == 0)
            return true;
    return false;
}

static void write_legend(FILE *out, const curve_set *curves) {
    const ms_plot_data *data = curves->data;
    char color[MS_COLOR_SIZE];
    for (int i = 0; i < data->n_layers; i++)
        if (is_named(data, i))
            fprintf(out, ", NaN with lines lc rgb '%s' lw 3 title 'layer %d'",
                    ms_script_layer_color(i, data->n_layers, color), data->layers[i]);
    for (int b = 0; b < curves->panels.bands; b++)
        if (data->marks_changes && ms_script_has_phases(curves->bands[b].key))
            fprintf(out, ", NaN with points pt 8 ps 1.8 lw 2 lc rgb 'black' title 'change point'");
    for (int b = 0; b < curves->panels.bands; b++)
        for (int k = 0; k < curves->bands[b].n_chance; k++)
            if (is_known(data, curves->bands[b].chance[k]) && !is_named_before(curves, b, k))
                fprintf(out, ", NaN with lines lc rgb 'black' dt %d lw 2 title '%s'", 2 + k,
                        curves->bands[b].chance_names[k]);
}

static void write_panel(FILE *out, const curve_set *curves, const ms_panel *panel) {
    const ms_plot_data *data = curves->data;
    const curve_band *band = &curves->bands[panel->band];
    const char *projection = data->projections[panel->item];
    int column = column_of(curves, panel->band), chance_layer = -1;
    char color[MS_COLOR_SIZE];
    if (panel->last) ms_panels_key(out, &curves->panels);
    fprintf(out, "set title '%s' offset 0,-0.4 font ',18'\nplot NaN notitle", projection);
    for (int i = 0; i < data->n_layers; i++) {
        if (!ms_plot_data_has(data, panel->item, data->layers[i])) continue;
        if (chance_layer < 0) chance_layer = data->layers[i];
        fprintf(out, ", $%s_%d using 1:%d with %s lc rgb '%s' lw 1.8 notitle", projection, data->layers[i], column,
                curves->marked ? "linespoints pt 7 ps 0.5" : "lines", ms_script_layer_color(i, data->n_layers, color));
    }
    for (int i = 0; i < data->n_layers; i++)
        if (has_changes(data, band->key, panel->item, data->layers[i]))
            fprintf(out,
                    ", $%s_%d_change_%d using 1:2 with points pt 9 ps 1.8 lc rgb '%s' notitle"
                    ", $%s_%d_change_%d using 1:2 with points pt 8 ps 1.8 lw 2 lc rgb 'black' notitle",
                    projection, data->layers[i], panel->band, ms_script_layer_color(i, data->n_layers, color),
                    projection, data->layers[i], panel->band);
    for (int k = 0; k < band->n_chance && chance_layer >= 0; k++)
        fprintf(out, ", $%s_%d using 1:%d with lines lc rgb 'black' dt %d lw 2 notitle", projection, chance_layer,
                column + 1 + k, 2 + k);
    if (panel->last) write_legend(out, curves);
    fprintf(out, "\n");
}

static void write_curves(FILE *out, const ms_plot_data *data, const char *title, const curve_band *bands, int n_bands) {
    curve_set curves = {data, bands, ms_panels_make(data->n_projections, n_bands), false};
    size_t n_snapshots = data->n_spectra / (data->n_matrices ? data->n_matrices : 1);
    curves.marked = n_snapshots <= MAX_MARKED_SNAPSHOTS;
    for (int p = 0; p < data->n_projections; p++)
        for (int i = 0; i < data->n_layers; i++)
            if (ms_plot_data_has(data, p, data->layers[i])) write_series(out, &curves, p, data->layers[i]);
    for (size_t m = 0; m < data->n_matrices; m++)
        for (int b = 0; b < n_bands; b++) write_changes(out, &curves, &data->spectra[m], b);
    ms_range steps = {(double)data->spectra[0].step, (double)data->spectra[data->n_spectra - 1].step};
    steps = ms_range_widened(steps); /* labels at the edges of two panels do not touch */
    ms_panels_begin(out, &curves.panels, title);
    for (int cell = 0; cell < curves.panels.rows * curves.panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(out, &curves.panels, cell, &panel)) continue;
        ms_script_step_axis(out, data, &(ms_step_axis){steps, 4, panel.bottom, panel.top});
        ms_script_value_axis(out, "y", band_range(&curves, panel.band), 6, panel.left);
        fprintf(out, "set ylabel '%s' font ',14'\n", panel.left ? bands[panel.band].label : "");
        write_panel(out, &curves, &panel);
    }
    ms_panels_end(out);
}

void ms_plot_stretching_write(FILE *out, const ms_plot_data *data) {
    static const curve_band band = {
        MS_PLOT_sigma_max, "largest singular value s1", 1, {MS_PLOT_noise_null}, {"noise alone"}};
    write_curves(out, data, "Spectral stretching: s1 of every layer", &band, 1);
}

void ms_plot_efficiency_write(FILE *out, const ms_plot_data *data) {
    static const curve_band bands[2] = {
        {MS_PLOT_growth_efficiency, "growth / growth bound", 1, {MS_PLOT_growth_efficiency_null}, {"noise alone"}},
        {MS_PLOT_sigma_max,
         "largest singular value s1",
         3,
         {MS_PLOT_noise_null, MS_PLOT_ceiling, MS_PLOT_ceiling_decay},
         {"noise alone", "ceiling", "ceiling under decay"}}};
    write_curves(out, data, "Growth efficiency: growth of s1 over what the updates allow; s1 below its ceilings", bands,
                 2);
}

void ms_plot_gap_write(FILE *out, const ms_plot_data *data) {
    static const curve_band band = {MS_PLOT_gap, "gap s1 / s2 (ratio)", 0, {0}, {0}};
    write_curves(out, data, "Spectral gap of the weights", &band, 1);
}

void ms_plot_orthogonality_write(FILE *out, const ms_plot_data *data) {
    static const curve_band band = {MS_PLOT_orthogonality_error, "orthogonality error", 0, {0}, {0}};
    write_curves(out, data, "Orthogonality error |WᵀW / s1² − I| / √r of the weights (0: all singular values equal)",
                 &band, 1);
}

void ms_plot_alignment_write(FILE *out, const ms_plot_data *data) {
    static const curve_band bands[2] = {{MS_PLOT_alignment_left,
                                         "mean cosine, left top 5",
                                         2,
                                         {MS_PLOT_alignment_random, MS_PLOT_alignment_random_p95},
                                         {"chance", "chance, 95 %"}},
                                        {MS_PLOT_alignment_margin, "(s5 − s6) / s1 of dW", 0, {0}, {0}}};
    write_curves(out, data, "Alignment of the update dW with the weights W; a margin near 0 makes it noise", bands, 2);
}

void ms_plot_momentum_write(FILE *out, const ms_plot_data *data) {
    static const curve_band band = {MS_PLOT_alignment_momentum_left,
                                    "mean cosine, left top 5",
                                    2,
                                    {MS_PLOT_alignment_random, MS_PLOT_alignment_random_p95},
                                    {"chance", "chance, 95 %"}};
    write_curves(out, data, "Alignment of the momentum with the weights W (what can compare optimizers)", &band, 1);
}

void ms_plot_persistence_write(FILE *out, const ms_plot_data *data) {
    static const curve_band bands[2] = {{MS_PLOT_persistence_left,
                                         "mean cosine, left top 5",
                                         2,
                                         {MS_PLOT_alignment_random, MS_PLOT_alignment_random_p95},
                                         {"chance", "chance, 95 %"}},
                                        {MS_PLOT_persistence_right,
                                         "mean cosine, right top 5",
                                         2,
                                         {MS_PLOT_alignment_random_right, MS_PLOT_alignment_random_right_p95},
                                         {"chance", "chance, 95 %"}}};
    write_curves(out, data, "Persistence: overlap of the leading subspaces of W with those at the last snapshot", bands,
                 2);
}

void ms_plot_quality_write(FILE *out, const ms_plot_data *data) {
    static const curve_band bands[2] = {{MS_PLOT_orthogonality_of_update, "1 % quantile of s(O)", 0, {0}, {0}},
                                        {MS_PLOT_momentum_small_share, "share below 0.001", 0, {0}, {0}}};
    write_curves(out, data, "Rows of O, projection by projection (1: orthogonal); momentum too small to bring up",
                 bands, 2);
}

void ms_plot_rank_write(FILE *out, const ms_plot_data *data) {
    static const curve_band band = {MS_PLOT_update_rank, "effective rank", 0, {0}, {0}};
    write_curves(out, data, "Effective rank of the momentum that is orthogonalised", &band, 1);
}
