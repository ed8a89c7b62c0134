/* What the scripts of plots are made of: colours, axes, panels.  Every function writes gnuplot commands to `out`. */
#ifndef MS_TRACKER_PLOT_SCRIPT_H
#define MS_TRACKER_PLOT_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

#include "tracker/plot/plot_data.h"

enum { MS_COUNT_TEXT_SIZE = 32, MS_COLOR_SIZE = 8, MS_QUOTED_SIZE = 512 };

/* Colour of the i-th thing of a kind, as gnuplot's "#rrggbb". */
const char *ms_script_color(int i);

/* Colour of the i-th layer of n: dark for the first, light for the last.  Returns out. */
const char *ms_script_layer_color(int i, int n, char out[MS_COLOR_SIZE]);

/* gnuplot's palette of the heat maps: viridis (van der Walt & Smith 2015). */
void ms_script_palette(FILE *out);

/* Text from elsewhere inside gnuplot's single quotes: escaped (platform/escape.h), quotes doubled; of more than n_most
   characters the end is left out, "…" in its place.  Returns out.  Scripts switch gnuplot's markup off. */
const char *ms_script_quoted(const char *text, int n_most, char *out, size_t size);

/* A count for people: "0", "500", "20 k", "1.5 M", "1.7 B".  Returns out. */
const char *ms_script_count(double count, char out[MS_COUNT_TEXT_SIZE]);

/* One more number in a row of a data block; NaN where it is not finite, which leaves a gap. */
void ms_script_value(FILE *out, double value);

/* An interval of values that grows to hold what is put into it.  Starts as MS_NO_RANGE; what is not finite is left
   out. */
typedef struct ms_range {
    double low, high;
} ms_range;

#define MS_NO_RANGE ((ms_range){1, -1})

void ms_range_add(ms_range *range, double value);

/* A margin of 4 % on both sides; [0, 1] when it is empty.  gnuplot stops when it has to find the range of values that
   are all undefined: ranges are always set. */
ms_range ms_range_widened(ms_range range);

/* Range, ticks at round values and labels with as many decimals as tell them apart.  axis: "x", "y" or "cb".
   labelled: whether the ticks have labels. */
void ms_script_value_axis(FILE *out, const char *axis, ms_range range, int n_ticks, bool labelled);

/* x: steps; opposite x: round token counts, at the steps where they were reached.  About n_ticks each. */
typedef struct ms_step_axis {
    ms_range steps;
    int n_ticks;
    bool bottom, top; /* whether steps and tokens have labels */
} ms_step_axis;

void ms_script_step_axis(FILE *out, const ms_plot_data *data, const ms_step_axis *axis);

/* Edges of the cell of a snapshot in a heat map: half-way to its neighbours, and at the ends of the run as wide on both
   sides.  before, after: steps of the neighbours; -1: there is none. */
ms_range ms_script_cell(int64_t before, int64_t step, int64_t after);

/* y: rows of these layers, 0 the lowest. */
void ms_script_layer_axis(FILE *out, const int *layers, int n, bool labelled);

/* A grid of panels, all of one size, with room for a legend at the right.  Each of n items has `bands` panels, one
   below the other. */
typedef struct ms_panels {
    int n, bands, columns, rows;
    int width, height; /* of the picture, pixels */
} ms_panels;

ms_panels ms_panels_make(int n, int bands);

/* The panels follow, one plot command each, in the order of the cells: rows * columns of them. */
void ms_panels_begin(FILE *out, const ms_panels *panels, const char *title);
void ms_panels_end(FILE *out);

/* One cell of the grid. */
typedef struct ms_panel {
    int item, band;
    bool left, top, bottom; /* nothing stands left of it, above it, below it: its labels are written */
    bool last;              /* the last panel, which draws the legend */
} ms_panel;

/* False: nothing is drawn in this cell, and gnuplot was told so. */
bool ms_panels_cell(FILE *out, const ms_panels *panels, int cell, ms_panel *panel);

/* The legend at the right of the grid, in one column. */
void ms_panels_key(FILE *out, const ms_panels *panels);

/* The colour bar at the right of the grid, `label` above it. */
void ms_panels_color_bar(FILE *out, const ms_panels *panels, const char *label);

#endif
