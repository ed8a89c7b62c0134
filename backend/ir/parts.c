#include "backend/ir/parts.h"

#include <stdlib.h>
#include <string.h>

static int64_t end_of(const ms_tensor_info *view) { return view->offset + ms_shape_count(&view->shape); }

ms_status ms_parts_add(ms_parts *parts, const ms_tensor_info *view, int32_t id) {
    if (view->variable < 0) return MS_OK;
    if (parts->n == parts->capacity) {
        size_t capacity = parts->capacity ? 2 * parts->capacity : 64;
        ms_part *list = realloc(parts->list, capacity * sizeof *list);
        if (!list) return MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory for %zu views", capacity);
        parts->list = list;
        parts->capacity = capacity;
    }
    parts->list[parts->n++] = (ms_part){view->variable, view->offset, end_of(view), 0, id};
    return MS_OK;
}

static int compare(const void *left, const void *right) {
    const ms_part *a = left, *b = right;
    if (a->variable != b->variable) return a->variable < b->variable ? -1 : 1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void ms_parts_sort(ms_parts *parts) {
    if (parts->n > 0) qsort(parts->list, parts->n, sizeof *parts->list, compare);
    for (size_t i = 0; i < parts->n; i++) {
        ms_part *part = &parts->list[i];
        bool first = i == 0 || part[-1].variable != part->variable;
        part->furthest = first || part[-1].furthest < part->end ? part->end : part[-1].furthest;
    }
}

void ms_parts_finish(ms_parts *parts) {
    free(parts->list);
    memset(parts, 0, sizeof *parts);
}

/* How many parts stand before the first that begins at or after the view's end. */
size_t ms_parts_begin(const ms_parts *parts, const ms_tensor_info *view) {
    int64_t end = end_of(view);
    size_t low = 0, high = parts->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const ms_part *part = &parts->list[middle];
        bool before = part->variable < view->variable || (part->variable == view->variable && part->begin < end);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ms_parts_next(const ms_parts *parts, const ms_tensor_info *view, size_t *at, int32_t *out_id) {
    while (*at > 0) {
        const ms_part *part = &parts->list[--*at];
        if (part->variable != view->variable || part->furthest <= view->offset) return false;
        *out_id = part->id;
        if (part->end > view->offset) return true;
    }
    return false;
}
