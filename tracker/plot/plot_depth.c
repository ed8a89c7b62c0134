/* Values over depth, and spectra. */
#include <math.h>

#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

void ms_plot_depth_write(FILE *out, const ms_plot_data *data) {
    const ms_plot_spectrum *edges[2] = {&data->spectra[0], &data->spectra[data->n_spectra - 1]};
    char tokens[2][MS_COUNT_TEXT_SIZE];
    ms_range values = MS_NO_RANGE;
    bool has_noise = false;
    for (int k = 0; k < 2; k++) ms_script_count((double)edges[k]->tokens, tokens[k]);
    for (int p = 0; p < data->n_projections; p++)
        for (int k = 0; k < 2; k++) {
            fprintf(out, "$%s_%s << EOD\n", data->projections[p], k ? "last" : "first");
            for (size_t i = 0; i < data->n_spectra; i++) {
                const ms_plot_spectrum *spectrum = &data->spectra[i];
                if (spectrum->i_projection != p || spectrum->step != edges[k]->step) continue;
                double value = spectrum->values[MS_PLOT_sigma_max];
                double noise = k ? spectrum->values[MS_PLOT_noise_null] : NAN;
                has_noise = has_noise || isfinite(noise);
                fprintf(out, "%d", spectrum->layer);
                ms_script_value(out, value);
                ms_script_value(out, noise);
                fprintf(out, "\n");
                ms_range_add(&values, value);
                ms_range_add(&values, noise);
            }
            fprintf(out, "EOD\n");
        }
    int first = data->layers[0], last = data->layers[data->n_layers - 1];
    fprintf(out, "set xrange [%g:%g]\nset xtics %d\n", first - 0.4, last + 0.4, 1 + (last - first) / 16);
    ms_script_value_axis(out, "y", ms_range_widened(values), 8, true);
    fprintf(out,
            "set xlabel 'layer'\nset ylabel 'largest singular value s1'\nset key outside right center Left reverse\n"
            "set title 'Spectral norm over depth, after %s tokens' offset 0,0.3 font ',20'\n",
            tokens[1]);
    for (int p = 0; p < data->n_projections; p++)
        fprintf(out,
                "%s$%s_first using 1:2 with linespoints lc rgb '%s' dt 3 lw 1.2 pt 6 ps 0.8 notitle, "
                "$%s_last using 1:2 with linespoints lc rgb '%s' lw 3 pt 7 ps 1.1 title '%s'",
                p ? ", " : "plot ", data->projections[p], ms_script_color(p), data->projections[p], ms_script_color(p),
                data->projections[p]);
    for (int p = 0; p < data->n_projections && has_noise; p++)
        fprintf(out, ", $%s_last using 1:3 with lines lc rgb '%s' dt 2 lw 1.8 notitle", data->projections[p],
                ms_script_color(p));
    fprintf(out, ", NaN with linespoints lc rgb 'black' dt 3 lw 1.2 pt 6 ps 0.8 title '%s tokens'", tokens[0]);
    if (has_noise) fprintf(out, ", NaN with lines lc rgb 'black' dt 2 lw 1.8 title 'noise alone'");
    fprintf(out, "\n");
}

/* --- the leading singular values --- */

enum { MAX_SPECTRA = 4 };

/* At most MAX_SPECTRA layers, evenly over the depth, the first and the last among them.  Returns their number. */
static int choose_layers(const ms_plot_data *data, int *out_indices) {
    int n = data->n_layers < MAX_SPECTRA ? data->n_layers : MAX_SPECTRA;
    for (int i = 0; i < n; i++) out_indices[i] = n > 1 ? (int)lround((double)i * (data->n_layers - 1) / (n - 1)) : 0;
    return n;
}

/* Data block $PROJECTION_LAYER_k: index, s_i / s1; k 0 for the first snapshot, 1 for the last. */
static void write_spectrum(FILE *out, const ms_plot_data *data, const ms_plot_spectrum *spectrum, int k) {
    fprintf(out, "$%s_%d_%d << EOD\n", data->projections[spectrum->i_projection], spectrum->layer, k);
    for (int j = 0; j < spectrum->n_top && spectrum->top[0] > 0; j++)
        if (isfinite(spectrum->top[j])) fprintf(out, "%d %.9g\n", j + 1, spectrum->top[j] / spectrum->top[0]);
    fprintf(out, "EOD\n");
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
        if (panel->last) fprintf(out, ", NaN with lines lc rgb '%s' lw 3 title 'layer %d'", color, layer);
    }
    if (panel->last)
        fprintf(out, ", NaN with linespoints lc rgb 'black' dt 2 lw 2 pt 6 title 'first'"
                     ", NaN with linespoints lc rgb 'black' lw 2 pt 7 title 'last'");
    fprintf(out, "\n");
}

void ms_plot_singular_write(FILE *out, const ms_plot_data *data) {
    int64_t steps[2] = {data->spectra[0].step, data->spectra[data->n_spectra - 1].step};
    char tokens[2][MS_COUNT_TEXT_SIZE], title[192];
    int chosen[MAX_SPECTRA], n_chosen = choose_layers(data, chosen);
    ms_range values = {1, 1};
    ms_script_count((double)data->spectra[0].tokens, tokens[0]);
    ms_script_count((double)data->spectra[data->n_spectra - 1].tokens, tokens[1]);
    for (size_t i = 0; i < data->n_spectra; i++)
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < n_chosen; c++) {
                const ms_plot_spectrum *spectrum = &data->spectra[i];
                if (spectrum->step != steps[k] || spectrum->layer != data->layers[chosen[c]]) continue;
                write_spectrum(out, data, spectrum, k);
                for (int j = 0; j < spectrum->n_top && spectrum->top[0] > 0; j++)
                    ms_range_add(&values, spectrum->top[j] / spectrum->top[0]);
            }
    snprintf(title, sizeof title, "Largest singular values over s1, after %s tokens (first) and %s tokens (last)",
             tokens[0], tokens[1]);
    ms_panels panels = ms_panels_make(data->n_projections, 1);
    ms_panels_begin(out, &panels, title);
    fprintf(out, "set xrange [0.7:%d.3]\nset xtics 1\n", MS_PLOT_TOP);
    for (int cell = 0; cell < panels.rows * panels.columns; cell++) {
        ms_panel panel;
        if (!ms_panels_cell(out, &panels, cell, &panel)) continue;
        ms_script_value_axis(out, "y", ms_range_widened(values), 6, panel.left);
        fprintf(out, "set ylabel '%s'\nset xlabel '%s'\nset format x '%s'\n", panel.left ? "s_i / s1" : "",
                panel.bottom ? "index i" : "", panel.bottom ? "%.0f" : "");
        if (panel.last) ms_panels_key(out, &panels);
        singular_panel(out, data, &panel, chosen, n_chosen);
    }
    ms_panels_end(out);
}
