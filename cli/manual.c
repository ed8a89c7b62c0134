#include <string.h>

#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/options/reference.h"
#include "library/version.h"
#include "platform/environment.h"

/* Text of roff: backslashes and hyphens are escaped, and no line begins with a request.  Ends of lines become
   spaces. */
static void put(const char *text, FILE *stream) {
    for (const char *c = text; *c; c++) {
        if (c == text && (*c == '.' || *c == '\'')) fputs("\\&", stream);
        if (*c == '\\')
            fputs("\\e", stream);
        else if (*c == '-')
            fputs("\\-", stream);
        else
            fputc(*c == '\n' ? ' ' : *c, stream);
    }
}

static void put_line(const char *text, FILE *stream) {
    put(text, stream);
    fputc('\n', stream);
}

/* "name argument" in bold and italic, as the tag of a paragraph. */
static void put_tag(const char *prefix, const char *name, const char *between, const char *argument, FILE *stream) {
    fputs(".TP\n\\fB", stream);
    put(prefix, stream);
    put(name, stream);
    fputs("\\fR", stream);
    if (argument) {
        put(between, stream);
        fputs("\\fI", stream);
        put(argument, stream);
        fputs("\\fR", stream);
    }
    fputc('\n', stream);
}

static void put_command(const ms_command *command, FILE *stream) {
    fputs(".SS muonscope ", stream);
    put(command->name, stream);
    if (command->options && command->options->kind != MS_OPTION_END) fputs(" [options]", stream);
    if (command->positionals) {
        fputc(' ', stream);
        put(command->positionals, stream);
    }
    fputc('\n', stream);
    put_line(command->summary, stream);
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++) {
        put_tag("--", option->name, " ", option->argument, stream);
        put_line(option->help, stream);
    }
    if (command->notes) {
        fputs(".PP\n", stream);
        put_line(command->notes, stream);
    }
}

static void put_keys(FILE *stream) {
    ms_config config;
    ms_config_defaults(&config);
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    for (int i = 0; i < n; i++) {
        const ms_config_key *key = &keys[i];
        char text[MS_CONFIG_STRING_SIZE];
        if (i == 0 || strcmp(key->section, keys[i - 1].section) != 0) {
            fputs(".SS ", stream);
            put_line(key->section, stream);
            put_line(ms_config_section_doc(key->section), stream);
        }
        put_tag("--", key->full_name, "=", ms_config_allowed_text(key, text, sizeof text), stream);
        put(key->doc, stream);
        fputs("\nDefault: ", stream);
        put(ms_config_value_text(&config, key, text, sizeof text), stream);
        fputs(key->resume != MS_CONFIG_FREE ? ".\nA resumed run cannot change it.\n" : ".\n", stream);
    }
}

static void put_reference_words(FILE *stream) {
    fputs(".SH WORDS OF THE REFERENCE\n"
          "Options of the programs of vukrosic/muon\\-llm\\-research, and what they mean here.\n",
          stream);
    for (const ms_reference_word *row = ms_reference_words; row->program; row++) {
        put_tag("--", row->word, "", NULL, stream);
        fprintf(stream, "muonscope %s, from %s: ", row->command, row->program);
        if (row->means) fputs("\\-\\-", stream);
        put_line(row->means ? row->means : row->use, stream);
    }
}

void ms_manual_print(FILE *stream) {
    fprintf(stream, ".TH MUONSCOPE 1 \"\" \"muonscope %s\"\n", ms_version());
    fputs(".SH NAME\n"
          "muonscope \\- trains small language models with Muon and tracks the spectrum of every weight matrix\n"
          ".SH SYNOPSIS\n"
          "\\fBmuonscope\\fR \\fIsubcommand\\fR [options]\n"
          ".SH DESCRIPTION\n"
          "Subcommands:\n",
          stream);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++) {
        put_tag("", row->name, "", NULL, stream);
        put_line(row->help, stream);
    }
    fputs(".PP\nAn option is written\n\\fB\\-\\-name value\\fR\nor\n\\fB\\-\\-name=value\\fR;\n"
          "hyphen and underscore are the same in a name.\n"
          "Each subcommand prints its options with\n\\fB\\-\\-help\\fR.\n"
          ".SH COMMANDS\n",
          stream);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++)
        for (const ms_command *const *command = row->commands; *command; command++) put_command(*command, stream);
    fputs(".SH CONFIGURATION\n"
          "Keys of the commands that build a model, as options or in a YAML file (\\fB\\-\\-config\\fR).\n",
          stream);
    put_keys(stream);
    put_reference_words(stream);
    fputs(".SH ENVIRONMENT\n", stream);
    for (int i = 0; i < MS_ENVIRONMENT_COUNT; i++) {
        const ms_environment_row *row = ms_environment_get_row((ms_environment)i);
        put_tag("", row->name, "=", row->argument, stream);
        put_line(row->help, stream);
    }
    fputs(".SH EXIT STATUS\n0 for success, 1 for an error, 2 for a wrong command line, and 128 plus its number for a "
          "signal that\nstopped a run after all was saved.  An error is one line on standard error.\n",
          stream);
}
