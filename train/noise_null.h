/* The noise null (tracker/null.h) of the layer matrices of a run, step by step: of Muon whose updates are U V^T alone;
   else it is NaN (ms_noise_null_is_defined). */
#ifndef MS_TRAIN_NOISE_NULL_H
#define MS_TRAIN_NOISE_NULL_H

#include "tracker/null.h"
#include "train/matrices.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_noise_null {
    bool known; /* false: not defined, or steps were made before anybody counted them */
    ms_null_state state;
    ms_null_shape *shapes; /* [n] of the matrices */
    int n;
} ms_noise_null;

/* Muon's own rule for layer matrices, with exponent 0 (updates U V^T), without noise, cautious decay and interventions
   on weights. */
bool ms_noise_null_is_defined(const ms_optimizer_config *config);

/* Of the n matrices of ms_weight_matrices.  Known from the start of a run; in the middle of one only by
   ms_noise_null_read.  ms_noise_null_finish frees.  MS_OUT_OF_MEMORY. */
ms_status ms_noise_null_init(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, ms_noise_null *out);
void ms_noise_null_finish(ms_noise_null *null);

/* Adds a step that took the rate lr for layer matrices. */
void ms_noise_null_advance(ms_noise_null *null, const ms_trainer *trainer, double lr);
/* The expected s1 of matrix i now; NaN where it is not known. */
double ms_noise_null_sigma(const ms_noise_null *null, int i);

/* The state as text for a checkpoint, exact: at most MS_NOISE_NULL_TEXT bytes with the NUL. */
enum { MS_NOISE_NULL_TEXT = 512 };
void ms_noise_null_print(const ms_noise_null *null, char out[MS_NOISE_NULL_TEXT]);
/* And back.  MS_CORRUPT: not such a text, or of another number of steps than the trainer's. */
ms_status ms_noise_null_read(ms_noise_null *null, const ms_trainer *trainer, const char *text);

#ifdef __cplusplus
}
#endif

#endif
