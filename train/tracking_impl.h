/* Tracking from inside: what the files of that name share.  Internal to train/. */
#ifndef MS_TRAIN_TRACKING_IMPL_H
#define MS_TRAIN_TRACKING_IMPL_H

#include "train/growth.h"
#include "train/matrices.h"
#include "train/noise_null.h"
#include "train/parallel/group.h"
#include "train/tracking.h"

/* Of what a rank says about its kernels, with the last 0. */
enum { MS_TRACKING_KERNELS = 64 };

struct ms_tracking {
    ms_trainer *trainer; /* borrowed */
    ms_tracker *tracker;
    ms_step_sigma *steps; /* NULL: no step is followed */
    ms_weight_matrix *matrices;
    ms_store_part *parts; /* [1 + MS_CAPTURE_COUNT][n_own]: the same in the store, then what is captured of each */
    int n_parts;          /* with what is captured */
    ms_norms *maxima;     /* since the last snapshot */
    ms_noise_null noise_null;
    ms_growth growth;
    ms_step_sigma_sums *sums; /* [n_matrices], while a snapshot is handed over */
    double decay_share;       /* of the last step; NaN: not known, or none was made */
    double coming_lr;         /* of layer matrices, of the step whose gradients are made */
    int n_matrices, n_own;    /* all; and those that this rank owns */
    bool want_snapshot;
    ms_tracker_slot *slot;          /* being filled, or NULL */
    int64_t slot_step, slot_tokens; /* of the update that the slot shows; -1: it has not been made */
    bool slot_is_fetched;           /* it lacks only what the followed steps up to its own give */

    /* Where ranks share it (tracking_ranks.c). */
    ms_group *group; /* borrowed; NULL: nothing is shared */
    int rank;
    int *owners;                           /* [n_matrices] rank of each */
    int64_t *n_computed;                   /* [n_ranks] snapshots */
    int64_t n_slots, n_reported, n_handed; /* snapshots: in the ring; that have their numbers; that rank 0 has of all */
    int64_t n_handed_next;                 /* in the exchange in work */
    int64_t n_steps_kept;                  /* since the last one, at most */
    char (*kernels)[MS_TRACKING_KERNELS];  /* [n_ranks] of OpenBLAS */
    char note[300];                        /* where they differ; "": they do not */
    bool skips;                            /* snapshots for which no slot is free */
    int64_t n_skipped;
};

/* Fetches all that is not yet handed to the tracker. */
ms_status ms_tracking_complete(ms_tracking *tracking);
/* Puts what the steps up to a snapshot's gave into its slot; NaN where they are not followed. */
ms_status ms_tracking_report_steps(ms_tracking *tracking, ms_tracker_slot *slot);
ms_status ms_tracking_take_own_first(ms_tracking *tracking);

/* The rank that owns each matrix, [n]. */
void ms_tracking_find_owners(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, int *out);
/* Whether the work of a trainer's tracking is divided. */
bool ms_tracking_is_shared(const ms_trainer *trainer);
/* What has been computed goes to rank 0, which has it written: of at least n_snapshots, and more where all ranks have
   more; -1: of everything that was trained.  Called by rank 0; the others are told. */
ms_status ms_tracking_hand_over(ms_tracking *tracking, int64_t n_snapshots);
/* All ranks: notes which have other kernels than rank 0.  After ms_blas_prepare. */
ms_status ms_tracking_compare_kernels(ms_tracking *tracking);
/* Rank 0 gets what the others compare the next snapshot and step with, or gives it back.  After ms_tracking_drain, and
   before the first step. */
ms_status ms_tracking_collect_state(ms_tracking *tracking);
ms_status ms_tracking_give_state(ms_tracking *tracking);

#endif
