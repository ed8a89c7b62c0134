/* Text from a run's weights: prompt in, continuation out. */
#ifndef MS_TRAIN_TEXT_H
#define MS_TRAIN_TEXT_H

#include <stdio.h>

#include "train/generator.h"
#include "model/data/tokenizer.h"

typedef struct ms_text_request {
    const char *prompt; /* UTF-8; empty: start after the end-of-text token */
    int64_t n_tokens;   /* to draw; fewer when the end-of-text token is drawn */
    ms_sampling sampling;
} ms_text_request;

/* A run's weights. */
typedef struct ms_text_source {
    ms_model_config model;
    const char *checkpoints; /* the run's folder of them */
    int64_t step;            /* which one; -1: the newest */
    ms_tokenizer *tokenizer; /* borrowed */
    int32_t end_of_text;     /* id of the token before each document, where text begins and ends; -1: none */
} ms_text_source;

/* The token before each document of a run's data: as the run's copy of dataset.json has it; the tokenizer's own, -1 for
   none, where the run has no copy: its shards had none, or an older version made it.  Errors of ms_sidecar_read. */
ms_status ms_text_find_end(const char *run_folder, const ms_tokenizer *tokenizer, int32_t *out);

/* Loads the weights onto an open device, writes prompt and continuation to `stream` as they are drawn, with a line
   break at the end, and the same without it to `copy` (NULL: nowhere), and gives the device's memory back.  The model
   may have more ids than the tokenizer: those are never drawn.  MS_MISMATCH: it has fewer.  MS_INTERRUPTED: a signal
   that ms_signals_catch catches came; the line is ended. Errors of generator, checkpoint and tokenizer. */
ms_status ms_generate_from_run(ms_device *device, const ms_text_source *source, const ms_text_request *request,
                               FILE *stream, FILE *copy);

#endif
