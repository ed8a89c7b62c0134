/* What a model's weights make of tokens: the loss of each, on a device, and the log-likelihood of documents longer or
   shorter than a sequence.  One thread at a time. */
#ifndef MS_TRAIN_EVALUATOR_H
#define MS_TRAIN_EVALUATOR_H

#include "backend/backend.h"
#include "model/checkpoint/safetensors.h"
#include "model/model.h"
#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_evaluator ms_evaluator;

/* Allocates the weights on an open device and compiles the forward pass over batch_sequences >= 1 sequences.  The
   caller closes the evaluator, before the device.  MS_INVALID: more tokens than a pass has; MS_OUT_OF_MEMORY. */
ms_status ms_evaluator_open(ms_device *device, const ms_model_config *config, int32_t batch_sequences,
                            ms_evaluator **out);
void ms_evaluator_close(ms_evaluator *evaluator);

/* Weights from a checkpoint's model.safetensors. */
ms_status ms_evaluator_load(ms_evaluator *evaluator, const ms_safetensors *file);

/* Weights that somebody else writes.  Errors of source->fill; MS_OUT_OF_MEMORY. */
ms_status ms_evaluator_load_from(ms_evaluator *evaluator, const ms_weight_source *source);

/* The loss of each target in nats, f32 [B, T], of tokens and targets [B, T]; 0 where the target is MS_NO_TARGET
   (model/data/dataset.h).  MS_INVALID: an id outside the model's vocabulary; MS_NUMERIC: a loss that is not finite. */
ms_status ms_evaluator_losses(ms_evaluator *evaluator, const int32_t *tokens, const int32_t *targets,
                              float *out_losses);

/* ---- documents ---- */

/* What is called when all tokens of a document have been seen, in the order of the documents.  log_likelihood is in
   nats, of n_scored tokens. */
typedef ms_status (*ms_document_scored)(void *context, int64_t i_document, int64_t n_scored, double log_likelihood);

typedef struct ms_scorer ms_scorer;

/* Begins a list of documents.  stride, from 1 to T: a document longer than T tokens is read in windows of T that begin
   `stride` tokens apart, and each window scores what no earlier one did: with T nothing is computed twice, and the
   first tokens of a window have little before them; with less, every token but the first T has at least T - stride
   before it (what Hugging Face's page on perplexity calls a sliding window).  The caller destroys the scorer, before
   the evaluator. MS_INVALID: stride; MS_OUT_OF_MEMORY. */
ms_status ms_scorer_create(ms_evaluator *evaluator, int64_t stride, ms_document_scored scored, void *context,
                           ms_scorer **out);
void ms_scorer_destroy(ms_scorer *scorer);

/* Adds a document; `scored` is called for it now or later.  ids[0] is what the rest begins with, and is not scored.
   n >= 1.  Errors of ms_evaluator_losses and of `scored`. */
ms_status ms_scorer_add(ms_scorer *scorer, const int32_t *ids, int64_t n);
/* Scores what is left of all documents. */
ms_status ms_scorer_finish(ms_scorer *scorer);

#ifdef __cplusplus
}
#endif

#endif
