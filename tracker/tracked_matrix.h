/* Which matrices a tracker looks at. */
#ifndef MS_TRACKER_TRACKED_MATRIX_H
#define MS_TRACKER_TRACKED_MATRIX_H

typedef struct ms_tracked_matrix {
    const char *projection; /* "q", "k", "v", "o", "up", "gate", "down", "embedding"; copied */
    int layer;              /* from 0 */
    int rows, cols;         /* >= 1 */
    int whole;              /* 0: stored alone; else the same number for those that are row groups of one stored matrix,
                               which follow each other and have the same columns */
} ms_tracked_matrix;

#endif
