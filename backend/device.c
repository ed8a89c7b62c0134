/* The list of devices, and what is asked of an open one.  What callers pass is checked here, in store.c and in
   program.c, so that backends need not. */
#include "backend/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/probe.h"
#include "platform/choice.h"

#define BACKEND(name) const ms_backend_impl *ms_backend_##name(void);
#include "backend/backends.def"
#undef BACKEND

static const ms_backend_impl *(*const backends[])(void) = {
#define BACKEND(name) ms_backend_##name,
#include "backend/backends.def"
#undef BACKEND
};
enum { N_BACKENDS = sizeof backends / sizeof *backends, MAX_DEVICES = 64 };

const char *const ms_numerics_names[] = {[MS_NUMERICS_FAST] = "fast", [MS_NUMERICS_EXACT] = "exact", NULL};

const char *ms_numerics_name(ms_numerics numerics) {
    if (numerics == MS_NUMERICS_ORACLE) return "oracle";
    return numerics == MS_NUMERICS_FAST || numerics == MS_NUMERICS_EXACT ? ms_numerics_names[numerics] : "unknown";
}

ms_status ms_device_list(ms_device_info *out, int capacity, int *out_n) {
    *out_n = 0;
    for (int i = 0; i < N_BACKENDS; i++) {
        int room = capacity > *out_n ? capacity - *out_n : 0, found = 0;
        MS_TRY(backends[i]()->enumerate(room ? out + *out_n : NULL, room, &found));
        *out_n += found;
    }
    return MS_OK;
}

static void append_name(char *list, size_t size, const char *name) {
    size_t used = strlen(list);
    if (used + strlen(name) + 3 < size) snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

/* "vulkan (unusable: no Vulkan driver is installed)". */
static void append_device(char *list, size_t size, const ms_device_info *info) {
    append_name(list, size, info->name);
    size_t used = strlen(list);
    if (!info->usable) snprintf(list + used, size - used, " (unusable: %s)", info->reason);
}

/* Case does not count. */
static bool contains(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, length) == 0) return true;
    return false;
}

/* "vulkan:llvmpipe" for the device "vulkan:0": the same backend, and a UUID or a part of the description. */
static bool is_nickname(const char *name, const ms_backend_impl *impl, const ms_device_info *info) {
    size_t length = strlen(impl->name);
    if (strncmp(name, impl->name, length) != 0 || name[length] != ':' || !name[length + 1]) return false;
    const char *wanted = name + length + 1;
    if (strspn(wanted, "0123456789") == strlen(wanted)) return false; /* an index that does not exist */
    return strcasecmp(wanted, info->uuid) == 0 || contains(info->description, wanted);
}

/* Finds the backend and the index within it of a device by name. */
static ms_status find_device(const char *name, const ms_backend_impl **out_impl, int *out_index, ms_device_info *out) {
    char known[512] = "", nicknamed[512] = "";
    int n_nicknamed = 0;
    for (int i = 0; i < N_BACKENDS; i++) {
        ms_device_info infos[MAX_DEVICES];
        int n = 0;
        MS_TRY(backends[i]()->enumerate(infos, MAX_DEVICES, &n));
        for (int j = 0; j < n && j < MAX_DEVICES; j++) {
            append_device(known, sizeof known, &infos[j]);
            bool exact = strcmp(infos[j].name, name) == 0;
            if (!exact && !is_nickname(name, backends[i](), &infos[j])) continue;
            append_name(nicknamed, sizeof nicknamed, infos[j].name);
            n_nicknamed = exact ? 1 : n_nicknamed + 1;
            *out = infos[j];
            *out_impl = backends[i]();
            *out_index = j;
            if (exact) goto done;
        }
    }
done:
    if (n_nicknamed == 0) return MS_FAIL(MS_NOT_FOUND, "no device \"%s\"; known devices: %s", name, known);
    if (n_nicknamed > 1) return MS_FAIL(MS_INVALID, "device \"%s\" may be any of %s", name, nicknamed);
    if (!out->usable) return MS_FAIL(MS_UNSUPPORTED, "device %s cannot be used: %s", out->name, out->reason);
    return MS_OK;
}

/* Probes an open device. */
static ms_status probe(const ms_backend_impl *impl, ms_backend_device *device, ms_device_verdict *out) {
    memset(out, 0, sizeof *out);
    if (!impl->probe) {
        *out = (ms_device_verdict){true, "exact: yes, this is its specification"};
        return MS_OK;
    }
    float *triples = malloc((3 + MS_PROBE_RESULTS) * MS_PROBE_TRIPLES * sizeof *triples);
    if (!triples) return MS_FAIL(MS_OUT_OF_MEMORY, "probe: no memory");
    float *results = triples + 3 * MS_PROBE_TRIPLES;
    ms_probe_triples(triples);
    ms_status status = impl->probe(device, triples, results);
    if (status == MS_OK) out->exact = ms_probe_judge(triples, results, out->text, sizeof out->text);
    free(triples);
    return status == MS_OK ? MS_OK : ms_status_note(status, "probe");
}

ms_status ms_device_probe(const char *name, ms_device_verdict *out) {
    const ms_backend_impl *impl = NULL;
    int index = 0;
    ms_device_info info;
    memset(out, 0, sizeof *out);
    MS_TRY(find_device(name, &impl, &index, &info));
    ms_device_options options = {.name = name, .numerics = MS_NUMERICS_EXACT};
    ms_backend_device *device;
    MS_TRY(impl->open(index, &options, &device));
    ms_status status = probe(impl, device, out);
    impl->close(device);
    return status;
}

static ms_status refuse_inexact(const ms_backend_impl *impl, ms_backend_device *device, const ms_device_info *info) {
    ms_device_verdict verdict;
    MS_TRY(probe(impl, device, &verdict));
    if (verdict.exact) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED, "%s (%s) cannot give exact numerics: %s", info->name, info->description,
                   verdict.text);
}

ms_status ms_device_open(const ms_device_options *options, ms_device **out) {
    *out = NULL;
    if (!options->name || !*options->name) return MS_FAIL(MS_INVALID, "device: no name given");
    static const char *const numerics[] = {"fast", "exact", "oracle", NULL};
    MS_TRY_NOTE(ms_choice_check("numerics", (int)options->numerics, numerics), "device %s", options->name);
    if (options->n_threads < 0 || options->n_threads > 1024)
        return MS_FAIL(MS_INVALID, "device %s: %d threads, must be 0 (all) to 1024", options->name, options->n_threads);
    const ms_backend_impl *impl = NULL;
    int index = 0;
    ms_device_info info;
    MS_TRY(find_device(options->name, &impl, &index, &info));
    ms_device *device = calloc(1, sizeof *device);
    if (!device) return MS_FAIL(MS_OUT_OF_MEMORY, "device %s: no memory", options->name);
    device->impl = impl;
    device->numerics = options->numerics;
    device->info = info;
    ms_status status = impl->open(index, options, &device->device);
    if (status == MS_OK && options->numerics == MS_NUMERICS_EXACT) {
        status = refuse_inexact(impl, device->device, &info);
        if (status != MS_OK) impl->close(device->device);
    }
    if (status != MS_OK) {
        free(device);
        return status;
    }
    *out = device;
    return MS_OK;
}

void ms_device_close(ms_device *device) {
    if (!device) return;
    device->impl->close(device->device);
    free(device);
}

ms_numerics ms_device_numerics(const ms_device *device) { return device->numerics; }

bool ms_device_has_peak(const ms_device *device) { return device->impl->measure_peak != NULL; }

ms_status ms_device_measure_peak(ms_device *device, size_t most_bytes, double *out_flops) {
    *out_flops = 0;
    if (!device->impl->measure_peak)
        return MS_FAIL(MS_UNSUPPORTED, "device %s has no library whose matmuls could be timed", device->info.name);
    return device->impl->measure_peak(device->device, most_bytes, out_flops);
}

size_t ms_device_element_bytes(const ms_device *device, ms_dtype dtype) {
    return dtype == MS_DTYPE_F32 ? device->impl->f32_bytes(device->device) : ms_dtype_size(dtype);
}

ms_matmul_rounding ms_device_matmul_rounding(const ms_device *device) {
    const ms_matmul_rounding nothing = {0, 0, 0, 0};
    bool fast = device->numerics == MS_NUMERICS_FAST && device->impl->matmul_rounding;
    return fast ? device->impl->matmul_rounding(device->device) : nothing;
}

const ms_device_info *ms_device_get_info(const ms_device *device) { return &device->info; }
int ms_device_threads(const ms_device *device) { return device->impl->n_threads(device->device); }
int64_t ms_device_memory_bytes(const ms_device *device) { return device->info.memory_bytes; }
size_t ms_device_allocated_bytes(const ms_device *device) { return device->impl->allocated_bytes(device->device); }

bool ms_device_copies_announced(const ms_device *device) {
    return device->impl->copies_announced && device->impl->copies_announced(device->device);
}

int ms_device_choices(const ms_device *device, int first, void (*tell)(void *context, const char *line),
                      void *context) {
    return device->impl->choices ? device->impl->choices(device->device, first, tell, context) : 0;
}

ms_status ms_device_wait(ms_device *device) { return device->impl->wait(device->device); }
