#include "tracker/plot/plot.h"

/* A plot and what it shows. */
struct shown {
    const ms_plot *plot;
    const ms_plot_data *data;
};

static void write_plot(FILE *script, const void *context) {
    const struct shown *shown = context;
    shown->plot->write(script, shown->data);
}

ms_status ms_plot_draw(const ms_plot *plot, const ms_plot_data *data, unsigned formats, const char *folder) {
    const struct shown shown = {plot, data};
    ms_picture picture = {.name = plot->name, .write = write_plot, .context = &shown};
    char why[256];
    if (ms_plot_lacks(plot, data, why, sizeof why)) return MS_FAIL(MS_INVALID, "plot %s: %s", plot->name, why);
    ms_plot_size(plot, data, &picture.width, &picture.height);
    return ms_picture_draw(&picture, formats, folder);
}
