/* The CPU device as its own files see it. */
#ifndef MS_BACKEND_CPU_CPU_DEVICE_H
#define MS_BACKEND_CPU_CPU_DEVICE_H

#include "backend/backend_impl.h"
#include "backend/cpu/cpu_level.h"

struct ms_backend_device {
    const ms_cpu_level *level; /* the kernels in use */
    ms_numerics numerics;
    ms_pool *pool; /* owned */
    int32_t n_threads;
    void *arena; /* temporaries, shared by all programs: one runs at a time */
    size_t arena_bytes;
    void *workspace; /* scratch of the running op, shared likewise */
    size_t workspace_bytes;
};

/* Compiled form of a graph (cpu_program.c). */
ms_status ms_cpu_program_create(ms_backend_device *device, const ms_compile_request *request, ms_backend_program **out);
void ms_cpu_program_destroy(ms_backend_program *program);
ms_status ms_cpu_program_run(ms_backend_program *program);
size_t ms_cpu_program_workspace_bytes(const ms_backend_program *program);
void ms_cpu_program_counts(const ms_backend_program *program, ms_program_counts *out);

/* Aligned to 64 bytes and zeroed; freed with free().  MS_OUT_OF_MEMORY names the bytes. */
ms_status ms_cpu_allocate(size_t size_bytes, void **out);

/* Makes arena and workspace at least this large.  Only between runs; programs read the pointers at run time. */
ms_status ms_cpu_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes);

#endif
