/* Which matrices of a file are analyzed: all of its tensors' parts, chosen by name and by size. */
#ifndef MS_CLI_ANALYZE_PLAN_H
#define MS_CLI_ANALYZE_PLAN_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/foreign/foreign.h"
#include "model/foreign/parts.h"
#include "platform/status.h"
#include "tracker/analysis.h"

/* One matrix, where it lies. */
typedef struct ms_analyze_place {
    const ms_safetensor *tensor; /* NULL: there is none */
    ms_part part;
    ms_element type;
} ms_analyze_place;

/* One line of the output. */
typedef struct ms_analyze_item {
    char *name;                   /* the tensor's, and ":q" for a part of it: what --match sees; or of a fault */
    ms_analyze_place here, other; /* here.tensor NULL: a fault, which has an error and nothing else */
    const char *note;             /* "" where there is none; lies in the plan */
    double cost;
    char *error;  /* why there are no figures; NULL: there are, once it is done */
    bool is_done; /* the figures are there, or the error */
    ms_analysis analysis;
} ms_analyze_item;

/* Tensors, or matrices, that have no line. */
typedef struct ms_analyze_skipped {
    int64_t vectors;               /* tensors of fewer than two dimensions */
    int64_t empty;                 /* tensors of no elements */
    int64_t masks;                 /* tensors that are masks of attention */
    int64_t others;                /* tensors of a type that is no floating-point number of 16 to 64 bits */
    char other_type[8];            /* of one of them */
    int64_t unmatched;             /* matrices that --match leaves out */
    int64_t smaller;               /* matrices that --largest leaves out */
    int64_t only_here, only_there; /* matrices that the other file has not, or has alone */
} ms_analyze_skipped;

typedef struct ms_analyze_plan {
    ms_analyze_item *items; /* [n], in the order of the lines */
    size_t n;
    size_t *order; /* [n_order] the items to compute, costliest first */
    size_t n_order;
    ms_parts *parts; /* [n_tensors], whose notes the items lend */
    size_t n_tensors;
    bool has_other;
    ms_analyze_skipped skipped;
} ms_analyze_plan;

typedef struct ms_analyze_choice {
    const regex_t *match; /* NULL: every name */
    int64_t largest;      /* how many matrices at most, by their elements; 0: all */
} ms_analyze_choice;

/* Plans the matrices of `here`, beside those of the same names in `other` (NULL: beside none).  Both stay open for as
   long as the plan is used; the caller finishes it, also after an error.  MS_NOT_FOUND: no matrix is left; says why.
   MS_OUT_OF_MEMORY. */
ms_status ms_analyze_plan_init(const ms_foreign *here, const ms_foreign *other, const ms_analyze_choice *choice,
                               ms_analyze_plan *out);
void ms_analyze_plan_finish(ms_analyze_plan *plan);

#endif
