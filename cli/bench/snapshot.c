#include "cli/bench/snapshot.h"

#include <stdlib.h>

#include "platform/clock.h"

static ms_status fill(ms_bench_snapshot *snapshot) {
    const ms_trainer *trainer = snapshot->trainer;
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        const ms_parameter *parameter = &trainer->model.parameters[i];
        if (parameter->n_groups == 0) continue;
        int64_t count = ms_shape_count(&ms_variables_get(trainer->variables, parameter->variable)->shape);
        size_t bytes = (size_t)count * sizeof(float);
        void *out = malloc(bytes);
        if (!out) return MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for %zu bytes of weights", bytes);
        snapshot->parts[snapshot->n_parts] = (ms_store_part){parameter->variable, 0, count};
        snapshot->out[snapshot->n_parts++] = out;
        snapshot->bytes += bytes;
    }
    return MS_OK;
}

ms_status ms_bench_snapshot_init(ms_trainer *trainer, ms_bench_snapshot *out) {
    size_t most = (size_t)trainer->model.n_parameters + 1;
    *out = (ms_bench_snapshot){.trainer = trainer};
    out->parts = calloc(most, sizeof *out->parts);
    out->out = calloc(most, sizeof *out->out);
    ms_status status =
        out->parts && out->out ? fill(out) : MS_FAIL(MS_OUT_OF_MEMORY, "bench: no memory for %zu parameters", most);
    if (status != MS_OK) ms_bench_snapshot_finish(out);
    return status;
}

void ms_bench_snapshot_finish(ms_bench_snapshot *snapshot) {
    for (int i = 0; i < snapshot->n_parts; i++) free(snapshot->out[i]);
    free(snapshot->parts);
    free(snapshot->out);
    *snapshot = (ms_bench_snapshot){0};
}

static ms_status announce(void *context, ms_trainer *trainer) {
    const ms_bench_snapshot *snapshot = context;
    return ms_store_announce(trainer->store, snapshot->parts, snapshot->n_parts);
}

static ms_status take(void *context, ms_trainer *trainer) {
    const ms_bench_snapshot *snapshot = context;
    return ms_store_download_parts(trainer->store, snapshot->parts, snapshot->n_parts, snapshot->out);
}

ms_step_hooks ms_bench_snapshot_hooks(ms_bench_snapshot *snapshot) { return (ms_step_hooks){announce, take, snapshot}; }

ms_status ms_bench_snapshot_alone(ms_bench_snapshot *snapshot, double *out_seconds) {
    MS_TRY(ms_device_wait(snapshot->trainer->device));
    double begin = ms_clock_seconds();
    MS_TRY(take(snapshot, snapshot->trainer));
    *out_seconds = ms_clock_seconds() - begin;
    return MS_OK;
}
