/* The probe: what a model does with a few fixed sequences of the validation split, snapshot by snapshot.

   The device runs one forward pass over them and hands out q and k of each layer (as they enter the softmax), the
   residual stream after each layer, and the hidden activations of its feed-forward part; a background thread computes
   their statistics, and the spectra of the products of the attention's matrices, in f64 (tracker/attention.h,
   tracker/activations.h), while training goes on.  Under bf16 storage the values are those of the bf16 tensors.

   A snapshot is one line per layer of probes.jsonl, in the order of the layers, flushed together.  Its keys: step,
   tokens, layer, and those of tracker/probe.def.  The state is the one after the update of `step`; step 0 is the one
   before any.  Each layer is computed by one thread, so that the file does not depend on their number.

   All calls belong to the trainer's thread. */
#ifndef MS_TRAIN_PROBE_H
#define MS_TRAIN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data/dataset.h"
#include "tracker/run_log.h"
#include "tracker/tracker.h"
#include "tracker/watch.h"
#include "train/trainer.h"

typedef struct ms_probe ms_probe;

/* The usual size: sequences, and tokens of each. */
enum { MS_PROBE_SEQUENCES = 4, MS_PROBE_TOKENS = 128 };

typedef struct ms_probe_options {
    const char *path;           /* probes.jsonl */
    int n_threads;              /* that compute; 0: as many as the device has, at least 1 */
    ms_when_behind when_behind; /* when the snapshot before is still in work */
    int64_t resume_after_step;  /* -1: a new file; else drop the lines of later steps (ms_run_log_open) */
    int64_t planned_every;      /* steps between the snapshots up to resume_after_step; 0: not known */
    ms_watch *watch;            /* sees the lines, borrowed; NULL: nobody does */
} ms_probe_options;

/* Host memory of a probe with so many threads (0: as above), for a trainer with a probe graph. */
size_t ms_probe_planned_bytes(const ms_trainer *trainer, int n_threads);

/* Takes the probe's sequences from the beginning of `validation`, which it leaves at its first sequence, opens the file
   and starts the threads.  The trainer has a probe graph (ms_trainer_options.probe_sequences), is allocated, and
   outlives the probe, which the caller closes.  MS_INVALID: the split has fewer sequences; errors of ms_dataset_next
   and ms_run_log_open; MS_OUT_OF_MEMORY. */
ms_status ms_probe_open(ms_trainer *trainer, ms_dataset *validation, const ms_probe_options *options, ms_probe **out);

/* A snapshot of the trainer as it is: runs the graph, fetches what it gives and the attention's matrices, and hands
   them to the background thread.  Any error of that thread, with its message; it stays. */
ms_status ms_probe_take(ms_probe *probe);

/* Waits until every snapshot is in the file: before a checkpoint is written.  Errors of the background thread. */
ms_status ms_probe_drain(ms_probe *probe);

/* What opening the file found (tracker/run_log.h).  Borrowed. */
const ms_run_log_mending *ms_probe_mending(const ms_probe *probe);
/* MS_IO: the file is no longer at its path. */
ms_status ms_probe_check_file(const ms_probe *probe);
/* Snapshots that were not taken, under MS_WHEN_BEHIND_SKIP. */
int64_t ms_probe_n_skipped(const ms_probe *probe);

/* Drains, stops the threads, closes the file; NULL is fine.  The first error of the background thread or of closing the
   file; the probe is gone either way. */
ms_status ms_probe_close(ms_probe *probe);

#endif
