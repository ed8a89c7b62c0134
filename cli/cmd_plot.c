/* muonscope plot RUN */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options/suggest.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "tracker/plot/plot.h"

struct plot_arguments {
    ms_option_list only;
};

static const ms_option options[] = {{"only", MS_OPTION_REPEATED, offsetof(struct plot_arguments, only), NULL, "NAME",
                                     "Draw only this plot; may be given several times"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "plot",
    "RUN",
    "Draws the plots of a run with gnuplot, as PNG and SVG, into RUN/plots.",
    options,
    1,
    1,
    NULL,
    "Plots: loss, spectral_stretching_evolution, norm_heatmap, spectral_norm_vs_depth, singular_spectrum,\n"
    "spectral_gap, update_alignment, entropy_heatmap, orthogonality_error.  `--only loss` needs no spectra.jsonl."};

static bool is_wanted(const struct plot_arguments *arguments, const char *name) {
    for (int i = 0; i < arguments->only.n_items; i++)
        if (strcmp(arguments->only.items[i], name) == 0) return true;
    return arguments->only.n_items == 0;
}

static ms_status check_name(const char *name, const ms_plot *plots, int n_plots) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (int i = 0; i < n_plots; i++) {
        if (strcmp(plots[i].name, name) == 0) return MS_OK;
        ms_suggestion_offer(&suggestion, plots[i].name);
    }
    const char *best = ms_suggestion_best(&suggestion);
    return best ? MS_FAIL(MS_USAGE, "--only: there is no plot '%s'; did you mean '%s'?", name, best)
                : MS_FAIL(MS_USAGE, "--only: there is no plot '%s'; see muonscope plot --help", name);
}

static ms_status draw(const struct plot_arguments *arguments, const ms_plot_data *data, const char *folder) {
    int n_plots;
    const ms_plot *plots = ms_plots(&n_plots);
    MS_TRY(ms_directory_require(folder));
    for (int i = 0; i < n_plots; i++) {
        if (!is_wanted(arguments, plots[i].name)) continue;
        MS_TRY(ms_plot_draw(&plots[i], data, folder));
        ms_print_line(stdout, "%s/%s.png, .svg", folder, plots[i].name);
        MS_TRY(ms_output_flush());
    }
    return MS_OK;
}

static ms_status work(const struct plot_arguments *arguments, const char *run) {
    int n_plots;
    const ms_plot *plots = ms_plots(&n_plots);
    bool needs_spectra = false;
    for (int i = 0; i < arguments->only.n_items; i++) MS_TRY(check_name(arguments->only.items[i], plots, n_plots));
    for (int i = 0; i < n_plots; i++)
        if (is_wanted(arguments, plots[i].name) && plots[i].needs_spectra) needs_spectra = true;
    if (!ms_is_directory(run)) return MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", run);

    char *metrics = ms_path_join(run, "metrics.jsonl"), *spectra = ms_path_join(run, "spectra.jsonl");
    char *folder = ms_path_join(run, "plots");
    ms_plot_data data = {0};
    ms_status status = metrics && spectra && folder ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "plot: paths");
    if (status == MS_OK && needs_spectra && !ms_file_exists(spectra))
        status = MS_FAIL(MS_NOT_FOUND, "%s does not exist: train with --track_manifold true, or plot with --only loss",
                         spectra);
    if (status == MS_OK) status = ms_plot_data_init(metrics, needs_spectra ? spectra : NULL, &data);
    if (status == MS_OK) status = draw(arguments, &data, folder);
    ms_plot_data_finish(&data);
    free(metrics);
    free(spectra);
    free(folder);
    return status;
}

const ms_command *const ms_commands_plot[] = {&command, NULL};

int ms_cmd_plot(int argc, char **argv) {
    struct plot_arguments arguments = {0};
    ms_positionals run;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &run);
    if (status == MS_OK && run.help) return ms_command_help(&command);
    if (status == MS_OK) status = work(&arguments, run.items[0]);
    return ms_exit_status(status);
}
