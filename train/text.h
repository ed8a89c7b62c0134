/* Texts from a run's weights: prompts in, continuations out. */
#ifndef MS_TRAIN_TEXT_H
#define MS_TRAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/checkpoint.h"
#include "model/data/tokenizer.h"
#include "train/generator.h"
#include "train/sampling.h"

/* A run's weights. */
typedef struct ms_text_source {
    ms_model_config model;
    const char *checkpoints; /* the run's folder of them */
    int64_t step;            /* which one; -1: the newest */
    ms_tokenizer *tokenizer; /* borrowed */
    int32_t end_of_text;     /* id of the token before each document, where text begins and ends; -1: none */
} ms_text_source;

/* What a text begins with; all of it is borrowed. */
typedef struct ms_text_prompt {
    const char *place; /* for messages: "--prompt", "prompts.txt, line 3" */
    const char *text;  /* [size_bytes] UTF-8; the token before each document goes before it.  Empty: that token alone */
    size_t size_bytes;
    const int32_t *ids; /* [n_ids] the prompt as ids in place of the text: nothing goes before them; NULL: the text */
    size_t n_ids;
} ms_text_prompt;

typedef struct ms_text_request {
    const ms_text_prompt *prompts; /* [n_prompts], 1 or more */
    int64_t n_prompts;
    int64_t n_samples; /* texts of each prompt, 1 or more; sample i draws other tokens than sample j */
    int64_t n_tokens;  /* most tokens to draw of each text */
    ms_sampling sampling;
    const char *const *stops; /* [n_stops] UTF-8, none empty: a text ends before one (train/text_tail.h) */
    size_t n_stops;
    bool wants_log_probabilities;
    int32_t n_at_once; /* texts that are drawn at a time, 1 or more: each has a cache (train/generator.h).  In `exact`
                          the texts are the same for any number; in `fast` products of more rows may round otherwise */
} ms_text_request;

typedef enum ms_text_end {
    MS_TEXT_END_LENGTH,     /* all tokens that were asked for are drawn */
    MS_TEXT_END_OF_TEXT,    /* the model drew the token that ends a document */
    MS_TEXT_END_STOP_STRING /* a stop string came */
} ms_text_end;

/* "length", "end_of_text", "stop". */
const char *ms_text_end_name(ms_text_end end);

/* A text, borrowed for the call that it is handed to. */
typedef struct ms_drawn_text {
    int64_t i_prompt, i_sample; /* from 0 */
    const char *prompt;         /* [prompt_bytes] as given; of ids their text, which need not be UTF-8 */
    size_t prompt_bytes;
    const char *bytes; /* [n_bytes] what follows the prompt, without end token and stop string; need not be UTF-8 */
    size_t n_bytes;
    const int32_t *ids; /* [n_prompt_ids + n_drawn] the prompt's, with the token before it, and all that were drawn,
                           those of the end token and of the stop string too */
    int64_t n_prompt_ids, n_drawn;
    const double *log_probabilities; /* [n_drawn] of the drawn ids, in nats, by the model itself: over all of its ids,
                                        at temperature 1, before penalties and cuts; NULL: not wanted */
    ms_text_end end;
    const char *stop; /* the stop string that came; NULL: none */
} ms_drawn_text;

/* Where texts go: one after another, by prompt and then by sample.  A function that is not MS_OK ends the work. */
typedef struct ms_text_sink {
    void *context;
    ms_status (*open)(void *context, const ms_checkpoint *checkpoint); /* first of all; NULL: nothing */
    ms_status (*begin)(void *context, const ms_drawn_text *text);      /* before its first token; NULL: nothing */
    ms_status (*more)(void *context, const char *bytes, size_t n);     /* what follows, as it is drawn; no stop string
                                                                          nor half a character; NULL: nothing */
    ms_status (*end)(void *context, const ms_drawn_text *text);        /* it has ended */
} ms_text_sink;

/* The token before each document of a run's data: as the run's copy of dataset.json has it; the tokenizer's own, -1 for
   none, where the run has no copy: its shards had none, or an older version made it.  Errors of ms_sidecar_read. */
ms_status ms_text_find_end(const char *run_folder, const ms_tokenizer *tokenizer, int32_t *out);

/* Whether a text can begin so.  MS_INVALID names the prompt's place: it is empty and there is no token to start from,
   it is no UTF-8, it has more tokens than the model sees at once, or ids that the tokenizer has not. */
ms_status ms_text_check_prompt(const ms_text_source *source, const ms_text_prompt *prompt);

/* Loads the weights onto an open device, draws the texts, and gives the device's memory back.  A text depends on its
   prompt, its number among the samples, the settings and the weights alone (in `fast` up to rounding).  More tokens
   than the model sees at once can be drawn: the last are seen.  The model may have more ids than the tokenizer: those
   are never drawn. MS_MISMATCH: it has fewer.  MS_INVALID: as ms_text_check_prompt, before anything is drawn, or a
   setting out of its range. MS_INTERRUPTED: a signal that ms_signals_catch catches came.  Errors of generator,
   checkpoint, tokenizer and sink. */
ms_status ms_generate_from_run(ms_device *device, const ms_text_source *source, const ms_text_request *request,
                               const ms_text_sink *sink);

#endif
