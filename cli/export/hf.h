/* `muonscope export hf`: a run's weights as a folder that Hugging Face's transformers loads. */
#ifndef MS_CLI_EXPORT_HF_H
#define MS_CLI_EXPORT_HF_H

#include <stdint.h>
#include <stdio.h>

#include "backend/ir/types.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_export_hf_request {
    const char *run;     /* its folder */
    const char *out;     /* the new folder: not there yet, or empty; without slashes at its end */
    int64_t step;        /* of the checkpoint; -1: the newest */
    ms_dtype dtype;      /* of the weights in the files: f32 or bf16 */
    int64_t shard_bytes; /* of tensors in one file, at most; 0: MS_HF_SHARD_BYTES */
} ms_export_hf_request;

/* Writes the folder, complete or not at all, and prints what it holds.  MS_UNSUPPORTED: no architecture of transformers
   computes what this model computes; names the key that is in the way.  MS_INVALID: there is something at `out`.
   MS_NOT_FOUND: no run, or no checkpoint.  MS_MISMATCH: the checkpoint has other shapes than config.yaml says, or fewer
   ids than the tokenizer.  MS_CORRUPT, MS_IO, MS_NO_SPACE, MS_INTERRUPTED, MS_OUT_OF_MEMORY.  Not thread-safe. */
ms_status ms_export_hf(const ms_export_hf_request *request, FILE *printed);

#ifdef __cplusplus
}
#endif

#endif
