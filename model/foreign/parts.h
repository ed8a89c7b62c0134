/* The matrices [outputs, inputs] in a tensor: usually one, the tensor itself; some tensors are several fused, stacked,
   or lie transposed. */
#ifndef MS_MODEL_FOREIGN_PARTS_H
#define MS_MODEL_FOREIGN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/safetensors.h"
#include "model/foreign/sizes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One matrix of a tensor.  The tensor, from element `offset` on, is a table of stored_cols columns.  Output number
   k * block + j of the matrix, j < block, is its row (transposed: its column) first + k * period + j. */
typedef struct ms_part {
    const char *projection; /* static; NULL: no rule knows it */
    int64_t layer, expert;  /* -1: none */
    int64_t rows, cols;     /* of the matrix: outputs and inputs, >= 1 */
    int64_t offset, stored_cols;
    int64_t first, block, period;
    bool is_transposed;
    bool is_slice;    /* of a tensor of three dimensions that is a stack of matrices */
    bool is_reshaped; /* the tensor has more than two dimensions, those from the second on taken as one */
} ms_part;

enum { MS_PARTS_MAX = 4 };

/* The matrices of one tensor. */
typedef struct ms_parts {
    ms_part parts[MS_PARTS_MAX]; /* of the first slice */
    int n;                       /* 0: it has none: fewer than two dimensions, no elements, or a mask of attention */
    int64_t n_slices;            /* 1; of experts that are stacked, how many there are: each has such parts */
    char note[160];              /* why a fused matrix was left whole; "" */
} ms_parts;

/* Splits a tensor by the rules of its name (model/foreign/names.h) and the sizes of its model.  A fused matrix whose
   sizes are not known, or to which the known ones do not fit, is left whole, and a note says so.  Thread-safe. */
ms_parts ms_parts_of(const ms_safetensor *tensor, const ms_model_sizes *sizes);

/* Part i of slice i_slice, both below their counts. */
ms_part ms_parts_get(const ms_parts *parts, int i, int64_t i_slice);

/* Whether the matrix lies row-major and without gaps in the tensor; its first element then is *out_first. */
bool ms_part_is_plain(const ms_part *part, int64_t *out_first);

/* Copies the matrix, row-major, to out [rows, cols].  `tensor`: its data; element_bytes: 2, 4 or 8. */
void ms_part_copy(const ms_part *part, const void *tensor, size_t element_bytes, void *out);

/* How the matrix lies in its tensor, for people: "whole", "rows 0-63 of every 192", "transposed, columns 768-1535",
   "slice 3, rows 0-767", "as [64, 147]".  Returns out. */
const char *ms_part_text(const ms_part *part, const ms_safetensor *tensor, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
