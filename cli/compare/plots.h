/* Pictures of a comparison.  Thread-safe on distinct folders. */
#ifndef MS_CLI_COMPARE_PLOTS_H
#define MS_CLI_COMPARE_PLOTS_H

#include "cli/compare/runs.h"
#include "tracker/compare/group_plot.h"

/* Draws each metric of the set into `folder`, which is made where it is missing, as PNG and SVG, for paper as PDF too,
   and says what was drawn on `stream`; a metric without points is named on stderr and left out.  Errors of
   ms_group_plot_draw; MS_IO: the folder. */
ms_status ms_compare_draw(const ms_compare_set *set, double confidence, ms_page_style style, const char *folder,
                          FILE *stream);

#endif
