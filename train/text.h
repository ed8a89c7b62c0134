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

/* Loads the weights of checkpoint `step` (-1: the newest) below the folder `checkpoints` onto a device and writes
   prompt and continuation to `stream` as they are drawn, with a line break at the end.  MS_MISMATCH: tokenizer and
   model differ in vocabulary.  Errors of generator, checkpoint and tokenizer. */
ms_status ms_generate_from_run(const ms_model_config *model, const ms_device_options *device, const char *checkpoints,
                               int64_t step, ms_tokenizer *tokenizer, const ms_text_request *request, FILE *stream);

#endif
