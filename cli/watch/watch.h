/* `muonscope watch`: the page of a run while it trains. */
#ifndef MS_CLI_WATCH_WATCH_H
#define MS_CLI_WATCH_WATCH_H

#include <stdio.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Serves the page of the run in `folder` (cli/report/report.h) on 127.0.0.1, on `port` or, at 0, on any that is free,
   until the run ends or a signal comes (platform/signals.h, caught by the caller).  Waits for a run that has not begun,
   or that was stopped and may be resumed.  Reads the run's files alone; makes the data once for all readers, while
   there are some, when the files have changed, and spends at most a twentieth of the time on it.  printed: where the
   address and what becomes of the run is said. MS_INVALID: the run has made all its steps, or the folder is that of
   something else.  MS_NOT_FOUND: it was removed meanwhile.  MS_IO: the port is in use.  MS_UNSUPPORTED: built without
   libmicrohttpd or Chart.js, or the library is not installed.  MS_INTERRUPTED, MS_OUT_OF_MEMORY. */
ms_status ms_watch_run(const char *folder, int port, FILE *printed);

#ifdef __cplusplus
}
#endif

#endif
