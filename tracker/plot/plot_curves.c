/* Curves over steps: a panel for each projection, a line for each layer, dark for the first, light for the last; of
   several runs a line for each. */
#include <math.h>
#include <string.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

enum { MAX_CHANCE = 4, MOST_MARKS = 40 };

/* One panel of a projection. */
typedef struct curve_band {
    enum ms_plot_key key;
    const char *label;                    /* of the y axis */
    bool has_whole;                       /* the projection may be stored as a slice of a merged matrix: */
    enum ms_plot_key whole;               /* the key of that matrix, drawn where there is one; the slice's is dotted */
    bool has_high;                        /* a range is drawn: */
    enum ms_plot_key high, whole_high;    /* its upper end, thin; key and whole are the lower */
    int n_chance;                         /* levels drawn beside the measurement */
    enum ms_plot_key chance[MAX_CHANCE];  /* drawn of the first layer: the same, or nearly so, for every layer */
    const char *chance_names[MAX_CHANCE]; /* in the legend */
    bool chance_of_layer; /* they differ a little from layer to layer: the legend says of which they are */
} curve_band;

typedef struct curve_set {
    const ms_plot_data *data;
    const curve_band *bands;
    ms_panels panels;
    size_t between_marks; /* snapshots from one mark of a line to the next */
} curve_set;

/* Whether the matrix is orthogonalised as a part of a larger one: its line then has the keys of the whole. */
static bool is_slice(const ms_plot_spectrum *spectrum) {
    return isfinite(spectrum->values[MS_PLOT_update_rank_merged]);
}

enum { CURVE, SLICE, HIGH, N_CURVES };

/* What is drawn of one matrix; NaN where there is nothing. */
static void curve_values(const ms_plot_spectrum *spectrum, const curve_band *band, double out[N_CURVES]) {
    bool slice = band->has_whole && is_slice(spectrum);
    out[CURVE] = spectrum->values[slice ? band->whole : band->key];
    out[SLICE] = slice ? spectrum->values[band->key] : NAN;
    out[HIGH] = band->has_high ? spectrum->values[slice ? band->whole_high : band->high] : NAN;
}

static bool draws(const curve_band *band, int curve) {
    return curve == CURVE || (curve == SLICE ? band->has_whole : band->has_high);
}

/* Headings of what write_series writes. */
static void write_columns(ms_page *page, const curve_set *curves) {
    FILE *stream = page->table.stream;
    fprintf(stream, "projection,%s,step,tokens", curves->data->runs ? "run" : "layer");
    for (int b = 0; b < curves->panels.bands; b++) {
        const curve_band *band = &curves->bands[b];
        fprintf(stream, ",%s%s", ms_plot_column_names[band->key], band->has_whole ? " of the whole matrix" : "");
        if (band->has_whole) fprintf(stream, ",%s of the slice", ms_plot_column_names[band->key]);
        if (band->has_high) fprintf(stream, ",%s", ms_plot_column_names[band->high]);
        for (int k = 0; k < band->n_chance; k++) fprintf(stream, ",%s", ms_plot_column_names[band->chance[k]]);
        if (curves->data->marks_changes[band->key]) fprintf(stream, ",change");
    }
    fprintf(stream, "\n");
}

/* Data block $PROJECTION_LAYER: step; then the curves and the chance levels of each band; one row a snapshot. */
static void write_series(ms_page *page, const curve_set *curves, int p, int layer) {
    const ms_plot_data *data = curves->data;
    fprintf(page->out, "$%s_%d << EOD\n", data->projections[p], layer);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != p || spectrum->layer != layer) continue;
        ms_row_text(page, data->projections[p]);
        if (data->runs)
            ms_row_text(page, data->run_names[layer]);
        else
            ms_row_label(page, layer);
        ms_row_integer(page, spectrum->step);
        ms_row_label(page, spectrum->tokens);
        for (int b = 0; b < curves->panels.bands; b++) {
            const curve_band *band = &curves->bands[b];
            double values[N_CURVES];
            curve_values(spectrum, band, values);
            for (int c = 0; c < N_CURVES; c++)
                if (draws(band, c)) ms_row_value(page, values[c]);
            for (int k = 0; k < band->n_chance; k++) ms_row_value(page, spectrum->values[band->chance[k]]);
            if (data->marks_changes[band->key]) ms_row_label(page, ms_plot_data_changes(data, spectrum, band->key));
        }
        ms_row_end(page);
    }
    fprintf(page->out, "EOD\n");
}

/* Data block $PROJECTION_LAYER_change_BAND: step and value where the key changes; none where it does not. */
static void write_changes(FILE *out, const curve_set *curves, const ms_plot_spectrum *of, int b) {
    const ms_plot_data *data = curves->data;
    enum ms_plot_key key = curves->bands[b].key;
    int n = 0;
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != of->i_projection || spectrum->layer != of->layer ||
            !ms_plot_data_changes(data, spectrum, key))
            continue;
        if (n++ == 0) fprintf(out, "$%s_%d_change_%d << EOD\n", data->projections[of->i_projection], of->layer, b);
        fprintf(out, "%lld", (long long)spectrum->step);
        ms_script_value(out, spectrum->values[key]);
        fprintf(out, "\n");
    }
    if (n > 0) fprintf(out, "EOD\n");
}

static bool has_changes(const ms_plot_data *data, enum ms_plot_key key, int p, int layer) {
    for (size_t c = 0; c < data->n_changes; c++)
        if (data->changes[c].key == key && data->changes[c].i_projection == p && data->changes[c].layer == layer)
            return true;
    return false;
}

static int n_curves(const curve_band *band) { return 1 + band->has_whole + band->has_high; }

/* Column of a band's first curve in the data blocks; the other curves follow, then its chance levels. */
static int column_of(const curve_set *curves, int b) {
    int column = 2;
    for (int i = 0; i < b; i++) column += n_curves(&curves->bands[i]) + curves->bands[i].n_chance;
    return column;
}

static ms_range band_range(const curve_set *curves, int b) {
    const curve_band *band = &curves->bands[b];
    ms_range range = MS_NO_RANGE;
    for (size_t i = 0; i < curves->data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &curves->data->spectra[i];
        double values[N_CURVES];
        curve_values(spectrum, band, values);
        for (int c = 0; c < N_CURVES; c++) ms_range_add(&range, values[c]);
        for (int k = 0; k < band->n_chance; k++) ms_range_add(&range, spectrum->values[band->chance[k]]);
    }
    return ms_range_widened(range);
}

/* A level that older runs, or other optimizers, lack is not in the legend. */
static bool is_known(const ms_plot_data *data, enum ms_plot_key key) {
    for (size_t i = 0; i < data->n_spectra; i++)
        if (isfinite(data->spectra[i].values[key])) return true;
    return false;
}

/* Bands that have a level of the same name share its entry in the legend. */
static bool is_named_before(const curve_set *curves, int b, int k) {
    for (int i = 0; i < b; i++)
        if (k < curves->bands[i].n_chance &&
            strcmp(curves->bands[i].chance_names[k], curves->bands[b].chance_names[k]) == 0)
            return true;
    return false;
}

/* What the curves of a layer are, where they are more than one. */
static void add_curves(ms_legend *legend, const curve_set *curves, int n_bands) {
    bool has_slices = false, has_high = false;
    for (int b = 0; b < n_bands; b++) {
        has_high = has_high || curves->bands[b].has_high;
        for (size_t i = 0; i < curves->data->n_spectra && curves->bands[b].has_whole; i++)
            has_slices = has_slices || is_slice(&curves->data->spectra[i]);
    }
    if (has_slices) {
        ms_legend_add(legend, "lines lc rgb 'black' lw 1.8", "whole matrix");
        ms_legend_add(legend, "lines lc rgb 'black' dt 3 lw 1.5", "slice of it");
    }
    if (has_high) ms_legend_add(legend, "lines lc rgb 'black' lw 0.8", "largest s(O)");
}

static void make_legend(ms_legend *legend, const curve_set *curves, int n_bands) {
    const ms_plot_data *data = curves->data;
    char style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE];
    bool of_layer = false;
    ms_legend_add_layers(legend, data);
    for (int b = 0; b < n_bands; b++)
        if (data->marks_changes[curves->bands[b].key])
            ms_legend_add(legend, "points pt 8 ps 1.8 lw 2 lc rgb 'black'", "change point");
    add_curves(legend, curves, n_bands);
    for (int b = 0; b < n_bands; b++)
        for (int k = 0; k < curves->bands[b].n_chance; k++) {
            if (!is_known(data, curves->bands[b].chance[k]) || is_named_before(curves, b, k)) continue;
            of_layer = of_layer || (curves->bands[b].chance_of_layer && !data->runs);
            snprintf(style, sizeof style, "lines lc rgb 'black' dt %d lw 2", 2 + k);
            ms_legend_add(legend, style, curves->bands[b].chance_names[k]);
        }
    snprintf(title, sizeof title, "(black: layer %d)", data->layers[0]);
    if (of_layer) ms_legend_add(legend, "lines lc rgb 'white'", title);
}

static void write_panel(FILE *out, const curve_set *curves, const ms_panel *panel) {
    const ms_plot_data *data = curves->data;
    const curve_band *band = &curves->bands[panel->band];
    const char *projection = data->projections[panel->item];
    int column = column_of(curves, panel->band);
    char color[MS_COLOR_SIZE];
    fprintf(out, "set title '%s' offset 0,-0.4 font ',18'\nplot NaN notitle", projection);
    for (int i = 0; i < data->n_layers; i++) {
        if (!ms_plot_data_has(data, panel->item, data->layers[i])) continue;
        fprintf(out, ", $%s_%d using 1:%d with linespoints pt %d ps %g pointinterval %zu lc rgb '%s' lw 1.8 notitle",
                projection, data->layers[i], column, ms_script_series_mark(data, i), data->runs ? 0.8 : 0.5,
                curves->between_marks, ms_script_series_color(data, i, color));
        if (band->has_whole)
            fprintf(out, ", $%s_%d using 1:%d with lines lc rgb '%s' dt 3 lw 1.5 notitle", projection, data->layers[i],
                    column + 1, color);
        if (band->has_high)
            fprintf(out, ", $%s_%d using 1:%d with lines lc rgb '%s' lw 0.8 notitle", projection, data->layers[i],
                    column + n_curves(band) - 1, color);
    }
    for (int i = 0; i < data->n_layers; i++)
        if (has_changes(data, band->key, panel->item, data->layers[i]))
            fprintf(out,
                    ", $%s_%d_change_%d using 1:2 with points pt 9 ps 1.8 lc rgb '%s' notitle"
                    ", $%s_%d_change_%d using 1:2 with points pt 8 ps 1.8 lw 2 lc rgb 'black' notitle",
                    projection, data->layers[i], panel->band, ms_script_layer_color(i, data->n_layers, color),
                    projection, data->layers[i], panel->band);
    for (int i = 0, n = 0; i < data->n_layers && (n == 0 || data->runs); i++) {
        if (!ms_plot_data_has(data, panel->item, data->layers[i])) continue;
        n++;
        for (int k = 0; k < band->n_chance; k++)
            fprintf(out, ", $%s_%d using 1:%d with lines lc rgb '%s' dt %d lw 2 notitle", projection, data->layers[i],
                    column + n_curves(band) + k, data->runs ? ms_script_series_color(data, i, color) : "black", 2 + k);
    }
    fprintf(out, "\n");
}

static void write_curves(ms_page *page, const ms_plot_data *data, const char *title, const curve_band *bands,
                         int n_bands) {
    ms_legend legend = {.n = 0};
    curve_set curves = {data, bands, {0}, 1};
    size_t n_snapshots = data->n_spectra / (data->n_matrices ? data->n_matrices : 1);
    curves.between_marks = 1 + n_snapshots / (MOST_MARKS + 1);
    make_legend(&legend, &curves, n_bands);
    int n_characters = 0;
    for (int b = 0; b < n_bands; b++) {
        int n = ms_script_value_characters(band_range(&curves, b), 6);
        if (n > n_characters) n_characters = n;
    }
    curves.panels = ms_panels_make(page, data->n_projections, n_bands, n_characters, &legend);
    write_columns(page, &curves);
    for (int p = 0; p < data->n_projections; p++)
        for (int i = 0; i < data->n_layers; i++)
            if (ms_plot_data_has(data, p, data->layers[i])) write_series(page, &curves, p, data->layers[i]);
    for (size_t m = 0; m < data->n_matrices; m++)
        for (int b = 0; b < n_bands; b++) write_changes(page->out, &curves, &data->spectra[m], b);
    ms_range steps = MS_NO_RANGE;
    for (size_t i = 0; i < data->n_spectra; i++) ms_range_add(&steps, (double)data->spectra[i].step);
    steps = ms_range_widened(steps); /* labels at the edges of two panels do not touch */
    char text[256];
    snprintf(text, sizeof text, "%s%s", title, data->averaged);
    ms_panels_begin(page, &curves.panels, text);
    for (int cell = 0; cell < curves.panels.rows * curves.panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(page, &curves.panels, cell, &panel)) continue;
        ms_script_step_axis(
            page->out, data,
            &(ms_step_axis){steps, curves.panels.wide, panel.bottom, panel.top && !data->unlike_tokens});
        ms_script_value_axis(page->out, "y", band_range(&curves, panel.band), 6, panel.left);
        fprintf(page->out, "set ylabel '%s' font ',14'\n", panel.left ? bands[panel.band].label : "");
        write_panel(page->out, &curves, &panel);
    }
    ms_panels_end(page, &curves.panels);
}

void ms_plot_stretching_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band band = {.key = MS_PLOT_sigma_max,
                                    .label = "singular value s₁",
                                    .n_chance = 1,
                                    .chance = {MS_PLOT_noise_null},
                                    .chance_names = {"noise alone"},
                                    .chance_of_layer = true};
    write_curves(page, data, "Spectral stretching: largest singular value s₁", &band, 1);
}

/* Within 1 % of each other in every line: in a picture, one. */
static bool coincide(const ms_plot_data *data, enum ms_plot_key a, enum ms_plot_key b) {
    for (size_t i = 0; i < data->n_spectra; i++) {
        double x = data->spectra[i].values[a], y = data->spectra[i].values[b];
        if (isfinite(x) != isfinite(y) || fabs(x - y) > 0.01 * fmax(fabs(x), fabs(y))) return false;
    }
    return true;
}

void ms_plot_efficiency_write(ms_page *page, const ms_plot_data *data) {
    static const struct {
        enum ms_plot_key key;
        const char *name;
    } levels[MAX_CHANCE] = {{MS_PLOT_noise_null, "noise alone"},
                            {MS_PLOT_ceiling, "ceiling of rates"},
                            {MS_PLOT_ceiling_measured, "ceiling measured"},
                            {MS_PLOT_ceiling_decay, "ceiling of decay"}};
    curve_band bands[2] = {{.key = MS_PLOT_growth_efficiency,
                            .label = "growth / bound",
                            .n_chance = 1,
                            .chance = {MS_PLOT_growth_efficiency_null},
                            .chance_names = {"noise alone"},
                            .chance_of_layer = true},
                           {.key = MS_PLOT_sigma_max, .label = "singular value s₁", .chance_of_layer = true}};
    bool one_ceiling = coincide(data, MS_PLOT_ceiling, MS_PLOT_ceiling_measured);
    for (int i = 0; i < MAX_CHANCE; i++) {
        curve_band *band = &bands[1];
        if (!is_known(data, levels[i].key) || (levels[i].key == MS_PLOT_ceiling_measured && one_ceiling)) continue;
        band->chance[band->n_chance] = levels[i].key;
        band->chance_names[band->n_chance++] = levels[i].name;
    }
    write_curves(page, data, "Growth efficiency: growth of s₁ over what the updates allow; s₁ below its ceilings",
                 bands, 2);
}

void ms_plot_gap_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band band = {.key = MS_PLOT_gap, .label = "gap s₁ / s₂"};
    write_curves(page, data, "Spectral gap of the weights", &band, 1);
}

void ms_plot_orthogonality_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band band = {.key = MS_PLOT_orthogonality_error, .label = "orthogonality error"};
    write_curves(page, data, "Orthogonality error ‖WᵀW / s₁² − I‖ / √r of the weights (0: all singular values equal)",
                 &band, 1);
}

/* A mean cosine beside that of random subspaces. */
#define COSINE(of, text, random)                                                                                       \
    {                                                                                                                  \
        .key = MS_PLOT_##of, .label = text, .n_chance = 2, .chance = {MS_PLOT_##random, MS_PLOT_##random##_p95},       \
        .chance_names = {                                                                                              \
            "chance",                                                                                                  \
            "chance, 95 %"                                                                                             \
        }                                                                                                              \
    }

void ms_plot_alignment_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band bands[2] = {COSINE(alignment_left, "cosine, left top 5", alignment_random),
                                        {.key = MS_PLOT_alignment_margin, .label = "(s₅ − s₆) / s₁"}};
    write_curves(page, data,
                 "Alignment of the update ΔW with the weights W; (s₅ − s₆) / s₁ of ΔW near 0 makes it noise", bands, 2);
}

void ms_plot_momentum_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band band = COSINE(alignment_momentum_left, "cosine, left top 5", alignment_random);
    write_curves(page, data, "Alignment of the momentum with the weights W (what can compare optimizers)", &band, 1);
}

void ms_plot_persistence_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band bands[2] = {COSINE(persistence_left, "cosine, left top 5", alignment_random),
                                        COSINE(persistence_right, "cosine, right top 5", alignment_random_right)};
    write_curves(page, data, "Persistence: overlap of the leading subspaces of W with those at the last snapshot",
                 bands, 2);
}

void ms_plot_quality_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band bands[2] = {{.key = MS_PLOT_orthogonality_of_update_q01,
                                         .label = "s(O): 1 %, largest",
                                         .has_whole = true,
                                         .whole = MS_PLOT_orthogonality_of_update_merged_q01,
                                         .has_high = true,
                                         .high = MS_PLOT_orthogonality_of_update_max,
                                         .whole_high = MS_PLOT_orthogonality_of_update_merged_max},
                                        {.key = MS_PLOT_momentum_small_share,
                                         .label = "share below 10⁻³",
                                         .has_whole = true,
                                         .whole = MS_PLOT_momentum_small_share_merged}};
    write_curves(page, data,
                 "Singular values of O: 1 % quantile and largest (whole matrix orthogonal: 1); momentum too small",
                 bands, 2);
}

void ms_plot_rank_write(ms_page *page, const ms_plot_data *data) {
    static const curve_band band = {
        .key = MS_PLOT_update_rank, .label = "effective rank", .has_whole = true, .whole = MS_PLOT_update_rank_merged};
    write_curves(page, data, "Effective rank of the momentum that is orthogonalised", &band, 1);
}
