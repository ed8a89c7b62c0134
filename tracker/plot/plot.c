#include "tracker/plot/plot.h"

/* A plot and what it shows. */
struct shown {
    const ms_plot *plot;
    const ms_plot_data *data;
};

static void write_plot(ms_page *page, const void *context) {
    const struct shown *shown = context;
    shown->plot->write(page, shown->data);
}

ms_status ms_plot_draw(const ms_plot *plot, const ms_plot_data *data, const ms_picture_options *options,
                       const char *folder) {
    const struct shown shown = {plot, data};
    char name[96], why[256];
    const ms_picture picture = {name, write_plot, &shown};
    snprintf(name, sizeof name, "%s%s", data->runs ? "runs_" : "", plot->name);
    if (data->runs && !plot->overlays) return MS_FAIL(MS_INVALID, "plot %s: it shows one run", plot->name);
    if (ms_plot_lacks(plot, data, why, sizeof why)) return MS_FAIL(MS_INVALID, "plot %s: %s", plot->name, why);
    return ms_picture_draw(&picture, options, folder);
}
