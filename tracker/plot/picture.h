/* A picture that gnuplot draws: a script NAME.gp, which has its data and draws it again by hand, and NAME.png,
   NAME.svg, NAME.pdf as asked. */
#ifndef MS_TRACKER_PLOT_PICTURE_H
#define MS_TRACKER_PLOT_PICTURE_H

#include <stdio.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Formats of pictures: bits. */
enum { MS_PLOT_PNG = 1, MS_PLOT_SVG = 2, MS_PLOT_PDF = 4 };

typedef struct ms_picture {
    const char *name;  /* file name without its ending: letters, digits, _ and - alone, since gnuplot interprets it */
    int width, height; /* pixels; of a PDF units of 1/96 inch */
    void (*write)(FILE *script, const void *context); /* writes data blocks and plot commands, but no terminal */
    const void *context;
} ms_picture;

/* Draws a picture into `folder`, which exists.  formats: MS_PLOT_PNG and so on, or-ed.  Each file appears complete or
   not at all. MS_NOT_FOUND: gnuplot is not installed.  MS_IO: a file cannot be written, or gnuplot fails, with what it
   says. MS_INVALID: the folder's name is too long.  MS_INTERRUPTED: a signal.  Thread-safe on distinct folders. */
ms_status ms_picture_draw(const ms_picture *picture, unsigned formats, const char *folder);

#ifdef __cplusplus
}
#endif

#endif
