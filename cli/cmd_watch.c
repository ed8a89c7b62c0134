/* muonscope watch RUN */
#include <string.h>

#include "cli/commands.h"
#include "cli/watch/watch.h"
#include "platform/signals.h"

enum { DEFAULT_PORT = 8417 };

struct watch_arguments {
    int64_t port;
};

static const ms_option options[] = {{"port", MS_OPTION_INT, offsetof(struct watch_arguments, port), NULL, "N",
                                     "Port on 127.0.0.1 (default 8417); 0: any that is free"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "watch",
    "RUN",
    "Shows a run in the browser while it trains: the page of `muonscope report`, live.",
    options,
    1,
    1,
    NULL,
    "Only this machine can reach the page; the printed ssh line brings it to another one.  It reads the run's files\n"
    "alone, so that readers cost the run nothing.  A run that has not begun is waited for.  Ends with the run, or at\n"
    "Ctrl-C: docs/watch.md."};

const ms_command *const ms_commands_watch[] = {&command, NULL};

static ms_status work(int64_t port, char *run) {
    for (size_t n = strlen(run); n > 1 && run[n - 1] == '/'; n--)
        run[n - 1] = '\0'; /* "runs/a/", as a shell completes it */
    if (port < 0 || port > 65535) return MS_FAIL(MS_USAGE, "--port %lld: 0 to 65535 are possible", (long long)port);
    MS_TRY(ms_signals_catch()); /* to the end of the process */
    return ms_watch_run(run, (int)port, stdout);
}

int ms_cmd_watch(int argc, char **argv) {
    struct watch_arguments arguments = {DEFAULT_PORT};
    ms_positionals run;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &run);
    if (status == MS_OK && run.help) return ms_command_help(&command);
    if (status == MS_OK) status = work(arguments.port, run.items[0]);
    return ms_exit_status(status);
}
