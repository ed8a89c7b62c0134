/* muonscope <subcommand> ...: finds the subcommand in the table and calls it.  Exit status: 0, 1 for an error, 2 for a
   wrong command line. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/commands.h"
#include "cli/options/suggest.h"
#include "library/version.h"
#include "platform/environment.h"
#include "platform/output.h"
#include "train/parallel/launch.h"

static void print_help(void) {
    printf("muonscope trains small language models with the Muon optimizer and tracks the spectrum of every weight "
           "matrix.\n\nUsage: muonscope <subcommand> [options]\n\nSubcommands:\n");
    for (const ms_subcommand *row = ms_subcommands; row->name; row++) printf("  %-12s%s\n", row->name, row->help);
    printf("\nOptions:\n  --help, -h     Print this text; after a subcommand, its options\n"
           "  --version, -v  Print the version\n"
           "  --manual       Print the manual page, for man -l\n"
           "  --completion   Print the completion for bash: source <(muonscope --completion)\n\nEnvironment:\n");
    for (int i = 0; i < MS_ENVIRONMENT_COUNT; i++) {
        const ms_environment_row *row = ms_environment_get_row((ms_environment)i);
        char name[64];
        snprintf(name, sizeof name, "%s=%s", row->name, row->argument);
        printf("  %-36s%s\n", name, row->help);
    }
}

/* A variable that nothing reads is most likely a misspelt one. */
static void warn_of_unknown_variables(void) {
    char name[128];
    for (int i = 0; ms_environment_unknown(i, name, sizeof name); i++) {
        ms_suggestion suggestion;
        ms_suggestion_init(name, &suggestion);
        for (int j = 0; j < MS_ENVIRONMENT_COUNT; j++)
            ms_suggestion_offer(&suggestion, ms_environment_get_row((ms_environment)j)->name);
        const char *best = ms_suggestion_best(&suggestion);
        ms_print_line(stderr, "muonscope: warning: no variable of muonscope is called %s%s%s", name,
                      best ? "; did you mean " : "", best ? best : "");
    }
}

static int unknown_subcommand(const char *name) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++) ms_suggestion_offer(&suggestion, row->name);
    const char *best = ms_suggestion_best(&suggestion);
    if (best) return ms_exit_status(MS_FAIL(MS_USAGE, "unknown subcommand '%s'; did you mean '%s'?", name, best));
    return ms_exit_status(MS_FAIL(MS_USAGE, "unknown subcommand '%s'; see muonscope --help", name));
}

static bool is_version(const char *word) {
    return strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0 || strcmp(word, "version") == 0;
}

/* What of the subcommand is one of several processes of a launcher, and must not be: its processes would do the same
   work, and write the same files.  Rank 0 says it, the others end with its exit status. */
static ms_status check_alone(const ms_subcommand *row, int argc, char **argv, bool *out_is_silent) {
    ms_launch launch;
    const char *word = row->ranks && argc > 2 ? argv[2] : "";
    *out_is_silent = false;
    for (int i = 2; i < argc; i++)
        if (ms_option_is_help(argv[i])) return MS_OK;
    if (row->ranks && (strcmp(row->ranks, "*") == 0 || strcmp(row->ranks, word) == 0)) return MS_OK;
    ms_status status = ms_launch_find(&launch);
    *out_is_silent = launch.rank > 0;
    if (status != MS_OK || !launch.launcher) return status;
    return MS_FAIL(MS_USAGE,
                   "%s%s%s is work for one process, and %s has started %ld: start it without, or with "
                   "MUONSCOPE_PARALLEL=none, which makes each work for itself",
                   row->name, *word ? " " : "", word, launch.launcher, launch.size);
}

static int run_subcommand(const ms_subcommand *row, int argc, char **argv) {
    bool is_silent;
    ms_status status = check_alone(row, argc, argv, &is_silent);
    if (status == MS_OK) return row->run(argc - 1, argv + 1);
    if (!is_silent) return ms_exit_status(status);
    ms_launch_let_rank_0_speak();
    return 2;
}

static int run(int argc, char **argv) {
    if (argc < 2) return ms_exit_status(MS_FAIL(MS_USAGE, "a subcommand is needed; see muonscope --help"));
    if (ms_option_is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_help();
        return 0;
    }
    if (is_version(argv[1])) {
        printf("muonscope %s\n", ms_version());
        return 0;
    }
    if (strcmp(argv[1], "--manual") == 0) {
        ms_manual_print(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--completion") == 0) {
        ms_completion_print(stdout);
        return 0;
    }
    for (const ms_subcommand *row = ms_subcommands; row->name; row++)
        if (strcmp(argv[1], row->name) == 0) return run_subcommand(row, argc, argv);
    return unknown_subcommand(argv[1]);
}

/* As many open files as the system allows: data may have thousands of shards.  Where it allows too few, what cannot be
   opened says so. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What was printed must have arrived: a script that reads half of it must be told. */
int main(int argc, char **argv) {
    ms_status begun = ms_output_begin();
    if (begun != MS_OK) return ms_exit_status(begun);
    raise_descriptor_limit();
    warn_of_unknown_variables();
    int exit_status = run(argc, argv);
    ms_status written = ms_output_end();
    return exit_status == 0 ? ms_exit_status(written) : exit_status;
}
