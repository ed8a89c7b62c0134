/* A picture that gnuplot draws: a script NAME.gp, which has its data and draws it again by hand, the same numbers as
   NAME.csv, and NAME.png, NAME.svg, NAME.pdf as asked. */
#ifndef MS_TRACKER_PLOT_PICTURE_H
#define MS_TRACKER_PLOT_PICTURE_H

#include "platform/status.h"
#include "tracker/plot/page.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Formats of pictures: bits. */
enum { MS_PLOT_PNG = 1, MS_PLOT_SVG = 2, MS_PLOT_PDF = 4 };

typedef struct ms_picture_options {
    unsigned formats; /* MS_PLOT_PNG and so on, or-ed */
    ms_page_style style;
} ms_picture_options;

typedef struct ms_picture {
    const char *name; /* file name without its ending: letters, digits, _ and - alone, since gnuplot interprets it */
    void (*write)(ms_page *page, const void *context); /* data blocks, plot commands and table; sets the page's size */
    const void *context;
} ms_picture;

/* Draws a picture into `folder`, which exists.  A PNG for paper has 300 pixels an inch; a PDF without a given width 96
   of the page's.  Each file appears complete or not at all.
   MS_NOT_FOUND: gnuplot is not installed.  MS_IO: a file cannot be written, or gnuplot fails, with what it says.
   MS_INVALID: the folder's name is too long.  MS_OUT_OF_MEMORY.  MS_INTERRUPTED: a signal.  Thread-safe on distinct
   folders. */
ms_status ms_picture_draw(const ms_picture *picture, const ms_picture_options *options, const char *folder);

#ifdef __cplusplus
}
#endif

#endif
