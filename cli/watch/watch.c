#define _XOPEN_SOURCE 700 /* nice */
#include "cli/watch/watch.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/report/report.h"
#include "cli/watch/run_state.h"
#include "cli/watch/server.h"
#include "platform/clock.h"
#include "platform/loopback.h"
#include "platform/output.h"
#include "platform/shell.h"
#include "platform/signals.h"

/* Seconds between two looks at the files, two data, two signs of life, and for which the last data are kept for those
   who have not fetched them. */
#define LOOK_S 0.2
#define DATA_S 1.0
#define BEAT_S 10.0
#define LAST_S 5.0
/* How many times as long as making data takes nothing is made after it. */
#define REST 20.0

typedef struct watching {
    const char *folder;
    ms_server *server;
    FILE *printed;
    ms_run_state state;
    bool began;           /* it trains, or has trained since watching began */
    uint64_t seen, shown; /* stamps of the files when watching began; of those that the last data are of */
    bool has_data;
    double next_data, next_beat; /* seconds of ms_clock_seconds */
    char complaint[512];         /* what was said of data that could not be made */
} watching;

static void say(watching *at, const char *format, const char *argument) {
    ms_print_line(at->printed, format, argument);
    ms_print_flush(at->printed);
}

/* "runs/a: step 120 of 300" */
static ms_status say_step(watching *at, const char *what) {
    int64_t step, steps;
    MS_TRY(ms_run_progress(at->folder, &step, &steps));
    if (step >= 0 && steps >= 0)
        ms_print_line(at->printed, "%s %s: step %" PRId64 " of %" PRId64, at->folder, what, step, steps);
    else
        ms_print_line(at->printed, "%s %s", at->folder, what);
    ms_print_flush(at->printed);
    return MS_OK;
}

/* ---- data ---- */

/* Data of files that are half written or gone cannot be made: it is said once, and the last ones stay. */
static ms_status make_data(watching *at, bool is_last) {
    char *data = NULL;
    size_t size_bytes = 0;
    uint64_t stamp;
    double begin = ms_clock_thread_seconds();
    MS_TRY(ms_run_stamp(at->folder, &stamp)); /* before: what is written meanwhile is looked at again */
    ms_status status = ms_report_data(at->folder, &data, &size_bytes);
    double rest = REST * (ms_clock_thread_seconds() - begin);
    at->next_data = ms_clock_seconds() + (rest > DATA_S ? rest : DATA_S);
    at->shown = stamp;
    if (status == MS_OUT_OF_MEMORY) return status;
    if (status != MS_OK) {
        if (strcmp(at->complaint, ms_status_message()) != 0) {
            snprintf(at->complaint, sizeof at->complaint, "%s", ms_status_message());
            say(at, "no new data: %s", at->complaint);
        }
        return MS_OK;
    }
    at->has_data = true;
    return ms_server_publish(at->server, data, size_bytes, is_last);
}

/* While somebody reads, and once before anybody does. */
static ms_status refresh(watching *at) {
    uint64_t stamp;
    if (ms_clock_seconds() < at->next_data || (at->has_data && !ms_server_has_readers(at->server))) return MS_OK;
    MS_TRY(ms_run_stamp(at->folder, &stamp));
    return stamp != at->shown ? make_data(at, false) : MS_OK;
}

/* ---- the run ---- */

/* A run that stopped before watching began goes on when its files change. */
static ms_status look(watching *at) {
    uint64_t stamp;
    ms_run_state before = at->state;
    MS_TRY(ms_run_stamp(at->folder, &stamp)); /* first: files that changed, and then no lock, are a run that ended */
    at->state = ms_run_state_of(at->folder);
    bool trains = at->state == MS_RUN_TRAINS;
    bool passed = at->state == MS_RUN_STOPPED && (before == MS_RUN_ABSENT || stamp != at->seen);
    if (!at->began && (trains || passed)) {
        at->began = true;
        if (trains) return say_step(at, "trains");
    }
    return MS_OK;
}

/* The last look of those who read, which takes them a moment. */
static ms_status end(watching *at) {
    const struct timespec pause = {.tv_nsec = 20000000};
    if (at->state == MS_RUN_ABSENT)
        return MS_FAIL(MS_NOT_FOUND, "run folder %s is gone: it was removed, or its start failed", at->folder);
    MS_TRY(make_data(at, true));
    double limit = ms_clock_seconds() + LAST_S;
    while (!ms_server_is_done(at->server) && ms_clock_seconds() < limit) {
        MS_TRY(ms_signals_check("watch"));
        nanosleep(&pause, NULL);
    }
    return say_step(at, "has ended");
}

static ms_status follow(watching *at) {
    const struct timespec pause = {.tv_nsec = (long)(LOOK_S * 1e9)};
    for (;;) {
        MS_TRY(ms_signals_check("watch"));
        MS_TRY(look(at));
        if (at->began && at->state != MS_RUN_TRAINS) return end(at);
        if (at->state != MS_RUN_ABSENT) MS_TRY(refresh(at));
        if (ms_clock_seconds() >= at->next_beat) {
            ms_server_beat(at->server);
            at->next_beat = ms_clock_seconds() + BEAT_S;
        }
        nanosleep(&pause, NULL);
    }
}

/* ---- the beginning ---- */

static void say_address(watching *at, int port) {
    char name[256];
    ms_machine_name(name, sizeof name);
    ms_print_line(at->printed, "http://127.0.0.1:%d/ shows %s; Ctrl-C ends", port, at->folder);
    ms_print_line(at->printed, "from another machine: ssh -L %d:127.0.0.1:%d %s", port, port,
                  ms_shell_quote(name).text);
    if (at->state == MS_RUN_ABSENT) ms_print_line(at->printed, "waiting for %s to begin", at->folder);
    if (at->state == MS_RUN_STOPPED) ms_print_line(at->printed, "waiting for %s to go on", at->folder);
    ms_print_flush(at->printed);
}

static ms_status listen_on(int port, int *out_descriptor, int *out_port) {
    ms_status status = ms_loopback_listen(port, out_descriptor, out_port);
    if (status != MS_IO) return status;
    char message[512];
    snprintf(message, sizeof message, "%s", ms_status_message());
    return MS_FAIL(status, "%s: take another with --port N, or any that is free with --port 0", message);
}

static ms_status serve(watching *at, int port, const char *page) {
    int descriptor, bound;
    MS_TRY(listen_on(port, &descriptor, &bound));
    MS_TRY(ms_server_create(descriptor, bound, page, &at->server));
    ms_status status = at->state == MS_RUN_ABSENT ? MS_OK : make_data(at, false);
    if (status == MS_OK) {
        say_address(at, bound);
        status = follow(at);
    }
    ms_server_destroy(at->server);
    return status;
}

static ms_status check(watching *at) {
    int64_t step, steps;
    MS_TRY(ms_run_folder_suits(at->folder));
    MS_TRY(ms_run_stamp(at->folder, &at->seen));
    at->state = ms_run_state_of(at->folder);
    if (at->state != MS_RUN_STOPPED) return MS_OK;
    MS_TRY(ms_run_progress(at->folder, &step, &steps));
    if (steps < 0 || step < steps) return MS_OK;
    return MS_FAIL(MS_INVALID,
                   "run %s has ended, with step %" PRId64 " of %" PRId64 ": muonscope report %s makes its page",
                   at->folder, step, steps, ms_shell_quote(at->folder).text);
}

ms_status ms_watch_run(const char *folder, int port, FILE *printed) {
    watching at = {.folder = folder, .printed = printed};
    char *page;
    size_t size_bytes;
    MS_TRY(check(&at));
    MS_TRY(ms_report_page(NULL, 0, &page, &size_bytes));
    (void)!nice(19); /* what trains goes first */
    ms_status status = serve(&at, port, page);
    free(page);
    return status;
}
