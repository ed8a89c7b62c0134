#include "platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} caught[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}};
enum { N_SIGNALS = sizeof caught / sizeof *caught };

static struct sigaction previous[N_SIGNALS];
static bool installed[N_SIGNALS];
static int depth;           /* of nested pairs of catch and release; main thread only */
static atomic_int received; /* lock-free, hence safe in a handler */
static atomic_bool is_silent;

/* A handler may call write(2), but not printf. */
static void say_that_it_waits(void) {
    static const char text[] =
        "\nmuonscope: warning: stopping already: what has been begun is finished and saved first "
        "(SIGQUIT or SIGKILL would lose it)\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* the terminal may be gone */
}

static void note(int number) {
    int none = 0, error = errno;
    if (!atomic_compare_exchange_strong(&received, &none, number) && !atomic_load(&is_silent)) say_that_it_waits();
    errno = error;
}

static void restore(void) {
    for (int i = 0; i < N_SIGNALS; i++) {
        if (installed[i]) sigaction(caught[i].number, &previous[i], NULL);
        installed[i] = false;
    }
}

static ms_status install(int i) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (int j = 0; j < N_SIGNALS; j++) sigaddset(&action.sa_mask, caught[j].number);
    if (sigaction(caught[i].number, NULL, &previous[i]) != 0)
        return MS_FAIL(MS_INTERNAL, "cannot read the action of %s: %s", caught[i].name, strerror(errno));
    if (previous[i].sa_handler == SIG_IGN) return MS_OK;
    if (sigaction(caught[i].number, &action, NULL) != 0)
        return MS_FAIL(MS_INTERNAL, "cannot catch %s: %s", caught[i].name, strerror(errno));
    installed[i] = true;
    return MS_OK;
}

ms_status ms_signals_catch(void) {
    if (depth > 0) {
        depth++;
        return MS_OK;
    }
    atomic_store(&received, 0);
    for (int i = 0; i < N_SIGNALS; i++) {
        ms_status status = install(i);
        if (status == MS_OK) continue;
        restore();
        return status;
    }
    depth = 1;
    return MS_OK;
}

void ms_signals_release(void) {
    if (depth == 0 || --depth > 0) return;
    restore();
    atomic_store(&received, 0);
}

int ms_signals_received(void) { return atomic_load(&received); }

void ms_signals_adopt(int number) {
    int none = 0;
    if (number > 0) atomic_compare_exchange_strong(&received, &none, number);
}

void ms_signals_silence(void) { atomic_store(&is_silent, true); }

ms_status ms_signals_check(const char *what) {
    int number = ms_signals_received();
    return number ? MS_FAIL(MS_INTERRUPTED, "%s: %s was stopped", ms_signal_name(number), what) : MS_OK;
}

const char *ms_signal_name(int number) {
    for (int i = 0; i < N_SIGNALS; i++)
        if (caught[i].number == number) return caught[i].name;
    return "signal";
}
