/* The next token's logits: a model's weights on a device, with a key/value cache for several texts at a time.

   The keys and values of each layer stay on the device, those of the last sequence_length tokens of each text.  A token
   that is appended to a text costs one row of the forward pass and attention over the text so far.  A new text is read
   by one forward pass at the smallest of a few compiled lengths (powers of two from 32, then the model's sequence
   length) that holds it.  A text longer than the sequence length moves all its positions with each token, which makes
   every key and value another: each token then costs the pass over the whole context, as without a cache.
   One thread at a time. */
#ifndef MS_TRAIN_GENERATOR_H
#define MS_TRAIN_GENERATOR_H

#include "backend/backend.h"
#include "model/model.h"
#include "model/checkpoint/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_generator ms_generator;

/* Allocates the weights, and caches for n_texts texts (2 * layers * sequence_length * kv_heads * head_size numbers
   each, in the model's storage), on an open device.  The caller closes the generator, before the device.  MS_INVALID:
   n_texts below 1, or more rows of a cache than an int32 counts.  MS_OUT_OF_MEMORY. */
ms_status ms_generator_open(ms_device *device, const ms_model_config *config, int32_t n_texts, ms_generator **out);
void ms_generator_close(ms_generator *generator);

/* Weights from a checkpoint's model.safetensors. */
ms_status ms_generator_load(ms_generator *generator, const ms_safetensors *file);

/* Or the weights that training begins with, for what is measured without a run. */
ms_status ms_generator_initialise(ms_generator *generator, uint64_t seed);

/* A text so far. */
typedef struct ms_generator_text {
    const int32_t *tokens; /* [n] */
    int64_t n;             /* 0: no logits are wanted of this text now, and its cache stays as it is */
} ms_generator_text;

/* The logits of the token that follows each text: texts [n_texts], out_logits f32 [n_texts, vocabulary], of which the
   rows of texts with n = 0 are left alone.  n_texts is at most that of ms_generator_open; text i has cache i.  Texts
   are given whole each time: what a cache holds already of the text's beginning is not computed again, whatever the
   text was before.  Only the last sequence_length tokens are seen.  In `exact` the logits of a text have the same bits
   whatever the cache held and whatever stands beside it.  MS_INVALID: an id outside the vocabulary, too many texts. */
ms_status ms_generator_logits(ms_generator *generator, const ms_generator_text *texts, int32_t n_texts,
                              float *out_logits);

#ifdef __cplusplus
}
#endif

#endif
