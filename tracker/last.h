/* What the tracker keeps of the last snapshot, so that the next one can be compared with it: of each matrix s1 and the
   leading singular vectors; and of the first one s1.  As text it goes into a checkpoint, bit for bit: a resumed run
   then has the same lines as one that was not killed. */
#ifndef MS_TRACKER_LAST_H
#define MS_TRACKER_LAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/tracked_matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Vectors of a side: the dimension of the subspaces that are compared. */
enum { MS_LAST_VECTORS = 5 };

/* One matrix at the last snapshot. */
typedef struct ms_last_matrix {
    int rows, cols;
    double sigma_max;
    bool has_vectors;     /* false: its rank was below MS_LAST_VECTORS */
    double *left, *right; /* [rows, MS_LAST_VECTORS] and [cols, MS_LAST_VECTORS], column-major, orthonormal; borrowed
                             from ms_last_snapshot.memory */
} ms_last_matrix;

typedef struct ms_last_snapshot {
    int64_t step;             /* of the snapshot; -1: there is none yet, and what the matrices hold does not count */
    ms_last_matrix *matrices; /* [n] */
    double *first_sigma;      /* [n] s1 before any update, which ceilings begin with; NaN: not known */
    int n;
    double *memory;
} ms_last_snapshot;

/* For n matrices; there is no snapshot yet.  ms_last_snapshot_finish frees; a zeroed one is fine there.
   MS_OUT_OF_MEMORY. */
ms_status ms_last_snapshot_init(const ms_tracked_matrix *matrices, int n, ms_last_snapshot *out);
void ms_last_snapshot_finish(ms_last_snapshot *last);
/* Bytes of the vectors of one matrix. */
size_t ms_last_matrix_bytes(int rows, int cols);

/* One matrix as bytes for another process on a machine of this kind: how many, and there and back into one of the same
   shape. */
size_t ms_last_matrix_packed_bytes(int rows, int cols);
void ms_last_matrix_pack(const ms_last_matrix *of, void *out);
void ms_last_matrix_unpack(const void *bytes, ms_last_matrix *of);

/* As text, exact: 16 hexadecimal digits a number.  malloc'ed, the caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_last_snapshot_print(const ms_last_snapshot *last, char **out_text);
/* And back, into one of the same matrices.  MS_CORRUPT: not such a text, of other matrices, of a step after
   `latest_step`, or with numbers that no singular vector has; there is then no snapshot. */
ms_status ms_last_snapshot_read(const char *text, int64_t latest_step, ms_last_snapshot *last);

#ifdef __cplusplus
}
#endif

#endif
