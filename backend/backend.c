/* The front of all backends: checks what callers pass, so that backends need not, and owns stores and programs. */
#include "backend/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/backend_impl.h"
#include "backend/ir/passes.h"
#include "backend/probe.h"

#define BACKEND(name) const ms_backend_impl *ms_backend_##name(void);
#include "backend/backends.def"
#undef BACKEND

static const ms_backend_impl *(*const backends[])(void) = {
#define BACKEND(name) ms_backend_##name,
#include "backend/backends.def"
#undef BACKEND
};
enum { N_BACKENDS = sizeof backends / sizeof *backends, MAX_DEVICES = 64 };

struct ms_device {
    const ms_backend_impl *impl;
    ms_backend_device *device;
    ms_numerics numerics;
    ms_device_info info;
};

struct ms_store {
    ms_device *device;             /* borrowed */
    const ms_variables *variables; /* borrowed */
    int n_variables;
    ms_backend_buffer *buffers; /* one per variable */
    size_t bytes;
    ms_backend_part *parts; /* of the present call */
    int part_capacity;
};

struct ms_program {
    ms_device *device; /* borrowed */
    ms_backend_program *program;
    ms_program_report report;
};

const char *ms_numerics_name(ms_numerics numerics) {
    static const char *const names[] = {"fast", "exact", "oracle"};
    return (unsigned)numerics < 3 ? names[numerics] : "unknown";
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
    if (status == MS_OK) *out = ms_probe_judge(triples, results);
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

ms_product_rounding ms_device_product_rounding(const ms_device *device) {
    const ms_product_rounding nothing = {0, 0, 0, 0};
    bool fast = device->numerics == MS_NUMERICS_FAST && device->impl->product_rounding;
    return fast ? device->impl->product_rounding(device->device) : nothing;
}

const ms_device_info *ms_device_get_info(const ms_device *device) { return &device->info; }
int ms_device_threads(const ms_device *device) { return device->impl->n_threads(device->device); }
int64_t ms_device_memory_bytes(const ms_device *device) { return device->info.memory_bytes; }
size_t ms_device_allocated_bytes(const ms_device *device) { return device->impl->allocated_bytes(device->device); }

static size_t element_bytes(const ms_device *device, ms_dtype dtype) {
    return dtype == MS_DTYPE_F32 ? device->impl->f32_bytes(device->device) : ms_dtype_size(dtype);
}

static ms_status allocate_variables(ms_store *store) {
    ms_device *device = store->device;
    size_t *sizes = calloc((size_t)store->n_variables + 1, sizeof *sizes);
    if (!sizes) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    for (int i = 0; i < store->n_variables; i++) {
        const ms_variable *variable = ms_variables_get(store->variables, i);
        sizes[i] = (size_t)ms_shape_count(&variable->shape) * element_bytes(device, variable->dtype);
    }
    if (device->impl->expect) device->impl->expect(device->device, sizes, store->n_variables);
    ms_status status = MS_OK;
    for (int i = 0; status == MS_OK && i < store->n_variables; i++) {
        status = device->impl->allocate(device->device, sizes[i], &store->buffers[i]);
        if (status != MS_OK)
            status = ms_status_note(status, "variable %s (after %zu bytes)",
                                    ms_variables_get(store->variables, i)->name, store->bytes);
        store->bytes += sizes[i];
    }
    free(sizes);
    return status;
}

ms_status ms_store_create(ms_device *device, const ms_variables *variables, ms_store **out) {
    *out = NULL;
    ms_store *store = calloc(1, sizeof *store);
    if (!store) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    store->device = device;
    store->variables = variables;
    store->n_variables = ms_variables_count(variables);
    store->buffers = calloc((size_t)store->n_variables + 1, sizeof *store->buffers);
    ms_status status = store->buffers ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory");
    if (status == MS_OK) status = allocate_variables(store);
    if (status != MS_OK) {
        ms_store_destroy(store);
        return status;
    }
    *out = store;
    return MS_OK;
}

void ms_store_destroy(ms_store *store) {
    if (!store) return;
    for (int i = 0; store->buffers && i < store->n_variables; i++)
        if (store->buffers[i]) store->device->impl->release(store->device->device, store->buffers[i]);
    free(store->buffers);
    free(store->parts);
    free(store);
}

size_t ms_store_bytes(const ms_store *store) { return store->bytes; }

static ms_status check_range(const ms_store *store, int variable, int64_t offset, int64_t count, size_t *out_bytes) {
    if (variable < 0 || variable >= store->n_variables)
        return MS_FAIL(MS_INVALID, "store: variable %d of %d", variable, store->n_variables);
    const ms_variable *info = ms_variables_get(store->variables, variable);
    int64_t total = ms_shape_count(&info->shape);
    if (offset < 0 || count < 0 || offset > total || count > total - offset)
        return MS_FAIL(MS_INVALID, "variable %s: elements %lld to %lld of %lld", info->name, (long long)offset,
                       (long long)(offset + count), (long long)total);
    *out_bytes = element_bytes(store->device, info->dtype);
    return MS_OK;
}

ms_status ms_store_upload(ms_store *store, int variable, int64_t offset, int64_t count, const void *data) {
    size_t size = 0;
    MS_TRY(check_range(store, variable, offset, count, &size));
    const ms_backend_impl *impl = store->device->impl;
    return impl->upload(store->device->device, store->buffers[variable], (size_t)offset * size, data,
                        (size_t)count * size);
}

static ms_status find_part(const ms_store *store, const ms_store_part *part, ms_backend_part *out) {
    size_t size = 0;
    MS_TRY(check_range(store, part->variable, part->offset, part->count, &size));
    *out = (ms_backend_part){store->buffers[part->variable], (size_t)part->offset * size, (size_t)part->count * size};
    return MS_OK;
}

ms_status ms_store_download(ms_store *store, int variable, int64_t offset, int64_t count, void *out_data) {
    ms_backend_part part;
    MS_TRY(find_part(store, &(ms_store_part){variable, offset, count}, &part));
    return store->device->impl->download(store->device->device, &part, 1, &out_data);
}

/* All parts as the backend knows them, in memory that the store keeps: a step allocates nothing. */
static ms_status find_parts(ms_store *store, const ms_store_part *parts, int n_parts) {
    if (n_parts > store->part_capacity) {
        ms_backend_part *grown = realloc(store->parts, (size_t)n_parts * sizeof *grown);
        if (!grown) return MS_FAIL(MS_OUT_OF_MEMORY, "store: no memory for %d parts", n_parts);
        store->parts = grown;
        store->part_capacity = n_parts;
    }
    for (int i = 0; i < n_parts; i++) MS_TRY(find_part(store, &parts[i], &store->parts[i]));
    return MS_OK;
}

ms_status ms_store_download_parts(ms_store *store, const ms_store_part *parts, int n_parts, void *const *out_data) {
    MS_TRY(find_parts(store, parts, n_parts));
    return store->device->impl->download(store->device->device, store->parts, n_parts, out_data);
}

ms_status ms_store_announce(ms_store *store, const ms_store_part *parts, int n_parts) {
    MS_TRY(find_parts(store, parts, n_parts));
    const ms_backend_impl *impl = store->device->impl;
    return impl->announce ? impl->announce(store->device->device, store->parts, n_parts) : MS_OK;
}

bool ms_device_copies_announced(const ms_device *device) {
    return device->impl->copies_announced && device->impl->copies_announced(device->device);
}

int ms_device_choices(const ms_device *device, int first, void (*tell)(void *context, const char *line),
                      void *context) {
    return device->impl->choices ? device->impl->choices(device->device, first, tell, context) : 0;
}

static ms_status check_finished(const ms_graph *graph) {
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_op_info *info = ms_op_get(ms_graph_node(graph, i)->op);
        if (info->kind == MS_OP_KIND_COMPOSITE)
            return MS_FAIL(MS_INVALID, "program: %s at node %d was not lowered (ms_graph_finish)", info->name, i);
    }
    return MS_OK;
}

/* Plans and compiles; buffers: one per variable. */
static ms_status compile(ms_device *device, const ms_backend_buffer *buffers, const ms_graph *graph, ms_program **out) {
    *out = NULL;
    MS_TRY(ms_graph_status(graph));
    MS_TRY(check_finished(graph));
    ms_plan plan = {0};
    ms_plan_options options = {.f32_bytes = device->impl->f32_bytes(device->device),
                               .alignment_bytes = 64,
                               .piece_bytes =
                                   device->impl->piece_bytes ? device->impl->piece_bytes(device->device) : 0};
    ms_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory");
    program->device = device;
    ms_status status = ms_plan_init(graph, &options, &plan);
    if (status == MS_OK) {
        ms_compile_request request = {graph, &plan, buffers};
        status = device->impl->compile(device->device, &request, &program->program);
    }
    if (status != MS_OK) {
        ms_plan_finish(&plan);
        free(program);
        return status;
    }
    ms_cost cost = ms_graph_cost(graph);
    program->report = (ms_program_report){
        .arena_bytes = plan.arena_bytes,
        .live_bytes = plan.live_bytes,
        .workspace_bytes = device->impl->workspace_bytes(program->program),
        .n_nodes = ms_graph_n_nodes(graph),
        .n_aliased = plan.n_aliased,
        .n_placed = plan.n_placed,
        .n_active = plan.n_active,
        .flops = cost.flops,
        .contraction_flops = cost.contraction_flops,
        .bytes = cost.bytes,
    };
    ms_plan_finish(&plan);
    *out = program;
    return MS_OK;
}

ms_status ms_program_compile(ms_store *store, const ms_graph *graph, ms_program **out) {
    *out = NULL;
    if (ms_graph_variables(graph) != store->variables)
        return MS_FAIL(MS_INVALID, "program: graph and store have different variables");
    return compile(store->device, store->buffers, graph, out);
}

ms_status ms_program_estimate(ms_device *device, const ms_graph *graph, ms_program_report *out) {
    memset(out, 0, sizeof *out);
    size_t n_variables = (size_t)ms_variables_count(ms_graph_variables(graph));
    ms_backend_buffer *no_buffers = calloc(n_variables + 1, sizeof *no_buffers);
    if (!no_buffers) return MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory");
    ms_program *program;
    ms_status status = compile(device, no_buffers, graph, &program);
    if (status == MS_OK) *out = program->report;
    ms_program_destroy(program);
    free(no_buffers);
    return status;
}

void ms_program_destroy(ms_program *program) {
    if (!program) return;
    program->device->impl->program_destroy(program->program);
    free(program);
}

ms_status ms_program_run(ms_program *program) { return program->device->impl->run(program->program); }

ms_status ms_device_wait(ms_device *device) { return device->impl->wait(device->device); }

void ms_program_get_report(const ms_program *program, ms_program_report *out) { *out = program->report; }

void ms_program_get_counts(const ms_program *program, ms_program_counts *out) {
    program->device->impl->counts(program->program, out);
}

void ms_program_set_timing(ms_program *program, bool on) { program->device->impl->set_timing(program->program, on); }

void ms_program_get_times(const ms_program *program, ms_op_time *out) {
    program->device->impl->get_times(program->program, out);
}
