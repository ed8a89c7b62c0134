#include "cli/bench/meter.h"

#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "cli/bench/limits.h"
#include "platform/clock.h"

enum { METER_MATMUL, METER_AXPBY, MAX_RUNS = 7, MIN_RUNS = 3 };
static const double ENOUGH_SECONDS = 3;
/* Rows and columns of the matmul: a product should take long enough for its launch not to count. */
enum { SMALL = 384, MEDIUM = 1024, LARGE = 4096 };
/* A device that takes longer than this for the small one is a slow one. */
static const double SLOW_SECONDS = 2e-3;

ms_status ms_bench_time_program(ms_device *device, ms_program *program, double *out_seconds) {
    double seconds[MAX_RUNS], total = 0;
    int n = 0;
    MS_TRY(ms_program_run(program));
    MS_TRY(ms_device_wait(device));
    while (n < MAX_RUNS && (n < MIN_RUNS || total < ENOUGH_SECONDS)) {
        double begin = ms_clock_seconds();
        MS_TRY(ms_program_run(program));
        MS_TRY(ms_device_wait(device));
        seconds[n] = ms_clock_seconds() - begin;
        total += seconds[n++];
    }
    *out_seconds = ms_bench_median(seconds, n);
    return MS_OK;
}

static ms_status build_graph(ms_bench_meter *meter, const int *variables, int which) {
    ms_graph *graph = NULL;
    MS_TRY(ms_graph_create(meter->variables, -1, &graph));
    ms_tensor a = ms_view_all(graph, variables[0]), b = ms_view_all(graph, variables[1]);
    ms_tensor y = which == METER_MATMUL
                      ? ms_matmul(graph, a, b, MS_NO_TENSOR, &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32})
                      : ms_axpby(graph, ms_constant(1), a, ms_constant(3), b);
    ms_assign(graph, y, ms_view_all(graph, variables[2]));
    ms_status status = ms_graph_finish(graph, &meter->graphs[which]);
    ms_graph_destroy(graph);
    MS_TRY(status);
    return ms_program_compile(meter->store, meter->graphs[which], &meter->programs[which]);
}

static void drop(ms_bench_meter *meter) {
    for (int i = 0; i < 2; i++) {
        ms_program_destroy(meter->programs[i]);
        ms_graph_destroy(meter->graphs[i]);
        meter->programs[i] = NULL;
        meter->graphs[i] = NULL;
    }
    ms_store_destroy(meter->store);
    ms_variables_destroy(meter->variables);
    meter->store = NULL;
    meter->variables = NULL;
}

static ms_status build(ms_bench_meter *meter, int64_t size) {
    int variables[6];
    meter->size = size;
    MS_TRY(ms_variables_create(&meter->variables));
    for (int i = 0; i < 6; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        ms_shape shape = i < 3 ? ms_shape_2(size, size) : ms_shape_1(1024 * size);
        MS_TRY(ms_variables_add(meter->variables, name, i % 3 == 2 ? MS_VARIABLE_OUTPUT : MS_VARIABLE_INPUT,
                                MS_DTYPE_F32, shape, &variables[i]));
    }
    MS_TRY(ms_store_create(meter->device, meter->variables, &meter->store));
    MS_TRY(build_graph(meter, variables, METER_MATMUL));
    return build_graph(meter, variables + 3, METER_AXPBY);
}

ms_status ms_bench_meter_init(ms_device *device, const char *name, int n_threads, bool quick, ms_bench_meter *out) {
    memset(out, 0, sizeof *out);
    out->device = device;
    out->n_threads = n_threads;
    out->is_cpu = strcmp(name, "cpu") == 0;
    out->flops_name = out->is_cpu ? "sgemm peak" : "the device's matmul";
    out->bytes_name = out->is_cpu ? "triad" : "the device's axpby";
    if (out->is_cpu) return MS_OK;
    double gflops = 0;
    ms_status status = build(out, SMALL);
    if (status == MS_OK) status = ms_bench_meter_flops(out, &gflops);
    drop(out);
    bool slow = 2e-9 * SMALL * SMALL * SMALL / gflops > SLOW_SECONDS;
    if (status == MS_OK) status = build(out, !slow ? LARGE : quick ? SMALL : MEDIUM);
    if (status != MS_OK) ms_bench_meter_finish(out);
    return status;
}

void ms_bench_meter_finish(ms_bench_meter *meter) { drop(meter); }

ms_status ms_bench_meter_flops(ms_bench_meter *meter, double *out_gflops) {
    if (meter->is_cpu) {
        *out_gflops = ms_bench_sgemm_peak(meter->n_threads);
        return MS_OK;
    }
    double seconds = 0, size = (double)meter->size;
    MS_TRY(ms_bench_time_program(meter->device, meter->programs[METER_MATMUL], &seconds));
    *out_gflops = 2e-9 * size * size * size / seconds;
    return MS_OK;
}

ms_status ms_bench_meter_bytes(ms_bench_meter *meter, double *out_gb) {
    if (meter->is_cpu) {
        *out_gb = ms_bench_triad(meter->n_threads);
        return MS_OK;
    }
    double seconds = 0;
    MS_TRY(ms_bench_time_program(meter->device, meter->programs[METER_AXPBY], &seconds));
    *out_gb = 12e-9 * 1024 * (double)meter->size / seconds;
    return MS_OK;
}
