/* Random tokens whose frequencies are those of a text: what speed is measured on where there is no data.  Rows of the
   embedding that many tokens read and add to cost time that uniform tokens do not show. */
#ifndef MS_TRAIN_ZIPF_H
#define MS_TRAIN_ZIPF_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_zipf_source {
    uint64_t seed;
    int32_t vocabulary; /* V */
    int32_t length;     /* of a sequence */
    uint64_t n_drawn;   /* tokens so far: 0 at first */
} ms_zipf_source;

/* Token i of a seed, in [0, V): Zipf's law in Mandelbrot's form, P(token t) = ln((t + 2.5) / (t + 1.5)) / ln((V + 1.5)
   / 1.5), about 1 / (t + 2) of the sum.  The commonest is 4.9 % of 49,152 and 7.1 % of 2,048; in an English text in
   49,152 tokens it was 4.6 %.  Tokens are independent.  A function of the arguments, but for the rounding of exp.
   Thread-safe. */
int32_t ms_zipf_token(uint64_t seed, uint64_t i, int32_t vocabulary);

/* Batches of them; each token's target is the next one, the last has none.  source is borrowed. */
ms_batch_source ms_zipf_batches(ms_zipf_source *source);

#ifdef __cplusplus
}
#endif

#endif
