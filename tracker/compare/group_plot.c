#include "tracker/compare/group_plot.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/panels.h"
#include "tracker/plot/script.h"

/* Places of a curve; a longer run is drawn at so many of its steps. */
enum { MOST_PLACES = 600, FEW_PLACES = 60, LABEL_LENGTH = 26 };

/* One group at one place: of its seeds, and of its differences to the baseline. */
struct place {
    int n;
    double mean, low, high;
    ms_paired difference;
};

struct curves {
    const ms_group_plot *plot;
    ms_series_axis axis;
    double *x;            /* [n] */
    struct place *places; /* [n_groups][n] */
    size_t n;
    bool *used; /* [n_runs] runs that are drawn */
    double last_step, last_tokens;
};

/* --- values --- */

/* The steps of the run with the most points. */
static ms_status choose_places(struct curves *curves) {
    const ms_compared_runs *runs = curves->plot->runs;
    const ms_series *longest = NULL;
    for (size_t i = 0; i < runs->n_runs; i++) {
        const ms_series *series = &runs->runs[i].series[curves->plot->i_metric];
        if (curves->used[i] && series->n > 1 && (!longest || series->n > longest->n)) longest = series;
    }
    if (!longest) return MS_FAIL(MS_INVALID, "no run has two points of it");
    size_t n = longest->n < MOST_PLACES ? longest->n : MOST_PLACES;
    curves->x = malloc(n * sizeof *curves->x);
    curves->places = calloc(n * (size_t)runs->n_groups, sizeof *curves->places);
    if (!curves->x || !curves->places) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: no memory for %zu places", n);
    for (size_t i = 0; i < n; i++)
        curves->x[i] = ms_series_place(&longest->points[n == 1 ? 0 : i * (longest->n - 1) / (n - 1)], curves->axis);
    curves->n = n;
    return MS_OK;
}

/* values, scratch: [n_runs]. */
static void fill_place(struct curves *curves, size_t i_place, double *values, double *scratch) {
    const ms_compared_runs *runs = curves->plot->runs;
    for (size_t i = 0; i < runs->n_runs; i++)
        values[i] = curves->used[i]
                        ? ms_series_at(&runs->runs[i].series[curves->plot->i_metric], curves->axis, curves->x[i_place])
                        : NAN;
    for (int g = 0; g < runs->n_groups; g++) {
        struct place *place = &curves->places[(size_t)g * curves->n + i_place];
        *place = (struct place){0, 0, NAN, NAN, {0}};
        for (size_t i = 0; i < runs->n_runs; i++) {
            if (runs->runs[i].i_group != g || isnan(values[i])) continue;
            place->n++;
            place->mean += values[i];
            place->low = fmin(place->low, values[i]);
            place->high = fmax(place->high, values[i]);
        }
        place->mean = place->n > 0 ? place->mean / place->n : NAN;
        size_t n = g == runs->i_baseline ? 0 : ms_comparison_differences(runs, values, g, scratch);
        ms_paired_interval(scratch, n, curves->plot->confidence, &place->difference);
    }
}

static ms_status fill(struct curves *curves) {
    const ms_compared_runs *runs = curves->plot->runs;
    double last = ms_comparison_place(runs, MS_AT_STEP);
    curves->used = calloc(runs->n_runs + 1, sizeof *curves->used);
    double *values = malloc(2 * (runs->n_runs + 1) * sizeof *values);
    ms_status status = curves->used && values ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "plot: no memory for runs");
    for (size_t i = 0; i < runs->n_runs && status == MS_OK; i++) {
        curves->used[i] = ms_comparison_reaches(&runs->runs[i], MS_AT_STEP, last);
        if (!curves->used[i]) continue;
        curves->last_step = fmax(curves->last_step, (double)runs->runs[i].last_step);
        curves->last_tokens = fmax(curves->last_tokens, runs->runs[i].last_tokens);
    }
    if (status == MS_OK) status = choose_places(curves);
    for (size_t i = 0; i < curves->n && status == MS_OK; i++) fill_place(curves, i, values, values + runs->n_runs);
    free(values);
    return status;
}

/* --- script --- */

static void write_data(const struct curves *curves, ms_page *page) {
    fprintf(page->table.stream, "group,%s,mean,least,greatest,difference,difference_low,difference_high\n",
            curves->axis == MS_SERIES_TOKENS ? "tokens" : "step");
    for (int g = 0; g < curves->plot->runs->n_groups; g++) {
        fprintf(page->out,
                "# x, mean over seeds, least, greatest, mean paired difference, its interval\n$group%d << EOD\n", g);
        for (size_t i = 0; i < curves->n; i++) {
            const struct place *place = &curves->places[(size_t)g * curves->n + i];
            const double values[] = {place->mean,           place->low,
                                     place->high,           place->difference.mean,
                                     place->difference.low, place->difference.high};
            ms_row_text(page, curves->plot->labels[g]);
            ms_row_integer(page, (int64_t)curves->x[i]);
            for (size_t k = 0; k < sizeof values / sizeof *values; k++) ms_row_value(page, values[k]);
            ms_row_end(page);
        }
        fprintf(page->out, "EOD\n");
    }
}

/* Where things stand, as shares of the page; of the difference's panel only where groups are compared. */
struct layout {
    double left, right;                          /* of both panels */
    double top, bottom, lower_top, lower_bottom; /* of the means, and of the differences below them */
    double key_left, key_top;
    double wide;     /* of a panel, pixels */
    char title[512]; /* in double quotes; "": none */
    double title_points;
};

static ms_range means_range(const struct curves *curves) {
    ms_range values = MS_NO_RANGE;
    for (size_t i = 0; i < curves->n * (size_t)curves->plot->runs->n_groups; i++) {
        ms_range_add(&values, curves->places[i].low);
        ms_range_add(&values, curves->places[i].high);
    }
    return ms_range_widened(values);
}

static ms_range differences_range(const struct curves *curves) {
    ms_range values = MS_NO_RANGE;
    ms_range_add(&values, 0);
    for (size_t i = 0; i < curves->n * (size_t)curves->plot->runs->n_groups; i++) {
        const ms_paired *difference = &curves->places[i].difference;
        ms_range_add(&values, difference->mean);
        ms_range_add(&values, difference->low);
        ms_range_add(&values, difference->high);
    }
    return ms_range_widened(values);
}

enum { MEANS_TICKS = 8, DIFFERENCES_TICKS = 6 };

/* Pixels left of the panels: the labels of values, and of the axis. */
static double left_of(const struct curves *curves) {
    int n = ms_script_value_characters(means_range(curves), MEANS_TICKS);
    int n_lower = ms_script_value_characters(differences_range(curves), DIFFERENCES_TICKS);
    return 118 + 13 * fmax(0, fmax(n, n_lower) - 4);
}

static struct layout lay_out_screen(ms_page *page, const struct curves *curves, bool compares) {
    page->width = 1400;
    page->height = compares ? 900 : 560;
    return (struct layout){.left = fmax(0.105, left_of(curves) / 1400),
                           .right = 0.70,
                           .top = compares ? 0.84 : 0.75,
                           .bottom = compares ? 0.47 : 0.14,
                           .lower_top = 0.40,
                           .lower_bottom = 0.09,
                           .key_left = 0.715,
                           .key_top = compares ? 0.84 : 0.75,
                           .wide = 800};
}

/* The legend stands below the panels, a line for each group; the title takes the lines that it needs. */
static struct layout lay_out_paper(ms_page *page, const struct curves *curves, bool compares, const char *title) {
    enum { RIGHT = 25, TOKENS = 72, BETWEEN = 52, STEPS = 82, LINE = 27 };
    struct layout out = {.title = ""};
    double width = page->given_width, left = left_of(curves), title_room = 10;
    if (page->titled)
        title_room += 1.75 * ms_panels_break_title(title, width, &out.title_points, out.title, sizeof out.title) *
                      out.title_points;
    double legend = 12 + LINE * curves->plot->runs->n_groups, upper = fmin(420, 0.5 * width),
           lower = compares ? fmin(300, 0.38 * width) + BETWEEN : 0;
    page->width = page->given_width;
    page->height = (int)lround(title_room + TOKENS + upper + lower + STEPS + legend);
    double height = page->height, below = legend + STEPS;
    out.left = left / width;
    out.right = 1 - RIGHT / width;
    out.lower_bottom = below / height;
    out.lower_top = (below + lower - BETWEEN) / height;
    out.bottom = (below + lower) / height;
    out.top = (below + lower + upper) / height;
    out.key_left = 10 / width;
    out.key_top = legend / height;
    out.wide = width - left - RIGHT;
    return out;
}

/* top: of the picture; bottom: of the picture. */
static void write_x_axis(const struct curves *curves, double wide, bool top, bool bottom, FILE *out) {
    ms_range range = MS_NO_RANGE;
    for (size_t i = 0; i < curves->n; i++) ms_range_add(&range, curves->x[i]);
    if (curves->axis == MS_SERIES_TOKENS) {
        ms_script_value_axis(out, "x", range, 8, bottom);
        fprintf(out, "set xlabel '%s'\n", bottom ? "tokens" : "");
        return;
    }
    ms_plot_loss end = {.step = (int64_t)curves->last_step, .tokens = (int64_t)curves->last_tokens};
    ms_plot_data data = {.training = &end, .n_training = 1};
    const ms_step_axis axis = {range, wide, bottom, top};
    ms_script_step_axis(out, &data, &axis);
}

/* Points are marked where they are few. */
static const char *style_of(const struct curves *curves) {
    return curves->n <= FEW_PLACES ? "linespoints pt 7 ps 0.7" : "lines";
}

/* Places with one seed have no range, and with one pair no interval. */
static void write_means(const struct curves *curves, const struct layout *layout, FILE *out) {
    const ms_compared_runs *runs = curves->plot->runs;
    ms_script_value_axis(out, "y", means_range(curves), MEANS_TICKS, true);
    fprintf(out,
            "set ylabel '%s'\nset key at screen %.5f,%.5f left top vertical Left reverse samplen 1.6 spacing 1.1 font "
            "',14'\nplot ",
            runs->metrics[curves->plot->i_metric].name, layout->key_left, layout->key_top);
    for (int g = 0; g < runs->n_groups; g++)
        fprintf(out, "$group%d using 1:3:4 with filledcurves fs transparent solid 0.2 noborder lc rgb '%s' notitle, ",
                g, ms_script_color(g));
    for (int g = 0; g < runs->n_groups; g++) {
        char label[MS_QUOTED_SIZE];
        int n = 0;
        for (size_t i = 0; i < runs->n_runs; i++) n += curves->used[i] && runs->runs[i].i_group == g;
        fprintf(out, "%s$group%d using 1:2 with %s lc rgb '%s' lw 2.5 title '%s (%d seed%s)'", g ? ", " : "", g,
                style_of(curves), ms_script_color(g),
                ms_script_quoted(curves->plot->labels[g], LABEL_LENGTH, label, sizeof label), n, n == 1 ? "" : "s");
    }
    fprintf(out, "\n");
}

/* brief: on paper, where the title of a panel has less room. */
static void write_differences(const struct curves *curves, bool brief, FILE *out) {
    const ms_compared_runs *runs = curves->plot->runs;
    char label[MS_QUOTED_SIZE];
    ms_script_value_axis(out, "y", differences_range(curves), DIFFERENCES_TICKS, true);
    fprintf(out, "set ylabel 'difference'\nset title 'minus %s, %s%g %% interval%s'\nplot ",
            ms_script_quoted(curves->plot->labels[runs->i_baseline], LABEL_LENGTH, label, sizeof label),
            brief ? "" : "paired by seed: mean and ", 100 * curves->plot->confidence, brief ? "" : " of each place");
    for (int g = 0; g < runs->n_groups; g++)
        if (g != runs->i_baseline)
            fprintf(out,
                    "$group%d using 1:6:7 with filledcurves fs transparent solid 0.2 noborder lc rgb '%s' notitle, "
                    "$group%d using 1:5 with %s lc rgb '%s' lw 2.5 notitle, ",
                    g, ms_script_color(g), g, style_of(curves), ms_script_color(g));
    fprintf(out, "0 with lines lc rgb '#404040' lw 1 dt 2 notitle\n");
}

static void write(ms_page *page, const void *context) {
    const struct curves *curves = context;
    const ms_compared_runs *runs = curves->plot->runs;
    FILE *out = page->out;
    bool compares = runs->n_groups > 1;
    char title[256];
    snprintf(title, sizeof title, "%s%s%s: mean and range over seeds", runs->metrics[curves->plot->i_metric].name,
             compares ? " by " : "", curves->plot->keys);
    struct layout layout =
        page->given_width > 0 ? lay_out_paper(page, curves, compares, title) : lay_out_screen(page, curves, compares);
    write_data(curves, page);
    fprintf(out,
            "set multiplot\nset lmargin screen %.5f\nset rmargin screen %.5f\nset bmargin screen %.5f\nset tmargin "
            "screen %.5f\n",
            layout.left, layout.right, layout.bottom, layout.top);
    if (page->given_width > 0) {
        if (page->titled)
            fprintf(out, "set label 1 \"%s\" at screen 0.5,%.5f center font ',%.0f'\n", layout.title,
                    1 - 22.0 / page->height, layout.title_points);
    } else if (page->titled) {
        char quoted[MS_QUOTED_SIZE];
        fprintf(out, "set title '%s' offset 0,0.3 font ',20'\n",
                ms_script_quoted(title, sizeof title, quoted, sizeof quoted));
    }
    write_x_axis(curves, layout.wide, true, !compares, out);
    write_means(curves, &layout, out);
    if (compares) {
        fprintf(
            out,
            "unset label 1\nset bmargin screen %.5f\nset tmargin screen %.5f\nset title '' offset 0,-0.5 font ',16'\n",
            layout.lower_bottom, layout.lower_top);
        write_x_axis(curves, layout.wide, false, true, out);
        write_differences(curves, page->given_width > 0, out);
    }
    fprintf(out, "unset multiplot\n");
}

bool ms_group_plot_has_points(const ms_compared_runs *runs, size_t i_metric) {
    double last = ms_comparison_place(runs, MS_AT_STEP);
    for (size_t i = 0; i < runs->n_runs; i++)
        if (runs->runs[i].series[i_metric].n > 1 && ms_comparison_reaches(&runs->runs[i], MS_AT_STEP, last))
            return true;
    return false;
}

ms_status ms_group_plot_draw(const ms_group_plot *plot, const ms_picture_options *options, const char *folder,
                             char out_name[MS_GROUP_PLOT_NAME_SIZE]) {
    const char *metric = plot->runs->metrics[plot->i_metric].name;
    struct curves curves = {.plot = plot,
                            .axis = ms_comparison_tokens_differ(plot->runs) ? MS_SERIES_TOKENS : MS_SERIES_STEPS};
    snprintf(out_name, MS_GROUP_PLOT_NAME_SIZE, "%s", metric);
    for (char *c = out_name; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    for (size_t n = strlen(out_name); n > 1 && out_name[n - 1] == '_'; n--) out_name[n - 1] = '\0';
    ms_status status = fill(&curves);
    const ms_picture picture = {out_name, write, &curves};
    if (status == MS_OK) status = ms_picture_draw(&picture, options, folder);
    free(curves.x);
    free(curves.places);
    free(curves.used);
    return status == MS_OK ? status : ms_status_note(status, "plot of %s", metric);
}
