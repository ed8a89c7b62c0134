/* Layers and projections that are chosen by --layers and --projections, of `muonscope plot` and `compare` alike.  Not
   thread-safe on one object. */
#ifndef MS_TRACKER_PLOT_SELECTION_H
#define MS_TRACKER_PLOT_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MS_SELECTION_LAYERS = 10000, /* above the highest that can be chosen */
    MS_SELECTION_NAMES = 64,
    MS_SELECTION_MET = 16, /* names that a message lists */
    MS_SELECTION_NAME_SIZE = 32
};

/* A name of the list, and whether a line had it. */
typedef struct ms_selection_name {
    const char *text; /* borrowed, `length` bytes */
    size_t length;
    bool seen;
} ms_selection_name;

typedef struct ms_selection {
    bool all_layers;
    unsigned char layers[MS_SELECTION_LAYERS]; /* bits: 1 chosen, 2 met */
    int64_t lowest, highest;                   /* of the layers that were met; lowest > highest: none */
    ms_selection_name projections[MS_SELECTION_NAMES];
    int n_projections;                                      /* 0: all */
    char met[MS_SELECTION_MET][MS_SELECTION_NAME_SIZE + 1]; /* names that were met, the first ones */
    int n_met;
} ms_selection;

/* layers: numbers and ranges between commas, "0,5,18-21"; projections: names, "q,v"; NULL: all.  Borrows both.
   MS_USAGE: an item that is none, or too many names. */
ms_status ms_selection_parse(const char *layers, const char *projections, ms_selection *out);

/* Whether it is chosen; marks what it is asked about.  A line without a layer (-1) or projection (NULL) is not asked
   for one. */
bool ms_selection_has(ms_selection *selection, int64_t layer, const char *projection);

/* MS_NOT_FOUND: a layer, of a range too, or a name that ms_selection_has has never met, with those that it has. */
ms_status ms_selection_check(const ms_selection *selection);

#ifdef __cplusplus
}
#endif

#endif
