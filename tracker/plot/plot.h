/* The plots of a run, drawn by gnuplot: for each a script NAME.gp (data included, so that it can be changed and redrawn
   by hand), NAME.png and NAME.svg. */
#ifndef MS_TRACKER_PLOT_PLOT_H
#define MS_TRACKER_PLOT_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "platform/status.h"
#include "tracker/plot/plot_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One kind of plot. */
typedef struct ms_plot {
    const char *name;                                      /* file name without its ending */
    bool needs_spectra;                                    /* shows data of spectra.jsonl */
    int width, height;                                     /* pixels */
    void (*write)(FILE *script, const ms_plot_data *data); /* writes data blocks and plot commands, but no terminal */
} ms_plot;

/* All plots in the order they are drawn.  Static. */
const ms_plot *ms_plots(int *out_n);

/* Draws one plot into `folder`, which exists.  Each file appears complete or not at all.
   MS_NOT_FOUND: gnuplot is not installed.  MS_IO: a file cannot be written, or gnuplot fails, with what it says.
   MS_INVALID: the plot needs spectra and `data` has none.  Thread-safe on distinct folders. */
ms_status ms_plot_draw(const ms_plot *plot, const ms_plot_data *data, const char *folder);

#ifdef __cplusplus
}
#endif

#endif
