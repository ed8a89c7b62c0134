/* muonscope tracker describe [KEY] */
#include <stdbool.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options/suggest.h"
#include "platform/output.h"
#include "tracker/metrics.h"

static const ms_command describe_command = {
    "tracker describe",
    "[KEY]",
    "Says what a key of spectra.jsonl, probes.jsonl, metrics.jsonl, spectra/index.jsonl or sigma_max.jsonl is: unit, "
    "formula, when it is null, source; "
    "without KEY all of them, in the order of a line.",
    NULL,
    0,
    1,
    NULL,
    "W0 and W: the matrix [m, n] before and after the update of the line's step; dW = W - W0; s1 >= ... >= sr: its\n"
    "singular values, r = min(m, n); top-5: of the five largest values.  In probes.jsonl a number per head is one of "
    "each\n"
    "query head; C is the width, D the head size, F the feed-forward width."};

static void print(const ms_metric *metric) {
    ms_print_line(stdout, "%s%s%s%s", metric->key, *metric->unit ? " (" : "", metric->unit, *metric->unit ? ")" : "");
    ms_print_line(stdout, "    %s%s", metric->kind == MS_METRIC_LIST ? "array: " : "", metric->text);
    if (*metric->null_when) ms_print_line(stdout, "    null: %s", metric->null_when);
    if (*metric->source) ms_print_line(stdout, "    source: %s", metric->source);
}

/* The keys of one file, or the one of this name; whether there are any. */
static bool print_file(const ms_metric_file *file, const char *key, bool is_first) {
    bool found = false;
    for (size_t i = 0; i < file->n_keys; i++) {
        if (key && strcmp(file->keys[i].key, key) != 0) continue;
        if (!found && !is_first) putchar('\n');
        if (!found) ms_print_line(stdout, "%s:", file->name);
        print(&file->keys[i]);
        found = true;
    }
    return found;
}

static ms_status describe(int argc, char **argv) {
    ms_positionals keys;
    MS_TRY(ms_options_parse(&describe_command, argc, argv, NULL, &keys));
    if (keys.help) {
        ms_command_help(&describe_command);
        return MS_OK;
    }
    size_t n;
    const ms_metric_file *files = ms_metric_files(&n);
    const char *key = keys.n_items > 0 ? keys.items[0] : NULL;
    bool found = false;
    for (size_t i = 0; i < n; i++) found |= print_file(&files[i], key, !found);
    if (found) return MS_OK;
    ms_suggestion suggestion;
    ms_suggestion_init(key, &suggestion);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < files[i].n_keys; j++) ms_suggestion_offer(&suggestion, files[i].keys[j].key);
    const char *best = ms_suggestion_best(&suggestion);
    return best ? MS_FAIL(MS_USAGE, "no file of a run has the key '%s'; did you mean '%s'?", key, best)
                : MS_FAIL(MS_USAGE, "no file of a run has the key '%s'; 'muonscope tracker describe' lists all", key);
}

const ms_command *const ms_commands_tracker[] = {&describe_command, NULL};

int ms_cmd_tracker(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (ms_option_is_help(what)) return ms_command_help(&describe_command);
    if (strcmp(what, "describe") != 0) return ms_exit_status(MS_FAIL(MS_USAGE, "tracker '%s': must be describe", what));
    return ms_exit_status(describe(argc - 1, argv + 1));
}
