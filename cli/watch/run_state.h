/* Whether a run trains, by what its folder says: the process that writes a run holds a lock on it.  Thread-safe. */
#ifndef MS_CLI_WATCH_RUN_STATE_H
#define MS_CLI_WATCH_RUN_STATE_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_run_state {
    MS_RUN_ABSENT,  /* no folder, or one without config.yaml */
    MS_RUN_TRAINS,  /* a process writes it */
    MS_RUN_STOPPED, /* no process does: it has ended, was stopped or was killed */
} ms_run_state;

ms_run_state ms_run_state_of(const char *folder);

/* A number that changes when one of the files does that the page is made of.  MS_OUT_OF_MEMORY. */
ms_status ms_run_stamp(const char *folder, uint64_t *out);

/* How far it is: the last step of metrics.jsonl, and those that it was to make; -1: not known.  MS_OUT_OF_MEMORY. */
ms_status ms_run_progress(const char *folder, int64_t *out_step, int64_t *out_steps);

/* MS_INVALID: the folder holds something else than a run, or a run that is to begin: another's files, a study. */
ms_status ms_run_folder_suits(const char *folder);

#ifdef __cplusplus
}
#endif

#endif
