/* How long a kernel is expected to take on a target, from what it does: bytes, loads that wait for each other,
   products, arithmetic.  Method, and where every constant comes from: docs/performance.md. */
#ifndef MS_CLI_BENCH_EXPECT_H
#define MS_CLI_BENCH_EXPECT_H

#include <stdbool.h>

#include "cli/bench/target.h"

/* What a kernel waits for. */
typedef enum ms_bench_limit {
    MS_LIMIT_MEMORY,   /* bytes over bandwidth */
    MS_LIMIT_LATENCY,  /* loads that wait for those before them */
    MS_LIMIT_MATRICES, /* products, and what feeds them */
    MS_LIMIT_LANES,    /* other arithmetic */
    MS_LIMIT_COUNT
} ms_bench_limit;
/* Static. */
const char *ms_bench_limit_name(ms_bench_limit limit);

/* What was counted, of a node or of several. */
typedef struct ms_bench_work {
    double launches;
    double bytes;                      /* read and written in the device's memory, with copies and further passes */
    double seconds;                    /* expected, without gaps between launches */
    double seconds_by[MS_LIMIT_COUNT]; /* of it, by what is waited for longest */
} ms_bench_work;

/* Adds `runs` times work to sum. */
void ms_bench_work_add(const ms_bench_work *work, double runs, ms_bench_work *sum);

/* One kernel; or, without launches, a further phase of the one before: phases come one after the other.  0: nothing of
   that. */
typedef struct ms_bench_kernel {
    double launches;
    double bytes;
    double threads;      /* of a launch */
    double resident;     /* threads of it that a multiprocessor holds; 0: as many as it can */
    double rounds;       /* of loads from memory that a thread makes one after the other */
    double matrix_flops; /* by the kernel's own instructions on matrix units */
    bool is_bf16;        /* their factors; else TF32 */
    double shared_bytes; /* read and written in shared memory, or spilled */
    double lanes;        /* ordinary operations: a multiply-add is one */
    double specials;     /* exponentials */
    double warps;        /* of a scheduler, that fill each other's waiting; 0: enough to overlap all units */
} ms_bench_kernel;
void ms_bench_expect_kernel(const ms_bench_target *target, const ms_bench_kernel *kernel, ms_bench_work *work);

/* y = left right^T + c, a stack of them, by tiles; the library on CUDA, our own shader on Vulkan. */
typedef struct ms_bench_product {
    double rows, columns, depth, batch;
    double flop_rate;                               /* FLOP/s that the device reaches in long loops */
    double tile_rows, tile_columns;                 /* either way round */
    double max_split;                               /* pieces of the depth; each is a tile of its own */
    double factor_bytes, result_bytes, added_bytes; /* of a whole matrix stack; added: c */
} ms_bench_product;
void ms_bench_expect_product(const ms_bench_target *target, const ms_bench_product *product, ms_bench_work *work);

/* FLOP/s that long products reach.  is_bf16: both factors are; matrix_units: the library uses them. */
double ms_bench_flop_rate(const ms_bench_target *target, bool is_bf16, bool matrix_units);
/* FLOP/s of multiply-adds on ordinary units that each come with `bytes` of shared memory, with `warps` a scheduler. */
double ms_bench_lane_flop_rate(const ms_bench_target *target, double bytes, double warps);

#endif
