/* Watches the lines of a run's files for signs that something goes wrong, and warns of each once: loss or gradient
   spike, matrices collapse, layers are dead, nothing is learned.  Rules and thresholds: docs/warnings.md.

   What is said follows from the lines alone, so that it does not depend on timing; a resumed run sees the lines of
   before again, in silence, and says what one that was not killed would say.  The lines of each file come from one
   thread, in their order; the files may have a thread each. */
#ifndef MS_TRACKER_WATCH_H
#define MS_TRACKER_WATCH_H

#include <jansson.h>
#include <stdint.h>

#include "platform/log.h"
#include "platform/status.h"

/* Steps whose median a loss or a gradient is compared with; how many median deviations above it, and how many times
   as large, make a spike. */
enum { MS_WATCH_WINDOW = 50 };
#define MS_WATCH_DEVIATIONS 10.0
#define MS_WATCH_LOSS_RATIO 1.05
#define MS_WATCH_GRADIENT_RATIO 5.0
/* A matrix has collapsed below this share of its first effective rank; or below this share of its first stable rank,
   if that is also below MS_WATCH_STABLE_RANK. */
#define MS_WATCH_RANK_SHARE 0.25
#define MS_WATCH_STABLE_RANK 1.5
/* A layer is dead after so many snapshots on end; near 0: below this share of the median of all matrices. */
enum { MS_WATCH_DEAD_SNAPSHOTS = 3 };
#define MS_WATCH_DEAD_SHARE 1e-6

typedef enum ms_watched_file { MS_WATCH_METRICS, MS_WATCH_SPECTRA, MS_WATCH_PROBES } ms_watched_file;

typedef struct ms_watch ms_watch;

/* n_steps: of the whole run.  logger: borrowed, gets the warnings.  ms_watch_destroy frees; NULL is fine there.
   MS_OUT_OF_MEMORY. */
ms_status ms_watch_create(int64_t n_steps, ms_logger *logger, ms_watch **out);
void ms_watch_destroy(ms_watch *watch);

/* Lines that were written: one of metrics.jsonl, or those of a snapshot.  A key that is null or missing says nothing.
   MS_OUT_OF_MEMORY. */
ms_status ms_watch_lines(ms_watch *watch, ms_watched_file file, const json_t *lines);
/* The lines that a file has, in silence; a missing one has none.  Before any other.  Errors of ms_run_log_visit. */
ms_status ms_watch_replay(ms_watch *watch, ms_watched_file file, const char *path);

/* At the end: how many spikes there were, where there were more than the one that was said. */
void ms_watch_end(const ms_watch *watch);

#endif
