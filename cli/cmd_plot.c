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
    ms_option_list formats, runs;
    const char *width; /* NULL: pixels of a screen */
    bool no_title, phases;
};

static const ms_option options[] = {
    {"only", MS_OPTION_REPEATED, offsetof(struct plot_arguments, only), NULL, "NAME",
     "Draw only this plot; may be given several times"},
    {"projections", MS_OPTION_STRING, offsetof(struct plot_arguments, projections), NULL, "LIST",
     "Show only these projections, e.g. q,v"},
    {"layers", MS_OPTION_STRING, offsetof(struct plot_arguments, layers), NULL, "LIST",
     "Show only these layers: numbers and ranges, e.g. 0,5,18-21"},
    {"format", MS_OPTION_REPEATED, offsetof(struct plot_arguments, formats), NULL, "png|svg|pdf",
     "Draw this format; may be given several times (default png and svg)"},
    {"runs", MS_OPTION_REPEATED, offsetof(struct plot_arguments, runs), NULL, "RUN",
     "Draw this run too, a line each; may be given several times: loss, the lines over\n"
     "steps as means over the layers, spectral_norm_vs_depth; into RUN/plots/runs_*"},
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
    char why[256], name[96];
    const ms_plot *plots = ms_plots(&n_plots);
    MS_TRY(ms_directory_require(folder));
    for (int i = 0; i < n_plots; i++) {
        if (!is_wanted(arguments, plots[i].name)) continue;
        MS_TRY(ms_signals_check("plot"));
        bool all = arguments->only.n_items == 0;
        if (all && data->runs && !plots[i].overlays) continue;
        if (all && ms_plot_lacks(&plots[i], data, why, sizeof why)) {
            ms_print_line(stderr, "plot %s: not drawn: %s", plots[i].name, why);
            continue;
        }
        MS_TRY(ms_plot_draw(&plots[i], data, picture, folder));
        snprintf(name, sizeof name, "%s%s", data->runs ? "runs_" : "", plots[i].name);
        print_drawn(folder, name, picture->formats);
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

/* What the plots that are asked for need. */
struct needs {
    bool spectra, probes;
};

static ms_status find_needs(const struct plot_arguments *arguments, struct needs *out) {
    int n_plots;
    const ms_plot *plots = ms_plots(&n_plots);
    *out = (struct needs){false, false};
    for (int i = 0; i < arguments->only.n_items; i++) MS_TRY(check_name(arguments->only.items[i], plots, n_plots));
    for (int i = 0; i < n_plots; i++) {
        if (!is_wanted(arguments, plots[i].name)) continue;
        out->spectra |= plots[i].source == MS_PLOT_OF_SPECTRA;
        out->probes |= plots[i].source == MS_PLOT_OF_PROBES;
    }
    if (out->probes && (arguments->projections || arguments->layers)) out->spectra = true; /* which have their list */
    return MS_OK;
}

static ms_status read_files(const struct plot_arguments *arguments, const struct needs *needs, char *const paths[3],
                            ms_plot_data *out) {
    bool has_spectra = needs->spectra && ms_file_exists(paths[1]);
    MS_TRY(ms_plot_data_init(paths[0], has_spectra ? paths[1] : NULL, out));
    if (needs->probes && ms_file_exists(paths[2])) MS_TRY(ms_plot_data_read_probes(out, paths[2]));
    MS_TRY(select_spectra(arguments, out));
    return arguments->phases ? add_changes(paths[0], paths[1], out) : MS_OK;
}

/* `out` is zeroed on failure. */
static ms_status read_run(const struct plot_arguments *arguments, const struct needs *needs, const char *run,
                          ms_plot_data *out) {
    memset(out, 0, sizeof *out);
    if (!ms_is_directory(run)) return MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", run);
    char *paths[] = {ms_path_join(run, "metrics.jsonl"), ms_path_join(run, "spectra.jsonl"),
                     ms_path_join(run, "probes.jsonl")};
    ms_status status = paths[0] && paths[1] && paths[2] ? read_files(arguments, needs, paths, out)
                                                        : MS_FAIL(MS_OUT_OF_MEMORY, "plot: paths");
    for (int i = 0; i < 3; i++) free(paths[i]);
    if (status != MS_OK) ms_plot_data_finish(out);
    return status;
}

enum { MOST_RUNS = 8 }; /* as many colours as can be told apart */

/* The last parts of the paths, or where two are the same all of the paths.  Borrows. */
static void name_runs(const char *const *paths, int n, const char **out) {
    for (int i = 0; i < n; i++) {
        const char *slash = strrchr(paths[i], '/');
        out[i] = slash && slash[1] ? slash + 1 : paths[i];
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(out[i], out[k]) == 0) memcpy(out, paths, (size_t)n * sizeof *out);
}

/* runs: that of the command first.  What is read is freed by the caller. */
static ms_status draw_runs(const struct plot_arguments *arguments, const char *const *paths, int n,
                           const ms_picture_options *picture) {
    struct needs needs;
    ms_plot_data runs[MOST_RUNS], overlay = {0};
    const char *names[MOST_RUNS];
    int n_read = 0;
    MS_TRY(find_needs(arguments, &needs));
    name_runs(paths, n, names);
    ms_status status = MS_OK;
    for (; n_read < n && status == MS_OK; n_read++) {
        status = read_run(arguments, &needs, paths[n_read], &runs[n_read]);
        if (status == MS_OK) ms_json_bad_lines_print(&runs[n_read].bad, stderr);
        if (status != MS_OK && n > 1) status = ms_status_note(status, "--runs: %s", paths[n_read]);
    }
    char *folder = ms_path_join(paths[0], "plots");
    if (status == MS_OK && !folder) status = MS_FAIL(MS_OUT_OF_MEMORY, "plot: paths");
    if (status == MS_OK && n > 1) status = ms_plot_data_overlay(runs, names, n, &overlay);
    if (status == MS_OK) status = draw(arguments, n > 1 ? &overlay : &runs[0], picture, folder);
    ms_plot_data_finish(&overlay);
    for (int i = 0; i < n_read; i++) ms_plot_data_finish(&runs[i]);
    free(folder);
    return status;
}

static ms_status work(const struct plot_arguments *arguments, const char *run) {
    ms_picture_options picture = {.style.untitled = arguments->no_title};
    const char *paths[MOST_RUNS] = {run};
    int n = 1;
    MS_TRY(read_formats(&arguments->formats, &picture.formats));
    if (arguments->width) MS_TRY(ms_page_read_width(arguments->width, &picture.style.width_mm));
    if (arguments->runs.n_items >= MOST_RUNS)
        return MS_FAIL(MS_USAGE, "--runs: %d runs are more than the %d that colours tell apart",
                       1 + arguments->runs.n_items, MOST_RUNS);
    if (arguments->runs.n_items > 0 && arguments->phases)
        return MS_FAIL(MS_USAGE, "--phases: marks are those of one run, without --runs");
    for (int i = 0; i < arguments->runs.n_items; i++) paths[n++] = arguments->runs.items[i];
    return draw_runs(arguments, paths, n, &picture);
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
