/* Signals that ask a run to stop, as a flag that every long phase reads: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal
   is gone), SIGUSR1 and SIGUSR2 (what batch systems send before a time limit).  The first one sets the flag.  Each
   later one is answered by a line on stderr and changes nothing: what is being finished and saved goes on.  SIGQUIT
   (Ctrl-\) and SIGKILL are left alone: they end the process at once.  SIGPIPE is ignored meanwhile: a reader of
   standard output that is gone is an error of writing. */
#ifndef MS_PLATFORM_SIGNALS_H
#define MS_PLATFORM_SIGNALS_H

#include <stdbool.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Installs the handlers and clears the flag.  May be nested: inside another pair of catch and release nothing happens,
   and a flag that is set stays set.  A signal that was ignored when the process started (nohup, a background job of a
   shell) stays ignored.  MS_INTERNAL: nothing is caught then, and no release is due.  Call from the main thread;
   process-wide. */
ms_status ms_signals_catch(void);
/* The outermost one restores the actions found by ms_signals_catch and clears the flag. */
void ms_signals_release(void);

/* The first signal received since ms_signals_catch, 0 for none.  Thread-safe. */
int ms_signals_received(void);
/* A signal that another process of the same job received: counts here, unless one was received before.  0: nothing.
   Thread-safe. */
void ms_signals_adopt(int number);
/* From here on, to the end of the process, later signals are passed over without a line: another process says it. */
void ms_signals_silence(void);
/* MS_OK, or MS_INTERRUPTED "<signal>: <what> was stopped" when a signal was received: for loops that can end at any
   pass.  Thread-safe. */
ms_status ms_signals_check(const char *what);
/* "SIGINT" and so on; "signal" for one that is not caught here.  Static. */
const char *ms_signal_name(int number);

#ifdef __cplusplus
}
#endif

#endif
