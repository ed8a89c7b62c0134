/* How fast text is tokenized. */
#ifndef MS_CLI_BENCH_TOKENIZER_H
#define MS_CLI_BENCH_TOKENIZER_H

#include <stdio.h>

#include "platform/status.h"

/* Encodes the documents of the first 64 MiB of the files, which are in memory by then, as `data prepare` does, on one
   thread and on n_threads, each time `n_repetitions` times, and prints the best of each: MB of text and tokens a
   second.  Errors of ms_tokenizer_open and ms_corpus_next; MS_INVALID: no text, or a byte without a token. */
ms_status ms_bench_tokenizer(const char *tokenizer_path, const char *const *paths, int n_paths, int n_threads,
                             int n_repetitions, FILE *stream);

#endif
