/* Validation loss by how frequent the target is in the training data: whether rare tokens are learned.

   Tokens are ordered by their count in the training split, the most frequent first (equal counts: the smaller id
   first). A token belongs to decile floor(10 * before / all), where `before` is how many tokens of the split those
   ahead of it make up and `all` is how many there are: each decile holds about a tenth of the text, not of the
   vocabulary.  A token that never occurs belongs to the last.  A decile is empty where one token alone makes up more
   than a tenth. */
#ifndef MS_TRAIN_FREQUENCY_H
#define MS_TRAIN_FREQUENCY_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_FREQUENCY_DECILES = 10 };

/* The decile, from 0, of each token of a vocabulary: out [n_tokens].  counts [n_tokens], at least one of them above 0.
   MS_INVALID: nothing was counted; MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_frequency_deciles(const int64_t *counts, int32_t n_tokens, uint8_t *out);

/* Losses of tokens, summed by the decile of the target. */
typedef struct ms_frequency_losses {
    const uint8_t *deciles;              /* [vocabulary], borrowed */
    double sum[MS_FREQUENCY_DECILES];    /* nats, in the order of the tokens */
    int64_t count[MS_FREQUENCY_DECILES]; /* targets */
} ms_frequency_losses;

/* Adds n tokens; a negative target is none. */
void ms_frequency_losses_add(ms_frequency_losses *losses, const int32_t *targets, const float *token_losses, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
