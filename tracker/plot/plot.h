/* The plots of a run, drawn by gnuplot: for each a script NAME.gp (data included, so that it can be changed and redrawn
   by hand), and NAME.png, NAME.svg, NAME.pdf as asked. */
#ifndef MS_TRACKER_PLOT_PLOT_H
#define MS_TRACKER_PLOT_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "platform/status.h"
#include "tracker/plot/picture.h"
#include "tracker/plot/plot_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a plot shows. */
typedef enum ms_plot_source {
    MS_PLOT_OF_LOSSES,  /* metrics.jsonl */
    MS_PLOT_OF_DECILES, /* loss_by_frequency of metrics.jsonl */
    MS_PLOT_OF_PROBES,  /* probes.jsonl */
    MS_PLOT_OF_SPECTRA  /* spectra.jsonl */
} ms_plot_source;

/* Panels that do not go by projection. */
enum { MS_PLOT_ONE_PANEL = 0, MS_PLOT_TWO_PANELS = -1, MS_PLOT_SLICE_PANELS = -2 /* ms_plot_slices */ };

/* One kind of plot. */
typedef struct ms_plot {
    const char *name; /* file name without its ending */
    ms_plot_source source;
    enum ms_plot_key key; /* of spectra: what it cannot do without */
    int bands;            /* panels of each projection, or one of the constants above */
    void (*write)(FILE *script, const ms_plot_data *data); /* writes data blocks and plot commands, but no terminal */
} ms_plot;

/* All plots in the order they are drawn.  Static. */
const ms_plot *ms_plots(int *out_n);

/* Whether the run has nothing that this plot could show, and why, in one line without the plot's name. */
bool ms_plot_lacks(const ms_plot *plot, const ms_plot_data *data, char *why, size_t size);

/* Of the picture, in pixels (of a PDF: in units of 1/96 inch). */
void ms_plot_size(const ms_plot *plot, const ms_plot_data *data, int *out_width, int *out_height);

/* Draws one plot into `folder` (ms_picture_draw).  MS_INVALID: also when ms_plot_lacks says so. */
ms_status ms_plot_draw(const ms_plot *plot, const ms_plot_data *data, unsigned formats, const char *folder);

#ifdef __cplusplus
}
#endif

#endif
