/* Ranks that share a job, as threads of this process, on the built-in data. */
#ifndef MS_TESTS_TRAIN_RANKS_H
#define MS_TESTS_TRAIN_RANKS_H

#include "train/trainer_group.h"

enum { N_STEPS = 3, MOST_RANKS = 4 };

/* A transport that counts what passes through another. */
typedef struct counter {
    ms_transport of;
    int n_exchanges;
    ms_traffic bytes;
    int n_commands;
    int exchanges_before[8]; /* before each command that this rank has waited for, and the bytes */
    ms_traffic bytes_before[8];
    bool spoils;     /* changes a bit of the first large message from rank 0, its weights */
    bool loses_link; /* while gradients of the first round of step 2 are exchanged; of a rank that waits for commands */
} counter;

/* One rank, or a job alone where transport.exchange is NULL: what it is given, then what came of it.  Losses, norms and
   hashes are rank 0's. */
typedef struct rank {
    ms_trainer_options options;
    ms_transport transport;
    const char *shares;
    double timeout; /* to set; 0: none */
    const char *device;
    ms_numerics numerics;
    int64_t fails_at;        /* sequence of the data that is gone; -1: none is */
    int n_steps;             /* at most N_STEPS */
    const char *checkpoints; /* where rank 0 saves at the end, NULL: nowhere; */
    bool resumes;            /* and begins, from the newest */
    ms_status status;
    char message[1024];
    char weights[65], state[65];
    double losses[N_STEPS], norms[N_STEPS];
    ms_norms first_matrix; /* of the last step */
    size_t state_bytes;    /* of the optimizer, on this rank */
    bool is_silent;
    counter counter;            /* what this rank's transport did */
    ms_trainer_traffic traffic; /* what its trainer says that a step does */
} rank;

/* Runs it to its end.  context: a rank; returns NULL. */
void *run_rank(void *context);
/* All ranks at once; ranks [n] is filled before but for the transports.  timeout: seconds. */
void run_ranks(rank *ranks, int n, double timeout);
/* Ranks on the CPU, `exact`, one thread each.  shares: parallel.shares, or NULL. */
void fill(const ms_trainer_options *options, const char *shares, rank *ranks, int n);

/* The preset micro with one sequence a micro-step. */
ms_trainer_options micro(int accumulation);

/* A rank that ended well; two that ended with the same bits; any number of ranks from `least` to `most` that do as one
   process, with one of each optimizer state among them. */
void must(const rank *r);
void expect_same(const rank *a, const rank *b);
void expect_one_hash(const ms_trainer_options *options, int least, int most);
/* Of at least three steps: the last but one sent what the trainer had said. */
void expect_traffic_as_said(const rank *r);

#endif
