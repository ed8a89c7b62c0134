#include "backend/cuda/cuda_arena.h"

void ms_cuda_arena_init(ms_cuda_memory *memory, ms_cuda_report *report, ms_cuda_arena *out) {
    *out = (ms_cuda_arena){.memory = memory, .report = report, .generation = 1};
}

void ms_cuda_arena_finish(ms_cuda_arena *arena) {
    ms_cuda_release(arena->memory, arena->arena, arena->arena_bytes);
    ms_cuda_release(arena->memory, arena->workspace, arena->workspace_bytes);
    arena->arena = arena->workspace = NULL;
}

static ms_status grow(ms_cuda_arena *arena, const char *what, size_t wanted, void **memory, size_t *size) {
    if (wanted <= *size) return MS_OK;
    MS_TRY(ms_cuda_wait(arena->report));
    ms_cuda_release(arena->memory, *memory, *size);
    *memory = NULL;
    *size = 0;
    arena->generation++;
    MS_TRY_NOTE(ms_cuda_allocate(arena->memory, wanted, memory), "%s", what);
    *size = wanted;
    return MS_OK;
}

ms_status ms_cuda_arena_reserve(ms_cuda_arena *arena, size_t arena_bytes, size_t workspace_bytes) {
    MS_TRY(grow(arena, "arena", arena_bytes, &arena->arena, &arena->arena_bytes));
    return grow(arena, "workspace", workspace_bytes, &arena->workspace, &arena->workspace_bytes);
}
