/* The tensors of a Hugging Face model, each made of one of a checkpoint of ours; the mapping: model/hf/README.md. */
#ifndef MS_MODEL_HF_TENSORS_H
#define MS_MODEL_HF_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/safetensors.h"
#include "model/model.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One tensor: rows of a source, an f32 matrix or vector, each number times a factor. */
typedef struct ms_hf_tensor {
    char name[96];
    const ms_safetensor *source; /* borrowed from the checkpoint */
    int64_t first_row;           /* of the source, where it begins */
    int64_t rows, columns;       /* columns 0: a vector, whose rows are numbers */
    double factor;               /* the product is f64, and rounded once */
    /* Above 0: of each head, so many rows, the even ones come first, then the odd ones.  0: as they are. */
    int64_t head_size;
} ms_hf_tensor;

/* All of a model, in the order of the forward pass; zeroed is empty. */
typedef struct ms_hf_tensors {
    ms_hf_tensor *tensors; /* [n] owned */
    size_t n, capacity;
} ms_hf_tensors;

/* Finds the sources of all tensors.  The caller finishes *out, also after an error; the checkpoint's file stays open as
   long.  MS_MISMATCH: a tensor has another type or shape than the configuration says; names both.  MS_NOT_FOUND,
   MS_OUT_OF_MEMORY; errors of ms_hf_architecture_of.  Thread-safe. */
ms_status ms_hf_tensors_plan(const ms_model_config *config, const ms_safetensors *checkpoint, ms_hf_tensors *out);
void ms_hf_tensors_finish(ms_hf_tensors *tensors);

/* How many numbers it has. */
int64_t ms_hf_tensor_count(const ms_hf_tensor *tensor);
/* Writes them, row-major.  Thread-safe. */
void ms_hf_tensor_fill(const ms_hf_tensor *tensor, float *out);

#ifdef __cplusplus
}
#endif

#endif
