/* Applying merges to one piece: the pair of least rank first, then the leftmost (Sennrich et al. 2016; the order of
   Hugging Face tokenizers).  A linked list and a heap: n log n in the length of the piece. */
#ifndef MS_MODEL_DATA_BPE_MERGE_H
#define MS_MODEL_DATA_BPE_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "model/data/bpe_table.h"
#include "platform/status.h"

/* Merges are numbered by rank, least first. */
typedef struct ms_bpe_merges {
    ms_bpe_table ranks; /* pair of ids -> rank */
    int32_t *left;      /* [n] ids of the pair */
    int32_t *right;     /* [n] */
    int32_t *result;    /* [n] id of the joined token */
    size_t n;
    size_t capacity;
} ms_bpe_merges;

/* Adds the merge of next rank.  MS_CORRUPT: the pair is there already; MS_OUT_OF_MEMORY. */
ms_status ms_bpe_merges_add(ms_bpe_merges *merges, int32_t left, int32_t right, int32_t result);

/* Frees what the merges hold and zeroes them. */
void ms_bpe_merges_finish(ms_bpe_merges *merges);

/* A candidate: the pair that starts at symbol `position`. */
typedef struct ms_bpe_candidate {
    uint32_t rank;
    uint32_t position;
} ms_bpe_candidate;

/* Working memory, reused between pieces.  Zeroed is empty; the owner finishes it. */
typedef struct ms_bpe_scratch {
    int32_t *previous; /* [capacity] index of the neighbour on the left, -1: none */
    int32_t *next;     /* [capacity] index of the neighbour on the right, -1: none, -2: merged away */
    size_t capacity;
    ms_bpe_candidate *heap;
    size_t n_heap;
    size_t heap_capacity;
} ms_bpe_scratch;

void ms_bpe_scratch_finish(ms_bpe_scratch *scratch);

/* Merges symbols[0, *n) in place and sets *n to the number of tokens left.  Not thread-safe on one scratch.
   MS_INVALID: more than 2^31 - 1 symbols; MS_OUT_OF_MEMORY. */
ms_status ms_bpe_merge(const ms_bpe_merges *merges, ms_bpe_scratch *scratch, int32_t *symbols, size_t *n);

#endif
