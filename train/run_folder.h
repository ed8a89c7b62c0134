/* A run is a folder:

       config.yaml      the resolved configuration          metrics.jsonl   one line a step
       run.log          messages with time and level        spectra.jsonl   one line per tracked matrix and snapshot
       checkpoints/     saved states                        plots/          drawn by `muonscope plot`
       lock             held by the process that writes the run; left behind empty

   Not thread-safe on one object. */
#ifndef MS_TRAIN_RUN_FOLDER_H
#define MS_TRAIN_RUN_FOLDER_H

#include "cli/config/config.h"
#include "platform/status.h"

/* Paths, all owned by the object. */
typedef struct ms_run_folder {
    char *path;
    char *config;      /* PATH/config.yaml */
    char *log;         /* PATH/run.log */
    char *metrics;     /* PATH/metrics.jsonl */
    char *spectra;     /* PATH/spectra.jsonl */
    char *checkpoints; /* PATH/checkpoints */
    char *plots;       /* PATH/plots */
    int lock;          /* descriptor of PATH/lock, locked with flock(2); -1: none */
} ms_run_folder;

/* Makes a new run folder with its parents and subfolders, locks it and writes config.yaml.  MS_INVALID: it exists and
   is not empty.  MS_IO: cannot be created or written, or another process holds it.  MS_NO_SPACE.  The caller closes
   `out`. */
ms_status ms_run_folder_create(const char *path, const ms_config *config, ms_run_folder *out);

/* Locks an existing run for resuming and reads its config.yaml into `out_config` (which starts from the defaults).
   MS_NOT_FOUND: no such folder, or it has no config.yaml.  MS_IO: not writable, or another process holds it.
   MS_INVALID: config.yaml.  The caller closes `out`. */
ms_status ms_run_folder_resume(const char *path, ms_run_folder *out, ms_config *out_config);

/* Paths of a run that is only read: no lock, nothing is created.  MS_NOT_FOUND.  The caller closes `out`. */
ms_status ms_run_folder_open(const char *path, ms_run_folder *out);

/* Releases the lock and the paths.  A closed one is fine; a zeroed one is not (its lock would be descriptor 0). */
void ms_run_folder_close(ms_run_folder *folder);

#endif
