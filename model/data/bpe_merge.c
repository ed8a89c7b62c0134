#include "model/data/bpe_merge.h"

#include <stdbool.h>
#include <stdlib.h>

enum { NONE = -1, MERGED = -2 };

ms_status ms_bpe_merges_add(ms_bpe_merges *merges, int32_t left, int32_t right, int32_t result) {
    if (merges->n == merges->capacity) {
        size_t capacity = merges->capacity ? 2 * merges->capacity : 1024;
        int32_t **arrays[] = {&merges->left, &merges->right, &merges->result};
        for (size_t i = 0; i < 3; i++) {
            int32_t *larger = realloc(*arrays[i], capacity * sizeof *larger);
            if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu merges", capacity);
            *arrays[i] = larger;
        }
        merges->capacity = capacity;
    }
    uint64_t pair = ms_bpe_pair(left, right);
    uint32_t earlier = ms_bpe_table_get(&merges->ranks, pair);
    if (earlier != MS_BPE_ABSENT)
        return MS_FAIL(MS_CORRUPT, "merge %zu joins ids %d and %d, as merge %u does", merges->n, left, right, earlier);
    MS_TRY(ms_bpe_table_set(&merges->ranks, pair, (uint32_t)merges->n));
    merges->left[merges->n] = left;
    merges->right[merges->n] = right;
    merges->result[merges->n] = result;
    merges->n++;
    return MS_OK;
}

void ms_bpe_merges_finish(ms_bpe_merges *merges) {
    ms_bpe_table_finish(&merges->ranks);
    free(merges->left);
    free(merges->right);
    free(merges->result);
    *merges = (ms_bpe_merges){0};
}

void ms_bpe_scratch_finish(ms_bpe_scratch *scratch) {
    free(scratch->previous);
    free(scratch->next);
    free(scratch->heap);
    *scratch = (ms_bpe_scratch){0};
}

/* Room for the links of n symbols, and for all candidates that can ever be waiting: n - 1 at first, and each of at most
   n - 1 merges adds at most two. */
static ms_status reserve(ms_bpe_scratch *scratch, size_t n) {
    if (n <= scratch->capacity) return MS_OK;
    size_t capacity = scratch->capacity ? scratch->capacity : 64;
    while (capacity < n) capacity *= 2;
    ms_bpe_scratch_finish(scratch);
    scratch->previous = malloc(capacity * sizeof *scratch->previous);
    scratch->next = malloc(capacity * sizeof *scratch->next);
    scratch->heap = malloc(3 * capacity * sizeof *scratch->heap);
    if (!scratch->previous || !scratch->next || !scratch->heap) {
        ms_bpe_scratch_finish(scratch);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to merge a piece of %zu bytes", n);
    }
    scratch->capacity = capacity;
    scratch->heap_capacity = 3 * capacity;
    return MS_OK;
}

static bool before(ms_bpe_candidate a, ms_bpe_candidate b) {
    return a.rank != b.rank ? a.rank < b.rank : a.position < b.position;
}

static void push(ms_bpe_scratch *scratch, ms_bpe_candidate candidate) {
    size_t i = scratch->n_heap++;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!before(candidate, scratch->heap[parent])) break;
        scratch->heap[i] = scratch->heap[parent];
        i = parent;
    }
    scratch->heap[i] = candidate;
}

static ms_bpe_candidate pop(ms_bpe_scratch *scratch) {
    ms_bpe_candidate top = scratch->heap[0];
    ms_bpe_candidate last = scratch->heap[--scratch->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= scratch->n_heap) break;
        if (child + 1 < scratch->n_heap && before(scratch->heap[child + 1], scratch->heap[child])) child++;
        if (!before(scratch->heap[child], last)) break;
        scratch->heap[i] = scratch->heap[child];
        i = child;
    }
    scratch->heap[i] = last;
    return top;
}

/* Rank of the pair at symbol i, or MS_BPE_ABSENT. */
static uint32_t rank_at(const ms_bpe_merges *merges, const ms_bpe_scratch *scratch, const int32_t *symbols, int32_t i) {
    if (i < 0 || scratch->next[i] < 0) return MS_BPE_ABSENT;
    return ms_bpe_table_get(&merges->ranks, ms_bpe_pair(symbols[i], symbols[scratch->next[i]]));
}

static void push_at(const ms_bpe_merges *merges, ms_bpe_scratch *scratch, const int32_t *symbols, int32_t i) {
    uint32_t rank = rank_at(merges, scratch, symbols, i);
    if (rank != MS_BPE_ABSENT) push(scratch, (ms_bpe_candidate){rank, (uint32_t)i});
}

ms_status ms_bpe_merge(const ms_bpe_merges *merges, ms_bpe_scratch *scratch, int32_t *symbols, size_t *n) {
    if (*n < 2) return MS_OK;
    if (*n > INT32_MAX) return MS_FAIL(MS_INVALID, "a piece of %zu bytes is longer than 2^31 - 1", *n);
    MS_TRY(reserve(scratch, *n));
    int32_t length = (int32_t)*n;
    for (int32_t i = 0; i < length; i++) {
        scratch->previous[i] = i - 1;
        scratch->next[i] = i + 1 < length ? i + 1 : NONE;
    }
    scratch->n_heap = 0;
    for (int32_t i = 0; i + 1 < length; i++) push_at(merges, scratch, symbols, i);
    while (scratch->n_heap > 0) {
        ms_bpe_candidate top = pop(scratch);
        int32_t i = (int32_t)top.position;
        /* A candidate whose symbols have changed since it was pushed is void. */
        if (scratch->next[i] == MERGED || rank_at(merges, scratch, symbols, i) != top.rank) continue;
        int32_t right = scratch->next[i], after = scratch->next[right];
        symbols[i] = merges->result[top.rank];
        scratch->next[i] = after;
        scratch->next[right] = MERGED;
        if (after >= 0) scratch->previous[after] = i;
        push_at(merges, scratch, symbols, scratch->previous[i]);
        push_at(merges, scratch, symbols, i);
    }
    size_t n_left = 0;
    for (int32_t i = 0; i >= 0; i = scratch->next[i]) symbols[n_left++] = symbols[i];
    *n = n_left;
    return MS_OK;
}
