#include "model/data/bpe_table.h"

#include <stdlib.h>

#include "platform/hash.h"

uint64_t ms_bpe_hash(const void *data, size_t size_bytes) {
    return ms_bpe_mix(ms_hash_append(MS_HASH_EMPTY, data, size_bytes));
}

/* The slot that holds `key`, or the free slot where it belongs.  capacity > n, so that the search ends. */
static size_t find_slot(const ms_bpe_table *table, uint64_t key) {
    size_t mask = table->capacity - 1;
    size_t slot = (size_t)ms_bpe_mix(key) & mask;
    while (table->values[slot] != MS_BPE_ABSENT && table->keys[slot] != key) slot = (slot + 1) & mask;
    return slot;
}

uint32_t ms_bpe_table_get(const ms_bpe_table *table, uint64_t key) {
    if (table->capacity == 0) return MS_BPE_ABSENT;
    return table->values[find_slot(table, key)];
}

static ms_status grow(ms_bpe_table *table) {
    ms_bpe_table larger = {.n = table->n, .capacity = table->capacity ? table->capacity * 2 : 64};
    larger.keys = malloc(larger.capacity * sizeof *larger.keys);
    larger.values = malloc(larger.capacity * sizeof *larger.values);
    if (!larger.keys || !larger.values) {
        size_t capacity = larger.capacity;
        ms_bpe_table_finish(&larger);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a table of %zu pairs", capacity);
    }
    for (size_t i = 0; i < larger.capacity; i++) larger.values[i] = MS_BPE_ABSENT;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->values[i] == MS_BPE_ABSENT) continue;
        size_t slot = find_slot(&larger, table->keys[i]);
        larger.keys[slot] = table->keys[i];
        larger.values[slot] = table->values[i];
    }
    ms_bpe_table_finish(table);
    *table = larger;
    return MS_OK;
}

ms_status ms_bpe_table_set(ms_bpe_table *table, uint64_t key, uint32_t value) {
    if (2 * (table->n + 1) > table->capacity) MS_TRY(grow(table));
    size_t slot = find_slot(table, key);
    if (table->values[slot] == MS_BPE_ABSENT) table->n++;
    table->keys[slot] = key;
    table->values[slot] = value;
    return MS_OK;
}

void ms_bpe_table_finish(ms_bpe_table *table) {
    free(table->keys);
    free(table->values);
    *table = (ms_bpe_table){0};
}
