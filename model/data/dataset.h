/* Sequences of tokens for training and evaluation, from a folder of shards or from a synthetic source. */
#ifndef MS_MODEL_DATA_DATASET_H
#define MS_MODEL_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As ms_dataset_options.directory: no files, but a source that makes tokens from nothing, for tests.  See
   model/data/dataset_synthetic.h. */
#define MS_DATASET_SYNTHETIC "synthetic"

/* Target of a position whose next token is outside the sequence: no loss is counted there. */
#define MS_NO_TARGET (-1)

typedef struct ms_dataset ms_dataset;

typedef struct ms_dataset_options {
    const char *directory;        /* with dataset.json, or with shards alone; or MS_DATASET_SYNTHETIC */
    const char *split;            /* "train" or "val" */
    int sequence_length;          /* T >= 2 tokens */
    uint64_t seed;                /* of the shuffle, and of the synthetic source */
    bool shuffle;                 /* false: sequences in the order of the shards, again and again */
    int vocab_size;               /* ids at or above it are errors; 0: the sidecar's */
    const char *tokenizer_sha256; /* must be the sidecar's (ms_tokenizer_sha256); NULL: not checked */
} ms_dataset_options;

/* Opens one split.  The caller closes it.  A sequence is T consecutive tokens; sequences do not overlap and do not
   cross shards; the remainder of a shard is not used.  Without dataset.json, the split's shards are the files
   *_<split>_*.bin in the order of their names, and vocab_size must be given. MS_INVALID: options; MS_NOT_FOUND: no
   folder, no such split, no shard; MS_CORRUPT: a foreign or truncated shard, or one that is not the sidecar's;
   MS_MISMATCH: another tokenizer, or a vocabulary larger than vocab_size; MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_dataset_open(const ms_dataset_options *options, ms_dataset **out);
void ms_dataset_close(ms_dataset *dataset);

/* The next n sequences.  out_tokens [n,T]; out_targets [n,T]: the token that follows each, MS_NO_TARGET at the last
   position of each sequence.  After the last sequence of an epoch the next epoch begins, with another order when
   shuffled. Not thread-safe on one data set.  MS_INVALID: n < 0; MS_CORRUPT names shard, index and id: a token outside
   the vocabulary; or shard and sizes: it was cut since it was opened. On failure the position is as before. */
ms_status ms_dataset_next(ms_dataset *dataset, int n_sequences, int32_t *out_tokens, int32_t *out_targets);

/* What the split's files hold. */
typedef struct ms_dataset_contents {
    char sha256[65];    /* their identity: SHA-256 over the SHA-256 of each shard, as text, in their order */
    int64_t size_bytes; /* of all shards; 0: synthetic */
    int32_t n_shards;
    bool compared; /* each shard's SHA-256 is the sidecar's; false: there is no sidecar */
} ms_dataset_contents;

/* Reads all shards of the split, which takes as long as their disk does.  The synthetic source has an identity too, the
   same for all.  MS_CORRUPT: a shard is not what the sidecar says, or was cut; MS_IO; MS_OUT_OF_MEMORY; MS_INTERRUPTED:
   a signal came that ms_signals_catch catches. */
ms_status ms_dataset_check_contents(const ms_dataset *dataset, ms_dataset_contents *out);

/* How often each token is in the split: out_counts [vocab_size], *out_n_tokens their sum.  Reads all shards, with the
   remainders that no sequence has.  Of the synthetic source the first MS_SYNTHETIC_COUNTED_TOKENS tokens, in whole
   sequences, stand for all.  MS_CORRUPT: a token outside the vocabulary, or a shard was cut; MS_IO; MS_OUT_OF_MEMORY;
   MS_INTERRUPTED: a signal came that ms_signals_catch catches. */
ms_status ms_dataset_count(const ms_dataset *dataset, int64_t *out_counts, int64_t *out_n_tokens);

/* Bytes of the split's files; 0: synthetic. */
int64_t ms_dataset_file_bytes(const ms_dataset *dataset);

/* Number of sequences served since open, or since position 0; it alone says what comes next. */
uint64_t ms_dataset_position(const ms_dataset *dataset);

/* Goes to a position, in constant time.  MS_OK always. */
ms_status ms_dataset_seek(ms_dataset *dataset, uint64_t position);

/* Sequences of one epoch. */
int64_t ms_dataset_sequences(const ms_dataset *dataset);

/* Tokens of the split, with the unused remainders. */
int64_t ms_dataset_tokens(const ms_dataset *dataset);

/* Bytes of UTF-8 text behind the tokens, for bits per byte; 0: not known (no sidecar, or synthetic). */
int64_t ms_dataset_text_bytes(const ms_dataset *dataset);

/* Tokens of a sequence, T. */
int ms_dataset_sequence_length(const ms_dataset *dataset);

/* The options' vocab_size, or the sidecar's. */
int ms_dataset_vocab_size(const ms_dataset *dataset);

/* Path of the folder's tokenizer.json; NULL when it has none.  Borrowed until close. */
const char *ms_dataset_tokenizer_path(const ms_dataset *dataset);

/* Id of the token before each document, as the sidecar has it; -1 without a sidecar. */
int32_t ms_dataset_end_of_text(const ms_dataset *dataset);

/* Identity of the tokenizer as the sidecar has it; NULL without a sidecar.  Borrowed until close. */
const char *ms_dataset_tokenizer_sha256(const ms_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
