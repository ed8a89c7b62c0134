/* muonscope compare RUN...: groups of runs, paired by seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/compare/plots.h"
#include "cli/compare/print.h"
#include "cli/options/suggest.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "tracker/metrics.h"

struct compare_arguments {
    ms_option_list by, metrics, at;
    const char *baseline, *layers, *projections, *format;
    const char *plots;    /* NULL: none */
    const char *width;    /* of the plots; NULL: pixels of a screen */
    bool no_title;        /* of the plots */
    int64_t step, tokens; /* -1: not given */
    double loss;          /* NaN: not given */
    double smoothing, confidence;
};

static const ms_option options[] = {
    {"by", MS_OPTION_REPEATED, offsetof(struct compare_arguments, by), NULL, "KEY",
     "Group by this configuration key; several: \"a,b\", or several times (default: the one key that differs)"},
    {"baseline", MS_OPTION_STRING, offsetof(struct compare_arguments, baseline), NULL, "VALUE",
     "Compare with this group: its value, or \"value, value\" of several keys (default: that of the first run)"},
    {"metric", MS_OPTION_REPEATED, offsetof(struct compare_arguments, metrics), NULL, "NAME",
     "Compare this metric; may be given several times (default: validation_loss, loss, sigma_max, spectral_entropy)"},
    {"at", MS_OPTION_REPEATED, offsetof(struct compare_arguments, at), NULL, "step|tokens|loss",
     "Compare at the same step, tokens or training loss; may be given several times\n"
     "(default: step and loss, and tokens where runs take unlike numbers of them a step)"},
    {"step", MS_OPTION_COUNT, offsetof(struct compare_arguments, step), NULL, "N",
     "That step (default: the last that all finished runs have made)"},
    {"tokens", MS_OPTION_COUNT, offsetof(struct compare_arguments, tokens), NULL, "N",
     "Those tokens (default: the most that all finished runs have seen)"},
    {"loss", MS_OPTION_FLOAT, offsetof(struct compare_arguments, loss), NULL, "X",
     "That loss (default: the lowest that all finished runs reach)"},
    {"smoothing", MS_OPTION_FLOAT, offsetof(struct compare_arguments, smoothing), NULL, "SHARE",
     "Metrics of every step are means of this share of the shortest finished run's tokens (default: 0.05)"},
    {"confidence", MS_OPTION_FLOAT, offsetof(struct compare_arguments, confidence), NULL, "LEVEL",
     "Of the intervals (default: 0.95)"},
    {"layers", MS_OPTION_STRING, offsetof(struct compare_arguments, layers), NULL, "LIST",
     "Average over these layers: numbers and ranges, e.g. 0,5,18-21"},
    {"projections", MS_OPTION_STRING, offsetof(struct compare_arguments, projections), NULL, "LIST",
     "Average over these projections, e.g. q,v"},
    {"format", MS_OPTION_STRING, offsetof(struct compare_arguments, format), NULL, "text|csv|json",
     "What is printed (default: text)"},
    {"plots", MS_OPTION_STRING, offsetof(struct compare_arguments, plots), NULL, "FOLDER",
     "Draw each metric with gnuplot: means and ranges over seeds, differences with their intervals"},
    {"width", MS_OPTION_STRING, offsetof(struct compare_arguments, width), NULL, "LENGTH",
     "With --plots: draw for paper, so wide (85mm, 3.3in), as PDF too"},
    {"no-title", MS_OPTION_FLAG, offsetof(struct compare_arguments, no_title), NULL, NULL,
     "With --plots: leave the title out"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "compare",
    "RUN...",
    "Compares groups of runs that are paired by seed: differences, t intervals, exact sign-flip tests.",
    options,
    1,
    -1,
    NULL,
    "A metric is a key of metrics.jsonl, spectra.jsonl, probes.jsonl or sigma_max.jsonl (muonscope tracker describe);\n"
    "an entry of an array is written sigma_top[0], and a key that two files have spectra.grad_norm.  The seed is the\n"
    "replicate: a run gives one number, the mean over its layers and projections.  What differs beside the keys and\n"
    "the seed is said.\n"
    "Exit status 1 if a run cannot be used; the others are compared all the same.  Method: docs/compare.md."};

/* --- from arguments to a request --- */

/* Calls `add` for every name of the options, "a,b" being two. */
static ms_status add_names(const ms_option_list *list, ms_compare_request *request,
                           ms_status (*add)(const char *name, ms_compare_request *request)) {
    for (int i = 0; i < list->n_items; i++)
        for (const char *at = list->items[i]; at;) {
            char name[MS_SERIES_NAME_SIZE];
            size_t length = strcspn(at, ",");
            if (length >= sizeof name) return MS_FAIL(MS_USAGE, "'%.40s...' is no name: too long", at);
            memcpy(name, at, length);
            name[length] = '\0';
            MS_TRY(add(name, request));
            at = at[length] == ',' ? at + length + 1 : NULL;
        }
    return MS_OK;
}

static ms_status add_key(const char *name, ms_compare_request *request) {
    const ms_config_key *key = ms_config_find(name);
    char hint[MS_CONFIG_HINT_SIZE];
    if (!key && ms_config_hint(name, "", hint))
        return MS_FAIL(MS_USAGE, "--by: there is no key '%s'; did you mean %s?", name, hint);
    if (!key) return MS_FAIL(MS_USAGE, "--by: there is no key '%s'; see muonscope train --help-config", name);
    if (strcmp(key->full_name, "train.seed") == 0)
        return MS_FAIL(MS_USAGE, "--by train.seed: seeds are what is paired; group by another key");
    if (request->n_by == MS_COMPARE_KEYS) return MS_FAIL(MS_USAGE, "--by: more than %d keys", MS_COMPARE_KEYS);
    request->by[request->n_by++] = key;
    return MS_OK;
}

/* The error of a name that no file has, with the nearest that one has. */
static ms_status suggest_metric(const char *name) {
    size_t n;
    const ms_metric_file *files = ms_metric_files(&n);
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < files[i].n_keys; k++) ms_suggestion_offer(&suggestion, files[i].keys[k].key);
    const char *best = ms_suggestion_best(&suggestion);
    return MS_FAIL(MS_USAGE, "--metric: no file of a run has '%s'%s%s%s", name, best ? "; did you mean '" : "",
                   best ? best : "; muonscope tracker describe lists all", best ? "'?" : "");
}

static ms_status add_metric(const char *name, ms_compare_request *request) {
    if (request->n_metrics == MS_COMPARE_METRICS)
        return MS_FAIL(MS_USAGE, "--metric: more than %d", MS_COMPARE_METRICS);
    ms_status status = ms_series_metric_find(name, &request->metrics[request->n_metrics]);
    if (status == MS_NOT_FOUND) return suggest_metric(name);
    MS_TRY(status);
    request->n_metrics++;
    return MS_OK;
}

static ms_status read_request(const struct compare_arguments *arguments, const ms_positionals *runs,
                              ms_compare_request *out) {
    for (int i = 0; i < runs->n_items; i++) { /* "runs/a/", as a shell completes it */
        char *path = runs->items[i];
        for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = '\0';
    }
    *out = (ms_compare_request){.paths = runs->items,
                                .n_paths = runs->n_items,
                                .baseline = arguments->baseline,
                                .selection = {arguments->layers, arguments->projections},
                                .smoothing = arguments->smoothing};
    if (!(arguments->smoothing >= 0 && arguments->smoothing <= 0.5))
        return MS_FAIL(MS_USAGE, "--smoothing %g: must be 0 to 0.5", arguments->smoothing);
    if (!(arguments->confidence >= 0.5 && arguments->confidence <= 0.9999))
        return MS_FAIL(MS_USAGE, "--confidence %g: must be 0.5 to 0.9999", arguments->confidence);
    static const ms_option_list defaults = {{"validation_loss,loss,sigma_max,spectral_entropy"}, 1};
    out->default_metrics = arguments->metrics.n_items == 0;
    MS_TRY(add_names(&arguments->by, out, add_key));
    return add_names(out->default_metrics ? &defaults : &arguments->metrics, out, add_metric);
}

/* --- where to compare --- */

static ms_status read_places(const struct compare_arguments *arguments, const ms_compared_runs *runs,
                             bool out_wanted[MS_AT_KINDS], double out_places[MS_AT_KINDS]) {
    bool given[MS_AT_KINDS] = {arguments->step >= 0, arguments->tokens >= 0, !isnan(arguments->loss)};
    double places[MS_AT_KINDS] = {(double)arguments->step, (double)arguments->tokens, arguments->loss};
    bool any = false;
    for (int i = 0; i < arguments->at.n_items; i++) {
        int k = 0;
        while (k < MS_AT_KINDS && strcmp(arguments->at.items[i], ms_comparison_at_name(k)) != 0) k++;
        if (k == MS_AT_KINDS)
            return MS_FAIL(MS_USAGE, "--at: '%s' is none of step, tokens, loss", arguments->at.items[i]);
        out_wanted[k] = true;
    }
    for (int k = 0; k < MS_AT_KINDS; k++) {
        out_places[k] = given[k] ? places[k] : ms_comparison_place(runs, (ms_comparison_at)k);
        out_wanted[k] |= given[k];
        any |= out_wanted[k];
    }
    if (any) return MS_OK;
    out_wanted[MS_AT_STEP] = out_wanted[MS_AT_LOSS] = true;
    out_wanted[MS_AT_TOKENS] = ms_comparison_tokens_differ(runs);
    return MS_OK;
}

/* --- the command --- */

typedef ms_status (*printer)(const ms_compare_result *result, FILE *stream);

static ms_status find_printer(const char *format, printer *out) {
    static const struct {
        const char *name;
        printer print;
    } printers[] = {{"text", ms_compare_print_text}, {"csv", ms_compare_print_csv}, {"json", ms_compare_print_json}};
    for (size_t i = 0; i < sizeof printers / sizeof *printers; i++) {
        *out = printers[i].print;
        if (strcmp(printers[i].name, format) == 0) return MS_OK;
    }
    return MS_FAIL(MS_USAGE, "--format: '%s' is none of text, csv, json", format);
}

static ms_status print(const struct compare_arguments *arguments, printer print_result, ms_compare_set *set) {
    bool wanted[MS_AT_KINDS] = {false};
    double places[MS_AT_KINDS];
    ms_comparison comparisons[MS_AT_KINDS];
    ms_compare_result result = {set, comparisons, 0, arguments->confidence};
    ms_compared_runs runs = ms_compare_set_runs(set);
    ms_status status = read_places(arguments, &runs, wanted, places);
    for (int k = 0; k < MS_AT_KINDS && status == MS_OK; k++) {
        if (!wanted[k]) continue;
        status = ms_compare_note_reach(set, (ms_comparison_at)k, places[k]);
        if (isnan(places[k])) continue;
        if (status == MS_OK)
            status = ms_comparison_init(&runs, (ms_comparison_at)k, places[k], arguments->confidence,
                                        &comparisons[result.n]);
        result.n += status == MS_OK;
    }
    if (status == MS_OK) status = print_result(&result, stdout);
    if (status == MS_OK && print_result == ms_compare_print_csv)
        for (size_t i = 0; i < set->notes.n; i++) ms_print_line(stderr, "compare: %s", set->notes.lines[i]);
    for (size_t i = 0; i < result.n; i++) ms_comparison_finish(&comparisons[i]);
    return status;
}

static ms_status work(const struct compare_arguments *arguments, const ms_positionals *runs) {
    ms_compare_request request;
    ms_compare_set set;
    printer print_result;
    ms_page_style style = {.untitled = arguments->no_title};
    if ((arguments->width || arguments->no_title) && !arguments->plots)
        return MS_FAIL(MS_USAGE, "%s: of pictures, which --plots FOLDER draws",
                       arguments->width ? "--width" : "--no-title");
    if (arguments->width) MS_TRY(ms_page_read_width(arguments->width, &style.width_mm));
    MS_TRY(find_printer(arguments->format, &print_result));
    MS_TRY(read_request(arguments, runs, &request));
    MS_TRY(ms_compare_set_init(&request, &set));
    ms_status status = print(arguments, print_result, &set);
    FILE *stream = print_result == ms_compare_print_text ? stdout : stderr; /* CSV and JSON stand alone */
    if (status == MS_OK && arguments->plots)
        status = ms_compare_draw(&set, arguments->confidence, style, arguments->plots, stream);
    if (status == MS_OK && set.n_left_out > 0)
        status = MS_FAIL(MS_INVALID, "compare: %d of %d runs were left out, the first: %s", set.n_left_out,
                         runs->n_items, set.first_left_out);
    ms_compare_set_finish(&set);
    return status;
}

const ms_command *const ms_commands_compare[] = {&command, NULL};

int ms_cmd_compare(int argc, char **argv) {
    (void)unsetenv("GNUTERM"); /* as for plot: gnuplot ends where it names a terminal that is not there */
    struct compare_arguments arguments = {
        .format = "text", .step = -1, .tokens = -1, .loss = NAN, .smoothing = 0.05, .confidence = 0.95};
    ms_positionals runs;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &runs);
    if (status == MS_OK && runs.help) return ms_command_help(&command);
    if (status == MS_OK && arguments.plots)
        status = ms_signals_catch(); /* to the end of the process: what is half drawn is removed first */
    if (status == MS_OK) status = work(&arguments, &runs);
    return ms_exit_status(status);
}
