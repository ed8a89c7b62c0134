/* muonscope report RUN_OR_STUDY */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/report/report.h"
#include "platform/file.h"
#include "platform/output.h"

struct report_arguments {
    const char *out; /* NULL: report.html in the folder */
};

static const ms_option options[] = {{"out", MS_OPTION_STRING, offsetof(struct report_arguments, out), NULL, "FILE",
                                     "Write the page here (default: report.html in the folder)"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "report",
    "RUN_OR_STUDY",
    "Writes the report of a run or a study: one HTML file that needs no network.",
    options,
    1,
    1,
    NULL,
    "Losses, spectra beside chance and noise, attention, change points, warnings, samples, configuration, and "
    "findings\n"
    "in words.  A run that is not finished has a report of what is there.  What the page shows: docs/report.md."};

static ms_status work(const struct report_arguments *arguments, const char *folder) {
    size_t size_bytes;
    char *inside = arguments->out ? NULL : ms_path_join(folder, "report.html");
    const char *out = arguments->out ? arguments->out : inside;
    ms_status status =
        out ? ms_report_write(folder, out, &size_bytes) : MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a path");
    if (status == MS_OK) ms_print_line(stdout, "%s (%.2f MB)", out, 1e-6 * (double)size_bytes);
    free(inside);
    return status;
}

const ms_command *const ms_commands_report[] = {&command, NULL};

int ms_cmd_report(int argc, char **argv) {
    struct report_arguments arguments = {0};
    ms_positionals folder;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &folder);
    if (status == MS_OK && folder.help) return ms_command_help(&command);
    if (status == MS_OK) status = work(&arguments, folder.items[0]);
    return ms_exit_status(status);
}
