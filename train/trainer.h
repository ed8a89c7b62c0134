/* A training job on one device: model, optimizer, storage and the programs of a step.  It knows nothing of run folders
   and command lines.  One thread at a time per device. */
#ifndef MS_TRAIN_TRAINER_H
#define MS_TRAIN_TRAINER_H

#include <stdio.h>

#include "backend/backend.h"
#include "model/checkpoint/checkpoint.h"
#include "model/data/dataset.h"
#include "model/model.h"
#include "model/projections.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/control.h"
#include "train/frequency.h"
#include "train/probe_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_trainer_options {
    ms_model_config model;
    ms_optimizer_config optimizer; /* head_size 0 of muon or normuon: the model's */
    ms_schedule schedule;          /* scales the peak rates of all rules */
    /* What messages and checkpoints call the device, borrowed for the trainer's life; NULL: its name in
       ms_device_list. */
    const char *device_name;
    uint64_t seed;
    uint64_t init_seed;      /* of the initial weights; 0: seed */
    int32_t batch_sequences; /* sequences of one micro-step */
    int32_t accumulation;    /* micro-steps of a step, >= 1 */
    int64_t loss_chunk;      /* 0: MS_LOSS_CHUNK, in `fast` MS_LOSS_CHUNK_FAST; see ms_trainer_loss_chunk */
    /* Sequences of a fixed batch whose activations are handed out (train/probe.h), and tokens of each, from 2 to
       model.sequence_length; 0 sequences: none. */
    int32_t probe_sequences, probe_tokens;
    ms_control control;
    struct ms_group *group;     /* ranks that share the work (train/parallel/group.h), borrowed; NULL: none do */
    uint32_t noise_projections; /* bit i: ms_projection_names[i] gets the noise of an intervention; 0: all do */
} ms_trainer_options;

/* Options to start from: the reference model (vukrosic/muon-llm-research) but for its sizes, which are those of the
   preset `tiny`, with Muon; vocabulary 0, to be set; a constant schedule.  The defaults of the configuration are the
   same. */
ms_trainer_options ms_trainer_defaults(void);

/* Bytes that a job needs on its device, from the plan. */
typedef struct ms_memory_plan {
    size_t parameters, gradients, optimizer_state, other_variables;
    size_t arena;     /* temporaries of the hungriest program */
    size_t workspace; /* scratch of the hungriest op */
    size_t total;
    size_t least; /* variables, and the most temporaries that any program has in use at once */
} ms_memory_plan;

/* Sizes and costs that follow from the options alone. */
typedef struct ms_trainer_facts {
    int64_t parameters;
    int64_t tokens_per_step;
    double model_flops_per_token; /* 3 x the forward pass's contractions: matmuls and visible attention pairs */
    double step_flops;            /* all arithmetic of a step, optimizer included, from the cost model */
    double contraction_flops;     /* of them, those of matmuls and visible attention pairs */
    double step_bytes;            /* read and written at least once */
    int64_t nodes_per_step, active_nodes_per_step; /* active: they must compute or move something */
    ms_memory_plan memory;
} ms_trainer_facts;

typedef struct ms_trainer {
    ms_trainer_options options;
    ms_device *device;    /* borrowed */
    ms_numerics numerics; /* of the device */
    ms_variables *variables;
    ms_model model;
    ms_optimizer optimizer;
    int32_t tokens, targets, loss; /* variables */
    int32_t noise_step;            /* the step that noise is keyed by; only of MS_CONTROL_NOISE */
    int32_t token_losses;          /* the loss of each token of an evaluated batch, [batch * T] */
    ms_graph *first_graph, *next_graph, *update_graph,
        *squares_graph,  /* the first half of an update that ranks share; else NULL */
        *captured_graph, /* the update that shows what the optimizer captures; NULL: it captures nothing */
        *evaluate_graph; /* finished; next_graph NULL without accumulation, under MS_CONTROL_NOISE, and
                            in `exact` where ranks share the work */
    ms_probe_variables probe;
    ms_graph *probe_graph; /* NULL without one */
    ms_trainer_facts facts;
    /* Below: only after ms_trainer_allocate. */
    ms_store *store;
    ms_program *first, *next, *squares, *update, *captured, *evaluate, *probe_program;
    bool wants_snapshot;              /* the next step is one with a snapshot, which ranks that follow are told */
    bool capture_next;                /* the next update is to be the captured one, if there is one; steps reset it */
    struct ms_trainer_shared *shared; /* what ranks share (train/trainer_group.h); NULL: nothing */
    double last_rate;                 /* of the layer matrices, at the last step */
    int32_t *token_buffer, *target_buffer; /* one micro-step, [batch, T] */
    double *norm_buffer; /* [3 * n_norms]: gradient, weight, update sums of squares of the last step */
    int64_t step;        /* steps done */
    int64_t tokens_seen;
} ms_trainer;

/* Tokens whose logits exist at one time, and the dtype of the logits' gradient: f32; in `fast` that of the storage.  Of
   an opened trainer. */
int64_t ms_trainer_loss_chunk(const ms_trainer *trainer);
ms_dtype ms_trainer_loss_gradient(const ms_trainer *trainer);

/* Builds graphs and plans memory on an open device, but allocates no storage.  The caller closes the trainer, before
   the device.  MS_INVALID for contradictory options; MS_UNSUPPORTED names an op that the device lacks. */
ms_status ms_trainer_open(ms_device *device, const ms_trainer_options *options, ms_trainer **out);
/* MS_OUT_OF_MEMORY, with the numbers: the plan is larger than all memory of the device.  Takes nothing, costs nothing:
   before data is read or a peak is measured. */
ms_status ms_trainer_check_memory(const ms_trainer *trainer);
/* Allocates variables and compiles the programs.  MS_OUT_OF_MEMORY names planned bytes: the plan is larger than all
   memory of the device (nothing was taken), or memory ran out; the trainer holds nothing then.  MS_INVALID: it is
   allocated already. */
ms_status ms_trainer_allocate(ms_trainer *trainer);
/* MS_INVALID, with what was wanted (an English noun), when the trainer is not allocated: what steps, evaluation,
   initial weights, hashes and checkpoints begin with. */
ms_status ms_trainer_need_allocated(const ms_trainer *trainer, const char *what);
/* Gives back what ms_trainer_allocate took, weights included, for what comes after training on the same device.  Steps
   done and facts stay. */
void ms_trainer_release(ms_trainer *trainer);
/* Initial weights, in bf16 where optimizer.master is; momenta are zero. */
ms_status ms_trainer_initialise(ms_trainer *trainer);
void ms_trainer_close(ms_trainer *trainer);

/* Where initial weights come from, instead of chance. */
typedef struct ms_weight_source {
    /* Writes the numbers of all parameters, f32, to the tensors' data: names and shapes are those of a checkpoint's
       model.safetensors.  NULL: there is none. */
    ms_status (*fill)(void *context, const ms_model_config *model, const ms_safetensor *tensors, size_t n);
    void *context;
} ms_weight_source;
/* ms_trainer_initialise with those weights.  Needs host memory for a copy.  MS_NUMERIC: one is not finite; names its
   tensor.  Errors of the source. */
ms_status ms_trainer_initialise_from(ms_trainer *trainer, const ms_weight_source *source);

typedef struct ms_step_result {
    double loss;          /* mean over the step's targets; NAN under MS_CONTROL_NOISE, which has none */
    double gradient_norm; /* of all raw gradients */
    double lr;            /* of the layer matrices */
    double adamw_lr;      /* of everything else */
} ms_step_result;

/* Where batches come from: writes tokens and targets [n_sequences, T], target -1 where there is none. */
typedef struct ms_batch_source {
    ms_status (*next)(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets);
    void *context;
    int sequence_length; /* T of what it writes, which must be the model's; 0: it knows the model's */
    /* Leaves n_sequences out.  NULL: where ranks share the work, they are read and dropped. */
    ms_status (*skip)(void *context, int64_t n_sequences);
} ms_batch_source;
/* The sequences of a dataset, from its position on. */
ms_batch_source ms_dataset_source(ms_dataset *dataset);

/* What is called once a step around the work for its last gradients, with the weights still the old ones. */
typedef struct ms_step_hooks {
    /* Before that work is given to the device: to announce what while_working will download.  May be NULL. */
    ms_status (*before_work)(void *context, ms_trainer *trainer);
    /* When the device has been given the work: weights that were announced, or on a device that copies beside its work
       any weights, are downloaded now without costing the step time.  Gradients that are downloaded now are those of
       the whole step. */
    ms_status (*while_working)(void *context, ms_trainer *trainer);
    void *context;
} ms_step_hooks;

/* One step: gradients of all micro-steps, then the update.  hooks may be NULL.  Under MS_CONTROL_NOISE the source is
   not asked, and as many tokens are counted as a step would have seen. MS_INVALID: the trainer is not allocated; noise
   after step MS_NOISE_LAST_STEP.  MS_MISMATCH: the source's sequences are not as long as the model's. MS_NUMERIC
   names the step and the tensor when loss or a gradient is not finite; the trainer must then not be saved. */
ms_status ms_trainer_step(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks, ms_step_result *out);
/* Learning rates that the next step will take, of the layer matrices and of everything else.  Errors of
   ms_optimizer_step_at. */
ms_status ms_trainer_next_rates(const ms_trainer *trainer, double *out_lr, double *out_adamw_lr);
/* Mean loss over n_sequences (rounded up to whole batches).  Errors as above; MS_INTERRUPTED: a signal that
   ms_signals_catch catches came before the last batch. */
ms_status ms_trainer_evaluate(ms_trainer *trainer, ms_batch_source source, int64_t n_sequences, double *out_loss);
/* The same, and adds the loss of every token to `by_frequency`, whose deciles cover the vocabulary.  NULL: none. */
ms_status ms_trainer_evaluate_by_frequency(ms_trainer *trainer, ms_batch_source source, int64_t n_sequences,
                                           ms_frequency_losses *by_frequency, double *out_loss);

/* Runs the probe's graph over tokens [probe_sequences, probe_tokens]: its variables then hold the activations.
   MS_INVALID: there is no probe, or the trainer is not allocated. */
ms_status ms_trainer_run_probe(ms_trainer *trainer, const int32_t *tokens);

/* Frobenius norms of the last step for row group `group` of layer `layer` of parameter i_parameter (groups as in
   ms_parameter; 0, 0 for parameters that are no matrices): raw gradient, weight before the update, applied update. */
typedef struct ms_norms {
    double gradient, weight, update;
} ms_norms;
ms_norms ms_trainer_norms(const ms_trainer *trainer, int i_parameter, int layer, int group);

/* SHA-256 of the parameters and of the optimizer state, in canonical order (model/checkpoint/checkpoint.h:
   ms_tensors_sha256). */
ms_status ms_trainer_hashes(ms_trainer *trainer, char out_weights[65], char out_state[65]);
typedef struct ms_save_request {
    const ms_dataset *dataset;
    const char *config_hash;            /* any text */
    const ms_checkpoint_entry *entries; /* at most MS_MAX_SAVE_ENTRIES, beside the trainer's own */
    size_t n_entries;
    bool folder_exists; /* a folder of checkpoints that is gone is not made again */
} ms_save_request;
enum { MS_MAX_SAVE_ENTRIES = 12 };

/* Writes a checkpoint below the folder `checkpoints`, with the data's position, and gives the hashes of what it holds.
   The folder is made where it is missing, with its parents, unless the request says that it exists.  Needs host memory
   for a copy of parameters and state. MS_INVALID: the trainer is not allocated.  MS_UNSUPPORTED: oracle.  Errors of
   ms_checkpoint_write. */
ms_status ms_trainer_save(ms_trainer *trainer, const char *checkpoints, const ms_save_request *request,
                          char out_weights[65], char out_state[65]);
/* Restores weights, state, step, tokens and the dataset's position.
   MS_MISMATCH: tensors of another model; names the first. */
ms_status ms_trainer_load(ms_trainer *trainer, const ms_checkpoint *checkpoint, ms_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
