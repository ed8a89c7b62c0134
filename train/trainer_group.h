/* A training job whose work ranks share (train/parallel/group.h).  In `exact` the unit is the micro-step: any rank
   makes the gradients of micro-step i by the `first` graph; each rank gets its part of all of them and adds in the
   order of i, which is what the `next` graph does on one device.  Then it updates its part: sums of squares, which are
   exchanged, the update, and its weights go to all.  In `fast` a rank adds its own micro-steps up, and parts are
   exchanged once a step.

   Rank 0 calls what trainer.h has; the others call ms_trainer_follow.  Internal to train/.  One thread a rank. */
#ifndef MS_TRAIN_TRAINER_GROUP_H
#define MS_TRAIN_TRAINER_GROUP_H

#include "model/checkpoint/named_tensors.h"
#include "platform/background.h"
#include "train/parallel/group.h"
#include "train/parallel/ownership.h"
#include "train/trainer.h"

/* What the time of a rank in a step goes into. */
typedef enum ms_shared_phase {
    MS_PHASE_MICRO_STEPS, /* forward and backward passes, with their batches */
    MS_PHASE_DOWNLOAD,    /* gradients, to the host */
    MS_PHASE_EXCHANGE,    /* of gradients, as far as it is waited for */
    MS_PHASE_ADD,         /* them, in order */
    MS_PHASE_UPLOAD,      /* their sum; after the update the weights of others */
    MS_PHASE_SQUARES,     /* the first half of the update */
    MS_PHASE_UPDATE,      /* the second half, and its weights to the host */
    MS_PHASE_ALL_GATHER,  /* of weights */
    MS_PHASE_SMALL,       /* exchanges of losses, sums of squares and norms */
    MS_PHASE_WAIT,        /* commands and agreements: for the slowest rank */
    MS_SHARED_PHASE_COUNT
} ms_shared_phase;
const char *ms_shared_phase_name(ms_shared_phase phase);

typedef struct ms_trainer_shared {
    ms_group *group; /* borrowed */
    int rank, n_ranks;
    ms_ownership ownership;
    int64_t n_elements; /* of all parameters in a line, as ownership.begin counts them */
    int64_t own;        /* of them, of this rank */
    /* The job as one rank alone would have it, without storage: names and shapes of the whole optimizer state. */
    ms_variables *variables;
    ms_optimizer optimizer;
    size_t *begin_bytes; /* [n_ranks + 1]: ownership.begin, in bytes */
    /* Below: only while the trainer is allocated. */
    float *flat; /* [1, or 2 where exchanges go beside micro-steps][contributions of this rank][n_elements]: gradients
                    of even rounds and of odd ones; the weights after an update */
    ms_background *background; /* exchanges of gradients beside micro-steps; NULL: there are none */
    int i_exchanged;           /* the round whose gradients are exchanged */
    int32_t n_of;              /* its contributions */
    float *received;           /* [contributions of others][own] */
    float *sum;                /* [own] */
    double *losses;            /* [n_ranks][accumulation + 1]: of each micro-step, and whether the update is captured */
    int64_t n_steps;           /* that were begun */
    double *norms;             /* [n_ranks][2 * n_norms] */
    float *squares;            /* [n_ranks][n_norms + n_blocks] */
    const float **of;          /* [contributions]: where each is */
    ms_message *out, *in;      /* [n_ranks], of the present exchange */
    float *maxima; /* [n_ranks + 1][L H], for QK-clip: the largest attention logits of each rank's micro-steps, and of
                      the last one; else NULL */
    double seconds[MS_SHARED_PHASE_COUNT];           /* of all steps but the first, in which drivers compile */
    double processor_seconds[MS_SHARED_PHASE_COUNT]; /* the same, of the thread that calls the trainer */
    double lap, processor_lap;                       /* when the present phase began, by both clocks */
} ms_trainer_shared;

/* For ms_trainer_open: which rank owns what; then the parts of the parameters, for the optimizer.  MS_INVALID: more
   ranks than micro-steps. */
ms_status ms_trainer_shared_create(ms_trainer *trainer);
ms_status ms_trainer_shared_cut(ms_trainer *trainer, ms_optimizer_parameter parameters[MS_MAX_PARAMETERS]);
ms_status ms_trainer_shared_allocate(ms_trainer *trainer);
void ms_trainer_shared_release(ms_trainer *trainer);
void ms_trainer_shared_destroy(ms_trainer *trainer);
/* Forward and backward passes that this rank makes in a step: all, where nothing is shared. */
double ms_trainer_shared_passes(const ms_trainer *trainer);

/* Host memory that this rank will take for exchanges. */
size_t ms_trainer_shared_bytes(const ms_trainer *trainer);

/* The micro-steps of a rank in a round: what it makes between two exchanges of gradients.  Under MS_CONTROL_NOISE there
   are none: each rank draws all gradients. */
typedef struct ms_portion {
    int32_t first, count;
} ms_portion;
/* Rounds of a step: 1 in `fast`. */
int ms_trainer_round_count(const ms_trainer *trainer);
ms_portion ms_trainer_portion(const ms_trainer *trainer, int i_round, int rank);
/* Gradients of a portion that are handed over: each in `exact`, else their sum. */
int32_t ms_trainer_contributions(const ms_trainer *trainer, ms_portion of);
/* Whether the exchange of a round's gradients goes on beside the micro-steps of the next round: of all but the last. */
bool ms_trainer_overlaps(const ms_trainer *trainer);
/* Exchanges of gradients in a round: each rank hands over one of its contributions in each. */
int32_t ms_trainer_round_exchanges(const ms_trainer *trainer, int i_round);

/* Bytes that a rank sends to others, and gets from them. */
typedef struct ms_traffic {
    size_t out, in;
} ms_traffic;
/* What a rank sends in a step, without what is tracked.  Of an opened trainer that shares its work: allocated or
   not, so that a plan can ask a trainer whose group reaches nobody. */
typedef struct ms_trainer_traffic {
    int n_rounds;
    int n_exchanges;      /* of all kinds: in each, all ranks wait for each other */
    ms_traffic gradients; /* of all rounds */
    ms_traffic weights;   /* in one exchange */
    ms_traffic rest;      /* commands, agreements, losses, sums of squares */
} ms_trainer_traffic;
void ms_trainer_shared_traffic(const ms_trainer *trainer, int rank, ms_trainer_traffic *out);
/* Gradients of one round. */
ms_traffic ms_trainer_round_traffic(const ms_trainer *trainer, int i_round, int rank);

/* The parts of a step, called by all ranks.  Errors are those of any rank, the same on all (ms_group_agree). */
ms_status ms_trainer_shared_begin(ms_trainer *trainer);
ms_status ms_trainer_shared_exchange(void *trainer); /* the job of the background */
ms_status ms_trainer_shared_learn(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                                  double *out_loss);
/* In place of learning, where every rank has drawn all gradients.  status: how this one has fared. */
ms_status ms_trainer_shared_drawn(ms_trainer *trainer, ms_status status);
/* status: how this rank has fared since the last exchange.  An error of the update may be this rank's alone: the norms
   are to be told of it. */
ms_status ms_trainer_shared_update(ms_trainer *trainer, ms_program *update, ms_status status);
ms_status ms_trainer_shared_norms(ms_trainer *trainer, ms_status status);
/* All ranks have found the same fault.  Nothing, where nothing is shared. */
void ms_trainer_shared_settle(ms_trainer *trainer);

/* The largest attention logits of a step's micro-steps, for QK-clip; without it, nothing.  How many there are. */
int64_t ms_trainer_maxima_count(const ms_trainer *trainer);
ms_status ms_trainer_maxima_allocate(ms_trainer *trainer);
/* Before the first micro-step; after each, what the device holds; all ranks: the largest of all; to the device. */
void ms_trainer_maxima_begin(ms_trainer *trainer);
ms_status ms_trainer_maxima_note(ms_trainer *trainer);
ms_status ms_trainer_maxima_exchange(ms_trainer *trainer);
ms_status ms_trainer_maxima_upload(ms_trainer *trainer);

/* All gradients of this rank's device, one parameter after the other, to flat [n_elements]. */
ms_status ms_trainer_download_gradients(ms_trainer *trainer, float *flat);
/* All ranks, which have the same weights: in `exact` each makes one micro-step of tokens that are drawn alike, and the
   gradients must be those of rank 0, bit for bit.  No step sees them.  MS_MISMATCH names rank, host and device. */
ms_status ms_trainer_shared_prove(ms_trainer *trainer);

/* Rank 0 gives its weights, and the state of a file (NULL: none), with step, tokens and the data's position, to all.
   Nothing, where nothing is shared. */
ms_status ms_trainer_shared_send(ms_trainer *trainer, const ms_safetensors *state, int64_t position);
/* Rank 0 gets the whole optimizer state.  The caller finishes the list, also after an error. */
ms_status ms_trainer_shared_collect(ms_trainer *trainer, ms_named_tensors *out);

/* What a rank that follows does beside a trainer's steps. */
typedef struct ms_follower {
    ms_step_hooks (*before_step)(void *context, bool with_snapshot);
    void (*after_step)(void *context);
    /* Commands that are not for a trainer. */
    ms_status (*obey)(void *context, ms_group_command command, int64_t argument);
    void *context;
} ms_follower;

/* All weights of an allocated trainer to or from `at`, parameter after parameter: [elements of all parameters]. */
ms_status ms_trainer_move_weights(const ms_trainer *trainer, bool download, float *at);

/* What every rank but 0 does with an allocated trainer: what rank 0 asks for, until it ends.  The source is at position
   0.  follower may be NULL.  Returns how rank 0 ended: its message is not known here. */
ms_status ms_trainer_follow(ms_trainer *trainer, ms_batch_source source, const ms_follower *follower);

/* The next batch into the trainer's buffers.  MS_MISMATCH: its sequences are not as long as the model's. */
ms_status ms_trainer_next_batch(ms_trainer *trainer, ms_batch_source source);
/* One micro-step: gives the batch in the buffers to the device, fetches the next one when another micro-step follows,
   and waits for the loss.  hooks may be NULL. */
ms_status ms_trainer_run_batch(ms_trainer *trainer, ms_batch_source source, bool another_follows, ms_program *program,
                               const ms_step_hooks *hooks, double *out_loss);

#endif
