#include "tracker/plot/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/script.h"

/* Pixels around, in and between the panels. */
enum {
    LEFT = 105,  /* an axis label beside labels of 4 characters */
    DIGIT = 13,  /* of a longer one */
    RIGHT = 25,  /* where nothing stands there */
    TOP = 100,   /* above the panels: their titles, and the tokens */
    BOTTOM = 82, /* steps and their label */
    GAP_X = 34,
    GAP_Y = 50,
    BAR = 200, /* a colour bar at the right, and its label */
    BAR_BELOW = 108,
    LINE = 25,          /* of the legend */
    SAMPLE = 66,        /* of the legend: the line before its text, and space around */
    LEAST_WIDE = 225,   /* panels on a page of a given width */
    LEAST_BESIDE = 300, /* the same, where the legend stands beside them */
    LEAST_HIGH = 200,   /* what the label of an axis needs */
    LEAST_ALONE = 265,  /* the same of a single panel, whose labels are longer */
    MOST_HIGH = 500
};
static const double character = 10.6; /* of the legend: an average one */

/* --- the legend --- */

void ms_legend_add(ms_legend *legend, const char *style, const char *title) {
    if (legend->n == MS_LEGEND_MOST) return;
    ms_legend_entry *entry = &legend->entries[legend->n++];
    snprintf(entry->style, sizeof entry->style, "%s", style);
    snprintf(entry->title, sizeof entry->title, "%s", title);
    entry->layer = -1;
}

static void add_runs(ms_legend *legend, const ms_plot_data *data) {
    enum { MOST_CHARACTERS = 30 };
    char color[MS_COLOR_SIZE], style[MS_LEGEND_STYLE_SIZE], title[MS_QUOTED_SIZE];
    for (int i = 0; i < data->n_layers; i++) {
        snprintf(style, sizeof style, "linespoints lc rgb '%s' lw 2.5 pt %d ps 0.9",
                 ms_script_series_color(data, i, color), ms_script_series_mark(data, i));
        ms_legend_add(legend, style, ms_script_quoted(data->run_names[i], MOST_CHARACTERS, title, sizeof title));
    }
}

void ms_legend_add_layers(ms_legend *legend, const ms_plot_data *data) {
    enum { MOST = 24 };
    char color[MS_COLOR_SIZE], style[MS_LEGEND_STYLE_SIZE], title[MS_LEGEND_TITLE_SIZE];
    if (data->runs) {
        add_runs(legend, data);
        return;
    }
    for (int i = 0; i < data->n_layers; i += (data->n_layers + MOST - 1) / MOST) {
        snprintf(style, sizeof style, "lines lc rgb '%s' lw 3", ms_script_layer_color(i, data->n_layers, color));
        snprintf(title, sizeof title, "layer %d", data->layers[i]);
        ms_legend_add(legend, style, title);
        if (legend->n > 0) legend->entries[legend->n - 1].layer = i;
    }
}

static int n_characters(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static double entry_width(const ms_legend *legend) {
    int most = 0;
    for (int i = 0; i < legend->n; i++) most = (int)fmax(most, n_characters(legend->entries[i].title));
    return SAMPLE + character * most;
}

/* Entries of layers go by their order: with `step` 2 every second of them is left out. */
static bool is_shown(const ms_legend *legend, int i, int step) {
    int first = 0;
    while (legend->entries[first].layer < 0 && first < i) first++;
    return legend->entries[i].layer < 0 || (i - first) % step == 0;
}

static int n_shown(const ms_legend *legend, int step) {
    int n = 0;
    for (int i = 0; i < legend->n; i++) n += is_shown(legend, i, step);
    return n;
}

/* Columns of a legend below the panels. */
static int legend_columns(const ms_panels *panels) {
    return (int)fmax(1, floor((panels->width - 20) / entry_width(panels->legend)));
}

/* So that all that is no layer, and the first layer, have a place. */
static int layer_step(const ms_panels *panels) {
    if (panels->below) return 1;
    int rows = (int)floor((panels->height - 60.0) / LINE), step = 1;
    while (step < MS_LEGEND_MOST && n_shown(panels->legend, step) > rows) step++;
    return step;
}

/* --- the layout --- */

static int natural_columns(int n) { return n <= 3 ? n : n == 4 ? 2 : n <= 6 ? 3 : 4; }

/* Width of the panels where there are so many columns. */
static double room(const ms_panels *panels, int columns) {
    return (panels->width - panels->left - panels->right - (columns - 1) * GAP_X) / columns;
}

/* On a page of this width. */
static void fit(ms_panels *panels, int width, double beside) {
    panels->width = width;
    panels->right = beside;
    panels->columns = natural_columns(panels->n);
    panels->below = beside > RIGHT && room(panels, panels->columns) < LEAST_BESIDE;
    if (panels->below) panels->right = RIGHT;
    while (panels->columns > 1 && room(panels, panels->columns) < LEAST_WIDE) panels->columns--;
    panels->wide = room(panels, panels->columns);
    panels->high =
        fmin(MOST_HIGH, fmax(panels->n * panels->bands == 1 ? LEAST_ALONE : LEAST_HIGH, 0.66 * panels->wide));
}

static void take_room(ms_panels *panels, double beside) {
    int columns = natural_columns(panels->n);
    panels->columns = columns;
    panels->right = beside;
    panels->wide = columns == 1 ? 900 : columns == 2 ? 560 : columns == 3 ? 420 : 380;
    panels->high = columns == 1 && panels->bands == 1 ? 500 : columns == 2 ? 320 : 270;
    panels->width = (int)(panels->left + columns * panels->wide + (columns - 1) * GAP_X + panels->right);
}

ms_panels ms_panels_make(const ms_page *page, int n, int bands, int label_characters, const ms_legend *legend) {
    ms_panels panels = {.n = n, .bands = bands, .has_bar = legend == NULL, .legend = legend};
    panels.left = LEFT + DIGIT * fmax(0, label_characters - 4);
    double beside = legend ? legend->n > 0 ? entry_width(legend) + 20 : RIGHT : BAR;
    if (page->given_width > 0)
        fit(&panels, page->given_width, beside);
    else
        take_room(&panels, beside);
    panels.rows = (n + panels.columns - 1) / panels.columns * bands;
    panels.top = TOP;
    panels.bottom = BOTTOM;
    if (panels.below && panels.has_bar) panels.bottom += BAR_BELOW;
    if (panels.below && !panels.has_bar) panels.bottom += 14 + LINE * ceil((double)legend->n / legend_columns(&panels));
    return panels;
}

int ms_panels_title_points(const ms_panels *panels) { return panels->wide < 300 ? 14 : 17; }

/* --- the page --- */

int ms_panels_break_title(const char *title, double width, double *out_points, char *out, size_t size) {
    enum { LEAST = 17, MOST = 22 };
    const double pixels_per_point = 0.78; /* of a character */
    *out_points = fmax(LEAST, fmin(MOST, floor(0.97 * width / (pixels_per_point * fmax(n_characters(title), 1)))));
    int most = (int)(0.97 * width / (pixels_per_point * *out_points)), n_lines = 1, n = 0;
    size_t used = 0;
    for (const char *word = title; *word;) {
        size_t length = strcspn(word, " ");
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)length, word);
        int n_word = n_characters(text);
        bool breaks = n > 0 && n + 1 + n_word > most;
        used += (size_t)snprintf(out + used, size - used, "%s%s", n == 0 ? "" : breaks ? "\\n" : " ", text);
        n = breaks ? n_word : n + (n > 0) + n_word;
        n_lines += breaks;
        word += length + (word[length] == ' ');
    }
    return n_lines;
}

void ms_panels_begin(ms_page *page, ms_panels *panels, const char *title) {
    char lines[512];
    double points;
    int n_lines = ms_panels_break_title(title, panels->width, &points, lines, sizeof lines);
    if (page->titled) panels->top += 12 + 1.75 * points * n_lines;
    panels->height =
        (int)lround(panels->top + panels->rows * panels->high + (panels->rows - 1) * GAP_Y + panels->bottom);
    page->width = panels->width;
    page->height = panels->height;
    double width = page->width, height = page->height;
    fprintf(page->out, "set multiplot layout %d,%d ", panels->rows, panels->columns);
    if (page->titled) fprintf(page->out, "title \"%s\" font ',%.0f' ", lines, points);
    fprintf(page->out, "margins screen %.5f,%.5f,%.5f,%.5f spacing screen %.5f,%.5f\nunset key\nunset colorbox\n",
            panels->left / width, 1 - panels->right / width, panels->bottom / height, 1 - panels->top / height,
            GAP_X / width, GAP_Y / height);
}

/* A plot of its own that draws nothing else: its room is not that of a panel. */
static void draw_legend(ms_page *page, const ms_panels *panels) {
    const ms_legend *legend = panels->legend;
    double width = page->width, height = page->height;
    double left = panels->below ? 10 : page->width - panels->right + 8;
    int step = layer_step(panels), n = n_shown(legend, step);
    double top = panels->below ? panels->bottom - BOTTOM : fmax(height - panels->top + 8, n * LINE + 20);
    fprintf(page->out,
            "unset border\nunset tics\nunset grid\nunset xlabel\nunset x2label\nunset ylabel\nset title ''\n"
            "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset bmargin at screen 0\nset tmargin at screen "
            "%.5f\nset xrange [0:1]\nset yrange [0:1]\n",
            left / width, 1 - 5 / width, fmin(1, (top + 10) / height));
    fprintf(page->out,
            "set key at screen %.5f,%.5f left top vertical maxrows %d Left reverse samplen 1.6 spacing 1.1 font ',14'\n"
            "plot NaN notitle",
            left / width, top / height, panels->below ? (n + legend_columns(panels) - 1) / legend_columns(panels) : n);
    for (int i = 0; i < legend->n; i++)
        if (is_shown(legend, i, step))
            fprintf(page->out, ", NaN with %s title '%s'", legend->entries[i].style, legend->entries[i].title);
    fprintf(page->out, "\n");
}

void ms_panels_end(ms_page *page, const ms_panels *panels) {
    if (panels->legend && panels->legend->n > 0) draw_legend(page, panels);
    fprintf(page->out, "unset multiplot\n");
}

bool ms_panels_cell(ms_page *page, const ms_panels *panels, int cell, ms_panel *panel) {
    int row = cell / panels->columns, column = cell % panels->columns;
    panel->band = row % panels->bands;
    panel->item = row / panels->bands * panels->columns + column;
    panel->left = column == 0;
    panel->top = row == 0;
    panel->bottom = panel->band == panels->bands - 1 && panel->item + panels->columns >= panels->n;
    panel->last = panel->band == panels->bands - 1 && panel->item == panels->n - 1;
    if (panel->item < panels->n) return true;
    fprintf(page->out, "set multiplot next\n");
    return false;
}

void ms_panels_color_bar(ms_page *page, const ms_panels *panels, const char *label) {
    double width = page->width, height = page->height;
    if (panels->below) {
        fprintf(page->out,
                "set colorbox horizontal user origin screen %.5f,%.5f size screen %.5f,%.5f\nset cbtics font ',14'\n"
                "set cblabel '%s' font ',15' offset 0,0.3\n",
                panels->left / width, (BAR_BELOW - 34) / height, 1 - (panels->left + panels->right) / width,
                20 / height, label);
        return;
    }
    fprintf(page->out,
            "set colorbox user origin screen %.5f,%.5f size screen %.5f,%.5f\nset cbtics font ',14'\n"
            "set label 100 '%s' at screen %.5f,%.5f left font ',15'\n",
            1 - (panels->right - 28) / width, panels->bottom / height, 24 / width,
            1 - (panels->top + panels->bottom) / height, label, 1 - (panels->right - 28) / width,
            1 - (panels->top - 26) / height);
}
