/* muonscope <subcommand> ...: finds the subcommand in the table and calls it.  Exit status: 0, 1 for an error, 2 for a
   wrong command line. */
#include <stdio.h>
#include <string.h>

#include "cli/options/options.h"
#include "cli/options/suggest.h"
#include "library/version.h"

#define X(name, help) int ms_cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef X

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct subcommand subcommands[] = {
#define X(name, help) {#name, ms_cmd_##name, help},
#include "cli/commands.def"
#undef X
    {NULL, NULL, NULL}};

static void print_help(void) {
    printf("muonscope trains small language models with the Muon optimizer and tracks the spectrum of every weight "
           "matrix.\n\nUsage: muonscope <subcommand> [options]\n\nSubcommands:\n");
    for (const struct subcommand *row = subcommands; row->name; row++) printf("  %-12s%s\n", row->name, row->help);
    printf("\nOptions:\n  --help      Print this text; after a subcommand, its options\n"
           "  --version   Print the version\n");
}

static int unknown_subcommand(const char *name) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (const struct subcommand *row = subcommands; row->name; row++) ms_suggestion_offer(&suggestion, row->name);
    const char *best = ms_suggestion_best(&suggestion);
    if (best) return ms_exit_status(MS_FAIL(MS_USAGE, "unknown subcommand '%s'; did you mean '%s'?", name, best));
    return ms_exit_status(MS_FAIL(MS_USAGE, "unknown subcommand '%s'; see muonscope --help", name));
}

int main(int argc, char **argv) {
    if (argc < 2) return ms_exit_status(MS_FAIL(MS_USAGE, "a subcommand is needed; see muonscope --help"));
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("muonscope %s\n", ms_version());
        return 0;
    }
    for (const struct subcommand *row = subcommands; row->name; row++)
        if (strcmp(argv[1], row->name) == 0) return row->run(argc - 1, argv + 1);
    return unknown_subcommand(argv[1]);
}
