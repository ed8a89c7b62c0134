/* Layers and projections that are chosen by name, as `muonscope plot` takes them.  Not thread-safe on one object. */
#ifndef MS_TRACKER_COMPARE_SELECTION_H
#define MS_TRACKER_COMPARE_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_SELECTION_ITEMS = 64 };

/* One item of a list, and whether a line had it. */
typedef struct ms_selection_range {
    int64_t from, to;
    bool seen;
} ms_selection_range;

typedef struct ms_selection_name {
    const char *text; /* borrowed, `length` bytes */
    size_t length;
    bool seen;
} ms_selection_name;

/* n_layers 0: all layers; n_projections 0: all projections. */
typedef struct ms_selection {
    ms_selection_range layers[MS_SELECTION_ITEMS];
    int n_layers;
    ms_selection_name projections[MS_SELECTION_ITEMS];
    int n_projections;
} ms_selection;

/* layers: "0,5,18-21"; projections: "q,v"; NULL: all.  Borrows both.  MS_USAGE: an item that is none, or more than
   MS_SELECTION_ITEMS. */
ms_status ms_selection_parse(const char *layers, const char *projections, ms_selection *out);

/* Marks what it finds.  A line without a layer (-1) or projection (NULL) is not asked for one. */
bool ms_selection_has(ms_selection *selection, int64_t layer, const char *projection);

/* MS_NOT_FOUND: an item that ms_selection_has never met. */
ms_status ms_selection_check(const ms_selection *selection);

#ifdef __cplusplus
}
#endif

#endif
