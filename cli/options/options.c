#include "cli/options/options.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/reference.h"
#include "cli/options/suggest.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "platform/thread.h"

ms_status ms_parse_int(const char *text, const char *what, ms_status error, int64_t *out) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0') return MS_FAIL(error, "%s: '%s' is not an integer", what, text);
    if (errno == ERANGE) return MS_FAIL(error, "%s: %s does not fit in 64 bits", what, text);
    *out = value;
    return MS_OK;
}

ms_status ms_parse_float(const char *text, const char *what, ms_status error, double *out) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0') return MS_FAIL(error, "%s: '%s' is not a number", what, text);
    if (errno == ERANGE)
        return MS_FAIL(error, "%s: %s does not fit in a double: its magnitude is 0 or %g to %g", what, text, DBL_MIN,
                       DBL_MAX);
    if (!isfinite(value)) return MS_FAIL(error, "%s: %s is not a finite number", what, text);
    *out = value;
    return MS_OK;
}

ms_status ms_parse_bool(const char *text, const char *what, ms_status error, bool *out) {
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"True", true}, {"False", false}, {"yes", true},
                 {"no", false},  {"on", true},     {"off", false}, {"1", true},      {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].text) != 0) continue;
        *out = words[i].value;
        return MS_OK;
    }
    return MS_FAIL(error, "%s: '%s' is not true or false", what, text);
}

/* '-' and '_' are the same; `name` ends at NUL or '='. */
static bool same_name(const char *option, const char *name, size_t length) {
    if (strlen(option) != length) return false;
    for (size_t i = 0; i < length; i++) {
        char a = option[i] == '_' ? '-' : option[i], b = name[i] == '_' ? '-' : name[i];
        if (a != b) return false;
    }
    return true;
}

static const ms_option *find_option(const ms_command *command, const char *name, size_t length) {
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++)
        if (same_name(option->name, name, length)) return option;
    return NULL;
}

static ms_status unknown_option(const ms_command *command, const char *name, void *target) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++)
        ms_suggestion_offer(&suggestion, option->name);
    ms_suggestion_offer(&suggestion, "help");
    const char *best = ms_suggestion_best(&suggestion);
    if (best) return MS_FAIL(MS_USAGE, "%s: unknown option --%s; did you mean --%s?", command->name, name, best);
    if (command->dotted && command->dotted(target, name, NULL) == MS_USAGE)
        return MS_FAIL(MS_USAGE, "%s: %s", command->name, ms_status_message());
    return MS_FAIL(MS_USAGE, "%s: unknown option --%s; see muonscope %s --help", command->name, name, command->name);
}

/* A word of the reference: the option or the key that it means; neither where it is no such word.  MS_USAGE: what to
   use in its place. */
static ms_status find_word(const ms_command *command, const char *name, const ms_option **out_option,
                           const char **out_key) {
    const ms_reference_word *word = ms_reference_find(command->name, name, strlen(name));
    if (!word) return MS_OK;
    if (!word->means)
        return MS_FAIL(MS_USAGE, "%s: --%s of %s: %s", command->name, word->word, word->program, word->use);
    *out_option = find_option(command, word->means, strlen(word->means));
    if (!*out_option) *out_key = word->means;
    return MS_OK;
}

static ms_status store_value(const ms_option *option, const char *name, const char *value, void *target) {
    char *field = (char *)target + option->offset;
    char what[96];
    snprintf(what, sizeof what, "--%s", option->name);
    switch (option->kind) {
    case MS_OPTION_FLAG:
        if (!value) {
            *(bool *)(void *)field = true;
            return MS_OK;
        }
        return ms_parse_bool(value, what, MS_USAGE, (bool *)(void *)field);
    case MS_OPTION_BOOL:
        return ms_parse_bool(value, what, MS_USAGE, (bool *)(void *)field);
    case MS_OPTION_INT:
        return ms_parse_int(value, what, MS_USAGE, (int64_t *)(void *)field);
    case MS_OPTION_COUNT:
        MS_TRY(ms_parse_int(value, what, MS_USAGE, (int64_t *)(void *)field));
        if (*(int64_t *)(void *)field >= 0) return MS_OK;
        return MS_FAIL(MS_USAGE, "%s: %s is negative, must be 0 or more", what, value);
    case MS_OPTION_FLOAT:
        return ms_parse_float(value, what, MS_USAGE, (double *)(void *)field);
    case MS_OPTION_STRING:
        *(const char **)(void *)field = value;
        return MS_OK;
    case MS_OPTION_REPEATED: {
        ms_option_list *list = (ms_option_list *)(void *)field;
        if (list->n_items == MS_OPTION_LIST_MAX)
            return MS_FAIL(MS_USAGE, "%s is given more than %d times", what, MS_OPTION_LIST_MAX);
        list->items[list->n_items++] = value;
        return MS_OK;
    }
    case MS_OPTION_HANDLER:
        return option->handle(target, name, value);
    case MS_OPTION_END:
        break;
    }
    return MS_FAIL(MS_INTERNAL, "%s: option kind %d", what, (int)option->kind);
}

/* Values of the options that were given, by their row: NULL for one that was not. */
struct seen {
    const char *values[MS_OPTIONS_MAX];
};

/* Which of two values somebody meant nobody knows.  Handlers look to that themselves. */
static ms_status check_new(const ms_command *command, const ms_option *option, const char *value, struct seen *seen) {
    if (option->kind == MS_OPTION_REPEATED || option->kind == MS_OPTION_HANDLER) return MS_OK;
    ptrdiff_t row = option - command->options;
    if (row >= MS_OPTIONS_MAX) return MS_FAIL(MS_INTERNAL, "%s: too many options in its table", command->name);
    const char *before = seen->values[row], *now = value ? value : "";
    seen->values[row] = now;
    if (!before) return MS_OK;
    if (!*before && !*now)
        return MS_FAIL(MS_USAGE, "%s: --%s is given twice; leave one out", command->name, option->name);
    return MS_FAIL(MS_USAGE, "%s: --%s is given twice, '%s' and '%s'; leave one out", command->name, option->name,
                   before, now);
}

/* Takes the option argv[*i] ("--..."), and argv[*i + 1] too when it is its value. */
static ms_status take_option(const ms_command *command, int argc, char **argv, int *i, struct seen *seen,
                             void *target) {
    const char *text = argv[*i] + 2;
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    char name[96];
    if (length >= sizeof name) return MS_FAIL(MS_USAGE, "%s: option of %zu bytes is too long", command->name, length);
    memcpy(name, text, length);
    name[length] = '\0';

    const ms_option *option = find_option(command, name, length);
    const char *key = strchr(name, '.') ? name : NULL; /* of the configuration */
    if (!option && !key) MS_TRY(find_word(command, name, &option, &key));
    bool dotted = !option && command->dotted && key;
    if (!option && !dotted) return unknown_option(command, name, target);
    const char *value = equals ? equals + 1 : NULL;
    if (!value && (dotted || option->kind != MS_OPTION_FLAG)) {
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
            return MS_FAIL(MS_USAGE, "%s: --%s needs a value%s%s", command->name, name,
                           option && option->argument ? ": " : "", option && option->argument ? option->argument : "");
        value = argv[++*i];
    }
    if (!dotted) {
        MS_TRY(check_new(command, option, value, seen));
        return store_value(option, name, value, target);
    }
    ms_status status = command->dotted(target, key, value);
    return status != MS_OK && key != name ? ms_status_note(status, "--%s", name) : status;
}

bool ms_option_is_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

static ms_status check_count(const ms_command *command, int n) {
    if (n < command->min_positionals)
        return MS_FAIL(MS_USAGE, "%s: %d argument%s given, at least %d expected: %s", command->name, n,
                       n == 1 ? "" : "s", command->min_positionals, command->positionals ? command->positionals : "");
    return MS_OK;
}

ms_status ms_options_parse(const ms_command *command, int argc, char **argv, void *target, ms_positionals *out) {
    out->items = argv + 1;
    out->n_items = 0;
    out->help = false;
    struct seen seen = {{NULL}};
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        if (!options_ended && ms_option_is_help(argv[i])) {
            out->help = true;
            return MS_OK;
        }
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && strncmp(argv[i], "--", 2) == 0) {
            MS_TRY(take_option(command, argc, argv, &i, &seen, target));
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            return MS_FAIL(MS_USAGE, "%s: unknown option %s: options are long, see muonscope %s --help", command->name,
                           argv[i], command->name);
        } else if (command->max_positionals >= 0 && out->n_items == command->max_positionals) {
            return MS_FAIL(MS_USAGE, "%s: unexpected argument '%s': at most %d expected", command->name, argv[i],
                           command->max_positionals);
        } else {
            /* Positionals gather at the front: their slot is never behind the one being read. */
            char *item = argv[i];
            out->items[out->n_items++] = item;
        }
    }
    return check_count(command, out->n_items);
}

enum { HELP_COLUMN = 30 };

static void print_option(const char *name, const char *argument, const char *help, FILE *stream) {
    int width = fprintf(stream, "  --%s%s%s", name, argument ? " " : "", argument ? argument : "");
    if (width >= HELP_COLUMN) {
        fputc('\n', stream);
        width = 0;
    }
    for (const char *line = help;;) {
        int length = (int)strcspn(line, "\n");
        fprintf(stream, "%*s%.*s\n", HELP_COLUMN - width, "", length, line);
        if (line[length] == '\0') break;
        line += length + 1;
        width = 0;
    }
}

void ms_command_print(const ms_command *command, FILE *stream) {
    fprintf(stream, "Usage: muonscope %s%s%s%s\n\n%s\n\nOptions:\n", command->name,
            command->options && command->options->kind != MS_OPTION_END ? " [options]" : "",
            command->positionals ? " " : "", command->positionals ? command->positionals : "", command->summary);
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++)
        print_option(option->name, option->argument, option->help, stream);
    print_option("help, -h", NULL, "Print this text", stream);
    if (command->notes) fprintf(stream, "\n%s\n", command->notes);
}

int ms_command_help(const ms_command *command) {
    ms_command_print(command, stdout);
    return 0;
}

int ms_exit_status(ms_status status) {
    if (status == MS_OK) return 0;
    const char *message = ms_status_message();
    ms_print_line(stderr, "muonscope: %s", *message ? message : ms_status_text(status));
    int number = ms_signals_received();
    if (status == MS_INTERRUPTED && number > 0) return 128 + number; /* as a shell has it */
    return status == MS_USAGE ? 2 : 1;
}

void ms_warn_of_threads(int64_t n_threads) {
    int n = ms_processor_count();
    if (n_threads > n)
        ms_print_line(
            stderr,
            "muonscope: warning: %lld threads are asked for, the affinity and cgroups of this process leave it %d "
            "processor%s: they wait for each other; --threads %d is faster",
            (long long)n_threads, n, n == 1 ? "" : "s", n);
}
