/* For implementers of backends: the vtable.  What callers pass is checked before (device.c, store.c, program.c), so an
   implementation does not. */
#ifndef MS_BACKEND_BACKEND_IMPL_H
#define MS_BACKEND_BACKEND_IMPL_H

#include "backend/backend.h"
#include "backend/call_list.h"

typedef struct ms_backend_device ms_backend_device;   /* each backend's own */
typedef struct ms_backend_program ms_backend_program; /* each backend's own */
typedef void *ms_backend_buffer;                      /* device memory: a pointer or handle of the backend */

/* A part of a buffer. */
typedef struct ms_backend_part {
    ms_backend_buffer buffer;
    size_t offset_bytes, size_bytes;
} ms_backend_part;

/* What a program is compiled from; both are borrowed while the program lives. */
typedef struct ms_compile_request {
    ms_call_list *calls;                /* the backend may fill in addresses of operands, and adds times */
    const ms_backend_buffer *variables; /* one buffer per variable; NULL: only to learn what it would need, never run */
} ms_compile_request;

typedef struct ms_backend_impl {
    const char *name; /* "cpu": device names are "cpu" or "<name>:<index>" */
    /* Appends this backend's devices, usable or not (index counts from 0 within the backend). */
    ms_status (*enumerate)(ms_device_info *out, int capacity, int *out_n);
    ms_status (*open)(int index, const ms_device_options *options, ms_backend_device **out);
    void (*close)(ms_backend_device *device);
    /* Runs the operations of backend/probe.h on the device, opened for `exact`.  NULL: it is the specification. */
    ms_status (*probe)(ms_backend_device *device, const float *triples, float *out_results);
    size_t (*allocated_bytes)(const ms_backend_device *device); /* really taken from the device, staging included */
    /* backend.h, ms_device_measure_peak.  NULL: no library to compare with. */
    ms_status (*measure_peak)(ms_backend_device *device, size_t most_bytes, double *out_flops);
    size_t (*f32_bytes)(const ms_backend_device *device); /* 4, or 8 for the oracle */
    /* Most bytes that one tensor can have, and that the arena has in one piece: no tensor is laid across a multiple of
       it.  NULL: no limit. */
    size_t (*piece_bytes)(const ms_backend_device *device);
    int (*n_threads)(const ms_backend_device *device);
    /* What `fast` does to matmuls: backend.h.  NULL: nothing beyond f32. */
    ms_matmul_rounding (*matmul_rounding)(const ms_backend_device *device);
    /* The sizes of the allocations to come, so that they can share few pieces of device memory.  NULL: no use for
       it. */
    void (*expect)(ms_backend_device *device, const size_t *sizes, int n_sizes);
    /* Zero-filled. MS_OUT_OF_MEMORY. */
    ms_status (*allocate)(ms_backend_device *device, size_t size_bytes, ms_backend_buffer *out);
    void (*release)(ms_backend_device *device, ms_backend_buffer buffer);
    ms_status (*upload)(ms_backend_device *device, ms_backend_buffer buffer, size_t offset_bytes, const void *data,
                        size_t size_bytes);
    ms_status (*download)(ms_backend_device *device, const ms_backend_part *parts, int n_parts, void *const *out_data);
    /* backend.h, ms_store_announce.  NULL: every download goes beside the device's work. */
    ms_status (*announce)(ms_backend_device *device, const ms_backend_part *parts, int n_parts);
    bool (*copies_announced)(const ms_backend_device *device); /* NULL: never */
    ms_status (*compile)(ms_backend_device *device, const ms_compile_request *request, ms_backend_program **out);
    void (*program_destroy)(ms_backend_program *program);
    ms_status (*run)(ms_backend_program *program);
    ms_status (*wait)(ms_backend_device *device);
    size_t (*workspace_bytes)(const ms_backend_program *program);
    void (*counts)(const ms_backend_program *program, ms_program_counts *out); /* complete after the first run */
    /* backend.h, ms_device_choices.  NULL: the device makes none. */
    int (*choices)(const ms_backend_device *device, int first, void (*tell)(void *context, const char *line),
                   void *context);
} ms_backend_impl;

#endif
