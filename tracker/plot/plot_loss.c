/* Losses over steps. */
#include <math.h>

#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

/* Rows of step, loss, mean of the losses at most `reach` lines away on both sides: one that does not lag. */
static void write_losses(FILE *out, const char *name, const ms_plot_loss *list, size_t n, size_t reach) {
    fprintf(out, "$%s << EOD\n", name);
    double sum = 0;
    size_t n_finite = 0, begin = 0, end = 0; /* of the window */
    for (size_t i = 0; i < n; i++) {
        for (; end < n && end <= i + reach; end++)
            if (isfinite(list[end].loss)) sum += list[end].loss, n_finite++;
        for (; begin + reach < i; begin++)
            if (isfinite(list[begin].loss)) sum -= list[begin].loss, n_finite--;
        if (isfinite(list[i].loss))
            fprintf(out, "%lld %.9g %.9g\n", (long long)list[i].step, list[i].loss, sum / (double)n_finite);
    }
    fprintf(out, "EOD\n");
}

/* Where the slope changes: lines from edge to edge. */
static void write_changes(FILE *out, const ms_plot_data *data) {
    for (size_t c = 0; c < data->n_changes; c++)
        if (data->changes[c].key == MS_PLOT_N_KEYS)
            fprintf(out, "set arrow from first %lld, graph 0 to first %lld, graph 1 nohead lc rgb 'black' dt 3 lw 2\n",
                    (long long)data->changes[c].step, (long long)data->changes[c].step);
}

void ms_plot_loss_write(FILE *out, const ms_plot_data *data) {
    size_t reach = data->n_training / 100;
    write_losses(out, "training", data->training, data->n_training, reach);
    write_losses(out, "validation", data->validation, data->n_validation, 0);
    ms_range losses = MS_NO_RANGE;
    ms_step_axis steps = {MS_NO_RANGE, 8, true, true};
    const ms_plot_loss *lists[2] = {data->training, data->validation};
    size_t counts[2] = {data->n_training, data->n_validation};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < counts[k]; i++) {
            ms_range_add(&steps.steps, (double)lists[k][i].step);
            ms_range_add(&losses, lists[k][i].loss);
        }
    write_changes(out, data);
    ms_script_step_axis(out, data, &steps);
    ms_script_value_axis(out, "y", ms_range_widened(losses), 8, true);
    fprintf(out, "set ylabel 'cross-entropy (nats per token)'\n"
                 "set title 'Training and validation loss' offset 0,0.3 font ',20'\n"
                 "set key outside bottom center horizontal Left reverse samplen 2\nplot ");
    if (data->n_training)
        fprintf(out,
                "$training using 1:2 with lines lc rgb '#9ecae1' lw 1 title 'training', "
                "$training using 1:3 with lines lc rgb '%s' lw 2.5 title 'training, mean of %zu lines around'",
                ms_script_color(0), 2 * reach + 1);
    if (data->n_validation)
        fprintf(out, "%s$validation using 1:2 with linespoints lc rgb '%s' lw 2.5 pt 7 ps 1 title 'validation'",
                data->n_training ? ", " : "", ms_script_color(3));
    if (data->marks_changes[MS_PLOT_N_KEYS])
        fprintf(out, ", NaN with lines lc rgb 'black' dt 3 lw 2 title 'change of slope (muonscope phases)'");
    fprintf(out, "\n");
}

void ms_plot_frequency_write(FILE *out, const ms_plot_data *data) {
    ms_range losses = MS_NO_RANGE;
    ms_step_axis steps = {MS_NO_RANGE, 8, true, true};
    char color[MS_COLOR_SIZE];
    fprintf(out, "$deciles << EOD\n");
    for (size_t i = 0; i < data->n_validation; i++) {
        const ms_plot_loss *line = &data->validation[i];
        if (!line->has_deciles) continue;
        ms_range_add(&steps.steps, (double)line->step);
        fprintf(out, "%lld", (long long)line->step);
        for (int k = 0; k < MS_PLOT_DECILES; k++) {
            ms_range_add(&losses, line->deciles[k]);
            ms_script_value(out, line->deciles[k]);
        }
        ms_script_value(out, line->loss);
        fprintf(out, "\n");
    }
    fprintf(out, "EOD\n");
    ms_script_step_axis(out, data, &steps);
    ms_script_value_axis(out, "y", ms_range_widened(losses), 8, true);
    fprintf(out, "set ylabel 'cross-entropy (nats per token)'\nset key outside right center vertical Left reverse "
                 "samplen 1.6\nset title 'Validation loss by how frequent the target is in the training data' offset "
                 "0,0.3 font ',20'\nplot ");
    for (int k = 0; k < MS_PLOT_DECILES; k++)
        fprintf(out, "$deciles using 1:%d with linespoints lc rgb '%s' lw 2 pt 7 ps 0.7 title 'decile %d%s', ", k + 2,
                ms_script_layer_color(k, MS_PLOT_DECILES, color), k + 1,
                k == 0                     ? " (frequent)"
                : k == MS_PLOT_DECILES - 1 ? " (rare)"
                                           : "");
    fprintf(out, "$deciles using 1:%d with lines lc rgb 'black' dt 2 lw 2 title 'all'\n", MS_PLOT_DECILES + 2);
}
