#include "train/zipf.h"

#include <math.h>
#include <string.h>

#include "platform/random.h"

/* Added to ranks: the tokens of a text are more even than 1 / rank at their head. */
static const double SHIFT = 1.5;

int32_t ms_zipf_token(uint64_t seed, uint64_t i, int32_t vocabulary) {
    double range = log(((double)vocabulary + SHIFT) / SHIFT);
    double token = SHIFT * exp(ms_random_uniform(seed, 0, i) * range) - SHIFT;
    int32_t whole = token > 0 ? (int32_t)token : 0;
    return whole < vocabulary ? whole : vocabulary - 1;
}

static ms_status next(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    ms_zipf_source *source = context;
    for (int i = 0; i < n_sequences; i++) {
        int32_t *tokens = out_tokens + (size_t)i * (size_t)source->length;
        int32_t *targets = out_targets + (size_t)i * (size_t)source->length;
        for (int j = 0; j < source->length; j++)
            tokens[j] = ms_zipf_token(source->seed, source->n_drawn++, source->vocabulary);
        memcpy(targets, tokens + 1, ((size_t)source->length - 1) * sizeof *tokens);
        targets[source->length - 1] = MS_NO_TARGET;
    }
    return MS_OK;
}

static ms_status skip(void *context, int64_t n_sequences) {
    ms_zipf_source *source = context;
    source->n_drawn += (uint64_t)n_sequences * (uint64_t)source->length;
    return MS_OK;
}

ms_batch_source ms_zipf_batches(ms_zipf_source *source) {
    return (ms_batch_source){.next = next, .context = source, .sequence_length = source->length, .skip = skip};
}
