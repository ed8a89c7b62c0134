/* Values over depth, and spectra. */
#include <math.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

/* The columns of a matrix: projection, layer, step, tokens, largest singular value, what noise alone gives.  Ends the
   row and adds to the range. */
static void write_matrix(ms_page *page, const char *projection, const ms_plot_spectrum *spectrum, double noise,
                         ms_range *values) {
    ms_row_text(page, projection);
    ms_row_integer(page, spectrum->layer);
    ms_row_label(page, spectrum->step);
    ms_row_label(page, spectrum->tokens);
    ms_row_value(page, spectrum->values[MS_PLOT_sigma_max]);
    ms_row_value(page, noise);
    ms_row_end(page);
    ms_range_add(values, spectrum->values[MS_PLOT_sigma_max]);
    ms_range_add(values, noise);
}

/* Data block of a projection at one snapshot: layer, largest singular value, and at the last what noise alone gives. */
static void write_depth(ms_page *page, const ms_plot_data *data, int p, bool last, ms_range *values) {
    int64_t step = data->spectra[last ? data->n_spectra - 1 : 0].step;
    fprintf(page->out, "$%s_%s << EOD\n", data->projections[p], last ? "last" : "first");
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != p || spectrum->step != step) continue;
        write_matrix(page, data->projections[p], spectrum, last ? spectrum->values[MS_PLOT_noise_null] : NAN, values);
    }
    fprintf(page->out, "EOD\n");
}

static bool has_last_noise(const ms_plot_data *data) {
    for (size_t i = 0; i < data->n_spectra; i++)
        if (data->spectra[i].step == data->spectra[data->n_spectra - 1].step &&
            isfinite(data->spectra[i].values[MS_PLOT_noise_null]))
            return true;
    return false;
}

static void depth_legend(const ms_plot_data *data, bool has_noise, ms_legend *legend) {
    char style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE], tokens[MS_COUNT_TEXT_SIZE];
    for (int p = 0; p < data->n_projections; p++) {
        snprintf(style, sizeof style, "linespoints lc rgb '%s' lw 3 pt 7 ps 1.1",
                 ms_script_projection_color(data->projections[p], p));
        ms_legend_add(legend, style, data->projections[p]);
    }
    snprintf(title, sizeof title, "%s tokens", ms_script_count((double)data->spectra[0].tokens, tokens));
    ms_legend_add(legend, "linespoints lc rgb 'black' dt 3 lw 1.2 pt 6 ps 0.8", title);
    if (has_noise) ms_legend_add(legend, "lines lc rgb 'black' dt 2 lw 1.8", "noise alone");
}

/* --- over depth, of several runs --- */

/* Data block $PROJECTION_RUN of the last snapshot: layer, largest singular value, what noise alone gives.  Adds to the
   range; whether noise is known. */
static bool write_run_depth(ms_page *page, const ms_plot_data *data, int r, int p, ms_range *values) {
    const ms_plot_data *run = &data->runs[r];
    bool has_noise = false;
    fprintf(page->out, "$%s_%d << EOD\n", data->projections[p], r);
    for (size_t i = 0; i < run->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &run->spectra[i];
        if (spectrum->i_projection != p || spectrum->step != run->spectra[run->n_spectra - 1].step) continue;
        double noise = spectrum->values[MS_PLOT_noise_null];
        ms_row_text(page, data->run_names[r]);
        write_matrix(page, data->projections[p], spectrum, noise, values);
        has_noise = has_noise || isfinite(noise);
    }
    fprintf(page->out, "EOD\n");
    return has_noise;
}

static void run_depth_panel(FILE *out, const ms_plot_data *data, const char *name) {
    char color[MS_COLOR_SIZE];
    fprintf(out, "set title '%s' offset 0,-0.4 font ',18'\nplot NaN notitle", name);
    for (int r = 0; r < data->n_layers; r++)
        fprintf(out,
                ", $%s_%d using 1:2 with linespoints lc rgb '%s' lw 2 pt %d ps 0.9 notitle"
                ", $%s_%d using 1:3 with lines lc rgb '%s' dt 2 lw 1.8 notitle",
                name, r, ms_script_series_color(data, r, color), ms_script_series_mark(data, r), name, r, color);
    fprintf(out, "\n");
}

static void write_depth_of_runs(ms_page *page, const ms_plot_data *data) {
    ms_range values = MS_NO_RANGE;
    ms_legend legend = {.n = 0};
    bool has_noise = false;
    ms_page_columns(page, "run,projection,layer,step,tokens,sigma_max,noise_null");
    for (int r = 0; r < data->n_layers; r++)
        for (int p = 0; p < data->n_projections; p++) has_noise |= write_run_depth(page, data, r, p, &values);
    ms_legend_add_layers(&legend, data);
    if (has_noise) ms_legend_add(&legend, "lines lc rgb 'black' dt 2 lw 1.8", "noise alone");
    ms_panels panels =
        ms_panels_make(page, data->n_projections, 1, ms_script_value_characters(ms_range_widened(values), 6), &legend);
    panels.top -= MS_PANELS_TOKENS;
    ms_panels_begin(page, &panels, "Largest singular value s₁ over depth, at the last snapshot of each run");
    const ms_plot_data *run = &data->runs[0];
    int first = run->layers[0], last = run->layers[run->n_layers - 1];
    fprintf(page->out, "set xrange [%g:%g]\nset xtics %d\n", first - 0.4, last + 0.4,
            1 + (int)((last - first) * 50 / panels.wide));
    for (int cell = 0; cell < panels.rows * panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(page, &panels, cell, &panel)) continue;
        ms_script_value_axis(page->out, "y", ms_range_widened(values), 6, panel.left);
        fprintf(page->out, "set ylabel '%s'\nset xlabel '%s'\nset format x '%s'\n",
                panel.left ? "singular value s₁" : "", panel.bottom ? "layer" : "", panel.bottom ? "%.0f" : "");
        run_depth_panel(page->out, data, data->projections[panel.item]);
    }
    ms_panels_end(page, &panels);
}

void ms_plot_depth_write(ms_page *page, const ms_plot_data *data) {
    if (data->runs) {
        write_depth_of_runs(page, data);
        return;
    }
    char tokens[MS_COUNT_TEXT_SIZE], title[128];
    ms_range values = MS_NO_RANGE;
    ms_legend legend = {.n = 0};
    ms_panel panel;
    bool has_noise = has_last_noise(data);
    ms_page_columns(page, "projection,layer,step,tokens,sigma_max,noise_null");
    for (int p = 0; p < data->n_projections; p++)
        for (int k = 0; k < 2; k++) write_depth(page, data, p, k == 1, &values);
    depth_legend(data, has_noise, &legend);
    ms_panels panels = ms_panels_make(page, 1, 1, ms_script_value_characters(ms_range_widened(values), 8), &legend);
    panels.top -= MS_PANELS_TOKENS + MS_PANELS_NAME;
    snprintf(title, sizeof title, "Largest singular value s₁ over depth, after %s tokens",
             ms_script_count((double)data->spectra[data->n_spectra - 1].tokens, tokens));
    ms_panels_begin(page, &panels, title);
    ms_panels_cell(page, &panels, 0, &panel);
    int first = data->layers[0], last = data->layers[data->n_layers - 1];
    fprintf(page->out, "set xrange [%g:%g]\nset xtics %d\n", first - 0.4, last + 0.4,
            1 + (int)((last - first) * 50 / panels.wide));
    ms_script_value_axis(page->out, "y", ms_range_widened(values), 8, true);
    fprintf(page->out, "set xlabel 'layer'\nset ylabel 'singular value s₁'\nplot NaN notitle");
    for (int p = 0; p < data->n_projections; p++) {
        const char *name = data->projections[p], *color = ms_script_projection_color(name, p);
        fprintf(page->out,
                ", $%s_first using 1:2 with linespoints lc rgb '%s' dt 3 lw 1.2 pt 6 ps 0.8 notitle"
                ", $%s_last using 1:2 with linespoints lc rgb '%s' lw 3 pt 7 ps 1.1 notitle",
                name, color, name, color);
        if (has_noise)
            fprintf(page->out, ", $%s_last using 1:3 with lines lc rgb '%s' dt 2 lw 1.8 notitle", name, color);
    }
    fprintf(page->out, "\n");
    ms_panels_end(page, &panels);
}

/* --- the leading singular values --- */

enum { FEW_SPECTRA = 4, MOST_SPECTRA = 12 };

/* A few layers, evenly over the depth, the first and the last among them; of those that were chosen all that fit.
   Returns their number. */
static int choose_layers(const ms_plot_data *data, int *out_indices) {
    int most = data->chose_layers ? MOST_SPECTRA : FEW_SPECTRA, n = data->n_layers < most ? data->n_layers : most;
    for (int i = 0; i < n; i++) out_indices[i] = n > 1 ? (int)lround((double)i * (data->n_layers - 1) / (n - 1)) : 0;
    return n;
}

/* Data block $PROJECTION_LAYER_k: index, s_i / s_1; k 0 for the first snapshot, 1 for the last. */
static void write_spectrum(ms_page *page, const ms_plot_data *data, const ms_plot_spectrum *spectrum, int k,
                           ms_range *values) {
    fprintf(page->out, "$%s_%d_%d << EOD\n", data->projections[spectrum->i_projection], spectrum->layer, k);
    for (int j = 0; j < spectrum->n_top && spectrum->top[0] > 0; j++) {
        double value = spectrum->top[j] / spectrum->top[0];
        if (!isfinite(value)) continue;
        ms_row_text(page, data->projections[spectrum->i_projection]);
        ms_row_label(page, spectrum->layer);
        ms_row_label(page, spectrum->step);
        ms_row_label(page, spectrum->tokens);
        ms_row_integer(page, j + 1);
        ms_row_value(page, value);
        ms_row_end(page);
        ms_range_add(values, value);
    }
    fprintf(page->out, "EOD\n");
}

static void singular_panel(FILE *out, const ms_plot_data *data, const ms_panel *panel, const int *chosen, int n) {
    const char *name = data->projections[panel->item];
    char color[MS_COLOR_SIZE];
    fprintf(out, "set title '%s' offset 0,-0.4 font ',18'\nplot NaN notitle", name);
    for (int i = 0; i < n; i++) {
        int layer = data->layers[chosen[i]];
        ms_script_layer_color(chosen[i], data->n_layers, color);
        for (int k = 0; k < 2 && ms_plot_data_has(data, panel->item, layer); k++)
            fprintf(out, ", $%s_%d_%d using 1:2 with linespoints lc rgb '%s' dt %d lw 2 pt %d notitle", name, layer, k,
                    color, k ? 1 : 2, k ? 7 : 6);
    }
    fprintf(out, "\n");
}

static void singular_legend(const ms_plot_data *data, const int *chosen, int n, ms_legend *legend) {
    char color[MS_COLOR_SIZE], style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE];
    for (int i = 0; i < n; i++) {
        snprintf(style, sizeof style, "lines lc rgb '%s' lw 3",
                 ms_script_layer_color(chosen[i], data->n_layers, color));
        snprintf(title, sizeof title, "layer %d", data->layers[chosen[i]]);
        ms_legend_add(legend, style, title);
    }
    ms_legend_add(legend, "linespoints lc rgb 'black' dt 2 lw 2 pt 6", "first");
    ms_legend_add(legend, "linespoints lc rgb 'black' lw 2 pt 7", "last");
}

/* Of the first and the last snapshot.  Returns their range. */
static ms_range write_spectra(ms_page *page, const ms_plot_data *data, const int *chosen, int n) {
    int64_t steps[2] = {data->spectra[0].step, data->spectra[data->n_spectra - 1].step};
    ms_range values = {1, 1};
    ms_page_columns(page, "projection,layer,step,tokens,index,singular value over the largest");
    for (size_t i = 0; i < data->n_spectra; i++)
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < n; c++)
                if (data->spectra[i].step == steps[k] && data->spectra[i].layer == data->layers[chosen[c]])
                    write_spectrum(page, data, &data->spectra[i], k, &values);
    return values;
}

void ms_plot_singular_write(ms_page *page, const ms_plot_data *data) {
    char tokens[2][MS_COUNT_TEXT_SIZE], title[192];
    int chosen[MOST_SPECTRA], n_chosen = choose_layers(data, chosen);
    ms_legend legend = {.n = 0};
    ms_range values = write_spectra(page, data, chosen, n_chosen);
    singular_legend(data, chosen, n_chosen, &legend);
    ms_script_count((double)data->spectra[0].tokens, tokens[0]);
    ms_script_count((double)data->spectra[data->n_spectra - 1].tokens, tokens[1]);
    snprintf(title, sizeof title, "Largest singular values over s₁, after %s tokens (first) and %s tokens (last)",
             tokens[0], tokens[1]);
    ms_panels panels =
        ms_panels_make(page, data->n_projections, 1, ms_script_value_characters(ms_range_widened(values), 6), &legend);
    panels.top -= MS_PANELS_TOKENS;
    ms_panels_begin(page, &panels, title);
    fprintf(page->out, "set xrange [0.7:%d.3]\nset xtics %d\n", MS_PLOT_TOP, panels.wide < 300 ? 3 : 1);
    for (int cell = 0; cell < panels.rows * panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(page, &panels, cell, &panel)) continue;
        ms_script_value_axis(page->out, "y", ms_range_widened(values), 6, panel.left);
        fprintf(page->out, "set ylabel '%s'\nset xlabel '%s'\nset format x '%s'\n", panel.left ? "sᵢ / s₁" : "",
                panel.bottom ? "index i" : "", panel.bottom ? "%.0f" : "");
        singular_panel(page->out, data, &panel, chosen, n_chosen);
    }
    ms_panels_end(page, &panels);
}
