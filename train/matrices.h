/* The weight matrices of a model in training: what its spectra are of. */
#ifndef MS_TRAIN_MATRICES_H
#define MS_TRAIN_MATRICES_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_weight_matrix {
    const char *projection; /* "q", "k", "v", "o", "up", "gate", "down"; static */
    int32_t layer;          /* from 0 */
    int64_t rows, columns;
    int32_t i_parameter, group; /* as ms_trainer_norms takes them */
    ms_store_part part;         /* where it lies, row-major: ms_store_download(trainer->store, part.variable, ...) */
} ms_weight_matrix;

/* Every row group of every layer matrix, layer by layer, and within a layer in the order of the parameters.  Fills at
   most `capacity` and returns how many there are.  Thread-safe. */
int ms_weight_matrices(const ms_trainer *trainer, ms_weight_matrix *out, int capacity);

#ifdef __cplusplus
}
#endif

#endif
