/* Which rank updates which part of the parameters.  Parameters lie one after the other; each is rows of its leading
   dimension (layers of a stack, tokens of an embedding), and each rank has one contiguous range of them all, about
   equal in cost. */
#ifndef MS_TRAIN_PARALLEL_OWNERSHIP_H
#define MS_TRAIN_PARALLEL_OWNERSHIP_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A parameter as it is cut. */
typedef struct ms_owned_parameter {
    int64_t rows, row_elements;
    int64_t granule; /* rows that stay together, >= 1; the last may be fewer */
    double row_cost; /* of updating one row, in any unit */
} ms_owned_parameter;

typedef struct ms_ownership {
    int n_ranks, n_parameters;
    int64_t *first_row; /* [n_parameters][n_ranks + 1]: rank r has rows first_row[p][r] to first_row[p][r + 1] - 1 */
    int64_t *begin;     /* [n_ranks + 1]: the same as elements of all parameters in a line */
} ms_ownership;

/* Cuts them.  The caller finishes it, also after an error.  MS_OUT_OF_MEMORY. */
ms_status ms_ownership_init(const ms_owned_parameter *parameters, int n_parameters, int n_ranks, ms_ownership *out);
/* A zeroed one is fine. */
void ms_ownership_finish(ms_ownership *ownership);
int64_t ms_ownership_first_row(const ms_ownership *ownership, int i_parameter, int rank);
int64_t ms_ownership_rows(const ms_ownership *ownership, int i_parameter, int rank);

#ifdef __cplusplus
}
#endif

#endif
