/* A tracker from inside.  Internal to tracker/. */
#ifndef MS_TRACKER_TRACKER_IMPL_H
#define MS_TRACKER_TRACKER_IMPL_H

#include <pthread.h>

#include "platform/thread.h"
#include "tracker/full_spectra.h"
#include "tracker/spectrum.h"
#include "tracker/tracker.h"

/* Numbers that a slot has for each matrix. */
enum {
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...) MS_TRACKER_SLOT_##key,
#include "tracker/metrics.def"
    MS_TRACKER_N_NUMBERS
};

typedef struct ms_tracker_snapshot {
    ms_tracker_slot slot;
    int64_t step, tokens;
    float *weights;       /* the storage of all own matrices: before, after, momentum, orthogonal */
    float **places;       /* [n_kinds * n_own] */
    double *numbers;      /* [MS_TRACKER_N_NUMBERS * tracked.n] */
    ms_spectrum *spectra; /* [tracked.n] */
    double *complete;     /* values of tracker->full; NULL without */
} ms_tracker_snapshot;

/* How a matrix has fared in the snapshot in work. */
typedef struct ms_tracker_outcome {
    ms_status status;
    char message[1024];
} ms_tracker_outcome;

/* A stored matrix of several row groups, each of which is a tracked matrix. */
typedef struct ms_tracker_whole {
    int first, n; /* its matrices */
    int rows;     /* of all of them */
    ms_update_quality quality;
    ms_tracker_outcome outcome;
} ms_tracker_whole;

struct ms_tracker {
    ms_full_spectra *full;    /* NULL: complete spectra are not kept */
    struct ms_watch *watch;   /* borrowed, or NULL */
    ms_tracker_whole *wholes; /* [n_wholes] own ones; none where snapshots have nothing but weights */
    int n_wholes;
    ms_tracked_matrices tracked;
    int *place; /* [tracked.n] of a matrix among those in a snapshot's arrays; -1: it is computed elsewhere */
    int *order; /* [n_own] matrices, largest first */
    int n_own;
    int n_slots, n_threads;
    bool stops_at_signal;
    ms_when_behind when_behind;
    int64_t n_skipped;
    ms_tracker_snapshot *snapshots; /* ring; snapshot i uses entry i % n_slots */
    ms_tracker_snapshot *acquired;  /* entry that the caller is filling, or NULL */
    ms_tracker_outcome *outcomes;   /* [tracked.n], of the snapshot in work */
    ms_last_snapshot last;          /* the background thread's; quiescent after ms_tracker_drain */
    ms_spectrum_scratch **scratch;  /* one per thread */
    ms_pool *pool;
    struct ms_run_log *log; /* NULL: it has no file */
    double lines_seconds;   /* processor time of the background thread for lines; quiescent after ms_tracker_drain */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    /* Snapshots that were submitted; whose own matrices are computed; whose others are known; and that are in the file,
       or where there is none, computed. */
    int64_t n_submitted, n_computed, n_given, n_done;
    bool closing;
    ms_status failed; /* first error of the background thread */
    char failed_message[1024];
};

/* The first error of the background thread.  The mutex is held. */
ms_status ms_tracker_background_status(const ms_tracker *tracker);
/* The background thread of a tracker; NULL. */
void *ms_tracker_background_main(void *tracker);

#endif
