#include "backend/cpu/cpu_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cpu/cpu_sgemm.h"
#include "platform/blas.h"

ms_status ms_cpu_allocate(size_t size_bytes, void **out) {
    *out = NULL;
    size_t rounded = (size_bytes + 63) / 64 * 64;
    if (rounded < size_bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory for %zu bytes", size_bytes);
    void *memory = aligned_alloc(64, rounded ? rounded : 64);
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory for %zu bytes", size_bytes);
    memset(memory, 0, rounded ? rounded : 64);
    *out = memory;
    return MS_OK;
}

/* "model name : X" of /proc/cpuinfo, or the architecture's name where the kernel gives none. */
static void processor_name(char *out, size_t size) {
    snprintf(out, size, "processor of unknown model");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    fclose(file);
}

static ms_status cpu_enumerate(ms_device_info *out, int capacity, int *out_n) {
    *out_n = 1;
    if (capacity < 1) return MS_OK;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "cpu");
    processor_name(out->description, sizeof out->description);
    const ms_cpu_level *level;
    out->usable = ms_cpu_level_choose(&level) == MS_OK && ms_blas_prepare() == MS_OK;
    out->n_threads = ms_processor_count();
    out->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    if (!out->usable) {
        snprintf(out->reason, sizeof out->reason, "%.199s", ms_status_message());
        return MS_OK;
    }
    snprintf(out->kernels, sizeof out->kernels, "%s", level->name);
    snprintf(out->reason, sizeof out->reason, "fast matmuls by OpenBLAS (%s)", ms_blas_description());
    return MS_OK;
}

static void cpu_close(ms_backend_device *device) {
    if (!device) return;
    ms_pool_destroy(device->pool);
    free(device->arena);
    free(device->workspace);
    free(device);
}

static ms_status cpu_open(int index, const ms_device_options *options, ms_backend_device **out) {
    (void)index;
    *out = NULL;
    const ms_cpu_level *level;
    MS_TRY_NOTE(ms_cpu_level_choose(&level), "cpu");
    MS_TRY(ms_blas_prepare());
    ms_backend_device *device = calloc(1, sizeof *device);
    if (!device) return MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory");
    device->level = level;
    device->numerics = options->numerics;
    device->n_threads = options->n_threads ? options->n_threads : ms_processor_count();
    ms_status status = ms_pool_create(device->n_threads, &device->pool);
    /* The pool's, and the tracker's. */
    if (status == MS_OK) status = ms_blas_reserve(device->n_threads + 1);
    if (status != MS_OK) {
        cpu_close(device);
        return status;
    }
    *out = device;
    return MS_OK;
}

ms_status ms_cpu_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes) {
    if (arena_bytes > device->arena_bytes) {
        free(device->arena);
        device->arena = NULL;
        device->arena_bytes = 0;
        MS_TRY_NOTE(ms_cpu_allocate(arena_bytes, &device->arena), "arena");
        device->arena_bytes = arena_bytes;
    }
    if (workspace_bytes > device->workspace_bytes) {
        free(device->workspace);
        device->workspace = NULL;
        device->workspace_bytes = 0;
        MS_TRY_NOTE(ms_cpu_allocate(workspace_bytes, &device->workspace), "workspace");
        device->workspace_bytes = workspace_bytes;
    }
    return MS_OK;
}

static size_t cpu_f32_bytes(const ms_backend_device *device) { return device->numerics == MS_NUMERICS_ORACLE ? 8 : 4; }

static int cpu_n_threads(const ms_backend_device *device) { return device->n_threads; }

static ms_status cpu_measure_peak(ms_backend_device *device, size_t most_bytes, double *out_flops) {
    *out_flops = 1e9 * ms_cpu_sgemm_peak(device->pool, most_bytes);
    return *out_flops > 0 ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the matmul that is timed");
}

static ms_status cpu_allocate(ms_backend_device *device, size_t size_bytes, ms_backend_buffer *out) {
    (void)device;
    return ms_cpu_allocate(size_bytes, out);
}

static void cpu_release(ms_backend_device *device, ms_backend_buffer buffer) {
    (void)device;
    free(buffer);
}

static ms_status cpu_upload(ms_backend_device *device, ms_backend_buffer buffer, size_t offset_bytes, const void *data,
                            size_t size_bytes) {
    (void)device;
    memcpy((char *)buffer + offset_bytes, data, size_bytes);
    return MS_OK;
}

static ms_status cpu_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                              void *const *out_data) {
    (void)device;
    for (int i = 0; i < n_parts; i++)
        memcpy(out_data[i], (const char *)parts[i].buffer + parts[i].offset_bytes, parts[i].size_bytes);
    return MS_OK;
}

static ms_status cpu_wait(ms_backend_device *device) { return (void)device, MS_OK; }

static size_t cpu_allocated_bytes(const ms_backend_device *device) {
    (void)device;
    return 0; /* malloc's business */
}

static const ms_backend_impl cpu_impl = {
    .name = "cpu",
    .enumerate = cpu_enumerate,
    .open = cpu_open,
    .close = cpu_close,
    .allocated_bytes = cpu_allocated_bytes,
    .measure_peak = cpu_measure_peak,
    .f32_bytes = cpu_f32_bytes,
    .n_threads = cpu_n_threads,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_upload,
    .download = cpu_download,
    .compile = ms_cpu_program_create,
    .program_destroy = ms_cpu_program_destroy,
    .run = ms_cpu_program_run,
    .workspace_bytes = ms_cpu_program_workspace_bytes,
    .wait = cpu_wait,
    .counts = ms_cpu_program_counts,
};

const ms_backend_impl *ms_backend_cpu(void) { return &cpu_impl; }
