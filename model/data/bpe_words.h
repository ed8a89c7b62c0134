/* The distinct pieces of a text with their counts: what BPE training works on. */
#ifndef MS_MODEL_DATA_BPE_WORDS_H
#define MS_MODEL_DATA_BPE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

typedef struct ms_bpe_word {
    size_t offset; /* of its first byte in ms_bpe_words.bytes */
    uint32_t size_bytes;
    int64_t count; /* occurrences */
} ms_bpe_word;

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_bpe_words {
    ms_bpe_word *words; /* [n], in order of first occurrence */
    size_t n;
    size_t capacity;
    uint8_t *bytes; /* [n_bytes], all words one after the other */
    size_t n_bytes;
    size_t bytes_capacity;
    uint32_t *slots; /* [n_slots] hash table of indices, UINT32_MAX: free */
    size_t n_slots;
} ms_bpe_words;

/* Counts one occurrence.  MS_INVALID: longer than 2^31 - 1 bytes, or 2^32 - 1 distinct words; MS_OUT_OF_MEMORY.
   Not thread-safe. */
ms_status ms_bpe_words_count(ms_bpe_words *words, const char *piece, size_t size_bytes);

/* Frees what it holds and zeroes it. */
void ms_bpe_words_finish(ms_bpe_words *words);

#endif
