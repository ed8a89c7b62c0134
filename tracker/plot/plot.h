/* The plots of a run, drawn by gnuplot: for each a script NAME.gp (data included, so that it can be changed and redrawn
   by hand), the same numbers as NAME.csv, and NAME.png, NAME.svg, NAME.pdf as asked. */
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

/* One kind of plot. */
typedef struct ms_plot {
    const char *name; /* file name without its ending */
    ms_plot_source source;
    enum ms_plot_key key; /* of spectra: what it cannot do without */
    bool overlays;        /* it can draw a line for each of several runs */
    void (*write)(ms_page *page, const ms_plot_data *data);
} ms_plot;

/* All plots in the order they are drawn.  Static. */
const ms_plot *ms_plots(int *out_n);

/* Whether the run has nothing that this plot could show, and why, in one line without the plot's name. */
bool ms_plot_lacks(const ms_plot *plot, const ms_plot_data *data, char *why, size_t size);

/* Draws one plot into `folder` (ms_picture_draw); that of several runs is named runs_NAME.  MS_INVALID: also when
   ms_plot_lacks says so, or where several runs are in a plot of one. */
ms_status ms_plot_draw(const ms_plot *plot, const ms_plot_data *data, const ms_picture_options *options,
                       const char *folder);

#ifdef __cplusplus
}
#endif

#endif
