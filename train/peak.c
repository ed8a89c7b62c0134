#include "train/peak.h"

#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "platform/clock.h"
#include "platform/median.h"

enum { MAX_SAMPLES = 7, MIN_SAMPLES = 3 };
static const double ENOUGH_SECONDS = 3;
/* Runs for one wait, and how many times more than in the round before. */
enum { MAX_QUEUED = 1 << 16, MAX_GROWTH = 64 };
static const double QUICK_SECONDS = 0.01;
/* Rows and columns of the matmul: a matmul should take long enough for its launch not to count. */
enum { SMALL = 384, MEDIUM = 1024, LARGE = 4096 };
/* A device that takes longer than this for the small one is a slow one. */
static const double SLOW_SECONDS = 2e-3;

static ms_status time_queue(ms_device *device, ms_program *program, int n_runs, double *out_seconds) {
    double begin = ms_clock_seconds();
    for (int i = 0; i < n_runs; i++) MS_TRY(ms_program_run(program));
    MS_TRY(ms_device_wait(device));
    *out_seconds = ms_clock_seconds() - begin;
    return MS_OK;
}

/* How often it is queued for a wait, and the first sample. */
static ms_status fill_queue(ms_device *device, ms_program *program, double queued, int *out_n_runs,
                            double *out_seconds) {
    *out_n_runs = 1;
    MS_TRY(time_queue(device, program, 1, out_seconds));
    while (*out_seconds < queued && *out_n_runs < MAX_QUEUED) {
        double growth = 1.25 * queued / (*out_seconds > 1e-9 ? *out_seconds : 1e-9);
        int64_t n_runs = (int64_t)((double)*out_n_runs * (growth < MAX_GROWTH ? growth : MAX_GROWTH)) + 1;
        *out_n_runs = n_runs < MAX_QUEUED ? (int)n_runs : MAX_QUEUED;
        MS_TRY(time_queue(device, program, *out_n_runs, out_seconds));
    }
    return MS_OK;
}

ms_status ms_program_time(ms_device *device, ms_program *program, double queued, double *out_seconds) {
    double seconds[MAX_SAMPLES];
    int n = 0, n_runs;
    MS_TRY(time_queue(device, program, 1, &seconds[0])); /* a warm-up */
    MS_TRY(fill_queue(device, program, queued, &n_runs, &seconds[0]));
    double total = seconds[n++];
    while (n < MAX_SAMPLES && (n < MIN_SAMPLES || total < ENOUGH_SECONDS)) {
        MS_TRY(time_queue(device, program, n_runs, &seconds[n]));
        total += seconds[n++];
    }
    *out_seconds = ms_median(seconds, n) / n_runs;
    return MS_OK;
}

static void drop(ms_peak *peak) {
    ms_program_destroy(peak->program);
    ms_store_destroy(peak->store);
    ms_graph_destroy(peak->graph);
    ms_variables_destroy(peak->variables);
    peak->program = NULL;
    peak->store = NULL;
    peak->graph = NULL;
    peak->variables = NULL;
}

/* The graph of a matmul of two squares, and the device memory that running it takes. */
static ms_status build(ms_peak *peak, int64_t size, size_t *out_bytes) {
    int variables[3];
    ms_graph *graph = NULL;
    ms_program_report report;
    peak->size = size;
    MS_TRY(ms_variables_create(&peak->variables));
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        MS_TRY(ms_variables_add(peak->variables, name, i == 2 ? MS_VARIABLE_OUTPUT : MS_VARIABLE_INPUT, peak->dtype,
                                ms_shape_2(size, size), &variables[i]));
    }
    MS_TRY(ms_graph_create(peak->variables, -1, &graph));
    ms_tensor a = ms_view_all(graph, variables[0]), b = ms_view_all(graph, variables[1]);
    ms_assign(graph, ms_matmul(graph, a, b, MS_NO_TENSOR, &(ms_matmul_attributes){false, false, 1, 0, peak->dtype}),
              ms_view_all(graph, variables[2]));
    ms_status status = ms_graph_finish(graph, &peak->graph);
    ms_graph_destroy(graph);
    MS_TRY(status);
    MS_TRY(ms_program_estimate(peak->device, peak->graph, &report));
    *out_bytes = 3 * (size_t)(size * size) * ms_dtype_size(peak->dtype) + report.arena_bytes + report.workspace_bytes;
    return MS_OK;
}

/* The first of the sizes that fits, or the last one. */
static ms_status prepare(ms_peak *peak, const int64_t *sizes, int n_sizes, size_t most_bytes) {
    for (int i = 0; i < n_sizes; i++) {
        size_t bytes = 0;
        drop(peak);
        MS_TRY(build(peak, sizes[i], &bytes));
        if (most_bytes == 0 || bytes <= most_bytes) break;
    }
    MS_TRY(ms_store_create(peak->device, peak->variables, &peak->store));
    return ms_program_compile(peak->store, peak->graph, &peak->program);
}

static ms_status init(ms_peak *peak, const ms_peak_options *options) {
    static const int64_t sizes[] = {LARGE, MEDIUM, SMALL};
    enum { N_SIZES = 3 };
    double flops = 0;
    MS_TRY(prepare(peak, sizes + N_SIZES - 1, 1, options->most_bytes));
    MS_TRY(ms_peak_measure(peak, &flops));
    bool slow = 2.0 * SMALL * SMALL * SMALL / flops > SLOW_SECONDS;
    if (slow && options->quick) return MS_OK;
    int first = slow ? 1 : 0;
    return prepare(peak, sizes + first, N_SIZES - first, options->most_bytes);
}

ms_status ms_peak_init(ms_device *device, const ms_peak_options *options, ms_peak *out) {
    memset(out, 0, sizeof *out);
    out->device = device;
    out->most_bytes = options->most_bytes;
    out->dtype = options->dtype;
    out->queued = QUICK_SECONDS;
    out->is_cpu = ms_device_has_peak(device);
    out->name = out->is_cpu                   ? "sgemm peak"
                : out->dtype == MS_DTYPE_BF16 ? "the device's bf16 matmul"
                                              : "the device's matmul";
    if (out->is_cpu) return MS_OK;
    ms_status status = init(out, options);
    if (!options->quick) out->queued = MS_QUEUED_SECONDS;
    if (status != MS_OK) drop(out);
    return status;
}

void ms_peak_finish(ms_peak *peak) { drop(peak); }

ms_status ms_peak_measure(ms_peak *peak, double *out_flops) {
    *out_flops = 0;
    if (peak->is_cpu) return ms_device_measure_peak(peak->device, peak->most_bytes, out_flops);
    double seconds = 0, size = (double)peak->size;
    MS_TRY(ms_program_time(peak->device, peak->program, peak->queued, &seconds));
    *out_flops = 2 * size * size * size / seconds;
    return MS_OK;
}

ms_status ms_peak_measure_once(ms_device *device, ms_dtype dtype, size_t most_bytes, double *out_flops) {
    const ms_peak_options options = {.quick = true, .dtype = dtype, .most_bytes = most_bytes};
    ms_peak peak;
    *out_flops = 0;
    MS_TRY(ms_peak_init(device, &options, &peak));
    ms_status status = ms_peak_measure(&peak, out_flops);
    ms_peak_finish(&peak);
    return status;
}
