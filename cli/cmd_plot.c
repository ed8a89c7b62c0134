/* muonscope plot RUN */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options/suggest.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "tracker/phases.h"
#include "tracker/plot/plot.h"

struct plot_arguments {
    ms_option_list only;
    const char *projections, *layers; /* NULL: all */
    ms_option_list formats;
    const char *width; /* NULL: pixels of a screen */
    bool no_title, phases;
};

static const ms_option options[] = {{"only", MS_OPTION_REPEATED, offsetof(struct plot_arguments, only), NULL, "NAME",
                                     "Draw only this plot; may be given several times"},
                                    {"projections", MS_OPTION_STRING, offsetof(struct plot_arguments, projections),
                                     NULL, "LIST", "Show only these projections, e.g. q,v"},
                                    {"layers", MS_OPTION_STRING, offsetof(struct plot_arguments, layers), NULL, "LIST",
                                     "Show only these layers: numbers and ranges, e.g. 0,5,18-21"},
                                    {"format", MS_OPTION_REPEATED, offsetof(struct plot_arguments, formats), NULL,
                                     "png|svg|pdf",
                                     "Draw this format; may be given several times (default png and svg)"},
                                    {"width", MS_OPTION_STRING, offsetof(struct plot_arguments, width), NULL, "LENGTH",
                                     "Draw for paper, so wide: 85mm, 3.3in (50 to 400 mm); text is of 7 to 9 points\n"
                                     "whatever the width, a PNG has 300 pixels an inch"},
                                    {"no-title", MS_OPTION_FLAG, offsetof(struct plot_arguments, no_title), NULL, NULL,
                                     "Leave the title out: a paper has a caption"},
                                    {"phases", MS_OPTION_FLAG, offsetof(struct plot_arguments, phases), NULL, NULL,
                                     "Mark the changes that `muonscope phases` finds, on loss, momentum_alignment, "
                                     "spectral_gap and entropy_heatmap"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "plot",
    "RUN",
    "Draws the plots of a run with gnuplot into RUN/plots.",
    options,
    1,
    1,
    NULL,
    "Plots: loss, loss_by_frequency, spectral_stretching_evolution, norm_heatmap, spectral_norm_vs_depth,\n"
    "singular_spectrum, growth_efficiency, spectral_gap, update_alignment, momentum_alignment, persistence,\n"
    "alignment_heatmap, entropy_heatmap, entropy_l1, entropy_mri, orthogonality_error, update_quality, "
    "update_rank_evolution, "
    "attention_entropy.\n"
    "A plot that the run has no data for is named and left out.  Beside each picture, NAME.gp has its data and draws "
    "it\n"
    "again; NAME.csv has the same numbers as a table."};

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

static const struct {
    const char *ending;
    unsigned bit;
} all_formats[] = {{".png", MS_PLOT_PNG}, {".svg", MS_PLOT_SVG}, {".pdf", MS_PLOT_PDF}};
enum { N_FORMATS = sizeof all_formats / sizeof *all_formats };

static ms_status read_formats(const ms_option_list *list, unsigned *out) {
    *out = list->n_items == 0 ? MS_PLOT_PNG | MS_PLOT_SVG : 0;
    for (int i = 0; i < list->n_items; i++) {
        int k = 0;
        while (k < N_FORMATS && strcmp(list->items[i], all_formats[k].ending + 1) != 0) k++;
        if (k == N_FORMATS) return MS_FAIL(MS_USAGE, "--format: '%s' is none of png, svg, pdf", list->items[i]);
        *out |= all_formats[k].bit;
    }
    return MS_OK;
}

/* "85mm", "8.5cm" or "3.3in". */
static ms_status read_width(const char *text, double *out_mm) {
    static const struct {
        const char *name;
        double mm;
    } units[] = {{"mm", 1}, {"cm", 10}, {"in", 25.4}};
    *out_mm = 0;
    if (!text) return MS_OK;
    char *unit;
    double value = strtod(text, &unit);
    size_t i = 0;
    while (i < sizeof units / sizeof *units && strcmp(unit, units[i].name) != 0) i++;
    if (unit == text || i == sizeof units / sizeof *units)
        return MS_FAIL(MS_USAGE, "--width: '%s' is no length, such as 85mm, 8.5cm or 3.3in", text);
    *out_mm = value * units[i].mm;
    if (!(*out_mm >= MS_PAGE_LEAST_MM && *out_mm <= MS_PAGE_MOST_MM))
        return MS_FAIL(MS_USAGE, "--width %s: must be %dmm to %dmm", text, MS_PAGE_LEAST_MM, MS_PAGE_MOST_MM);
    return MS_OK;
}

/* "runs/mine/plots/loss.png, .svg" */
static void print_drawn(const char *folder, const char *name, unsigned formats) {
    char endings[32] = "";
    for (int k = 0; k < N_FORMATS; k++) {
        if (!(formats & all_formats[k].bit)) continue;
        if (*endings) strcat(endings, ", ");
        strcat(endings, all_formats[k].ending);
    }
    ms_print_line(stdout, "%s/%s%s", folder, name, endings);
}

/* A plot without data does not keep the others from being drawn; one that was asked for by name fails the command. */
static ms_status draw(const struct plot_arguments *arguments, const ms_plot_data *data,
                      const ms_picture_options *picture, const char *folder) {
    int n_plots;
    char why[256];
    const ms_plot *plots = ms_plots(&n_plots);
    MS_TRY(ms_directory_require(folder));
    for (int i = 0; i < n_plots; i++) {
        if (!is_wanted(arguments, plots[i].name)) continue;
        MS_TRY(ms_signals_check("plot"));
        if (arguments->only.n_items == 0 && ms_plot_lacks(&plots[i], data, why, sizeof why)) {
            ms_print_line(stderr, "plot %s: not drawn: %s", plots[i].name, why);
            continue;
        }
        MS_TRY(ms_plot_draw(&plots[i], data, picture, folder));
        print_drawn(folder, plots[i].name, picture->formats);
        MS_TRY(ms_output_flush());
    }
    return MS_OK;
}

static ms_status select_spectra(const struct plot_arguments *arguments, ms_plot_data *data) {
    if (data->n_spectra == 0) { /* layers are chosen of those that the spectra have */
        if (!arguments->projections && !arguments->layers) return MS_OK;
        return MS_FAIL(MS_NOT_FOUND, "--%s: the plots that are asked for show no spectra",
                       arguments->projections ? "projections" : "layers");
    }
    return ms_plot_data_select(data, arguments->layers, arguments->projections);
}

/* Of the whole run, whatever part of it is drawn. */
static ms_status add_changes(const char *metrics, const char *spectra, ms_plot_data *data) {
    ms_phases phases;
    if (!ms_file_exists(spectra))
        return MS_FAIL(MS_NOT_FOUND, "--phases: %s does not exist: train with --track_manifold true", spectra);
    MS_TRY_NOTE(ms_phases_init(metrics, spectra, 0, &phases), "--phases");
    ms_status status = MS_OK;
    for (int i = 0; i < phases.n_series && status == MS_OK; i++) {
        const ms_phase_series *of = &phases.series[i];
        const ms_plot_series series = {of->key, of->projection, of->layer};
        status = ms_plot_data_add_changes(data, &series, of->changes, of->n_changes);
    }
    ms_phases_finish(&phases);
    return status;
}

static ms_status work(const struct plot_arguments *arguments, const char *run) {
    int n_plots;
    const ms_plot *plots = ms_plots(&n_plots);
    bool needs_spectra = false, needs_probes = false;
    ms_picture_options picture = {.style.untitled = arguments->no_title};
    for (int i = 0; i < arguments->only.n_items; i++) MS_TRY(check_name(arguments->only.items[i], plots, n_plots));
    MS_TRY(read_formats(&arguments->formats, &picture.formats));
    MS_TRY(read_width(arguments->width, &picture.style.width_mm));
    for (int i = 0; i < n_plots; i++) {
        if (!is_wanted(arguments, plots[i].name)) continue;
        needs_spectra |= plots[i].source == MS_PLOT_OF_SPECTRA;
        needs_probes |= plots[i].source == MS_PLOT_OF_PROBES;
    }
    if (needs_probes && (arguments->projections || arguments->layers)) needs_spectra = true; /* which have their list */
    if (!ms_is_directory(run)) return MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", run);

    char *metrics = ms_path_join(run, "metrics.jsonl"), *spectra = ms_path_join(run, "spectra.jsonl");
    char *folder = ms_path_join(run, "plots"), *probes = ms_path_join(run, "probes.jsonl");
    ms_plot_data data = {0};
    ms_status status = metrics && spectra && probes && folder ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "plot: paths");
    if (status == MS_OK) {
        needs_spectra = needs_spectra && ms_file_exists(spectra);
        status = ms_plot_data_init(metrics, needs_spectra ? spectra : NULL, &data);
    }
    if (status == MS_OK && needs_probes && ms_file_exists(probes)) status = ms_plot_data_read_probes(&data, probes);
    if (status == MS_OK) status = select_spectra(arguments, &data);
    if (status == MS_OK && arguments->phases) status = add_changes(metrics, spectra, &data);
    if (status == MS_OK) status = draw(arguments, &data, &picture, folder);
    ms_plot_data_finish(&data);
    free(metrics);
    free(spectra);
    free(probes);
    free(folder);
    return status;
}

const ms_command *const ms_commands_plot[] = {&command, NULL};

int ms_cmd_plot(int argc, char **argv) {
    (void)unsetenv("GNUTERM"); /* gnuplot ends where it names a terminal that is not there; ours is in the script */
    struct plot_arguments arguments = {0};
    ms_positionals run;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &run);
    if (status == MS_OK && run.help) return ms_command_help(&command);
    if (status == MS_OK)
        status = ms_signals_catch(); /* to the end of the process: what is half drawn is removed first */
    if (status == MS_OK) status = work(&arguments, run.items[0]);
    return ms_exit_status(status);
}
