/* Lines of a log that do not go back in steps.  Thread-safe. */
#ifndef MS_TRACKER_RUN_LOG_ORDER_H
#define MS_TRACKER_RUN_LOG_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

/* out_keep [n]: the most of steps [n] of which none is below one before it, of several choices the earlier lines: so
   one foreign line costs no line of the run.  Patience sorting, n ln n (Fredman 1975).  MS_OUT_OF_MEMORY. */
ms_status ms_run_log_order(const int64_t *steps, size_t n, bool *out_keep);

#endif
