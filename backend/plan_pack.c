#include "backend/plan_pack.h"

#include <stdlib.h>
#include <string.h>

/* Largest first; ties by time and id, so that a plan does not depend on the sort. */
static int compare_storages(const void *left, const void *right) {
    const ms_plan_storage *a = left, *b = right;
    if (a->size_bytes != b->size_bytes) return a->size_bytes > b->size_bytes ? -1 : 1;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* From an offset on, the first at which `size` bytes lie in one piece. */
static int64_t in_one_piece(int64_t offset, int64_t size, int64_t piece) {
    if (piece == 0 || offset % piece + size <= piece) return offset;
    return (offset / piece + 1) * piece;
}

/* The lowest offset at which the storage fits between those placed, which are in order of offset, and are copies: each
   search reads all of them. */
static int64_t lowest_offset(const ms_plan_storage *storage, int64_t piece, const ms_plan_storage *placed,
                             int32_t n_placed) {
    int64_t offset = 0;
    for (int32_t i = 0; i < n_placed; i++) {
        const ms_plan_storage *other = &placed[i];
        if (other->to < storage->from || other->from > storage->to) continue;
        if (other->offset >= offset + storage->size_bytes) return offset;
        int64_t end = other->offset + other->size_bytes;
        if (end > offset) offset = in_one_piece(end, storage->size_bytes, piece);
    }
    return offset;
}

ms_status ms_plan_pack(ms_plan_storage *storages, int32_t n_storages, int64_t piece_bytes, int64_t *out_bytes) {
    *out_bytes = 0;
    for (int32_t i = 0; i < n_storages; i++)
        if (piece_bytes > 0 && storages[i].size_bytes > piece_bytes)
            return MS_FAIL(MS_OUT_OF_MEMORY, "plan: a tensor of %lld bytes; this device has at most %lld in one piece",
                           (long long)storages[i].size_bytes, (long long)piece_bytes);
    ms_plan_storage *placed = malloc(((size_t)n_storages + 1) * sizeof *placed);
    if (!placed) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d storages", n_storages);
    qsort(storages, (size_t)n_storages, sizeof *storages, compare_storages);
    for (int32_t i = 0; i < n_storages; i++) {
        ms_plan_storage *storage = &storages[i];
        storage->offset = lowest_offset(storage, piece_bytes, placed, i);
        if (storage->offset + storage->size_bytes > *out_bytes) *out_bytes = storage->offset + storage->size_bytes;
        int32_t at = i;
        while (at > 0 && placed[at - 1].offset > storage->offset) at--;
        memmove(&placed[at + 1], &placed[at], (size_t)(i - at) * sizeof *placed);
        placed[at] = *storage;
    }
    free(placed);
    return MS_OK;
}
