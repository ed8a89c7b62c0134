/* Which matrices a tracker looks at. */
#ifndef MS_TRACKER_TRACKED_MATRIX_H
#define MS_TRACKER_TRACKED_MATRIX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_tracked_matrix {
    const char *projection; /* "q", "k", "v", "o", "up", "gate", "down", "embedding"; copied */
    int layer;              /* from 0 */
    int rows, cols;         /* >= 1 */
    int whole;              /* 0: stored alone; else the same number for those that are row groups of one stored matrix,
                               which follow each other and have the same columns */
} ms_tracked_matrix;

size_t ms_tracked_matrix_elements(const ms_tracked_matrix *matrix);

/* Rows of matrix i of n and of those after it that are groups of the same stored matrix. */
int ms_tracked_whole_rows(const ms_tracked_matrix *matrices, int n, int i);

/* The largest smaller and longer side of the n matrices; of_wholes: also of what they are row groups of. */
void ms_tracked_largest_sides(const ms_tracked_matrix *matrices, int n, bool of_wholes, int *out_smaller,
                              int *out_longer);

/* Whether one of the n matrices is the `layer` and `projection` of a line, which has these keys. */
bool ms_tracked_matrices_have(const ms_tracked_matrix *matrices, int n, const json_t *line);

enum { MS_TRACKED_NAME_SIZE = 64 };

/* Matrices with what a tracker needs beside them. */
typedef struct ms_tracked_matrices {
    ms_tracked_matrix *matrices;         /* [n] */
    char (*names)[MS_TRACKED_NAME_SIZE]; /* [n] "layer 3 up", for messages; projections are the ends of them */
    int *order;                          /* [n] by elements, largest first, so that no thread ends with a big one */
    int n;
} ms_tracked_matrices;

/* A copy.  ms_tracked_matrices_finish frees, also after a failure; a zeroed one is fine there.  MS_OUT_OF_MEMORY. */
ms_status ms_tracked_matrices_init(const ms_tracked_matrix *matrices, int n, ms_tracked_matrices *out);
void ms_tracked_matrices_finish(ms_tracked_matrices *tracked);
/* Bytes of one. */
size_t ms_tracked_matrices_bytes(int n);

#ifdef __cplusplus
}
#endif

#endif
