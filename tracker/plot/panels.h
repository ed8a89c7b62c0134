/* The panels of a picture in a grid, all of one size, and what explains them: one title, one legend or colour bar.  A
   page without a given width takes as much as the panels like; on a given one there are as many columns as are wide
   enough, and the legend stands below them where it would take their room. */
#ifndef MS_TRACKER_PLOT_PANELS_H
#define MS_TRACKER_PLOT_PANELS_H

#include <stdbool.h>

#include "tracker/plot/page.h"
#include "tracker/plot/plot_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pixels of what stands above the panels; who has no such thing takes it from `top`. */
enum { MS_PANELS_TOKENS = 50, MS_PANELS_NAME = 28 /* title of each panel */ };

enum { MS_LEGEND_MOST = 64, MS_LEGEND_STYLE_SIZE = 96, MS_LEGEND_TITLE_SIZE = 128 };

/* What a line, a mark or a colour stands for. */
typedef struct ms_legend_entry {
    char style[MS_LEGEND_STYLE_SIZE]; /* gnuplot's: "lines lc rgb 'black' dt 2 lw 2" */
    char title[MS_LEGEND_TITLE_SIZE]; /* quoted (ms_script_quoted) where it is from elsewhere */
    int layer;                        /* of the entries of layers, some may be left out: its index; else -1 */
} ms_legend_entry;

typedef struct ms_legend {
    ms_legend_entry entries[MS_LEGEND_MOST];
    int n; /* beyond MS_LEGEND_MOST: not shown */
} ms_legend;

void ms_legend_add(ms_legend *legend, const char *style, const char *title);

/* A line for each run of several; else for each layer: of more than can be told apart, every second, third ... */
void ms_legend_add_layers(ms_legend *legend, const ms_plot_data *data);

typedef struct ms_panels {
    int n, bands, columns, rows;     /* n items, each with `bands` panels, one below the other */
    double left, right, top, bottom; /* pixels around the panels */
    double wide, high;               /* of a panel, pixels */
    int width, height;               /* of the page */
    bool has_bar, below;             /* a colour bar instead of a legend; either stands below the panels */
    const ms_legend *legend;         /* borrowed; NULL: none */
} ms_panels;

/* A title in lines that fit a width in pixels, as gnuplot's text in double quotes, of which the title has none; its
   size in points. Returns the number of lines. */
int ms_panels_break_title(const char *title, double width, double *out_points, char *out, size_t size);

/* Points of a panel's title of 15 to 25 characters. */
int ms_panels_title_points(const ms_panels *panels);

/* Lays out the page.  legend: NULL for a colour bar.  label_characters: of the longest number beside a y axis; four
   have room anyway. */
ms_panels ms_panels_make(const ms_page *page, int n, int bands, int label_characters, const ms_legend *legend);

/* The panels follow, one plot command each, in the order of the cells: rows * columns.  Sets the page's size. */
void ms_panels_begin(ms_page *page, ms_panels *panels, const char *title);
/* Draws the legend. */
void ms_panels_end(ms_page *page, const ms_panels *panels);

/* One cell of the grid. */
typedef struct ms_panel {
    int item, band;
    bool left, top, bottom; /* nothing stands left of it, above it, below it: its labels are written */
    bool last;              /* the last panel, which draws the colour bar */
} ms_panel;

/* False: nothing is drawn in this cell, and gnuplot was told so. */
bool ms_panels_cell(ms_page *page, const ms_panels *panels, int cell, ms_panel *panel);

/* The colour bar, drawn by the next panel. */
void ms_panels_color_bar(ms_page *page, const ms_panels *panels, const char *label);

#ifdef __cplusplus
}
#endif

#endif
