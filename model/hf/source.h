/* A folder of a Hugging Face model that training begins from: config.json, and the weights, in one safetensors file or
   in shards (model/foreign).  Families: Llama 2 and 3 (SmolLM2 is one), Mistral, Qwen2, Qwen3, as far as ours computes
   what they do.  Rotated pairs stay (i, i + D/2).  Thread-safe on distinct objects. */
#ifndef MS_MODEL_HF_SOURCE_H
#define MS_MODEL_HF_SOURCE_H

#include "model/checkpoint/safetensors.h"
#include "model/hf/description.h"
#include "model/model.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_hf_source ms_hf_source; /* an open folder */

/* MS_NOT_FOUND: no folder, or no config.json or weights in it.  MS_UNSUPPORTED: a family that is none of these, or an
   option of one that ours lacks; names it.  MS_CORRUPT: config.json is none, or a size in it has no sense; a shard is
   damaged or missing.  MS_IO, MS_OUT_OF_MEMORY.  The caller closes it; the files must not be truncated meanwhile. */
ms_status ms_hf_source_open(const char *path, ms_hf_source **out);
void ms_hf_source_close(ms_hf_source *source); /* NULL is fine */

/* Borrowed. */
const ms_hf_description *ms_hf_source_description(const ms_hf_source *source);

/* Whether the folder has what the n tensors of a model of ours are made of, by their names and shapes (data is not
   looked at), and nothing else.  MS_NOT_FOUND names the first that is missing, with the shape that is wanted;
   MS_MISMATCH the first of another shape, with both, or that nothing takes, or a head that is stored beside the
   embedding that it is tied to, and differs.  MS_UNSUPPORTED: a tensor of a type that is no floating-point number, or a
   bias that ours lacks. */
ms_status ms_hf_source_check(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                             size_t n);
/* After that check: whether all numbers are finite, as f32.  MS_NUMERIC names the tensor of the first that is not;
   MS_INTERRUPTED: a signal came. */
ms_status ms_hf_source_check_numbers(const ms_hf_source *source, const ms_model_config *model,
                                     const ms_safetensor *wanted, size_t n);
/* Writes the numbers to the tensors' data, f32, after both checks. */
ms_status ms_hf_source_fill(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                            size_t n);

#ifdef __cplusplus
}
#endif

#endif
