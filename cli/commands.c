#include "cli/commands.h"

const ms_subcommand ms_subcommands[] = {
#define X(name, ranks, help) {#name, ms_cmd_##name, ranks, help, ms_commands_##name},
#include "cli/commands.def"
#undef X
    {NULL, NULL, NULL, NULL, NULL}};
