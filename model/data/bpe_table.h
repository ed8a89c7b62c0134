/* A hash map from 64-bit keys to 32-bit values, for pairs of tokens.  Open addressing, linear probing, no removal. */
#ifndef MS_MODEL_DATA_BPE_TABLE_H
#define MS_MODEL_DATA_BPE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "platform/random.h"
#include "platform/status.h"

/* Value that means "no such key"; it cannot be stored. */
#define MS_BPE_ABSENT UINT32_MAX

typedef struct ms_bpe_table {
    uint64_t *keys;
    uint32_t *values; /* MS_BPE_ABSENT: free slot */
    size_t n;
    size_t capacity; /* 0, or a power of two */
} ms_bpe_table;

/* The key of a pair of token ids. */
static inline uint64_t ms_bpe_pair(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* A well-mixed 64-bit hash of a 64-bit word. */
static inline uint64_t ms_bpe_mix(uint64_t x) { return ms_split_mix(&x); }

/* A 64-bit hash of bytes, the same on every machine: FNV-1a, mixed.  Not for adversarial keys. */
uint64_t ms_bpe_hash(const void *data, size_t size_bytes);

/* The value of a key, or MS_BPE_ABSENT.  Thread-safe while nobody writes. */
uint32_t ms_bpe_table_get(const ms_bpe_table *table, uint64_t key);

/* Sets the value of a key, new or old.  A zeroed table is empty.  MS_OUT_OF_MEMORY: the table is as before. */
ms_status ms_bpe_table_set(ms_bpe_table *table, uint64_t key, uint32_t value);

/* Frees what the table holds and zeroes it. */
void ms_bpe_table_finish(ms_bpe_table *table);

#endif
