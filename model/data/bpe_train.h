/* Training a byte-level BPE tokenizer: count the pieces of the text once, then join the most frequent pair of tokens
   again and again, with counts kept incrementally and a heap (Sennrich et al. 2016; the order and the ties of Hugging
   Face tokenizers' BpeTrainer: higher count first, then lower ids). */
#ifndef MS_MODEL_DATA_BPE_TRAIN_H
#define MS_MODEL_DATA_BPE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "model/data/tokenizer.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Smallest vocabulary: MS_END_OF_TEXT and the 256 bytes. */
#define MS_BPE_SMALLEST_VOCAB 257

typedef struct ms_bpe_trainer ms_bpe_trainer;

/* The caller destroys it.  split_digits: digits never join.  MS_OUT_OF_MEMORY.  Not thread-safe on one object. */
ms_status ms_bpe_trainer_create(bool split_digits, ms_bpe_trainer **out);
void ms_bpe_trainer_destroy(ms_bpe_trainer *trainer);

/* Counts the pieces of one text; nothing of it is kept but its distinct pieces.
   MS_INVALID names the byte offset: not UTF-8; MS_OUT_OF_MEMORY. */
ms_status ms_bpe_trainer_add(ms_bpe_trainer *trainer, const char *text, size_t size_bytes);

/* Trains on all that was added: MS_END_OF_TEXT is id 0, ids 1 to 256 are the bytes in the order of ms_bpe_symbol_order,
   then one id a merge.  The caller closes *out; the trainer is used up: destroy it.  Deterministic. MS_INVALID:
   vocab_size below MS_BPE_SMALLEST_VOCAB, or above what the text supports (a pair must occur twice to be joined), and
   then the message says how many tokens it supports; MS_OUT_OF_MEMORY. */
ms_status ms_bpe_trainer_train(ms_bpe_trainer *trainer, int vocab_size, ms_tokenizer **out);

#ifdef __cplusplus
}
#endif

#endif
