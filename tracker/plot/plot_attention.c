/* The entropy of attention: over steps and layers, and at the end over heads and layers. */
#include <math.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

/* [n_heads] of a line. */
static const double *entropies_of(const ms_plot_data *data, const ms_plot_probe *probe) {
    return &data->entropies[probe->i_entropy];
}

/* Mean over the heads that have one; NaN: none has. */
static double mean_entropy(const ms_plot_data *data, const ms_plot_probe *probe) {
    const double *entropies = entropies_of(data, probe);
    double sum = 0;
    int n = 0;
    for (int h = 0; h < probe->n_heads; h++)
        if (isfinite(entropies[h])) sum += entropies[h], n++;
    return n > 0 ? sum / n : NAN;
}

/* Of line i. */
static ms_range cell_of(const ms_plot_data *data, size_t i) {
    int64_t step = data->probes[i].step;
    size_t begin = i, end = i;
    while (begin > 0 && data->probes[begin - 1].step == step) begin--;
    while (end < data->n_probes && data->probes[end].step == step) end++;
    return ms_script_cell(begin > 0 ? data->probes[begin - 1].step : -1, step,
                          end < data->n_probes ? data->probes[end].step : -1);
}

/* The layers are those of the first snapshot. */
static size_t layer_row(const ms_plot_data *data, int layer) {
    size_t row = 0;
    while (data->probes[row].layer != layer) row++;
    return row;
}

/* Data blocks $layers: step, row of the layer, mean over heads, edges of the cell; $heads, of the last snapshot: head,
   row of the layer, value.  Returns the range of both. */
static ms_range write_blocks(ms_page *page, const ms_plot_data *data) {
    ms_range range = MS_NO_RANGE;
    ms_page_columns(page, "head,step,tokens,layer,attention_entropy (1: log of the visible keys)");
    fprintf(page->out, "$layers << EOD\n");
    for (size_t i = 0; i < data->n_probes; i++) {
        const ms_plot_probe *probe = &data->probes[i];
        ms_range cell = cell_of(data, i);
        double mean = mean_entropy(data, probe);
        if (!isfinite(mean)) continue;
        ms_row_text(page, "mean");
        ms_row_integer(page, probe->step);
        ms_row_label(page, probe->tokens);
        ms_row_label(page, probe->layer);
        ms_row_drawn(page, (double)layer_row(data, probe->layer));
        ms_row_value(page, mean);
        ms_row_drawn(page, cell.low);
        ms_row_drawn(page, cell.high);
        ms_row_end(page);
        ms_range_add(&range, mean);
    }
    fprintf(page->out, "EOD\n$heads << EOD\n");
    for (size_t i = 0; i < data->n_probes; i++) {
        const ms_plot_probe *probe = &data->probes[i];
        const double *entropies = entropies_of(data, probe);
        for (int h = 0; h < probe->n_heads && probe->step == data->probes[data->n_probes - 1].step; h++) {
            if (!isfinite(entropies[h])) continue;
            ms_row_integer(page, h);
            ms_row_label(page, probe->step);
            ms_row_label(page, probe->tokens);
            ms_row_label(page, probe->layer);
            ms_row_drawn(page, (double)layer_row(data, probe->layer));
            ms_row_value(page, entropies[h]);
            ms_row_end(page);
            ms_range_add(&range, entropies[h]);
        }
    }
    fprintf(page->out, "EOD\n");
    return range.low < range.high ? range : ms_range_widened(range);
}

void ms_plot_attention_write(ms_page *page, const ms_plot_data *data) {
    FILE *out = page->out;
    const ms_plot_probe *last = &data->probes[data->n_probes - 1];
    int layers[MS_PLOT_LAYERS + 1], n_layers = (int)data->n_probe_layers, n_heads = 1;
    char tokens[MS_COUNT_TEXT_SIZE];
    for (int i = 0; i < n_layers; i++) layers[i] = data->probes[i].layer;
    for (size_t i = 0; i < data->n_probes; i++)
        if (data->probes[i].step == last->step && data->probes[i].n_heads > n_heads) n_heads = data->probes[i].n_heads;
    ms_range range = write_blocks(page, data);
    ms_panels panels = ms_panels_make(page, 2, 1, 0, NULL);
    ms_panels_begin(page, &panels, "Entropy of attention over log of the visible keys (1: all keys alike)");
    ms_script_palette(out);
    fprintf(out, "unset grid\n");
    ms_script_value_axis(out, "cb", range, 8, true);
    ms_step_axis steps = {{cell_of(data, 0).low, cell_of(data, data->n_probes - 1).high}, panels.wide, true, true};
    ms_script_step_axis(out, data, &steps);
    ms_script_layer_axis(out, layers, n_layers, true);
    /* As in plot_heat.c: a cell reaches into the next ones. */
    fprintf(out,
            "set title 'mean of the heads' offset 0,-0.4 font ',%d'\nplot NaN notitle, $layers using "
            "1:2:4:($5+%.9g):($2-0.5):($2+0.52):3 with boxxyerror fs solid noborder fc palette notitle\n",
            ms_panels_title_points(&panels), 0.003 * (steps.steps.high - steps.steps.low));
    fprintf(out, "set xrange [-0.5:%g]\nset xtics %d\nset xlabel 'head'\nunset x2tics\nset x2label ''\n", n_heads - 0.5,
            1 + n_heads / 12);
    ms_script_layer_axis(out, layers, n_layers, panels.columns == 1);
    ms_panels_color_bar(page, &panels, "entropy");
    fprintf(out,
            "set title 'step %lld (%s tokens)' offset 0,-0.4 font ',%d'\nplot NaN notitle, $heads using "
            "1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fs solid border lc rgb 'white' fc palette "
            "notitle\n",
            (long long)last->step, ms_script_count((double)last->tokens, tokens), ms_panels_title_points(&panels));
    ms_panels_end(page, &panels);
}
