/* What a plot is written to: a gnuplot script with its numbers in data blocks, and a table that has the same numbers.
   Sizes are in pixels at gnuplot's font size of 16 points for labels of axes; a page for paper is drawn at the scale
   that makes them 8 points.  Not thread-safe on one object. */
#ifndef MS_TRACKER_PLOT_PAGE_H
#define MS_TRACKER_PLOT_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/csv.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a picture looks; zero: as wide as what it shows likes, with a title. */
typedef struct ms_page_style {
    double width_mm; /* of the picture on paper, MS_PAGE_LEAST_MM to MS_PAGE_MOST_MM; 0: sizes are pixels of a screen */
    bool untitled;
} ms_page_style;

enum { MS_PAGE_LEAST_MM = 50, MS_PAGE_MOST_MM = 400 };

/* The value of --width: "85mm", "8.5cm" or "3.3in".  MS_USAGE: no such length, or one that is not MS_PAGE_LEAST_MM to
   MS_PAGE_MOST_MM. */
ms_status ms_page_read_width(const char *text, double *out_mm);

typedef struct ms_page {
    FILE *out;       /* the script, without a terminal */
    ms_csv table;    /* the numbers; empty: no such file is written */
    int given_width; /* 0: as wide as what is drawn likes */
    bool titled;
    int width, height; /* set by what writes the page */
    int n_values;      /* of the row so far */
} ms_page;

/* Size and title of a style, written to two streams. */
ms_page ms_page_make(ms_page_style style, FILE *script, FILE *table);

/* Points on paper of a length or font of the page: 0.5 for paper, 1 else. */
double ms_page_scale(ms_page_style style);

/* Headings of the table, between commas.  Before its rows. */
void ms_page_columns(ms_page *page, const char *names);

/* A row of a data block and of the table.  What says where it belongs stands in the table alone: the data block has it
   in its name. */
void ms_row_text(ms_page *page, const char *text);
void ms_row_label(ms_page *page, int64_t label);
/* In both, with 9 significant digits.  What is not finite is NaN in the script, a gap, and an empty cell. */
void ms_row_integer(ms_page *page, int64_t value);
void ms_row_value(ms_page *page, double value);
/* What only the drawing needs: in the data block alone. */
void ms_row_drawn(ms_page *page, double value);
void ms_row_end(ms_page *page);

#ifdef __cplusplus
}
#endif

#endif
