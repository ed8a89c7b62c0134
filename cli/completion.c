#include <string.h>

#include "cli/commands.h"
#include "cli/config/config_request.h"

/* What a key accepts, where that is a list of names. */
static void put_key_values(const ms_config_key *key, FILE *stream) {
    if (key->type == MS_CONFIG_BOOL) fputs("true false", stream);
    for (const char *const *name = key->choices; name && *name; name++) fprintf(stream, "%s ", *name);
}

/* The words after an option: those of its key, or of its argument where that lists them ("fast|exact"); nothing: a file
   name. */
static void put_values(const ms_option *option, FILE *stream) {
    const char *full_name =
        option->handle == ms_config_request_alias ? ms_config_request_full_name(option->name) : NULL;
    if (full_name) put_key_values(ms_config_find(full_name), stream);
    if (option->kind == MS_OPTION_BOOL) fputs("true false", stream);
    if (strchr(option->argument, '|'))
        for (const char *c = option->argument; *c; c++) fputc(*c == '|' ? ' ' : *c, stream);
    if (strcmp(option->name, "preset") == 0)
        for (const ms_preset *preset = ms_presets; preset->name; preset++) fprintf(stream, "%s ", preset->name);
}

static void put_keys(FILE *stream) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    fputs("_muonscope_keys='", stream);
    for (int i = 0; i < n; i++) fprintf(stream, "--%s ", keys[i].full_name);
    fputs("'\n\n# _muonscope_values OPTION: what a configuration key accepts, where that is a list of names.\n"
          "_muonscope_values() {\n    case $1 in\n",
          stream);
    for (int i = 0; i < n; i++) {
        if (keys[i].type != MS_CONFIG_CHOICE && keys[i].type != MS_CONFIG_BOOL) continue;
        fprintf(stream, "    --%s) echo '", keys[i].full_name);
        put_key_values(&keys[i], stream);
        fputs("' ;;\n", stream);
    }
    fputs("    esac\n}\n\n", stream);
}

/* A branch that sets `options`, and `values` and `takes_value` when `previous` is an option with a value. */
static void put_command(const ms_command *command, FILE *stream) {
    fprintf(stream, "    '%s')\n        options='", command->name);
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++)
        fprintf(stream, "--%s ", option->name);
    fprintf(stream, "--help'\n        case $previous in\n");
    for (const ms_option *option = command->options; option && option->kind != MS_OPTION_END; option++) {
        if (option->kind == MS_OPTION_FLAG) continue;
        fprintf(stream, "        --%s) takes_value=1 values='", option->name);
        put_values(option, stream);
        fputs("' ;;\n", stream);
    }
    fputs("        esac\n", stream);
    if (command->dotted)
        fputs("        options=\"$options $_muonscope_keys\"\n"
              "        case $previous in --*.*) takes_value=1 values=$(_muonscope_values \"$previous\") ;; esac\n",
              stream);
    fputs("        ;;\n", stream);
}

/* The second words of a subcommand: "train encode decode". */
static void put_second_words(const ms_subcommand *subcommand, FILE *stream) {
    fprintf(stream, "    %s) second='", subcommand->name);
    for (const ms_command *const *command = subcommand->commands; *command; command++) {
        const char *space = strchr((*command)->name, ' ');
        if (space) fprintf(stream, "%s ", space + 1);
    }
    fputs("' ;;\n", stream);
}

void ms_completion_print(FILE *stream) {
    fputs("# bash completion of muonscope, made by `muonscope --completion`\n", stream);
    put_keys(stream);
    fputs("_muonscope() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} second= options= values= takes_value=\n"
          "    COMPREPLY=()\n"
          "    # The shell makes three words of --name=value.\n"
          "    if [ \"$current\" = = ]; then\n        current=\n"
          "    elif [ \"$previous\" = = ]; then\n        previous=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '",
          stream);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++) fprintf(stream, "%s ", row->name);
    fputs("--help --version --manual --completion' -- \"$current\"))\n        return\n    fi\n    case $command in\n",
          stream);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++) put_second_words(row, stream);
    fputs("    esac\n"
          "    if [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$second\" ] && [[ $current != -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$second\" -- \"$current\"))\n        return\n    fi\n"
          "    case \" $second \" in *\" ${COMP_WORDS[2]} \"*) command=\"$command ${COMP_WORDS[2]}\" ;; esac\n"
          "    case $command in\n",
          stream);
    for (const ms_subcommand *row = ms_subcommands; row->name; row++)
        for (const ms_command *const *command = row->commands; *command; command++) put_command(*command, stream);
    fputs(
        "    esac\n"
        "    if [ -n \"$takes_value\" ]; then\n        COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
        "    elif [[ $current == -* ]]; then\n        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n    fi\n"
        "}\n"
        "complete -o default -F _muonscope muonscope\n",
        stream);
}
