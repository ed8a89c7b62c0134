/* Memory that all programs of a device share, since one runs at a time: arena and workspace. */
#ifndef MS_BACKEND_CUDA_CUDA_ARENA_H
#define MS_BACKEND_CUDA_CUDA_ARENA_H

#include "backend/cuda/cuda_memory.h"
#include "backend/cuda/cuda_report.h"

typedef struct ms_cuda_arena {
    ms_cuda_memory *memory;  /* borrowed */
    ms_cuda_report *report;  /* borrowed */
    void *arena, *workspace; /* device addresses */
    size_t arena_bytes, workspace_bytes;
    uint64_t generation; /* counts moves of either, from 1: captured programs are stale then */
} ms_cuda_arena;

void ms_cuda_arena_init(ms_cuda_memory *memory, ms_cuda_report *report, ms_cuda_arena *out);
void ms_cuda_arena_finish(ms_cuda_arena *arena);
/* Makes both at least this large; waits for running programs when it must move them. */
ms_status ms_cuda_arena_reserve(ms_cuda_arena *arena, size_t arena_bytes, size_t workspace_bytes);

#endif
