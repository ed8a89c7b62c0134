/* What every Check program does: run its suite, and stop at a status that is not MS_OK. */
#ifndef MS_TESTS_SUPPORT_SUITE_H
#define MS_TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stdbool.h>

#include "platform/status.h"

/* Runs the suite, prints what failed, frees it; returns the exit status of main: 0 or 1. */
int ms_suite_run(Suite *suite);

/* Fails the running test with the status and its message unless `status` is MS_OK. */
void ms_must(ms_status status);

/* Fails the running test unless `status` is `expected` and the message holds `part`. */
void ms_expect(ms_status status, ms_status expected, const char *part);

/* full: from now on no file of this process can grow, as on a full disk; else they can again.  No assertion may stand
   in between: Check writes to a file. */
void ms_disk_is_full(bool full);

#endif
