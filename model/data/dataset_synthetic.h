/* A source of tokens that needs no files: a Markov chain of order 1 with a structure that a model can learn.  From each
   token four others can follow, with probabilities 1/2, 1/4, 1/8, 1/8, so that the best possible loss is 1.75 ln 2
   = 1.213 nats a token (less where two of the four coincide).  Which four depends on the vocabulary's size alone: every
   seed and both splits speak the same language and say different things. */
#ifndef MS_MODEL_DATA_DATASET_SYNTHETIC_H
#define MS_MODEL_DATA_DATASET_SYNTHETIC_H

#include <stdint.h>

/* Tokens of an epoch, by split. */
#define MS_SYNTHETIC_TRAIN_TOKENS ((int64_t)1 << 24)
#define MS_SYNTHETIC_VAL_TOKENS ((int64_t)1 << 18)
/* Tokens whose frequencies are those of the source, well enough. */
#define MS_SYNTHETIC_COUNTED_TOKENS ((int64_t)1 << 16)

/* Writes the n tokens of one sequence, a function of the arguments alone.  vocab_size >= 2.  Thread-safe. */
void ms_dataset_synthetic(uint64_t seed, int split, uint64_t i_sequence, int vocab_size, int n, int32_t *out_tokens);

#endif
