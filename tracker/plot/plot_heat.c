/* Heat maps: layers upwards; to the right steps, or projections.  One scale of colours for all panels of a picture. */
#include <math.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

typedef struct heat_map {
    enum ms_plot_key key;
    const char *title, *label; /* label: of the colour bar */
    /* What a random matrix, or chance, gives for this projection's shape; NaN where that is not known.  NULL: none. */
    double (*chance)(const ms_plot_spectrum *spectrum);
    const char *chance_name;
    bool marks_above_p95; /* a dot where the value exceeds what chance exceeds in 5 % */
} heat_map;

static double random_entropy(const ms_plot_spectrum *spectrum) {
    double rows = spectrum->values[MS_PLOT_rows], cols = spectrum->values[MS_PLOT_cols];
    double rank = fmin(rows, cols);
    return rank > 1 ? 1 - rank / (2 * fmax(rows, cols)) / log(rank) : NAN;
}

static double alignment_chance(const ms_plot_spectrum *spectrum) { return spectrum->values[MS_PLOT_alignment_random]; }

/* First line of a projection: all its matrices have one shape. */
static const ms_plot_spectrum *find_spectrum(const ms_plot_data *data, int p) {
    for (size_t i = 0; i < data->n_spectra; i++)
        if (data->spectra[i].i_projection == p) return &data->spectra[i];
    return &data->spectra[0];
}

static ms_range key_range(const ms_plot_data *data, enum ms_plot_key key) {
    ms_range range = MS_NO_RANGE;
    for (size_t i = 0; i < data->n_spectra; i++) ms_range_add(&range, data->spectra[i].values[key]);
    return range.low < range.high ? range : ms_range_widened(range);
}

static int layer_row(const ms_plot_data *data, int layer) {
    int row = 0;
    while (data->layers[row] != layer) row++;
    return row;
}

/* --- over steps --- */

/* Edges of the cells of line i. */
static ms_range cell_of(const ms_plot_data *data, size_t i) {
    int64_t step = data->spectra[i].step;
    size_t begin = i, end = i;
    while (begin > 0 && data->spectra[begin - 1].step == step) begin--;
    while (end < data->n_spectra && data->spectra[end].step == step) end++;
    return ms_script_cell(begin > 0 ? data->spectra[begin - 1].step : -1, step,
                          end < data->n_spectra ? data->spectra[end].step : -1);
}

static double middle(ms_range cell) { return (cell.low + cell.high) / 2; }

/* Data block $PROJECTION_change: middle of the cell and row of the layer. */
static void write_changes(FILE *out, const ms_plot_data *data, int p, enum ms_plot_key key) {
    fprintf(out, "$%s_change << EOD\n", data->projections[p]);
    for (size_t i = 0; i < data->n_spectra; i++)
        if (data->spectra[i].i_projection == p && ms_plot_data_changes(data, &data->spectra[i], key))
            fprintf(out, "%.9g %d\n", middle(cell_of(data, i)), layer_row(data, data->spectra[i].layer));
    fprintf(out, "EOD\n");
}

static bool is_above(const ms_plot_spectrum *spectrum, enum ms_plot_key key) {
    return spectrum->values[key] > spectrum->values[MS_PLOT_alignment_random_p95];
}

/* Data block $PROJECTION_above: middle of the cell and row of the layer. */
static void write_marks(FILE *out, const ms_plot_data *data, int p, enum ms_plot_key key) {
    fprintf(out, "$%s_above << EOD\n", data->projections[p]);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection == p && is_above(spectrum, key))
            fprintf(out, "%.9g %d\n", middle(cell_of(data, i)), layer_row(data, spectrum->layer));
    }
    fprintf(out, "EOD\n");
}

/* Data block of one projection: step, row of the layer, value, edges of the cell. */
static void write_cells(ms_page *page, const ms_plot_data *data, int p, const heat_map *map) {
    fprintf(page->out, "$%s << EOD\n", data->projections[p]);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != p || !isfinite(spectrum->values[map->key])) continue;
        ms_range cell = cell_of(data, i);
        ms_row_text(page, data->projections[p]);
        ms_row_label(page, spectrum->layer);
        ms_row_integer(page, spectrum->step);
        ms_row_label(page, spectrum->tokens);
        ms_row_drawn(page, layer_row(data, spectrum->layer));
        ms_row_value(page, spectrum->values[map->key]);
        ms_row_drawn(page, cell.low);
        ms_row_drawn(page, cell.high);
        if (map->chance) ms_csv_real(&page->table, map->chance(spectrum), 9);
        if (map->marks_above_p95) ms_row_label(page, is_above(spectrum, map->key));
        if (data->marks_changes[map->key]) ms_row_label(page, ms_plot_data_changes(data, spectrum, map->key));
        ms_row_end(page);
    }
    fprintf(page->out, "EOD\n");
}

static void write_columns(ms_page *page, const ms_plot_data *data, const heat_map *map) {
    char names[256];
    snprintf(names, sizeof names, "projection,layer,step,tokens,%s%s%s%s%s", ms_plot_column_names[map->key],
             map->chance ? "," : "", map->chance ? map->chance_name : "",
             map->marks_above_p95 ? ",above 95 % of chance" : "", data->marks_changes[map->key] ? ",change" : "");
    ms_page_columns(page, names);
}

static void panel_title(FILE *out, const ms_plot_data *data, int p, const heat_map *map, int points) {
    double chance = map->chance ? map->chance(find_spectrum(data, p)) : NAN;
    fprintf(out, "set title '%s", data->projections[p]);
    if (isfinite(chance)) fprintf(out, "   (%s: %.3f)", map->chance_name, chance);
    fprintf(out, "' offset 0,-0.4 font ',%d'\n", points);
}

static void write_map(ms_page *page, const ms_plot_data *data, const heat_map *map) {
    FILE *out = page->out;
    ms_range steps = MS_NO_RANGE, values = key_range(data, map->key);
    size_t edges[2] = {0, data->n_spectra - 1};
    for (int k = 0; k < 2; k++) {
        ms_range cell = cell_of(data, edges[k]);
        ms_range_add(&steps, cell.low);
        ms_range_add(&steps, cell.high);
    }
    write_columns(page, data, map);
    for (int p = 0; p < data->n_projections; p++) write_cells(page, data, p, map);
    for (int p = 0; p < data->n_projections && map->marks_above_p95; p++) write_marks(out, data, p, map->key);
    bool marks_changes = data->marks_changes[map->key];
    for (int p = 0; p < data->n_projections && marks_changes; p++) write_changes(out, data, p, map->key);
    ms_panels panels = ms_panels_make(page, data->n_projections, 1, 0, NULL);
    char title[256];
    snprintf(title, sizeof title, "%s%s", map->title, marks_changes ? "; triangle: change of slope" : "");
    ms_panels_begin(page, &panels, title);
    ms_script_palette(out);
    fprintf(out, "unset grid\n");
    ms_script_value_axis(out, "cb", values, 8, true);
    for (int cell = 0; cell < panels.rows * panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(page, &panels, cell, &panel)) continue;
        ms_script_step_axis(out, data, &(ms_step_axis){steps, panels.wide, panel.bottom, panel.top});
        ms_script_layer_axis(out, data->layers, data->n_layers, panel.left);
        panel_title(out, data, panel.item, map, ms_panels_title_points(&panels));
        if (panel.last) ms_panels_color_bar(page, &panels, map->label);
        const char *name = data->projections[panel.item];
        /* Each cell reaches a little into the next ones, which are drawn over it: no seams between them. */
        fprintf(out,
                "plot NaN notitle, $%s using 1:2:4:($5+%.9g):($2-0.5):($2+0.52):3 with boxxyerror fs solid noborder fc "
                "palette notitle",
                name, 0.003 * (steps.high - steps.low));
        if (map->marks_above_p95)
            fprintf(out,
                    ", $%s_above using 1:2 with points pt 7 ps 0.7 lc rgb 'black' notitle"
                    ", $%s_above using 1:2 with points pt 7 ps 0.4 lc rgb 'white' notitle",
                    name, name);
        if (marks_changes)
            fprintf(out,
                    ", $%s_change using 1:2 with points pt 9 ps 1.6 lc rgb 'white' notitle"
                    ", $%s_change using 1:2 with points pt 8 ps 1.6 lw 1.5 lc rgb 'black' notitle",
                    name, name);
        fprintf(out, "\n");
    }
    ms_panels_end(page, &panels);
}

void ms_plot_norm_map_write(ms_page *page, const ms_plot_data *data) {
    static const heat_map map = {MS_PLOT_sigma_max, "Largest singular value s₁ of each layer", "s₁", NULL, NULL, false};
    write_map(page, data, &map);
}

void ms_plot_alignment_map_write(ms_page *page, const ms_plot_data *data) {
    static const heat_map map = {
        MS_PLOT_alignment_left,
        "Alignment of the update ΔW with the weights W, left top 5 (dot: above the 95 % of chance)",
        "mean cosine",
        alignment_chance,
        "chance",
        true};
    write_map(page, data, &map);
}

void ms_plot_entropy_map_write(ms_page *page, const ms_plot_data *data) {
    static const heat_map map = {MS_PLOT_spectral_entropy,
                                 "Spectral entropy of each layer, p = s² / ∑ s² (1: all singular values equal)",
                                 "entropy / log r",
                                 random_entropy,
                                 "random",
                                 false};
    write_map(page, data, &map);
}

void ms_plot_entropy_l1_map_write(ms_page *page, const ms_plot_data *data) {
    static const heat_map map = {MS_PLOT_entropy_l1,
                                 "Entropy of the singular values of each layer, p = s / ∑ s (1: all equal)",
                                 "entropy / log r",
                                 NULL,
                                 NULL,
                                 false};
    write_map(page, data, &map);
}

/* --- layers over projections, at chosen steps --- */

enum { MAX_SLICES = 4 };

/* At most MAX_SLICES snapshots, evenly over the run, the first and the last among them: their first lines.  Returns
   their number. */
static int choose_snapshots(const ms_plot_data *data, size_t *out_lines) {
    int n_snapshots = 0;
    for (size_t i = 0; i < data->n_spectra; i++)
        if (i == 0 || data->spectra[i].step != data->spectra[i - 1].step) n_snapshots++;
    int n = n_snapshots < MAX_SLICES ? n_snapshots : MAX_SLICES, chosen = 0, snapshot = 0;
    for (size_t i = 0; i < data->n_spectra && chosen < n; i++) {
        if (i > 0 && data->spectra[i].step == data->spectra[i - 1].step) continue;
        if (n == 1 || snapshot == (int)lround((double)chosen * (n_snapshots - 1) / (n - 1))) out_lines[chosen++] = i;
        snapshot++;
    }
    return chosen;
}

void ms_plot_mri_write(ms_page *page, const ms_plot_data *data) {
    FILE *out = page->out;
    size_t lines[MAX_SLICES];
    int n = choose_snapshots(data, lines);
    ms_page_columns(page, "step,tokens,projection,layer,spectral_entropy");
    for (int k = 0; k < n; k++) {
        fprintf(out, "$slice_%d << EOD\n", k);
        for (size_t i = lines[k]; i < data->n_spectra && data->spectra[i].step == data->spectra[lines[k]].step; i++) {
            const ms_plot_spectrum *spectrum = &data->spectra[i];
            if (!isfinite(spectrum->values[MS_PLOT_spectral_entropy])) continue;
            ms_row_label(page, spectrum->step);
            ms_row_label(page, spectrum->tokens);
            ms_row_text(page, data->projections[spectrum->i_projection]);
            ms_row_label(page, spectrum->layer);
            ms_row_drawn(page, spectrum->i_projection);
            ms_row_drawn(page, layer_row(data, spectrum->layer));
            ms_row_value(page, spectrum->values[MS_PLOT_spectral_entropy]);
            ms_row_end(page);
        }
        fprintf(out, "EOD\n");
    }
    ms_panels panels = ms_panels_make(page, n, 1, 0, NULL);
    panels.top -= MS_PANELS_TOKENS;
    ms_panels_begin(page, &panels, "Spectral entropy of every matrix (1: all singular values equal)");
    ms_script_palette(out);
    fprintf(out, "unset grid\nset xrange [-0.5:%g]\n", data->n_projections - 0.5);
    ms_script_value_axis(out, "cb", key_range(data, MS_PLOT_spectral_entropy), 8, true);
    for (int cell = 0; cell < panels.rows * panels.columns; cell++) {
        ms_panel panel;
        char tokens[MS_COUNT_TEXT_SIZE];
        if (!ms_panels_cell(page, &panels, cell, &panel)) continue;
        const ms_plot_spectrum *first = &data->spectra[lines[panel.item]];
        fprintf(out, "set xtics (");
        for (int p = 0; p < data->n_projections; p++)
            fprintf(out, "%s'%s' %d", p ? ", " : "", panel.bottom ? data->projections[p] : "", p);
        fprintf(out, ") font ',%d'\nset title 'step %lld (%s tokens)' offset 0,-0.4 font ',%d'\n",
                panels.wide < 48 * data->n_projections ? 12 : 16, (long long)first->step,
                ms_script_count((double)first->tokens, tokens), ms_panels_title_points(&panels));
        ms_script_layer_axis(out, data->layers, data->n_layers, panel.left);
        if (panel.last) ms_panels_color_bar(page, &panels, "entropy / log r");
        fprintf(out,
                "plot NaN notitle, $slice_%d using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fs solid "
                "border lc rgb 'white' fc palette notitle\n",
                panel.item);
    }
    ms_panels_end(page, &panels);
}
