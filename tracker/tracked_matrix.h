/* Which matrices a tracker looks at. */
#ifndef MS_TRACKER_TRACKED_MATRIX_H
#define MS_TRACKER_TRACKED_MATRIX_H

#include <jansson.h>
#include <stdbool.h>

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

/* Whether one of the n matrices is the `layer` and `projection` of a line, which has these keys. */
bool ms_tracked_matrices_have(const ms_tracked_matrix *matrices, int n, const json_t *line);

#ifdef __cplusplus
}
#endif

#endif
