/* The lowest offset of a storage is found without looking at all that are placed.  These stand in search trees by their
   offset, one tree for each class of lifetimes, so that what is in one tree is mostly in use at the same time or at
   quite other times: the first is passed by in one step where it leaves no gap, the second in one step always.  The
   classes decide how fast a search is, not what it finds. */
#include "backend/plan_pack.h"

#include <stdbool.h>
#include <stdlib.h>

#include "platform/random.h"

/* A placed storage, and what lies below it in its tree, itself included. */
typedef struct tree tree;
struct tree {
    const ms_plan_storage *storage; /* borrowed */
    uint64_t priority;              /* none below has a greater one (a treap: Seidel & Aragon 1996) */
    tree *lower, *higher;           /* of lower, and of the same or higher offsets; NULL: none */
    int64_t begin, end;             /* lowest offset, highest end */
    int64_t gap;                    /* the largest that they leave between begin and end if all are in use */
    int32_t first_from, last_from, first_to, last_to;
};

/* Lifetimes of a class are at most 4 times as long as each other. */
enum { CLASS_BITS = 2, N_CLASSES = 32 / CLASS_BITS + 1 };

typedef struct packing {
    int64_t piece; /* bytes; 0: no pieces */
    tree *classes[N_CLASSES];
} packing;

/* Largest first; ties by time and id, so that a plan does not depend on the sort. */
static int compare_storages(const void *left, const void *right) {
    const ms_plan_storage *a = left, *b = right;
    if (a->size_bytes != b->size_bytes) return a->size_bytes > b->size_bytes ? -1 : 1;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* From an offset on, the first at which `size` bytes lie in one piece. */
static int64_t in_one_piece(int64_t offset, int64_t size, int64_t piece) {
    if (piece == 0 || offset % piece + size <= piece) return offset;
    return (offset / piece + 1) * piece;
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
static int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t end_of(const ms_plan_storage *storage) { return storage->offset + storage->size_bytes; }

static void add_times(tree *t, const tree *below) {
    t->first_from = smaller(t->first_from, below->first_from);
    t->last_from = larger(t->last_from, below->last_from);
    t->first_to = smaller(t->first_to, below->first_to);
    t->last_to = larger(t->last_to, below->last_to);
}

/* What lies below, from the two trees there. */
static void summarize(tree *t) {
    const ms_plan_storage *storage = t->storage;
    t->first_from = t->last_from = storage->from;
    t->first_to = t->last_to = storage->to;
    t->begin = storage->offset;
    t->end = end_of(storage);
    t->gap = 0;
    if (t->lower) {
        t->begin = t->lower->begin;
        t->gap = larger_of(t->lower->gap, storage->offset - t->lower->end);
        t->end = larger_of(t->end, t->lower->end);
        add_times(t, t->lower);
    }
    if (t->higher) {
        t->gap = larger_of(t->gap, larger_of(t->higher->gap, t->higher->begin - t->end));
        t->end = larger_of(t->end, t->higher->end);
        add_times(t, t->higher);
    }
}

/* The tree with one more storage; as deep as a random one. */
static tree *insert(tree *t, tree *added) {
    if (!t) {
        summarize(added);
        return added;
    }
    bool lower = added->storage->offset < t->storage->offset;
    tree *child = insert(lower ? t->lower : t->higher, added);
    tree *top = t;
    *(lower ? &t->lower : &t->higher) = child;
    if (child->priority > t->priority) { /* the child takes the place above */
        *(lower ? &t->lower : &t->higher) = lower ? child->higher : child->lower;
        *(lower ? &child->higher : &child->lower) = t;
        top = child;
        summarize(t);
    }
    summarize(top);
    return top;
}

static bool are_together(const ms_plan_storage *a, const ms_plan_storage *b) {
    return a->from <= b->to && a->to >= b->from;
}

/* Raises *offset to the next at which the storage fits between those of the tree; true: nothing of what follows in the
   tree begins before its end. */
static bool pass(const tree *t, const ms_plan_storage *storage, int64_t piece, int64_t *offset) {
    if (!t || t->end <= *offset || t->first_from > storage->to || t->last_to < storage->from) return false;
    if (t->begin >= *offset + storage->size_bytes) return true;
    if (t->gap < storage->size_bytes && t->last_from <= storage->to && t->first_to >= storage->from) {
        *offset = in_one_piece(t->end, storage->size_bytes, piece); /* all are in the way, one after the other */
        return false;
    }
    if (pass(t->lower, storage, piece, offset)) return true;
    if (t->storage->offset >= *offset + storage->size_bytes) return true;
    if (are_together(t->storage, storage) && end_of(t->storage) > *offset)
        *offset = in_one_piece(end_of(t->storage), storage->size_bytes, piece);
    return pass(t->higher, storage, piece, offset);
}

/* The lowest offset at which the storage fits between those placed: a raise in one tree may be one into a storage of
   another, until none raises it. */
static int64_t lowest_offset(const packing *placed, const ms_plan_storage *storage) {
    int64_t offset = 0;
    int n_agreed = 0;
    for (int i = 0; n_agreed < N_CLASSES; i++) {
        int64_t before = offset;
        (void)pass(placed->classes[N_CLASSES - 1 - i % N_CLASSES], storage, placed->piece, &offset);
        n_agreed = offset == before ? n_agreed + 1 : 1;
    }
    return offset;
}

static int class_of(const ms_plan_storage *storage) {
    int i_class = 0;
    for (int32_t length = storage->to - storage->from; length > 0; length >>= CLASS_BITS) i_class++;
    return i_class;
}

ms_status ms_plan_pack(ms_plan_storage *storages, int32_t n_storages, int64_t piece_bytes, int64_t *out_bytes) {
    *out_bytes = 0;
    for (int32_t i = 0; i < n_storages; i++)
        if (piece_bytes > 0 && storages[i].size_bytes > piece_bytes)
            return MS_FAIL(MS_OUT_OF_MEMORY, "plan: a tensor of %lld bytes; this device has at most %lld in one piece",
                           (long long)storages[i].size_bytes, (long long)piece_bytes);
    packing placed = {.piece = piece_bytes};
    uint64_t state = 0;
    tree *trees = calloc((size_t)n_storages + 1, sizeof *trees); /* one of each storage */
    if (!trees) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d storages", n_storages);
    qsort(storages, (size_t)n_storages, sizeof *storages, compare_storages);
    for (int32_t i = 0; i < n_storages; i++) {
        ms_plan_storage *storage = &storages[i];
        storage->offset = lowest_offset(&placed, storage);
        *out_bytes = larger_of(*out_bytes, end_of(storage));
        tree **root = &placed.classes[class_of(storage)];
        trees[i].storage = storage;
        trees[i].priority = ms_split_mix(&state);
        *root = insert(*root, &trees[i]);
    }
    free(trees);
    return MS_OK;
}
