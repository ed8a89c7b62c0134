/* The weights of a Hugging Face model in its folder: model.safetensors, or, above a size,
   model-00001-of-0000N.safetensors and so on with model.safetensors.index.json, which says which tensor is in which. */
#ifndef MS_MODEL_HF_WEIGHTS_H
#define MS_MODEL_HF_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/hf/folder.h"
#include "model/hf/tensors.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of tensors that one file has at most, unless one tensor is larger. */
#define MS_HF_SHARD_BYTES INT64_C(5000000000)

typedef struct ms_hf_written {
    int n_files;        /* of weights */
    int64_t size_bytes; /* of all tensors */
} ms_hf_written;

/* How they are written. */
typedef struct ms_hf_weights_options {
    ms_dtype dtype;      /* f32; or bf16, each number rounded to nearest even */
    int64_t shard_bytes; /* at most in a file; 0: MS_HF_SHARD_BYTES */
} ms_hf_weights_options;

/* Writes them.  Takes memory for the tensors of one file that differ from their sources.  MS_INTERRUPTED: a signal that
   ms_signals_catch catches came.  MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY: some files may be there. */
ms_status ms_hf_weights_write(const ms_hf_tensors *tensors, const ms_hf_folder *folder,
                              const ms_hf_weights_options *options, ms_hf_written *out);

#ifdef __cplusplus
}
#endif

#endif
