/* Gaussian noise in the updates of layer matrices: x -> x + strength norm(x) N / norm(N), for each row group
   (projection) of each layer alone, N of standard normal numbers by Philox4x32-10 (backend/ir/ops.def, random_normal)
   that depend on (seed, step, name of the matrix, row group, element) alone: not on which layers get noise or are
   updated here, nor on how many there were before. Norms of Frobenius. */
#ifndef MS_OPTIM_NOISE_H
#define MS_OPTIM_NOISE_H

#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The last step that noise can be keyed by: step numbers are f32. */
enum { MS_NOISE_LAST_STEP = 1 << 24 };

typedef struct ms_noise {
    float strength;                  /* norm of the noise over that of what it is added to, >= 0 */
    bool is_before;                  /* in the momentum before it is orthogonalised; else in the update after */
    int32_t first_layer, last_layer; /* both count from 0; last -1: the model's */
    int64_t layers;                  /* of the model */
    uint64_t seed;
    const char *name;    /* of the weight's variable */
    int32_t step_scalar; /* index of the step number */
} ms_noise;

/* x [n,R,C], layers first_row to first_row + n - 1 of the parameter, with noise in the layers of the range and the
   parameter's noisy groups.  Errors as in backend/ir/graph.h; a range that the model's layers do not have is
   MS_INVALID. */
ms_tensor ms_noise_add(ms_graph *graph, const ms_noise *noise, const ms_optimizer_parameter *parameter, ms_tensor x);

#ifdef __cplusplus
}
#endif

#endif
