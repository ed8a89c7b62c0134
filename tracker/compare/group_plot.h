/* A metric of groups of runs over steps: the mean over seeds and their range, and below it the paired difference to the
   baseline with its t interval, place by place. */
#ifndef MS_TRACKER_COMPARE_GROUP_PLOT_H
#define MS_TRACKER_COMPARE_GROUP_PLOT_H

#include "tracker/compare/comparison.h"
#include "tracker/plot/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_GROUP_PLOT_NAME_SIZE = 128 };

/* All borrowed. */
typedef struct ms_group_plot {
    const ms_compared_runs *runs;
    size_t i_metric;
    const char *const *labels; /* [n_groups] */
    const char *keys;          /* what the labels are values of; "" for one group */
    double confidence;
} ms_group_plot;

/* Whether there is anything to draw: a run that is drawn has two points of the metric. */
bool ms_group_plot_has_points(const ms_compared_runs *runs, size_t i_metric);

/* Draws FOLDER/NAME.gp and the formats that are asked for (ms_picture_draw); NAME is the metric's with other characters
   than letters, digits and _ replaced by _.  Runs that do not reach the last step that all finished ones have made are
   left out, so that no curve jumps where one ends.  x is tokens where runs take unlike numbers of them a step.
   MS_INVALID: ms_group_plot_has_points says no.  MS_OUT_OF_MEMORY; errors of ms_picture_draw. */
ms_status ms_group_plot_draw(const ms_group_plot *plot, const ms_picture_options *options, const char *folder,
                             char out_name[MS_GROUP_PLOT_NAME_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
