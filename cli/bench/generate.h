/* muonscope bench generate: the speed of generation with and without the key/value cache. */
#ifndef MS_CLI_BENCH_GENERATE_H
#define MS_CLI_BENCH_GENERATE_H

#include <stdio.h>

#include "cli/config/config.h"

enum { MS_BENCH_GENERATE_TEXTS = 256 }; /* at most */

/* Computes the logits after each of the last tokens of a whole context (model.sequence_length) of random tokens, with
   initial weights, for n_texts texts at a time, and prints to `out` the time a token takes where the keys and values of
   the tokens before are kept, the time where they are not, so that each token is the pass over the whole text, and
   their ratio.  Both are medians of interleaved calls, from the tokens to the logits on the host; drawing is not in
   them.  MS_INVALID: n_texts out of range; no vocabulary.  Not thread-safe. */
ms_status ms_bench_generate(const ms_config *config, int n_texts, FILE *out);

#endif
