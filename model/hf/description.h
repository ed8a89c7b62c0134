/* config.json of a Hugging Face model, as far as ours computes what it describes.  Thread-safe. */
#ifndef MS_MODEL_HF_DESCRIPTION_H
#define MS_MODEL_HF_DESCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What config.json says. */
typedef struct ms_hf_description {
    char type[64]; /* model_type */
    int64_t layers, width, heads, kv_heads, head_size, feed_forward, vocabulary;
    ms_activation activation; /* swiglu; relu2, where hidden_act is relu: each gate must then be its up */
    bool tied_head, qk_norm, qkv_bias;
    double norm_epsilon, rope_base;
    ms_rope_scaling rope_scaling;
    double rope_factor;         /* of linear and llama3 */
    double rope_low, rope_high; /* of llama3, as the next */
    int64_t rope_original_length;
    int64_t positions; /* max_position_embeddings; 0: it does not say */
    int32_t begin_id;  /* bos_token_id, which stands before a text; -1: there is none */
    int64_t window;    /* a query sees so many keys, itself included; 0: all before it */
} ms_hf_description;

/* MS_UNSUPPORTED: a family that training cannot begin from, or an option of one that ours lacks; names it.  MS_CORRUPT:
   not a JSON object, or a key that is missing or has no sense.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_hf_description_read(const char *path, ms_hf_description *out);

#ifdef __cplusplus
}
#endif

#endif
