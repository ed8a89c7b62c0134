/* init.from: a model that training begins from.  PATH is one of

       a run                    its newest checkpoint
       RUN/checkpoints/step_N   that checkpoint
       a folder with config.json and safetensors (model/hf/source.h)

   Thread-safe on distinct objects. */
#ifndef MS_CLI_CONFIG_INIT_FROM_H
#define MS_CLI_CONFIG_INIT_FROM_H

#include "cli/config/config.h"
#include "model/checkpoint/safetensors.h"
#include "model/data/tokenizer.h"
#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_init_from ms_init_from; /* an open source */

/* `what` begins all messages about the source ("init.from", a command's name), and is lent to it.
   MS_NOT_FOUND: there is nothing, or no model.  MS_CORRUPT, MS_UNSUPPORTED, MS_IO, MS_OUT_OF_MEMORY; errors of
   ms_checkpoint_open and ms_hf_source_open.  The caller closes it. */
ms_status ms_init_from_open(const char *path, const char *what, ms_init_from **out);
void ms_init_from_close(ms_init_from *source); /* NULL is fine */

/* Gives the keys of sections model and attention the source's values, but for model.loss_chunk and model.recompute,
   which say how it is computed.  A key that is `given` and has another value is MS_MISMATCH, with both; but
   model.sequence_length, and of a Hugging Face folder attention.merged and model.embedding_scale, may be given freely.
   Of a Hugging Face folder model.sequence_length, where it is not given, is at most its positions and its window.
   MS_UNSUPPORTED: sequences that are longer than the window that a key is seen in. */
ms_status ms_init_from_resolve(const ms_init_from *source, const ms_config_given *given, ms_config *config);

/* Whether the source has every tensor of the model in its shape, and no other: MS_MISMATCH and MS_NOT_FOUND name the
   first that differs, with both shapes.  Errors of ms_model_init and ms_hf_source_check. */
ms_status ms_init_from_check(const ms_init_from *source, const ms_model_config *model);

/* ms_init_from_check, and whether all numbers are finite: reads all of them.  MS_NUMERIC names the tensor of the first
   that is not; MS_INTERRUPTED: a signal came. */
ms_status ms_init_from_check_numbers(const ms_init_from *source, const ms_model_config *model);

/* Id of the token that a Hugging Face folder's config.json puts before a text (bos_token_id); -1: none, or a run. */
int32_t ms_init_from_begin_id(const ms_init_from *source);

/* What there is to say of the data's tokenizer (NULL: it has none), beside the source's: "", or that ids mean other
   texts, or why it is not known.  Returns out. */
const char *ms_init_from_tokenizer_note(const ms_init_from *source, const ms_tokenizer *tokenizer, char *out,
                                        size_t size);

/* What there is to say of sequences of this length: "", or that a Hugging Face folder has fewer positions.  Returns
   out. */
const char *ms_init_from_length_note(const ms_init_from *source, int64_t sequence_length, char *out, size_t size);

/* As ms_weight_source wants them.  source: an ms_init_from, open.  path: a source that is opened as "init.from", read
   and closed. */
ms_status ms_init_from_fill(void *source, const ms_model_config *model, const ms_safetensor *tensors, size_t n);
ms_status ms_init_from_open_and_fill(void *path, const ms_model_config *model, const ms_safetensor *tensors, size_t n);

#ifdef __cplusplus
}
#endif

#endif
