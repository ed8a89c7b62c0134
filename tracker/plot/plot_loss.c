/* Losses over steps. */
#include <math.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/plots.h"
#include "tracker/plot/script.h"

/* Lines of the mean on either side: with the line itself about 2 % of all. */
static size_t reach_of(const ms_plot_data *data) { return data->n_training / 100; }

/* Rows of step, loss, mean of the losses at most `reach` lines away on both sides: one that does not lag.  names: of
   the run or NULL, and of the series. */
static void write_losses(ms_page *page, const char *const names[2], const ms_plot_loss *list, size_t n, size_t reach) {
    double sum = 0;
    size_t n_finite = 0, begin = 0, end = 0; /* of the window */
    for (size_t i = 0; i < n; i++) {
        for (; end < n && end <= i + reach; end++)
            if (isfinite(list[end].loss)) sum += list[end].loss, n_finite++;
        for (; begin + reach < i; begin++)
            if (isfinite(list[begin].loss)) sum -= list[begin].loss, n_finite--;
        if (!isfinite(list[i].loss)) continue;
        if (names[0]) ms_row_text(page, names[0]);
        ms_row_text(page, names[1]);
        ms_row_integer(page, list[i].step);
        ms_row_label(page, list[i].tokens);
        ms_row_value(page, list[i].loss);
        ms_row_value(page, sum / (double)n_finite);
        ms_row_end(page);
    }
    fprintf(page->out, "EOD\n");
}

/* Where the slope changes: lines from edge to edge. */
static void write_changes(FILE *out, const ms_plot_data *data) {
    for (size_t c = 0; c < data->n_changes; c++)
        if (data->changes[c].key == MS_PLOT_N_KEYS)
            fprintf(out, "set arrow from first %lld, graph 0 to first %lld, graph 1 nohead lc rgb 'black' dt 3 lw 2\n",
                    (long long)data->changes[c].step, (long long)data->changes[c].step);
}

/* One panel with losses over steps, up to its plot command. */
static void begin_losses(ms_page *page, ms_panels *panels, const ms_plot_data *data, const char *title,
                         const ms_range ranges[2]) {
    ms_panel panel;
    panels->top -= MS_PANELS_NAME;
    ms_panels_begin(page, panels, title);
    ms_panels_cell(page, panels, 0, &panel);
    ms_script_step_axis(page->out, data, &(ms_step_axis){ranges[0], panels->wide, true, !data->unlike_tokens});
    ms_script_value_axis(page->out, "y", ms_range_widened(ranges[1]), 8, true);
    fprintf(page->out, "set ylabel 'loss (nats per token)'\n");
}

static void add_losses(ms_range ranges[2], const ms_plot_loss *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ms_range_add(&ranges[0], (double)list[i].step);
        ms_range_add(&ranges[1], list[i].loss);
    }
}

static const char training_style[] = "lines lc rgb '#9ecae1' lw 1";

/* Of each run the mean of its training losses and its validation losses. */
static void write_runs(ms_page *page, const ms_plot_data *data) {
    static const char mean_style[] = "lines lc rgb 'black' lw 2.5",
                      validation_style[] = "lines lc rgb 'black' dt 2 lw 1.5";
    ms_legend legend = {.n = 0};
    ms_range ranges[2] = {MS_NO_RANGE, MS_NO_RANGE};
    char color[MS_COLOR_SIZE], title[MS_LEGEND_TITLE_SIZE];
    bool validates = false;
    ms_legend_add_layers(&legend, data);
    ms_page_columns(page, "run,series,step,tokens,loss (nats per token),mean of lines around (nats per token)");
    for (int r = 0; r < data->n_layers; r++) {
        const ms_plot_data *run = &data->runs[r];
        validates = validates || run->n_validation > 0;
        fprintf(page->out, "$training_%d << EOD\n", r);
        write_losses(page, (const char *[]){data->run_names[r], "training"}, run->training, run->n_training,
                     reach_of(data));
        fprintf(page->out, "$validation_%d << EOD\n", r);
        write_losses(page, (const char *[]){data->run_names[r], "validation"}, run->validation, run->n_validation, 0);
        add_losses(ranges, run->training, run->n_training);
        add_losses(ranges, run->validation, run->n_validation);
    }
    snprintf(title, sizeof title, "training, mean of %zu lines", 2 * reach_of(data) + 1);
    ms_legend_add(&legend, mean_style, title);
    if (validates) ms_legend_add(&legend, validation_style, "validation");
    ms_panels panels = ms_panels_make(page, 1, 1, 0, &legend);
    begin_losses(page, &panels, data, "Training and validation loss", ranges);
    fprintf(page->out, "plot NaN notitle");
    for (int r = 0; r < data->n_layers; r++)
        fprintf(page->out,
                ", $training_%d using 1:3 with lines lc rgb '%s' lw 2.5 notitle"
                ", $validation_%d using 1:2 with linespoints lc rgb '%s' dt 2 lw 1.5 pt %d ps 1 notitle",
                r, ms_script_series_color(data, r, color), r, color, ms_script_series_mark(data, r));
    fprintf(page->out, "\n");
    ms_panels_end(page, &panels);
}

void ms_plot_loss_write(ms_page *page, const ms_plot_data *data) {
    if (data->runs) {
        write_runs(page, data);
        return;
    }
    size_t reach = reach_of(data);
    ms_legend legend = {.n = 0};
    char mean_style[MS_LEGEND_STYLE_SIZE], validation_style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE];
    snprintf(mean_style, sizeof mean_style, "lines lc rgb '%s' lw 2.5", ms_script_color(0));
    snprintf(validation_style, sizeof validation_style, "linespoints lc rgb '%s' lw 2.5 pt 7 ps 1", ms_script_color(3));
    snprintf(title, sizeof title, "training, mean of %zu lines", 2 * reach + 1);
    if (data->n_training) ms_legend_add(&legend, training_style, "training");
    if (data->n_training) ms_legend_add(&legend, mean_style, title);
    if (data->n_validation) ms_legend_add(&legend, validation_style, "validation");
    if (data->marks_changes[MS_PLOT_N_KEYS])
        ms_legend_add(&legend, "lines lc rgb 'black' dt 3 lw 2", "change of slope");

    ms_page_columns(page, "series,step,tokens,loss (nats per token),mean of lines around (nats per token)");
    fprintf(page->out, "$training << EOD\n");
    write_losses(page, (const char *[]){NULL, "training"}, data->training, data->n_training, reach);
    fprintf(page->out, "$validation << EOD\n");
    write_losses(page, (const char *[]){NULL, "validation"}, data->validation, data->n_validation, 0);
    ms_range ranges[2] = {MS_NO_RANGE, MS_NO_RANGE};
    add_losses(ranges, data->training, data->n_training);
    add_losses(ranges, data->validation, data->n_validation);
    ms_panels panels = ms_panels_make(page, 1, 1, 0, &legend);
    begin_losses(page, &panels, data, "Training and validation loss", ranges);
    write_changes(page->out, data);
    fprintf(page->out, "plot NaN notitle");
    if (data->n_training)
        fprintf(page->out, ", $training using 1:2 with %s notitle, $training using 1:3 with %s notitle", training_style,
                mean_style);
    if (data->n_validation) fprintf(page->out, ", $validation using 1:2 with %s notitle", validation_style);
    fprintf(page->out, "\nunset arrow\n");
    ms_panels_end(page, &panels);
}

/* Rows of step, loss of each decile, loss of all. */
static void write_deciles(ms_page *page, const ms_plot_data *data, ms_range ranges[2]) {
    fprintf(page->table.stream, "step,tokens");
    for (int k = 0; k < MS_PLOT_DECILES; k++) fprintf(page->table.stream, ",decile %d (nats per token)", k + 1);
    ms_page_columns(page, ",all (nats per token)");
    fprintf(page->out, "$deciles << EOD\n");
    for (size_t i = 0; i < data->n_validation; i++) {
        const ms_plot_loss *line = &data->validation[i];
        if (!line->has_deciles) continue;
        ms_range_add(&ranges[0], (double)line->step);
        ms_row_integer(page, line->step);
        ms_row_label(page, line->tokens);
        for (int k = 0; k < MS_PLOT_DECILES; k++) {
            ms_range_add(&ranges[1], line->deciles[k]);
            ms_row_value(page, line->deciles[k]);
        }
        ms_row_value(page, line->loss);
        ms_row_end(page);
    }
    fprintf(page->out, "EOD\n");
}

void ms_plot_frequency_write(ms_page *page, const ms_plot_data *data) {
    static const char all_style[] = "lines lc rgb 'black' dt 2 lw 2";
    ms_range ranges[2] = {MS_NO_RANGE, MS_NO_RANGE};
    ms_legend legend = {.n = 0};
    char color[MS_COLOR_SIZE], style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE];
    for (int k = 0; k < MS_PLOT_DECILES; k++) {
        snprintf(style, sizeof style, "linespoints lc rgb '%s' lw 2 pt 7 ps 0.7",
                 ms_script_layer_color(k, MS_PLOT_DECILES, color));
        snprintf(title, sizeof title, "decile %d%s", k + 1,
                 k == 0                     ? " (frequent)"
                 : k == MS_PLOT_DECILES - 1 ? " (rare)"
                                            : "");
        ms_legend_add(&legend, style, title);
    }
    ms_legend_add(&legend, all_style, "all");
    write_deciles(page, data, ranges);
    ms_panels panels = ms_panels_make(page, 1, 1, 0, &legend);
    begin_losses(page, &panels, data, "Validation loss by how frequent the target is in the training data", ranges);
    fprintf(page->out, "plot NaN notitle");
    for (int k = 0; k <= MS_PLOT_DECILES; k++)
        fprintf(page->out, ", $deciles using 1:%d with %s notitle", k + 2, legend.entries[k].style);
    fprintf(page->out, "\n");
    ms_panels_end(page, &panels);
}
