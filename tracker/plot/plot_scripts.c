/* The table of plots and what each writes into its gnuplot script. */
#include <math.h>
#include <string.h>

#include "tracker/plot/plot.h"

enum { N_COLORS = 8 };

/* Okabe & Ito's colours, which colour-blind readers tell apart, without their yellow; then two more. */
static const char *const colors[N_COLORS] = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                             "#cc79a7", "#56b4e9", "#000000", "#8c6d31"};

static const char *color(int i) { return colors[i % N_COLORS]; }

/* A count for people: "0", "500", "20 k", "1.5 M", "1.7 B".  Returns out, size >= 32. */
static const char *count_text(double count, char *out) {
    const char *units[] = {"", " k", " M", " B", " T"};
    int i = 0;
    for (; count >= 1000 && i < 4; i++) count /= 1000;
    snprintf(out, 32, "%.3g%s", count, units[i]);
    return out;
}

/* --- the step axis, and tokens on the opposite one --- */

/* The step at which a number of tokens was reached: linear between the lines of the log, from (0, 0) on. */
static double step_of_tokens(const ms_plot_data *data, double tokens) {
    const ms_plot_loss *list = data->n_training ? data->training : data->validation;
    size_t n = data->n_training ? data->n_training : data->n_validation;
    double step = 0, reached = 0;
    for (size_t i = 0; i < n; i++) {
        double next_step = (double)list[i].step, next = (double)list[i].tokens;
        if (next >= tokens && next > reached) return step + (tokens - reached) / (next - reached) * (next_step - step);
        if (next > reached) {
            step = next_step;
            reached = next;
        }
    }
    return reached > 0 ? step * tokens / reached : 0; /* beyond the log: at its mean rate */
}

/* Tokens at a step, the same the other way round. */
static double tokens_of_step(const ms_plot_data *data, double step) {
    const ms_plot_loss *list = data->n_training ? data->training : data->validation;
    size_t n = data->n_training ? data->n_training : data->n_validation;
    double before = 0, tokens = 0;
    for (size_t i = 0; i < n; i++) {
        double next = (double)list[i].step, next_tokens = (double)list[i].tokens;
        if (next >= step && next > before) return tokens + (step - before) / (next - before) * (next_tokens - tokens);
        if (next > before) {
            before = next;
            tokens = next_tokens;
        }
    }
    return before > 0 ? tokens * step / before : 0;
}

/* The smallest 1, 2 or 5 times a power of ten that cuts `range` into at most n_ticks pieces. */
static double round_interval(double range, int n_ticks) {
    double decade = pow(10, floor(log10(range / n_ticks)));
    static const double multiples[] = {1, 2, 5, 10};
    int i = 0;
    while (i < 3 && range / (decade * multiples[i]) > n_ticks) i++;
    return decade * multiples[i];
}

/* x: steps from low to high; opposite x: round token counts, at the steps where they were reached.  About n_ticks
   each. */
static void step_axis(FILE *out, const ms_plot_data *data, double low, double high, int n_ticks) {
    if (!(high > low)) high = low + 1;
    fprintf(out,
            "set xrange [%.17g:%.17g]\nset x2range [%.17g:%.17g]\nset xlabel 'step' offset 0,0.3\nset x2label 'tokens' "
            "offset 0,-0.3\n",
            low, high, low, high);
    fprintf(out, "set xtics nomirror %.17g\nset x2tics (", fmax(1, round_interval(high - low, n_ticks)));
    double first = tokens_of_step(data, low), last = tokens_of_step(data, high);
    double interval = last > first ? round_interval(last - first, n_ticks) : 1;
    const char *separator = "";
    for (double i = ceil(first / interval); i * interval <= last * (1 + 1e-9) && last > first; i++) {
        char text[32];
        fprintf(out, "%s'%s' %.17g", separator, count_text(i * interval, text), step_of_tokens(data, i * interval));
        separator = ", ";
    }
    fprintf(out, ")\n");
}

/* --- data --- */

static int last_layer(const ms_plot_data *data) { return data->n_layers - 1; }

static int find_projection(const ms_plot_data *data, const char *name) {
    for (int p = 0; p < data->n_projections; p++)
        if (strcmp(data->projections[p], name) == 0) return p;
    return -1;
}

static double first_step(const ms_plot_data *data) { return (double)data->spectra[0].step; }
static double last_step(const ms_plot_data *data) { return (double)data->spectra[data->n_spectra - 1].step; }

/* Data block $NAME_LAYER: step, then every key; one row a snapshot.  A matrix that is not there gives an empty
   block. */
static void write_series(FILE *out, const ms_plot_data *data, int p, int layer) {
    fprintf(out, "$%s_%d << EOD\n", data->projections[p], layer);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (spectrum->i_projection != p || spectrum->layer != layer) continue;
        fprintf(out, "%lld", (long long)spectrum->step);
        for (int k = 0; k < MS_PLOT_N_KEYS; k++)
            if (isfinite(spectrum->values[k]))
                fprintf(out, " %.9g", spectrum->values[k]);
            else
                fprintf(out, " NaN");
        fprintf(out, "\n");
    }
    fprintf(out, "EOD\n");
}

static bool has_matrix(const ms_plot_data *data, int p, int layer) {
    for (size_t i = 0; i < data->n_spectra; i++)
        if (data->spectra[i].i_projection == p && data->spectra[i].layer == layer) return true;
    return false;
}

/* Range of one key over the first and last layer (or all of them), widened by 5 %.  Set by hand, because gnuplot stops
   when it has to find the range of values that are all undefined. */
static void value_range(FILE *out, const ms_plot_data *data, enum ms_plot_key key, bool from_zero) {
    double low = from_zero ? 0 : INFINITY, high = -INFINITY;
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        if (!isfinite(spectrum->values[key]) || (spectrum->layer != 0 && spectrum->layer != last_layer(data))) continue;
        low = fmin(low, spectrum->values[key]);
        high = fmax(high, spectrum->values[key]);
    }
    if (!(high >= low)) low = 0, high = 1;
    double margin = high > low ? 0.05 * (high - low) : fmax(0.05 * fabs(high), 1e-6);
    fprintf(out, "set yrange [%.9g:%.9g]\n", from_zero && low == 0 ? 0 : low - margin, high + margin);
}

/* --- loss --- */

/* Mean of the last `window` losses at each line. */
static void write_losses(FILE *out, const char *name, const ms_plot_loss *list, size_t n, size_t window) {
    fprintf(out, "$%s << EOD\n", name);
    double sum = 0;
    size_t n_finite = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= window && isfinite(list[i - window].loss)) {
            sum -= list[i - window].loss;
            n_finite--;
        }
        if (!isfinite(list[i].loss)) continue;
        sum += list[i].loss;
        n_finite++;
        fprintf(out, "%lld %.9g %.9g\n", (long long)list[i].step, list[i].loss, sum / (double)n_finite);
    }
    fprintf(out, "EOD\n");
}

static void plot_loss(FILE *out, const ms_plot_data *data) {
    size_t window = data->n_training / 50 > 1 ? data->n_training / 50 : 1;
    write_losses(out, "training", data->training, data->n_training, window);
    write_losses(out, "validation", data->validation, data->n_validation, 1);
    double low = INFINITY, high = -INFINITY, from = INFINITY, to = -INFINITY;
    const ms_plot_loss *lists[2] = {data->training, data->validation};
    size_t counts[2] = {data->n_training, data->n_validation};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < counts[k]; i++) {
            from = fmin(from, (double)lists[k][i].step);
            to = fmax(to, (double)lists[k][i].step);
            if (!isfinite(lists[k][i].loss)) continue;
            low = fmin(low, lists[k][i].loss);
            high = fmax(high, lists[k][i].loss);
        }
    if (!(high >= low)) low = 0, high = 1;
    double margin = fmax(0.04 * (high - low), 1e-6);
    step_axis(out, data, from, to, 8);
    fprintf(out, "set yrange [%.9g:%.9g]\nset ylabel 'cross-entropy (nats per token)'\n", low - margin, high + margin);
    fprintf(out, "set title 'Training and validation loss' offset 0,0.3 font ',20'\nset key top right\nplot ");
    if (data->n_training)
        fprintf(out,
                "$training using 1:2 with lines lc rgb '#9ecae1' lw 1 title 'training', "
                "$training using 1:3 with lines lc rgb '%s' lw 2.5 title 'training, mean of %zu steps'",
                color(0), window);
    if (data->n_validation)
        fprintf(out, "%s$validation using 1:2 with linespoints lc rgb '%s' lw 2.5 pt 7 ps 1 title 'validation'",
                data->n_training ? ", " : "", color(3));
    fprintf(out, "\n");
}

/* --- curves over steps --- */

static void plot_stretching(FILE *out, const ms_plot_data *data) {
    static const char *const names[2] = {"q", "v"};
    static const char *const labels[2] = {"Q", "V"};
    int last = last_layer(data);
    const char *separator = "";
    for (int k = 0; k < 2; k++)
        for (int layer = 0; layer <= last; layer += last > 0 ? last : 1)
            if (find_projection(data, names[k]) >= 0) write_series(out, data, find_projection(data, names[k]), layer);
    step_axis(out, data, first_step(data), last_step(data), 8);
    fprintf(out, "set yrange [0:*]\nset ylabel 'largest singular value s1'\n"
                 "set title 'Spectral stretching: s1 of Q and V, first and last layer' offset 0,0.3 font ',20'\nset "
                 "key top left\nplot ");
    for (int k = 0; k < 2; k++)
        for (int layer = 0; layer <= last; layer += last > 0 ? last : 1) {
            if (find_projection(data, names[k]) < 0) continue;
            fprintf(out, "%s$%s_%d using 1:%d with lines lc rgb '%s' dt %d lw 3 title '%s, layer %d'", separator,
                    names[k], layer, 2 + MS_PLOT_sigma_max, color(k == 0 ? 0 : 3), layer == 0 && last > 0 ? 2 : 1,
                    labels[k], layer);
            separator = ", ";
        }
    fprintf(out, "%s\n", *separator ? "" : "NaN title 'no matrices q and v in this run'");
}

/* One panel: a key of all projections of one layer; with the random baseline where asked. */
static void layer_panel(FILE *out, const ms_plot_data *data, int layer, enum ms_plot_key key, bool baseline) {
    const char *separator = "plot ";
    for (int p = 0; p < data->n_projections; p++) {
        if (!has_matrix(data, p, layer)) continue;
        fprintf(out, "%s$%s_%d using 1:%d with lines lc rgb '%s' lw 2.5 title '%s'", separator, data->projections[p],
                layer, 2 + key, color(p), data->projections[p]);
        separator = ", ";
        if (baseline)
            fprintf(out, ", $%s_%d using 1:%d with lines lc rgb '%s' dt 3 lw 1.5 notitle", data->projections[p], layer,
                    2 + MS_PLOT_alignment_random, color(p));
    }
    if (baseline) fprintf(out, ", NaN with lines lc rgb '#606060' dt 3 lw 1.5 title 'random'");
    fprintf(out, "\n");
}

static void write_edge_layers(FILE *out, const ms_plot_data *data) {
    for (int p = 0; p < data->n_projections; p++) {
        write_series(out, data, p, 0);
        if (last_layer(data) > 0) write_series(out, data, p, last_layer(data));
    }
}

typedef struct panel_row {
    enum ms_plot_key key;
    const char *title, *label;
    bool baseline, from_zero;
} panel_row;

/* Rows of panels, first layer left, last layer right, one row per key. */
static void edge_layer_rows(FILE *out, const ms_plot_data *data, const char *title, const panel_row *rows, int n_rows) {
    int last = last_layer(data);
    write_edge_layers(out, data);
    fprintf(out,
            "set multiplot layout %d,%d title '%s' font ',22'\nset key outside bottom center horizontal samplen 2.5\n",
            n_rows, last > 0 ? 2 : 1, title);
    step_axis(out, data, first_step(data), last_step(data), 5);
    fprintf(out, "set xlabel \"step\\n \" offset 0,0.5\n"); /* the empty line keeps the key at a distance */
    for (int r = 0; r < n_rows; r++) {
        value_range(out, data, rows[r].key, rows[r].from_zero);
        fprintf(out, "set ylabel '%s'\n", rows[r].label);
        for (int layer = 0; layer <= last; layer += last > 0 ? last : 1) {
            fprintf(out, "set title '%slayer %d (%s)' offset 0,0.2 font ',18'\n", rows[r].title, layer,
                    layer == 0 ? "first" : "last");
            layer_panel(out, data, layer, rows[r].key, rows[r].baseline);
        }
    }
    fprintf(out, "unset multiplot\n");
}

static void plot_gap(FILE *out, const ms_plot_data *data) {
    panel_row row = {MS_PLOT_gap, "", "gap s1 / s2 (ratio)", false, false};
    edge_layer_rows(out, data, "Spectral gap of the weights", &row, 1);
}

static void plot_orthogonality(FILE *out, const ms_plot_data *data) {
    panel_row row = {MS_PLOT_orthogonality_error, "", "|Wn^T Wn - I| / sqrt(r),  Wn = W / s1", false, false};
    edge_layer_rows(out, data, "Orthogonality error of the weights (0: all singular values equal)", &row, 1);
}

static void plot_alignment(FILE *out, const ms_plot_data *data) {
    panel_row rows[2] = {{MS_PLOT_alignment_left, "alignment, ", "mean cosine, left top-5", true, true},
                         {MS_PLOT_alignment_margin, "margin, ", "(s5 - s6) / s1 of dW", false, true}};
    edge_layer_rows(out, data, "Alignment of the update dW with the weights W; a margin near 0 makes it noise", rows,
                    2);
}

/* --- over layers --- */

/* Titles tell the tokens of the first and last snapshot. */
static void snapshot_tokens(const ms_plot_data *data, char *first, char *last) {
    count_text((double)data->spectra[0].tokens, first);
    count_text((double)data->spectra[data->n_spectra - 1].tokens, last);
}

static void plot_depth(FILE *out, const ms_plot_data *data) {
    char first[32], last[32];
    snapshot_tokens(data, first, last);
    double steps[2] = {first_step(data), last_step(data)}, high = 0;
    for (int p = 0; p < data->n_projections; p++)
        for (int k = 0; k < 2; k++) {
            fprintf(out, "$%s_%s << EOD\n", data->projections[p], k ? "last" : "first");
            for (size_t i = 0; i < data->n_spectra; i++) {
                const ms_plot_spectrum *spectrum = &data->spectra[i];
                if (spectrum->i_projection != p || (double)spectrum->step != steps[k]) continue;
                fprintf(out, "%d %.9g\n", spectrum->layer, spectrum->values[MS_PLOT_sigma_max]);
                high = fmax(high, spectrum->values[MS_PLOT_sigma_max]);
            }
            fprintf(out, "EOD\n");
        }
    fprintf(out, "set xrange [-0.4:%g]\nset yrange [0:%.9g]\nset xtics %d\n", last_layer(data) + 0.4,
            high > 0 ? 1.05 * high : 1, 1 + data->n_layers / 16);
    fprintf(out,
            "set xlabel 'layer'\nset ylabel 'largest singular value s1'\nset key outside right center\n"
            "set title 'Spectral norm over depth, after %s tokens (dashed: after %s tokens)' offset 0,0.3 font ',20'\n",
            last, first);
    for (int p = 0; p < data->n_projections; p++)
        fprintf(out,
                "%s$%s_first using 1:2 with linespoints lc rgb '%s' dt 2 lw 1.2 pt 6 ps 0.8 notitle, "
                "$%s_last using 1:2 with linespoints lc rgb '%s' lw 3 pt 7 ps 1.1 title '%s'",
                p ? ", " : "plot ", data->projections[p], color(p), data->projections[p], color(p),
                data->projections[p]);
    fprintf(out, "\n");
}

/* Panels for all projections: at most 4 side by side. */
static void begin_panels(FILE *out, const ms_plot_data *data, const char *title) {
    int n = data->n_projections, n_rows = n <= 2 ? 1 : n <= 8 ? 2 : 4;
    fprintf(out, "set multiplot layout %d,%d title '%s' font ',22'\n", n_rows, (n + n_rows - 1) / n_rows, title);
}

static void plot_singular(FILE *out, const ms_plot_data *data) {
    double steps[2] = {first_step(data), last_step(data)};
    char tokens[2][32], title[192];
    snapshot_tokens(data, tokens[0], tokens[1]);
    int edges[2] = {0, last_layer(data)}, n_edges = last_layer(data) > 0 ? 2 : 1;
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        for (int k = 0; k < 2; k++) {
            if ((double)spectrum->step != steps[k] || (spectrum->layer != edges[0] && spectrum->layer != edges[1]))
                continue;
            fprintf(out, "$%s_%d_%d << EOD\n", data->projections[spectrum->i_projection], spectrum->layer, k);
            for (int j = 0; j < spectrum->n_top && spectrum->top[0] > 0; j++)
                if (isfinite(spectrum->top[j])) fprintf(out, "%d %.9g\n", j + 1, spectrum->top[j] / spectrum->top[0]);
            fprintf(out, "EOD\n");
        }
    }
    snprintf(title, sizeof title, "Top 10 singular values over the largest, after %s and %s tokens", tokens[0],
             tokens[1]);
    begin_panels(out, data, title);
    fprintf(out, "set xrange [0.7:10.3]\nset yrange [0:1.05]\nset xtics 1\nset xlabel \"index i\\n \" offset 0,0.5\n"
                 "set ylabel 's_i / s1'\nset key outside bottom center horizontal maxrows 2 samplen 2.5 font ',13'\n");
    for (int p = 0; p < data->n_projections; p++) {
        const char *separator = "plot ";
        fprintf(out, "set title '%s' offset 0,0.2 font ',18'\n", data->projections[p]);
        for (int e = 0; e < n_edges; e++)
            for (int k = 0; k < 2 && has_matrix(data, p, edges[e]); k++) {
                fprintf(
                    out,
                    "%s$%s_%d_%d using 1:2 with linespoints lc rgb '%s' dt %d lw 2.2 pt %d title 'layer %d, %s tokens'",
                    separator, data->projections[p], edges[e], k, color(e ? 3 : 0), k ? 1 : 2, k ? 7 : 6, edges[e],
                    tokens[k]);
                separator = ", ";
            }
        fprintf(out, "\n");
    }
    fprintf(out, "unset multiplot\n");
}

/* --- heat maps --- */

/* Data block of one projection: step of the snapshot, step of the next one, layer, value. */
static void write_cells(FILE *out, const ms_plot_data *data, int p, enum ms_plot_key key, double *out_end) {
    double width = 1;
    fprintf(out, "$%s << EOD\n", data->projections[p]);
    for (size_t i = 0; i < data->n_spectra; i++) {
        const ms_plot_spectrum *spectrum = &data->spectra[i];
        size_t next = i;
        while (next < data->n_spectra && data->spectra[next].step == spectrum->step) next++;
        double begin = (double)spectrum->step;
        if (next < data->n_spectra) width = (double)data->spectra[next].step - begin; /* the last cell repeats it */
        *out_end = begin + width;
        if (spectrum->i_projection == p && isfinite(spectrum->values[key]))
            fprintf(out, "%.17g %.17g %d %.9g\n", begin, begin + width, spectrum->layer, spectrum->values[key]);
    }
    fprintf(out, "EOD\n");
}

static void heat_map(FILE *out, const ms_plot_data *data, enum ms_plot_key key, const char *title, const char *label) {
    double end = 0;
    for (int p = 0; p < data->n_projections; p++) write_cells(out, data, p, key, &end);
    begin_panels(out, data, title);
    step_axis(out, data, first_step(data), end, 4);
    /* viridis (van der Walt & Smith 2015) at five points */
    fprintf(out,
            "set palette defined (0 '#440154', 0.25 '#3b528b', 0.5 '#21918c', 0.75 '#5ec962', 1 '#fde725')\n"
            "set yrange [-0.5:%g]\nset ytics %d\nset ylabel 'layer' offset 0.8,0\nset cblabel '%s' offset -0.6,0 font "
            "',14'\nunset key\n"
            "unset grid\nset cbtics format '%%.3g' font ',13' offset -0.6,0\n",
            data->n_layers - 0.5, 1 + data->n_layers / 12, label);
    for (int p = 0; p < data->n_projections; p++)
        fprintf(out,
                "set title '%s' offset 0,0.2 font ',18'\nplot $%s using (($1+$2)/2):3:1:2:($3-0.5):($3+0.5):4 with "
                "boxxyerror "
                "fs solid noborder fc palette\n",
                data->projections[p], data->projections[p]);
    fprintf(out, "unset multiplot\n");
}

static void plot_norms(FILE *out, const ms_plot_data *data) {
    heat_map(out, data, MS_PLOT_sigma_max, "Largest singular value of each layer", "s1");
}

static void plot_entropies(FILE *out, const ms_plot_data *data) {
    heat_map(out, data, MS_PLOT_entropy_l1, "Spectral entropy entropy_l1 of each layer (1: all singular values equal)",
             "entropy / log r");
}

const ms_plot *ms_plots(int *out_n) {
    static const ms_plot plots[] = {{"loss", false, 1200, 750, plot_loss},
                                    {"spectral_stretching_evolution", true, 1200, 750, plot_stretching},
                                    {"norm_heatmap", true, 1800, 1000, plot_norms},
                                    {"spectral_norm_vs_depth", true, 1200, 750, plot_depth},
                                    {"singular_spectrum", true, 1800, 1100, plot_singular},
                                    {"spectral_gap", true, 1600, 750, plot_gap},
                                    {"update_alignment", true, 1600, 1150, plot_alignment},
                                    {"entropy_heatmap", true, 1800, 1000, plot_entropies},
                                    {"orthogonality_error", true, 1600, 750, plot_orthogonality}};
    *out_n = sizeof plots / sizeof *plots;
    return plots;
}
