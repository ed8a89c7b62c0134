/* The subcommands and their command lines, from cli/commands.def. */
#ifndef MS_CLI_COMMANDS_H
#define MS_CLI_COMMANDS_H

#include "cli/options/options.h"

/* ms_commands_<name>: every command line of the subcommand ("tokenizer train", "tokenizer encode", ...), NULL after the
   last: what the manual page and the completion are made from. */
#define X(name, ranks, help)                                                                                           \
    int ms_cmd_##name(int argc, char **argv);                                                                          \
    extern const ms_command *const ms_commands_##name[];
#include "cli/commands.def"
#undef X

typedef struct ms_subcommand {
    const char *name; /* NULL after the last */
    int (*run)(int argc, char **argv);
    const char *ranks; /* "*", a first word, or NULL: see commands.def */
    const char *help;
    const ms_command *const *commands;
} ms_subcommand;

extern const ms_subcommand ms_subcommands[];

/* Prints the manual page, as roff for man(1). */
void ms_manual_print(FILE *stream);

/* Prints a bash script that completes subcommands, options, configuration keys and values that are named; everything
   else is completed as a file name. */
void ms_completion_print(FILE *stream);

#endif
