#include "cli/bench/meter.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "platform/clock.h"
#include "platform/median.h"
#include "platform/thread.h"

/* ---- memory of the CPU ---- */

enum { TRIAD_COUNT = 32 << 20, TRIAD_TASK = 1 << 18 };

static void triad_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    float *a = (float *)context + i_task * TRIAD_TASK;
    const float *b = a + TRIAD_COUNT, *c = b + TRIAD_COUNT;
    for (int64_t i = 0; i < TRIAD_TASK; i++) a[i] = b[i] + 3.0f * c[i];
}

/* GB/s of a[i] = b[i] + s * c[i] over three arrays of 128 MB, counting 12 bytes an element: median of seven.  0 when
   memory lacks. */
static double measure_triad(int n_threads) {
    enum { RUNS = 7 };
    float *arrays = malloc(3 * sizeof *arrays * TRIAD_COUNT);
    ms_pool *pool = NULL;
    double gb_per_s = 0, seconds[RUNS];
    if (arrays && ms_pool_create(n_threads, &pool) == MS_OK) {
        for (int64_t i = 0; i < 3 * (int64_t)TRIAD_COUNT; i++) arrays[i] = 1;
        for (int i = 0; i < RUNS; i++) {
            double begin = ms_clock_seconds();
            ms_pool_run(pool, TRIAD_COUNT / TRIAD_TASK, triad_task, arrays);
            seconds[i] = ms_clock_seconds() - begin;
        }
        gb_per_s = 12e-9 * TRIAD_COUNT / ms_median(seconds, RUNS);
    }
    ms_pool_destroy(pool);
    free(arrays);
    return gb_per_s;
}

/* ---- memory of another device: its own axpby ---- */

static void drop(ms_bench_meter *meter) {
    ms_program_destroy(meter->program);
    ms_store_destroy(meter->store);
    ms_graph_destroy(meter->graph);
    ms_variables_destroy(meter->variables);
}

static ms_status build(ms_bench_meter *meter) {
    int variables[3];
    ms_graph *graph = NULL;
    meter->count = 1024 * meter->peak.size;
    MS_TRY(ms_variables_create(&meter->variables));
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        MS_TRY(ms_variables_add(meter->variables, name, i == 2 ? MS_VARIABLE_OUTPUT : MS_VARIABLE_INPUT, MS_DTYPE_F32,
                                ms_shape_1(meter->count), &variables[i]));
    }
    MS_TRY(ms_store_create(meter->peak.device, meter->variables, &meter->store));
    MS_TRY(ms_graph_create(meter->variables, -1, &graph));
    ms_tensor a = ms_view_all(graph, variables[0]), b = ms_view_all(graph, variables[1]);
    ms_assign(graph, ms_axpby(graph, ms_constant(1), a, ms_constant(3), b), ms_view_all(graph, variables[2]));
    ms_status status = ms_graph_finish(graph, &meter->graph);
    ms_graph_destroy(graph);
    MS_TRY(status);
    return ms_program_compile(meter->store, meter->graph, &meter->program);
}

/* ---- the meter ---- */

ms_status ms_bench_meter_init(ms_device *device, ms_dtype dtype, ms_bench_meter *out) {
    const ms_peak_options options = {.dtype = dtype};
    memset(out, 0, sizeof *out);
    MS_TRY(ms_peak_init(device, &options, &out->peak));
    out->bytes_name = out->peak.is_cpu ? "triad" : "the device's axpby";
    if (out->peak.is_cpu) return MS_OK;
    ms_status status = build(out);
    if (status != MS_OK) ms_bench_meter_finish(out);
    return status;
}

void ms_bench_meter_finish(ms_bench_meter *meter) {
    drop(meter);
    ms_peak_finish(&meter->peak);
    memset(meter, 0, sizeof *meter);
}

ms_status ms_bench_meter_flops(ms_bench_meter *meter, double *out_gflops) {
    ms_status status = ms_peak_measure(&meter->peak, out_gflops);
    *out_gflops *= 1e-9;
    return status;
}

ms_status ms_bench_meter_bytes(ms_bench_meter *meter, double *out_gb) {
    if (meter->peak.is_cpu) {
        *out_gb = measure_triad(ms_device_threads(meter->peak.device));
        return *out_gb > 0 ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for the triad");
    }
    double seconds = 0;
    MS_TRY(ms_program_time(meter->peak.device, meter->program, MS_QUEUED_SECONDS, &seconds));
    *out_gb = 12e-9 * (double)meter->count / seconds;
    return MS_OK;
}
