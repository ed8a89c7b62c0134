/* Controls: runs like any other in which one cause of what is measured is taken away.  What a spectrum, an alignment or
   a loss is then is what it must be compared with. */
#ifndef MS_TRAIN_CONTROL_H
#define MS_TRAIN_CONTROL_H

#include <stdint.h>

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_control {
    MS_CONTROL_NONE,
    /* Gradients are N(0, 1) by the counter generator, keyed by (seed, name of the parameter, step); there is no forward
       pass and no loss.  Muon and AdamW do not see the scale, but for their epsilons; SGD does. */
    MS_CONTROL_NOISE,
    /* The targets of a pass are permuted among its positions, by (seed, step, pass): how often a token comes stays,
       with what it follows does not.  Validation has its own targets in order. */
    MS_CONTROL_SHUFFLED_TARGETS
} ms_control;
/* Names by value; ends with NULL. */
extern const char *const ms_control_names[];

/* Adds noise in all gradients to a graph; its step scalar 0 is the step, counted from 0.  Errors as in
   backend/ir/graph.h. */
void ms_control_add_noise(const ms_model *model, uint64_t seed, ms_graph *graph);

/* Which pass of a run. */
typedef struct ms_control_pass {
    uint64_t seed;
    int64_t step;   /* from 0 */
    int32_t i_pass; /* of the step */
} ms_control_pass;
/* Permutes the targets that are none of -1, by Fisher and Yates; a -1 stays where it is.  Thread-safe. */
void ms_control_shuffle(const ms_control_pass *pass, int64_t count, int32_t *targets);

#ifdef __cplusplus
}
#endif

#endif
