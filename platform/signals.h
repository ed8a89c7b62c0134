/* Ctrl-C and SIGTERM as a flag that the step loop reads.  The first signal only sets the flag; it also restores the
   default action, so that a second one ends the process at once. */
#ifndef MS_PLATFORM_SIGNALS_H
#define MS_PLATFORM_SIGNALS_H

#include <stdbool.h>

#include "platform/status.h"

/* Installs the handlers for SIGINT and SIGTERM and clears the flag.  A signal that was ignored when the process started
   (nohup, a background job of a shell) stays ignored.  MS_INTERNAL.  Call from the main thread; process-wide. */
ms_status ms_signals_catch(void);
/* Restores the actions found by ms_signals_catch. */
void ms_signals_release(void);

/* The first signal received since ms_signals_catch, 0 for none.  Thread-safe. */
int ms_signals_received(void);
/* "SIGINT", "SIGTERM" or "signal".  Static. */
const char *ms_signal_name(int number);

#endif
