/* The entropy of attention: over steps and layers, and at the end over heads and layers. */
#include <math.h>

#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

/* Mean over the heads that have one; NaN: none has. */
static double mean_entropy(const ms_plot_probe *probe) {
    double sum = 0;
    int n = 0;
    for (int h = 0; h < probe->n_heads; h++)
        if (isfinite(probe->entropy[h])) sum += probe->entropy[h], n++;
    return n > 0 ? sum / n : NAN;
}

/* Of line i. */
static ms_range cell_of(const ms_plot_data *data, size_t i) {
    size_t n = data->n_probe_layers;
    return ms_script_cell(i >= n ? data->probes[i - n].step : -1, data->probes[i].step,
                          i + n < data->n_probes ? data->probes[i + n].step : -1);
}

/* Data blocks $layers: step, row of the layer, mean over heads, edges of the cell; $heads, of the last snapshot: head,
   row of the layer, value.  Returns the range of both. */
static ms_range write_blocks(FILE *out, const ms_plot_data *data) {
    ms_range range = MS_NO_RANGE;
    size_t n = data->n_probe_layers;
    fprintf(out, "$layers << EOD\n");
    for (size_t i = 0; i < data->n_probes; i++) {
        ms_range cell = cell_of(data, i);
        double mean = mean_entropy(&data->probes[i]);
        if (!isfinite(mean)) continue;
        fprintf(out, "%lld %zu %.9g %.9g %.9g\n", (long long)data->probes[i].step, i % n, mean, cell.low, cell.high);
        ms_range_add(&range, mean);
    }
    fprintf(out, "EOD\n$heads << EOD\n");
    for (size_t i = data->n_probes - n; i < data->n_probes; i++)
        for (int h = 0; h < data->probes[i].n_heads; h++) {
            double value = data->probes[i].entropy[h];
            if (isfinite(value)) fprintf(out, "%d %zu %.9g\n", h, i % n, value);
            ms_range_add(&range, value);
        }
    fprintf(out, "EOD\n");
    return range.low < range.high ? range : ms_range_widened(range);
}

void ms_plot_attention_write(FILE *out, const ms_plot_data *data) {
    const ms_plot_probe *last = &data->probes[data->n_probes - 1];
    int layers[MS_PLOT_LAYERS + 1], n_layers = (int)data->n_probe_layers, n_heads = 1;
    char tokens[MS_COUNT_TEXT_SIZE];
    for (int i = 0; i < n_layers; i++) {
        layers[i] = data->probes[i].layer;
        n_heads = data->probes[data->n_probes - 1 - (size_t)i].n_heads > n_heads
                      ? data->probes[data->n_probes - 1 - (size_t)i].n_heads
                      : n_heads;
    }
    ms_range range = write_blocks(out, data);
    ms_panels panels = ms_panels_make(2, 1);
    ms_panels_begin(out, &panels, "Entropy of attention over log of the visible keys (1: all keys alike)");
    ms_script_palette(out);
    fprintf(out, "unset grid\n");
    ms_script_value_axis(out, "cb", range, 8, true);
    ms_step_axis steps = {{cell_of(data, 0).low, cell_of(data, data->n_probes - 1).high}, 4, true, true};
    ms_script_step_axis(out, data, &steps);
    ms_script_layer_axis(out, layers, n_layers, true);
    fprintf(out, "set title 'mean of the heads' offset 0,-0.4 font ',17'\nplot NaN notitle, $layers using "
                 "1:2:4:5:($2-0.5):($2+0.5):3 with boxxyerror fs solid noborder fc palette notitle\n");
    fprintf(out, "set xrange [-0.5:%g]\nset xtics %d\nset xlabel 'head'\nunset x2tics\nset x2label ''\n", n_heads - 0.5,
            1 + n_heads / 16);
    ms_script_layer_axis(out, layers, n_layers, false);
    ms_panels_color_bar(out, &panels, "entropy");
    fprintf(out,
            "set title 'step %lld (%s tokens)' offset 0,-0.4 font ',17'\nplot NaN notitle, $heads using "
            "1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fs solid border lc rgb 'white' fc palette "
            "notitle\n",
            (long long)last->step, ms_script_count((double)last->tokens, tokens));
    ms_panels_end(out);
}
