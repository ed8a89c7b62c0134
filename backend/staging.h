/* Transfers of several parts through staging slots of a fixed size: which bytes go through which slot.  For
   backends. */
#ifndef MS_BACKEND_STAGING_H
#define MS_BACKEND_STAGING_H

#include "backend/backend_impl.h"

/* How far a transfer has come.  A copy of it deals out the same pieces again. */
typedef struct ms_staging_cursor {
    const ms_backend_part *parts; /* borrowed */
    int n_parts;
    int part;    /* the first that is not done */
    size_t done; /* of its bytes */
} ms_staging_cursor;

/* Bytes of one part that lie together in a slot. */
typedef struct ms_staging_piece {
    int part;
    size_t part_offset; /* bytes from the part's begin */
    size_t slot_offset; /* bytes from the slot's begin, a multiple of MS_STAGING_ALIGNMENT */
    size_t size_bytes;
} ms_staging_piece;

enum { MS_STAGING_ALIGNMENT = 256 };

static inline ms_staging_cursor ms_staging_begin(const ms_backend_part *parts, int n_parts) {
    ms_staging_cursor cursor = {parts, n_parts, 0, 0};
    return cursor;
}

static inline void ms_staging_skip_empty(ms_staging_cursor *cursor) {
    while (cursor->part < cursor->n_parts && cursor->done == cursor->parts[cursor->part].size_bytes) {
        cursor->part++;
        cursor->done = 0;
    }
}

/* The next piece for a slot of slot_bytes, of which *used are dealt out (0 at first); small parts share a slot, large
   ones take several.  False: the slot is full, or nothing is left. */
static inline bool ms_staging_next(ms_staging_cursor *cursor, size_t slot_bytes, size_t *used, ms_staging_piece *out) {
    ms_staging_skip_empty(cursor);
    size_t begin = (*used + MS_STAGING_ALIGNMENT - 1) / MS_STAGING_ALIGNMENT * MS_STAGING_ALIGNMENT;
    if (cursor->part == cursor->n_parts || begin >= slot_bytes) return false;
    size_t left = cursor->parts[cursor->part].size_bytes - cursor->done, room = slot_bytes - begin;
    out->part = cursor->part;
    out->part_offset = cursor->done;
    out->slot_offset = begin;
    out->size_bytes = left < room ? left : room;
    cursor->done += out->size_bytes;
    *used = begin + out->size_bytes;
    return true;
}

/* Passes over the pieces of the next slot; returns how many of its bytes they take. */
static inline size_t ms_staging_skip_slot(ms_staging_cursor *cursor, size_t slot_bytes) {
    ms_staging_piece piece;
    size_t used = 0;
    while (ms_staging_next(cursor, slot_bytes, &used, &piece)) continue;
    return used;
}

static inline bool ms_staging_is_done(ms_staging_cursor cursor) {
    ms_staging_skip_empty(&cursor);
    return cursor.part == cursor.n_parts;
}

#endif
