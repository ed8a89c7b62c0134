/* One thread that works beside its caller, one job at a time:

       ms_background_wait(background);        what the last job used is free again
       ... hand over the next job's data ...
       ms_background_start(background); */
#ifndef MS_PLATFORM_BACKGROUND_H
#define MS_PLATFORM_BACKGROUND_H

#include <stdbool.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_background ms_background;
typedef ms_status (*ms_background_job)(void *context);

/* context is borrowed.  MS_OUT_OF_MEMORY: no memory, or no thread. */
ms_status ms_background_create(ms_background_job job, void *context, ms_background **out);

/* Runs the job once; not before the last one has ended.  After an error no job runs any more.  What the caller wrote
   before is seen by the job.  This and what follows: one thread at a time. */
void ms_background_start(ms_background *background);
/* Whether a job is running. */
bool ms_background_is_busy(ms_background *background);
/* Waits for the job, if one runs, and returns the first error of all jobs, with its message; each time. */
ms_status ms_background_wait(ms_background *background);
/* Waits, ends the thread, frees it, and returns what ms_background_wait does.  NULL is fine. */
ms_status ms_background_close(ms_background *background);

#ifdef __cplusplus
}
#endif

#endif
