/* Command lines: one static table per subcommand drives both parsing and --help.  Options are long only, written
   `--name value` or `--name=value`; '-' and '_' are the same in a name; an option is given once, unless it is a list;
   `--` ends the options; `-` alone is a positional argument.  --help, or -h, needs no row in the table.

   A subcommand looks like this:

       struct arguments { int64_t vocabulary; const char *out; bool force; };
       static const ms_option options[] = {
           {"vocabulary", MS_OPTION_INT, offsetof(struct arguments, vocabulary), NULL, "N", "Tokens to learn (default
   4096)"},
           {"out", MS_OPTION_STRING, offsetof(struct arguments, out), NULL, "FILE", "Where to write"},
           {"force", MS_OPTION_FLAG, offsetof(struct arguments, force), NULL, NULL, "Overwrite"},
           {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};
       static const ms_command command = {"tokenizer train", "FILE...", "Learns a tokenizer.", options, 1, -1, NULL,
   NULL};

       int ms_cmd_x(int argc, char **argv) {
           struct arguments arguments = {4096, "tokenizer.json", false};
           ms_positionals files;
           ms_status status = ms_options_parse(&command, argc, argv, &arguments, &files);
           if (status == MS_OK && files.help) return ms_command_help(&command);
           if (status == MS_OK) status = work(&arguments, files.items, files.n_items);
           return ms_exit_status(status);
       } */
#ifndef MS_CLI_OPTIONS_OPTIONS_H
#define MS_CLI_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/status.h"

typedef enum ms_option_kind {
    MS_OPTION_END,      /* the row after the last one */
    MS_OPTION_FLAG,     /* bool: true when given; --name=false is also accepted */
    MS_OPTION_BOOL,     /* bool: needs a value, true or false (also yes/no, on/off, 1/0) */
    MS_OPTION_INT,      /* int64_t */
    MS_OPTION_COUNT,    /* int64_t, 0 or more: a negative number can stand for one that is not given */
    MS_OPTION_FLOAT,    /* double */
    MS_OPTION_STRING,   /* const char *, borrowed from argv */
    MS_OPTION_REPEATED, /* ms_option_list */
    MS_OPTION_HANDLER   /* calls `handle` with the value, as often as it is given */
} ms_option_kind;

enum { MS_OPTION_LIST_MAX = 64, MS_OPTIONS_MAX = 64 /* rows of a table */ };

/* Values of a repeated option in the order given. */
typedef struct ms_option_list {
    const char *items[MS_OPTION_LIST_MAX]; /* borrowed from argv */
    int n_items;
} ms_option_list;

/* target: what was passed to ms_options_parse; name: the option without "--", as the user wrote it.  A message it sets
   should name the option. */
typedef ms_status (*ms_option_handler)(void *target, const char *name, const char *value);

typedef struct ms_option {
    const char *name; /* without "--" */
    ms_option_kind kind;
    size_t offset;            /* of the field in the target struct; unused by handlers */
    ms_option_handler handle; /* MS_OPTION_HANDLER only, else NULL */
    const char *argument; /* name of the value in --help, e.g. "N" or "FILE", or all values: "fast|exact"; NULL for a
                             flag */
    const char *help;     /* one sentence; '\n' starts another line */
} ms_option;

typedef struct ms_command {
    const char *name;         /* "train", "tokenizer encode" */
    const char *positionals;  /* shown after the name in the usage line, e.g. "RUN" or "[FILE...]"; NULL: none */
    const char *summary;      /* one or more sentences for --help */
    const ms_option *options; /* ends with MS_OPTION_END; NULL: none */
    int min_positionals;
    int max_positionals; /* -1: any number */
    /* Takes options with a '.' in their name (configuration keys); NULL: they are unknown.  Asked, with value NULL,
       about a name that is no option nor near one: MS_USAGE with keys that may be meant, MS_NOT_FOUND for none. */
    ms_option_handler dotted;
    const char *notes; /* printed after the options by --help; NULL: nothing */
} ms_command;

typedef struct ms_positionals {
    char **items; /* lies in argv, which the parser reorders */
    int n_items;
    bool help; /* --help or -h was given: the rest of the command line was not checked */
} ms_positionals;

/* Words of the reference's programs that are no option of the command are taken as what they mean (reference.h).
   Parses argv[1..argc-1] (argv[0] is the subcommand) into the fields of `target`; fields whose option is absent keep
   their value.  MS_USAGE: unknown option (with the nearest valid one), one that is given twice, missing or malformed
   value, wrong number of positional arguments.  Errors of handlers pass through.  Thread-safe on distinct argv and
   targets. */
ms_status ms_options_parse(const ms_command *command, int argc, char **argv, void *target, ms_positionals *out);

/* Prints usage, summary, options and notes to `stream`. */
void ms_command_print(const ms_command *command, FILE *stream);

/* ms_command_print to stdout; returns the exit status 0. */
int ms_command_help(const ms_command *command);

/* Whether a word asks for help: --help or -h. */
bool ms_option_is_help(const char *word);

/* The process exit status for `status`: 0 for MS_OK, 2 for MS_USAGE, 128 and its number for a signal that was caught,
   else 1.  Unless it is MS_OK, prints the calling
   thread's message to stderr as "muonscope: <message>". */
int ms_exit_status(ms_status status);

/* Whole-string conversions, shared with the configuration.  `what` names the value in the message; `error` is the code
   to fail with (MS_USAGE or MS_INVALID).  A float must be finite, and 0 or
   at least DBL_MIN in magnitude. */
ms_status ms_parse_int(const char *text, const char *what, ms_status error, int64_t *out);
ms_status ms_parse_float(const char *text, const char *what, ms_status error, double *out);
ms_status ms_parse_bool(const char *text, const char *what, ms_status error, bool *out);

/* One warning line on stderr when n_threads that were asked for are more than this process has processors
   (ms_processor_count). */
void ms_warn_of_threads(int64_t n_threads);

#endif
