#include "cli/compare/plots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/output.h"
#include "tracker/compare/group_plot.h"

static ms_status draw_all(const ms_compare_set *set, ms_group_plot *plot, ms_page_style style, const char *folder,
                          FILE *stream) {
    const bool on_paper = style.width_mm > 0;
    const ms_picture_options options = {MS_PLOT_PNG | MS_PLOT_SVG | (on_paper ? MS_PLOT_PDF : 0), style};
    for (plot->i_metric = 0; plot->i_metric < set->n_metrics; plot->i_metric++) {
        char name[MS_GROUP_PLOT_NAME_SIZE];
        if (!ms_group_plot_has_points(plot->runs, plot->i_metric)) {
            ms_print_line(stderr, "plot of %s: not drawn: no run has two points of it",
                          set->metrics[plot->i_metric].name);
            continue;
        }
        MS_TRY(ms_group_plot_draw(plot, &options, folder, name));
        ms_print_line(stream, "%s/%s.png, .svg%s", folder, name, on_paper ? ", .pdf" : "");
    }
    return MS_OK;
}

ms_status ms_compare_draw(const ms_compare_set *set, double confidence, ms_page_style style, const char *folder,
                          FILE *stream) {
    ms_compared_runs runs = ms_compare_set_runs(set);
    char keys[512] = "";
    ms_compare_join_keys(set->by, set->n_by, keys, sizeof keys);
    const char **labels = calloc((size_t)set->n_groups + 1, sizeof *labels);
    if (!labels) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for labels");
    for (int g = 0; g < set->n_groups; g++) labels[g] = set->labels[g];
    ms_group_plot plot = {.runs = &runs, .labels = labels, .keys = keys, .confidence = confidence};
    ms_status status = ms_directory_create(folder);
    if (status == MS_OK) status = draw_all(set, &plot, style, folder, stream);
    free(labels);
    return status;
}
