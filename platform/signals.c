#include "platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static const int numbers[] = {SIGINT, SIGTERM};
enum { N_SIGNALS = sizeof numbers / sizeof *numbers };

static struct sigaction previous[N_SIGNALS];
static bool installed[N_SIGNALS];
static atomic_int received; /* lock-free, hence safe in a handler */

static void note(int number) {
    int none = 0;
    atomic_compare_exchange_strong(&received, &none, number);
    /* Whichever of the two comes second ends the process. */
    for (int i = 0; i < N_SIGNALS; i++)
        if (installed[i]) signal(numbers[i], SIG_DFL);
}

ms_status ms_signals_catch(void) {
    atomic_store(&received, 0);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_SIGNALS; i++) sigaddset(&action.sa_mask, numbers[i]);
    for (int i = 0; i < N_SIGNALS; i++) {
        struct sigaction found;
        if (sigaction(numbers[i], NULL, &found) != 0)
            return MS_FAIL(MS_INTERNAL, "cannot read the action of %s: %s", ms_signal_name(numbers[i]),
                           strerror(errno));
        if (found.sa_handler == SIG_IGN) continue;
        if (!installed[i]) previous[i] = found;
        installed[i] = true; /* before the handler can run */
        if (sigaction(numbers[i], &action, NULL) != 0)
            return MS_FAIL(MS_INTERNAL, "cannot catch %s: %s", ms_signal_name(numbers[i]), strerror(errno));
    }
    return MS_OK;
}

void ms_signals_release(void) {
    for (int i = 0; i < N_SIGNALS; i++) {
        if (installed[i]) sigaction(numbers[i], &previous[i], NULL);
        installed[i] = false;
    }
}

int ms_signals_received(void) { return atomic_load(&received); }

const char *ms_signal_name(int number) {
    if (number == SIGINT) return "SIGINT";
    if (number == SIGTERM) return "SIGTERM";
    return "signal";
}
