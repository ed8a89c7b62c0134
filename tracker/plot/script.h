/* What the scripts of plots are made of: colours, texts, values, axes.  Functions with `out` write commands there. */
#ifndef MS_TRACKER_PLOT_SCRIPT_H
#define MS_TRACKER_PLOT_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

#include "tracker/plot/plot_data.h"

enum { MS_COUNT_TEXT_SIZE = 32, MS_COLOR_SIZE = 8, MS_QUOTED_SIZE = 512 };

/* Colour of the i-th thing of a kind, as gnuplot's "#rrggbb". */
const char *ms_script_color(int i);

/* Colour of a projection, the same in every plot and of every choice of projections.  i: its index, for names of no
   transformer. */
const char *ms_script_projection_color(const char *name, int i);

/* Colour of the i-th layer of the data, or of the i-th run; gnuplot's type of mark.  Returns out. */
const char *ms_script_series_color(const ms_plot_data *data, int i, char out[MS_COLOR_SIZE]);
int ms_script_series_mark(const ms_plot_data *data, int i);

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

/* Characters of the longest label of such an axis, within the range. */
int ms_script_value_characters(ms_range range, int n_ticks);

/* Range, ticks at round values and labels with as many decimals as tell them apart.  axis: "x", "y" or "cb".
   labelled: whether the ticks have labels. */
void ms_script_value_axis(FILE *out, const char *axis, ms_range range, int n_ticks, bool labelled);

/* x: steps; opposite x: round token counts, at the steps where they were reached.  As many labels as there is room for,
   but about 8. */
typedef struct ms_step_axis {
    ms_range steps;
    double wide;      /* of the panel, pixels */
    bool bottom, top; /* whether steps and tokens have labels */
} ms_step_axis;

void ms_script_step_axis(FILE *out, const ms_plot_data *data, const ms_step_axis *axis);

/* Edges of the cell of a snapshot in a heat map: half-way to its neighbours, and at the ends of the run as wide on both
   sides.  before, after: steps of the neighbours; -1: there is none. */
ms_range ms_script_cell(int64_t before, int64_t step, int64_t after);

/* y: rows of these layers, 0 the lowest. */
void ms_script_layer_axis(FILE *out, const int *layers, int n, bool labelled);

#endif
