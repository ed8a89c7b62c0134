#include "model/data/bpe_words.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_table.h"

/* The slot that holds the piece, or the free slot where it belongs. */
static size_t find_slot(const ms_bpe_words *words, const void *piece, size_t size_bytes) {
    size_t mask = words->n_slots - 1;
    size_t slot = (size_t)ms_bpe_hash(piece, size_bytes) & mask;
    for (; words->slots[slot] != UINT32_MAX; slot = (slot + 1) & mask) {
        const ms_bpe_word *word = &words->words[words->slots[slot]];
        if (word->size_bytes == size_bytes && memcmp(words->bytes + word->offset, piece, size_bytes) == 0) break;
    }
    return slot;
}

static ms_status grow_slots(ms_bpe_words *words) {
    size_t n_slots = words->n_slots ? 2 * words->n_slots : 4096;
    uint32_t *slots = malloc(n_slots * sizeof *slots);
    if (!slots) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu distinct pieces", n_slots);
    memset(slots, 0xff, n_slots * sizeof *slots);
    free(words->slots);
    words->slots = slots;
    words->n_slots = n_slots;
    for (size_t i = 0; i < words->n; i++) {
        const ms_bpe_word *word = &words->words[i];
        slots[find_slot(words, words->bytes + word->offset, word->size_bytes)] = (uint32_t)i;
    }
    return MS_OK;
}

static ms_status add_word(ms_bpe_words *words, const char *piece, size_t size_bytes) {
    if (words->n == words->capacity) {
        size_t capacity = words->capacity ? 2 * words->capacity : 2048;
        ms_bpe_word *larger = realloc(words->words, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu distinct pieces", capacity);
        words->words = larger;
        words->capacity = capacity;
    }
    if (words->bytes_capacity - words->n_bytes < size_bytes) {
        size_t capacity = 2 * (words->bytes_capacity + size_bytes);
        uint8_t *larger = realloc(words->bytes, capacity);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu bytes of pieces", capacity);
        words->bytes = larger;
        words->bytes_capacity = capacity;
    }
    memcpy(words->bytes + words->n_bytes, piece, size_bytes);
    words->words[words->n++] = (ms_bpe_word){words->n_bytes, (uint32_t)size_bytes, 1};
    words->n_bytes += size_bytes;
    return MS_OK;
}

ms_status ms_bpe_words_count(ms_bpe_words *words, const char *piece, size_t size_bytes) {
    if (size_bytes > INT32_MAX) return MS_FAIL(MS_INVALID, "a piece of %zu bytes is longer than 2^31 - 1", size_bytes);
    if (words->n >= UINT32_MAX - 1) return MS_FAIL(MS_INVALID, "more than %zu distinct pieces", words->n);
    if (2 * (words->n + 1) > words->n_slots) MS_TRY(grow_slots(words));
    size_t slot = find_slot(words, piece, size_bytes);
    if (words->slots[slot] != UINT32_MAX) {
        words->words[words->slots[slot]].count++;
        return MS_OK;
    }
    MS_TRY(add_word(words, piece, size_bytes));
    words->slots[slot] = (uint32_t)(words->n - 1);
    return MS_OK;
}

void ms_bpe_words_finish(ms_bpe_words *words) {
    free(words->words);
    free(words->bytes);
    free(words->slots);
    *words = (ms_bpe_words){0};
}
