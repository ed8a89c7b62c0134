/* GPUs that need not be there: the rows of targets.def, by their makers' figures. */
#ifndef MS_CLI_BENCH_TARGET_H
#define MS_CLI_BENCH_TARGET_H

#include "platform/status.h"

/* As backend/cuda and backend/vulkan compute `fast`: on CUDA matmuls, gram and attention run on the matrix units, in
   bf16 where all factors are bf16, else in TF32; on Vulkan everything runs on the ordinary units. */
typedef enum ms_target_backend { MS_TARGET_CUDA, MS_TARGET_VULKAN } ms_target_backend;

/* A row of targets.def. */
typedef struct ms_bench_target {
    const char *name, *description;
    ms_target_backend backend;
    double f32, tf32, bf16; /* TFLOP/s; 0: what f32 does */
    double bandwidth;       /* GB/s */
    double memory;          /* GB */
    double multiprocessors; /* what has its own shared memory: multiprocessors, compute units, Xe cores */
    double threads;         /* that one of them holds */
    double clock;           /* GHz */
    double warp_matrices;   /* share of tf32 and bf16 that the instructions of single warps (mma) reach */
    const char *source;
} ms_bench_target;

/* By name, case and '-' against '_' aside.  MS_USAGE: unknown or empty, with the nearest name and all of them. */
ms_status ms_bench_target_find(const char *name, const ms_bench_target **out);

#endif
