/* muonscope bench model: how long a training step takes at least on a GPU that is not there, from the graph's cost
   model and the peak figures of the GPU's maker.  A bound, not a measurement. */
#ifndef MS_CLI_BENCH_MODEL_H
#define MS_CLI_BENCH_MODEL_H

#include <stdio.h>

#include "cli/config/config.h"
#include "train/trainer.h"

/* As backend/cuda and backend/vulkan compute `fast`: on CUDA matmuls, gram and attention run on the matrix units, in
   bf16 where all factors are bf16, else in TF32; on Vulkan everything runs on the ordinary units. */
typedef enum ms_target_backend { MS_TARGET_CUDA, MS_TARGET_VULKAN } ms_target_backend;

/* A row of bench_targets.def. */
typedef struct ms_bench_target {
    const char *name, *description;
    ms_target_backend backend;
    double f32, tf32, bf16; /* TFLOP/s; 0: what f32 does */
    double bandwidth;       /* GB/s */
    double memory;          /* GB */
    const char *source;
} ms_bench_target;

/* By name, case and '-' against '_' aside.  MS_USAGE: unknown or empty, with the nearest name and all of them. */
ms_status ms_bench_target_find(const char *name, const ms_bench_target **out);

/* A part of a step. */
typedef struct ms_modelled_work {
    int64_t n_nodes;
    int64_t n_kernels; /* nodes, without those that the memory plan leaves nothing to do */
    double flops, bytes;
    double seconds;           /* the sum over nodes of the longest of matrix units, ordinary units and memory */
    double seconds_on_memory; /* the part of nodes for which memory takes longest */
} ms_modelled_work;

typedef struct ms_modelled_step {
    ms_modelled_work total;
    ms_modelled_work update;           /* the optimizer's part of it */
    ms_modelled_work ops[MS_OP_COUNT]; /* by op */
} ms_modelled_step;

/* The step of an opened trainer, whose device does not matter.  MS_OUT_OF_MEMORY.  Thread-safe on distinct trainers. */
ms_status ms_bench_model_step(const ms_trainer *trainer, const ms_bench_target *target, ms_modelled_step *out);

/* Prints the model of a step of config on `target`, with its assumptions, in f32 and in bf16 storage unless config's
   table names one.  launch_us: microseconds added for each kernel.  Errors of ms_bench_target_find and ms_trainer_open;
   MS_INVALID: no vocabulary, a negative launch time.  Not thread-safe. */
ms_status ms_bench_model(const ms_config *config, const char *target, double launch_us, FILE *out);

#endif
