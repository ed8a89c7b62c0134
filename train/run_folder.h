/* A run is a folder:

       config.yaml      what the run was asked for          metrics.jsonl   one line a step
       run.log          messages with time and level        spectra.jsonl   one line per tracked matrix and snapshot
       probes.jsonl     one line per layer and snapshot     plots/          drawn by `muonscope plot`
       checkpoints/     saved states                        spectra/        complete spectra, where they are kept
       samples.txt      texts drawn at its ends             tokenizer.json, dataset.json: copies of those of the data
       hashes.jsonl     SHA-256 of every weight, where      csv/            tables of `muonscope export csv`
                        asked for
       sigma_max.jsonl  one line a step, with               report.html     by `muonscope report`
                        tracker.every_step

   The process that writes a run holds a lock on the folder.  No part of it may be a symbolic link: what is written lies
   in the folder.  Not thread-safe on one object. */
#ifndef MS_TRAIN_RUN_FOLDER_H
#define MS_TRAIN_RUN_FOLDER_H

#include <stddef.h>

#include "platform/directory.h"
#include "platform/status.h"

/* Paths, all owned by the object. */
typedef struct ms_run_folder {
    char *path;
    char *config;      /* PATH/config.yaml */
    char *log;         /* PATH/run.log */
    char *metrics;     /* PATH/metrics.jsonl */
    char *spectra;     /* PATH/spectra.jsonl */
    char *probes;      /* PATH/probes.jsonl */
    char *sigma_max;   /* PATH/sigma_max.jsonl */
    char *checkpoints; /* PATH/checkpoints */
    char *plots;       /* PATH/plots */
    char *full;        /* PATH/spectra; made where complete spectra are kept */
    char *full_index;  /* PATH/spectra/index.jsonl */
    char *samples;     /* PATH/samples.txt */
    char *hashes;      /* PATH/hashes.jsonl */
    char *made;        /* the first folder of PATH that ms_run_folder_create made; NULL: PATH was there */
    ms_directory_locked lock;
    int opened_checkpoints; /* descriptor of PATH/checkpoints of a run that is written; -1: none */
} ms_run_folder;

/* MS_INVALID: the name is empty, or it exists and holds anything but what ms_run_folder_create leaves when it is killed
   before config.yaml is there (empty subfolders, a lock, temporary files).  MS_IO: a folder that cannot be read. */
ms_status ms_run_folder_check_new(const char *path);

/* Makes a new run folder with its parents, locks it, and only then looks whether it is empty; makes its subfolders and
   writes config_text into config.yaml.  Errors of ms_run_folder_check_new.  MS_IO: cannot be created or written, or
   another process holds it.  MS_NO_SPACE.  The caller
   closes `out`. */
ms_status ms_run_folder_create(const char *path, const char *config_text, ms_run_folder *out);

/* Locks an existing run for resuming; its options are in out->config.  MS_NOT_FOUND: no such folder, or it has no
   config.yaml.  MS_IO: not writable, or another process holds it.  The caller closes `out`. */
ms_status ms_run_folder_resume(const char *path, ms_run_folder *out);

/* Paths of a run that is only read: no lock, nothing is created.  MS_NOT_FOUND.  The caller closes `out`. */
ms_status ms_run_folder_open(const char *path, ms_run_folder *out);

/* MS_IO: the folder that is locked, or `checkpoints` in it, is no longer at its path: it was removed, renamed or
   replaced, by a link for example.  The message names which. */
ms_status ms_run_folder_check(const ms_run_folder *folder);

/* For a run that could not be started, after `status`: removes what a run writes, then the folders that
   ms_run_folder_create made, as far as nothing else lies in them.  A folder that is no longer at its path is left
   alone. Returns `status`, with its message.  The caller still closes `folder`. */
ms_status ms_run_folder_discard(ms_status status, ms_run_folder *folder);

/* What ms_run_folder_close leaves: no paths, no lock. */
#define MS_RUN_FOLDER_CLOSED ((ms_run_folder){.lock = {-1, -1}, .opened_checkpoints = -1})

/* Releases lock, descriptors and paths.  A closed one is fine; a zeroed one is not (it would have descriptor 0). */
void ms_run_folder_close(ms_run_folder *folder);

#endif
