/* Drawing a token from logits.

   Everything that is not off is done in this order, which is that of transformers' logits processors:

     1. repetition penalty r (Keskar et al. 2019, CTRL): the logit of each id that the text has so far becomes logit / r
        where it is positive, logit * r elsewhere, once for an id however often it stands there
     2. temperature: logits / temperature; 0 takes the likeliest id, and nothing below counts
     3. top-k: the k likeliest ids stay
     4. top-p (Holtzman et al. 2019, nucleus sampling): of those the fewest likeliest stay that have p of their
        probability together
     5. min-p (Nguyen et al. 2024): of those the ones stay that are at least p times as probable as the likeliest

   Of equally likely ids the lower is the likelier one.  The draw is from what stays, in proportion to exp(logit).  All
   of it is computed in double.  A draw depends on the logits, the settings, the seed, the length of the text so far and
   the number of the sample alone: not on what else is drawn. */
#ifndef MS_TRAIN_SAMPLING_H
#define MS_TRAIN_SAMPLING_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_sampling {
    double temperature;        /* finite, >= 0; 0: always the likeliest token */
    int64_t top_k;             /* >= 0; 0, or not below what there is: off */
    double top_p;              /* 0 to 1; 0 and 1: off */
    double min_p;              /* 0 to 1; 0: off */
    double repetition_penalty; /* finite, >= 0; 0 and 1: off; below 1 repetition is favoured */
    int64_t repetition_window; /* >= 0: how many ids, from the end of the text on back, are penalised; 0: all of it,
                                  with the prompt */
    uint64_t seed;             /* the same seed gives the same text */
} ms_sampling;

/* One draw. */
typedef struct ms_draw {
    const float *logits; /* [vocabulary] */
    int64_t vocabulary;  /* 1 to INT32_MAX: ids that may be drawn */
    const int32_t *text; /* [n_text] the ids so far, with the prompt's; those outside the vocabulary count as none. NULL
                            where there is no repetition penalty */
    int64_t n_text;      /* >= 0 */
    int64_t i_sample;    /* >= 0: which of several texts of one prompt and seed */
    int32_t *ids;        /* [vocabulary] scratch */
    double *weights;     /* [vocabulary] scratch */
} ms_draw;

/* MS_INVALID names the setting that is out of its range. */
ms_status ms_sampling_check(const ms_sampling *sampling);

/* Steps 1 to 5: draw->ids[0..*out_n) may be drawn, id i in proportion to draw->weights[i], which is 1 for the
   likeliest. Cuts leave them in order, the likeliest first; without any they are in the order of the ids.  MS_INVALID:
   a setting or a vocabulary out of its range.  MS_NUMERIC: a logit is not finite.  *out_n is 0 after an error.
   Thread-safe. */
ms_status ms_sampling_narrow(const ms_sampling *sampling, const ms_draw *draw, int64_t *out_n);

/* Draws one id.  Errors of ms_sampling_narrow; *out_token is -1 after one.  Thread-safe. */
ms_status ms_sample(const ms_sampling *sampling, const ms_draw *draw, int32_t *out_token);

/* log(exp(logits[token]) / sum exp(logits)) of logits [n]: what the model itself says, before any of the steps. */
double ms_log_probability(const float *logits, int64_t n, int32_t token);

#ifdef __cplusplus
}
#endif

#endif
