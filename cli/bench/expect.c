#include "cli/bench/expect.h"

#include <math.h>

/* Of the makers' figures: a copy on an H200 reached 4.3 of 4.8 TB/s, and its bf16 products 790 of 989 TFLOP/s.  The
   second is the clock under load too, and so is taken for every unit. */
static const double MEMORY_SHARE = 0.9, UNIT_SHARE = 0.8;
/* From one load to the next that depends on it, through a cache that misses: between the 0.3 that microbenchmarks of
   pointers chases show and the 0.7 under full load. */
static const double LATENCY = 0.45e-6;
/* A multiprocessor reads or writes this much of shared memory, and makes that many exponentials, in one cycle. */
static const double SHARED_BYTES = 128, SPECIALS = 16;
/* One warp alone keeps its units at work for half of the time: each result is waited for by the next instruction. */
static const double LONE_WARP_SHARE = 0.5;

const char *ms_bench_limit_name(ms_bench_limit limit) {
    static const char *const names[MS_LIMIT_COUNT] = {"memory", "latency", "products", "arithmetic"};
    return names[limit];
}

void ms_bench_work_add(const ms_bench_work *work, double runs, ms_bench_work *sum) {
    sum->launches += runs * work->launches;
    sum->bytes += runs * work->bytes;
    sum->seconds += runs * work->seconds;
    for (int i = 0; i < MS_LIMIT_COUNT; i++) sum->seconds_by[i] += runs * work->seconds_by[i];
}

static double larger(double a, double b) { return a > b ? a : b; }

static double memory_seconds(const ms_bench_target *target, double bytes) {
    return bytes / (1e9 * target->bandwidth * MEMORY_SHARE);
}

/* Cycles of all multiprocessors in a second, under load. */
static double cycles(const ms_bench_target *target) {
    return 1e9 * target->clock * target->multiprocessors * UNIT_SHARE;
}

static double lane_rate(const ms_bench_target *target) { return 0.5e12 * target->f32 * UNIT_SHARE; }

double ms_bench_flop_rate(const ms_bench_target *target, bool is_bf16, bool matrix_units) {
    double peak = is_bf16 ? target->bf16 : target->tf32;
    if (!matrix_units || peak <= 0) peak = target->f32;
    return 1e12 * peak * UNIT_SHARE;
}

/* Units that work beside each other, each for so long: with one warp hardly, with many as long as the busiest. */
static double overlapped(const double *seconds, int n, double warps) {
    double most = 0, sum = 0;
    for (int i = 0; i < n; i++) {
        most = larger(most, seconds[i]);
        sum += seconds[i];
    }
    return warps > 0 ? larger(most, sum / (LONE_WARP_SHARE * warps)) : most;
}

double ms_bench_lane_flop_rate(const ms_bench_target *target, double bytes, double warps) {
    const double seconds[] = {1 / lane_rate(target), bytes / (cycles(target) * SHARED_BYTES)};
    return 2 / overlapped(seconds, 2, warps);
}

static void add_seconds(ms_bench_work *work, ms_bench_limit limit, double seconds) {
    work->seconds += seconds;
    work->seconds_by[limit] += seconds;
}

void ms_bench_expect_kernel(const ms_bench_target *target, const ms_bench_kernel *kernel, ms_bench_work *work) {
    double held = kernel->resident > 0 ? kernel->resident : target->threads;
    double waves = larger(1, kernel->threads / (held * target->multiprocessors));
    double by[MS_LIMIT_COUNT] = {[MS_LIMIT_MEMORY] = memory_seconds(target, kernel->bytes),
                                 [MS_LIMIT_LATENCY] = waves * kernel->rounds * LATENCY};
    /* Single warps reach less of the matrix units than the library. */
    double matrix_rate = target->warp_matrices / UNIT_SHARE * ms_bench_flop_rate(target, kernel->is_bf16, true);
    if (target->warp_matrices > UNIT_SHARE) matrix_rate = ms_bench_flop_rate(target, kernel->is_bf16, true);
    const double units[] = {kernel->matrix_flops / matrix_rate, kernel->shared_bytes / (cycles(target) * SHARED_BYTES),
                            kernel->lanes / lane_rate(target), kernel->specials / (cycles(target) * SPECIALS)};
    bool multiplies = kernel->matrix_flops + kernel->shared_bytes > 0;
    by[multiplies ? MS_LIMIT_MATRICES : MS_LIMIT_LANES] = overlapped(units, 4, kernel->warps);
    int longest = 0;
    for (int i = 1; i < MS_LIMIT_COUNT; i++)
        if (by[i] > by[longest]) longest = i;
    double runs = kernel->launches > 0 ? kernel->launches : 1;
    work->launches += kernel->launches;
    work->bytes += runs * kernel->bytes;
    add_seconds(work, (ms_bench_limit)longest, runs * by[longest]);
}

/* Tiles with the depth in `split` pieces: a multiprocessor makes one at a time, its loop first (which begins when the
   first numbers arrive), then its results, which it reads what is added to and writes at its share of bandwidth. */
static double tiled_seconds(const ms_bench_target *target, const ms_bench_product *p, double tile_rows,
                            double tile_columns, double split) {
    double tiles = p->batch * ceil(p->rows / tile_rows) * ceil(p->columns / tile_columns) * split;
    double waves = ceil(tiles / target->multiprocessors);
    double results = p->batch * p->rows * p->columns, in_tile = tile_rows * tile_columns;
    double result_bytes = split > 1 ? 4 : (p->result_bytes + p->added_bytes) / results;
    double loop = 2 * in_tile * p->depth / split * target->multiprocessors / p->flop_rate;
    double end = memory_seconds(target, in_tile * result_bytes) * target->multiprocessors;
    double tiled = waves * (loop + LATENCY + end);
    double bytes = p->factor_bytes + results * split * result_bytes;
    double seconds = larger(tiled, memory_seconds(target, bytes));
    /* Sums of pieces are read again, and added by a kernel of their own. */
    if (split > 1) seconds += LATENCY + memory_seconds(target, 4 * results * split + p->result_bytes + p->added_bytes);
    return seconds;
}

void ms_bench_expect_product(const ms_bench_target *target, const ms_bench_product *p, ms_bench_work *work) {
    double results = p->batch * p->rows * p->columns, best = INFINITY, best_split = 1;
    for (double split = 1; split <= p->max_split; split++) {
        double upright = tiled_seconds(target, p, p->tile_rows, p->tile_columns, split);
        double lying = tiled_seconds(target, p, p->tile_columns, p->tile_rows, split);
        double seconds = upright < lying ? upright : lying;
        if (seconds >= best) continue;
        best = seconds;
        best_split = split;
    }
    work->launches += best_split > 1 ? 2 : 1;
    double bytes = p->factor_bytes + p->result_bytes + p->added_bytes;
    if (best_split > 1) bytes += 8 * results * best_split;
    work->bytes += bytes;
    double memory = memory_seconds(target, bytes);
    add_seconds(work, memory > 0.5 * best ? MS_LIMIT_MEMORY : MS_LIMIT_MATRICES, best);
}
