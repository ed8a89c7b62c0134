/* Packing of the arena: storages with a size and a lifetime get offsets.  Internal to the planner. */
#ifndef MS_BACKEND_PLAN_PACK_H
#define MS_BACKEND_PLAN_PACK_H

#include <stdint.h>

#include "platform/status.h"

typedef struct ms_plan_storage {
    int32_t id;       /* the caller's */
    int32_t from, to; /* first and last node at which it is in use, both included */
    int64_t size_bytes;
    int64_t offset; /* bytes, filled in */
} ms_plan_storage;

/* Sets offsets so that storages in use at the same time do not overlap and none lies across a multiple of piece_bytes
   (0: no pieces); *out_bytes: end of the highest one.  Reorders the storages.  Greedy by size: largest first, each at
   the lowest offset where it fits (Pisarchyk & Lee 2020).  MS_OUT_OF_MEMORY, also for a storage larger than a piece. */
ms_status ms_plan_pack(ms_plan_storage *storages, int32_t n_storages, int64_t piece_bytes, int64_t *out_bytes);

#endif
