#include "train/frequency.h"

#include <stdlib.h>

typedef struct counted_token {
    int64_t count;
    int32_t id;
} counted_token;

static int by_frequency(const void *left, const void *right) {
    const counted_token *a = left, *b = right;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

ms_status ms_frequency_deciles(const int64_t *counts, int32_t n_tokens, uint8_t *out) {
    int64_t all = 0, before = 0;
    for (int32_t i = 0; i < n_tokens; i++) all += counts[i];
    if (all < 1) return MS_FAIL(MS_INVALID, "frequencies of %d tokens: none of them was counted", n_tokens);
    counted_token *tokens = malloc((size_t)n_tokens * sizeof *tokens);
    if (!tokens) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the frequencies of %d tokens", n_tokens);
    for (int32_t i = 0; i < n_tokens; i++) tokens[i] = (counted_token){counts[i], i};
    qsort(tokens, (size_t)n_tokens, sizeof *tokens, by_frequency);
    for (int32_t i = 0; i < n_tokens; before += tokens[i++].count) {
        int64_t decile = MS_FREQUENCY_DECILES * before / all;
        out[tokens[i].id] = (uint8_t)(decile < MS_FREQUENCY_DECILES ? decile : MS_FREQUENCY_DECILES - 1);
    }
    free(tokens);
    return MS_OK;
}

void ms_frequency_losses_add(ms_frequency_losses *losses, const int32_t *targets, const float *token_losses,
                             int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (targets[i] < 0) continue;
        losses->sum[losses->deciles[targets[i]]] += (double)token_losses[i];
        losses->count[losses->deciles[targets[i]]]++;
    }
}
