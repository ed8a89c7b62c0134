/* The least time that ops could take at the limits that were measured on this device: what times are set beside. */
#ifndef MS_CLI_BENCH_FLOOR_H
#define MS_CLI_BENCH_FLOOR_H

#include "train/trainer.h"

/* 0: not measured. */
typedef struct ms_bench_limits {
    double f32, bf16; /* FLOP/s of matmuls of f32 and of bf16 factors */
    double bytes;     /* a second */
} ms_bench_limits;

/* Whether all factors of a node's products are bf16. */
bool ms_bench_has_bf16_factors(const ms_graph *graph, const ms_node *node);

/* The longer of a node's products at the limit of their dtype and of its operands, each read or written once, at that
   of memory: caches, other arithmetic and launches do not count, so small ops can be below it.  Seconds. */
double ms_bench_node_floor(const ms_bench_limits *limits, const ms_graph *graph, const ms_node *node);

/* Of a step, by op. */
void ms_bench_step_floors(const ms_bench_limits *limits, const ms_trainer *trainer, double out_seconds[MS_OP_COUNT]);

#endif
