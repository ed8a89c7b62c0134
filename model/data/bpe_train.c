#include "model/data/bpe_train.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "model/data/bpe_split.h"
#include "model/data/bpe_table.h"
#include "model/data/bpe_words.h"
#include "model/data/tokenizer_impl.h"
#include "platform/utf8.h"

/* A pair of adjacent tokens, somewhere in the words. */
typedef struct pair_record {
    int32_t left, right;
    int64_t count;   /* occurrences now, times the counts of the words they are in */
    int64_t pushed;  /* count of its last entry in the heap, 0: none */
    uint32_t *words; /* [n_words] words that hold or held the pair; one may be listed twice */
    size_t n_words;
    size_t capacity;
} pair_record;

/* A pair with its count when it was pushed.  A count that rises is pushed at once; one that falls leaves an entry that
   is too high, which is pushed again with the true count when it comes to the top. */
typedef struct candidate {
    int64_t count;
    int32_t left, right;
} candidate;

struct ms_bpe_trainer {
    bool split_digits;
    ms_bpe_splitter *splitter;
    ms_bpe_words words;
    int32_t *symbols;   /* [words.n_bytes] the tokens of each word, from its offset on */
    uint32_t *lengths;  /* [words.n] number of tokens of each word */
    ms_bpe_table index; /* pair -> its record */
    pair_record *pairs; /* [n_pairs] */
    size_t n_pairs, pairs_capacity;
    candidate *heap; /* [n_heap] */
    size_t n_heap, heap_capacity;
    ms_bpe_table texts; /* hash of a token's bytes -> id: two merges may make the same text */
};

/* What text is split by; *out is empty on failure. */
static ms_status make_rules(bool split_digits, ms_split_rules *out) {
    ms_status status = split_digits ? ms_split_rules_add_digits(out, true) : MS_OK;
    if (status == MS_OK) status = ms_split_rules_add_gpt2(out);
    if (status != MS_OK) ms_split_rules_finish(out);
    return status;
}

ms_status ms_bpe_trainer_create(bool split_digits, ms_bpe_trainer **out) {
    *out = NULL;
    ms_bpe_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for training a tokenizer");
    trainer->split_digits = split_digits;
    ms_split_rules rules = {0};
    ms_status status = make_rules(split_digits, &rules);
    if (status == MS_OK) status = ms_bpe_splitter_create(&rules, &trainer->splitter);
    ms_split_rules_finish(&rules);
    if (status != MS_OK) {
        free(trainer);
        return status;
    }
    *out = trainer;
    return MS_OK;
}

void ms_bpe_trainer_destroy(ms_bpe_trainer *trainer) {
    if (!trainer) return;
    ms_bpe_splitter_destroy(trainer->splitter);
    ms_bpe_words_finish(&trainer->words);
    free(trainer->symbols);
    free(trainer->lengths);
    ms_bpe_table_finish(&trainer->index);
    for (size_t i = 0; i < trainer->n_pairs; i++) free(trainer->pairs[i].words);
    free(trainer->pairs);
    free(trainer->heap);
    ms_bpe_table_finish(&trainer->texts);
    free(trainer);
}

/* The text whose pieces are counted. */
typedef struct counting {
    ms_bpe_trainer *trainer;
    const char *text;
} counting;

static ms_status count_piece(void *context, size_t begin, size_t end) {
    const counting *target = context;
    return ms_bpe_words_count(&target->trainer->words, target->text + begin, end - begin);
}

ms_status ms_bpe_trainer_add(ms_bpe_trainer *trainer, const char *text, size_t size_bytes) {
    size_t valid = ms_utf8_check(text, size_bytes);
    if (valid < size_bytes)
        return MS_FAIL(MS_INVALID, "byte %zu of the text is 0x%02x, which is not UTF-8", valid, (uint8_t)text[valid]);
    counting target = {trainer, text};
    return ms_bpe_splitter_run(trainer->splitter, text, size_bytes, count_piece, &target);
}

static bool before(candidate a, candidate b) {
    if (a.count != b.count) return a.count > b.count;
    return a.left != b.left ? a.left < b.left : a.right < b.right;
}

static ms_status push(ms_bpe_trainer *trainer, const pair_record *pair) {
    if (trainer->n_heap == trainer->heap_capacity) {
        size_t capacity = trainer->heap_capacity ? 2 * trainer->heap_capacity : 1024;
        candidate *larger = realloc(trainer->heap, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu pairs", capacity);
        trainer->heap = larger;
        trainer->heap_capacity = capacity;
    }
    candidate added = {pair->count, pair->left, pair->right};
    size_t i = trainer->n_heap++;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!before(added, trainer->heap[parent])) break;
        trainer->heap[i] = trainer->heap[parent];
        i = parent;
    }
    trainer->heap[i] = added;
    return MS_OK;
}

static candidate pop(ms_bpe_trainer *trainer) {
    candidate top = trainer->heap[0], last = trainer->heap[--trainer->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= trainer->n_heap) break;
        if (child + 1 < trainer->n_heap && before(trainer->heap[child + 1], trainer->heap[child])) child++;
        if (!before(trainer->heap[child], last)) break;
        trainer->heap[i] = trainer->heap[child];
        i = child;
    }
    trainer->heap[i] = last;
    return top;
}

/* The record of a pair, made when it is new. */
static ms_status find_pair(ms_bpe_trainer *trainer, int32_t left, int32_t right, uint32_t *out) {
    uint64_t key = ms_bpe_pair(left, right);
    *out = ms_bpe_table_get(&trainer->index, key);
    if (*out != MS_BPE_ABSENT) return MS_OK;
    if (trainer->n_pairs == trainer->pairs_capacity) {
        size_t capacity = trainer->pairs_capacity ? 2 * trainer->pairs_capacity : 4096;
        pair_record *larger = realloc(trainer->pairs, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu pairs", capacity);
        trainer->pairs = larger;
        trainer->pairs_capacity = capacity;
    }
    MS_TRY(ms_bpe_table_set(&trainer->index, key, (uint32_t)trainer->n_pairs));
    *out = (uint32_t)trainer->n_pairs;
    trainer->pairs[trainer->n_pairs++] = (pair_record){.left = left, .right = right};
    return MS_OK;
}

static ms_status list_word(pair_record *pair, uint32_t i_word) {
    if (pair->n_words > 0 && pair->words[pair->n_words - 1] == i_word) return MS_OK;
    if (pair->n_words == pair->capacity) {
        size_t capacity = pair->capacity ? 2 * pair->capacity : 4;
        uint32_t *larger = realloc(pair->words, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the words of a pair: %zu", capacity);
        pair->words = larger;
        pair->capacity = capacity;
    }
    pair->words[pair->n_words++] = i_word;
    return MS_OK;
}

/* Adds `sign` times the word's count to each of its pairs, and lists the word under those that contain `listed`
   (-1: under all). */
static ms_status count_word(ms_bpe_trainer *trainer, uint32_t i_word, int sign, int32_t listed) {
    const ms_bpe_word *word = &trainer->words.words[i_word];
    const int32_t *symbols = trainer->symbols + word->offset;
    for (uint32_t i = 0; i + 1 < trainer->lengths[i_word]; i++) {
        uint32_t i_pair;
        MS_TRY(find_pair(trainer, symbols[i], symbols[i + 1], &i_pair));
        trainer->pairs[i_pair].count += sign * word->count;
        if (sign > 0 && (listed < 0 || symbols[i] == listed || symbols[i + 1] == listed))
            MS_TRY(list_word(&trainer->pairs[i_pair], i_word));
    }
    return MS_OK;
}

/* Joins the pair everywhere in one word. */
static void join_in_word(ms_bpe_trainer *trainer, uint32_t i_word, int32_t left, int32_t right, int32_t result) {
    int32_t *symbols = trainer->symbols + trainer->words.words[i_word].offset;
    uint32_t length = trainer->lengths[i_word], n = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (i + 1 < length && symbols[i] == left && symbols[i + 1] == right) {
            symbols[n++] = result;
            i++;
        } else {
            symbols[n++] = symbols[i];
        }
    }
    trainer->lengths[i_word] = n;
}

static bool holds(const ms_bpe_trainer *trainer, uint32_t i_word, int32_t left, int32_t right) {
    const int32_t *symbols = trainer->symbols + trainer->words.words[i_word].offset;
    for (uint32_t i = 0; i + 1 < trainer->lengths[i_word]; i++)
        if (symbols[i] == left && symbols[i + 1] == right) return true;
    return false;
}

/* Joins a pair in all words, and pushes the pairs that this makes. */
static ms_status join(ms_bpe_trainer *trainer, uint32_t i_pair, int32_t result) {
    int32_t left = trainer->pairs[i_pair].left, right = trainer->pairs[i_pair].right;
    /* Taken out of the record: records move when new pairs are made. */
    uint32_t *words = trainer->pairs[i_pair].words;
    size_t n_words = trainer->pairs[i_pair].n_words;
    trainer->pairs[i_pair].words = NULL;
    trainer->pairs[i_pair].n_words = trainer->pairs[i_pair].capacity = 0;
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < n_words; i++) {
        if (!holds(trainer, words[i], left, right)) continue;
        status = count_word(trainer, words[i], -1, result);
        join_in_word(trainer, words[i], left, right, result);
        if (status == MS_OK) status = count_word(trainer, words[i], 1, result);
    }
    for (size_t i = 0; status == MS_OK && i < n_words; i++) {
        const int32_t *symbols = trainer->symbols + trainer->words.words[words[i]].offset;
        for (uint32_t j = 0; status == MS_OK && j + 1 < trainer->lengths[words[i]]; j++) {
            if (symbols[j] != result && symbols[j + 1] != result) continue;
            pair_record *pair =
                &trainer->pairs[ms_bpe_table_get(&trainer->index, ms_bpe_pair(symbols[j], symbols[j + 1]))];
            if (pair->pushed == pair->count) continue;
            pair->pushed = pair->count;
            status = push(trainer, pair);
        }
    }
    free(words);
    return status;
}

/* The bytes' tokens, the words as sequences of them, and the first pairs. */
static ms_status start(ms_bpe_trainer *trainer, ms_tokenizer *tokenizer) {
    uint8_t order[256];
    int32_t ids[256];
    ms_bpe_symbol_order(order);
    MS_TRY(ms_tokenizer_set(tokenizer, 0, MS_END_OF_TEXT, strlen(MS_END_OF_TEXT), MS_TOKEN_SPECIAL));
    for (int32_t i = 0; i < 256; i++) {
        ids[order[i]] = i + 1;
        MS_TRY(ms_tokenizer_set(tokenizer, i + 1, &order[i], 1, MS_TOKEN_ORDINARY));
    }
    const ms_bpe_words *words = &trainer->words;
    trainer->symbols = malloc((words->n_bytes + 1) * sizeof *trainer->symbols);
    trainer->lengths = malloc((words->n + 1) * sizeof *trainer->lengths);
    if (!trainer->symbols || !trainer->lengths)
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu bytes of distinct pieces", words->n_bytes);
    for (size_t i = 0; i < words->n_bytes; i++) trainer->symbols[i] = ids[words->bytes[i]];
    for (size_t i = 0; i < words->n; i++) {
        trainer->lengths[i] = words->words[i].size_bytes;
        MS_TRY(count_word(trainer, (uint32_t)i, 1, -1));
    }
    for (size_t i = 0; i < trainer->n_pairs; i++) {
        trainer->pairs[i].pushed = trainer->pairs[i].count;
        MS_TRY(push(trainer, &trainer->pairs[i]));
    }
    return MS_OK;
}

/* The id of the joined text: an earlier token's, or `next`, which is then set. */
static ms_status name_token(ms_bpe_trainer *trainer, ms_tokenizer *tokenizer, candidate pair, int32_t next,
                            int32_t *out) {
    const ms_token_entry *left = &tokenizer->entries[pair.left], *right = &tokenizer->entries[pair.right];
    size_t size_bytes = left->size_bytes + right->size_bytes;
    uint8_t *bytes = malloc(size_bytes);
    if (!bytes) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a token of %zu bytes", size_bytes);
    memcpy(bytes, left->bytes, left->size_bytes);
    memcpy(bytes + left->size_bytes, right->bytes, right->size_bytes);
    uint64_t hash = ms_bpe_hash(bytes, size_bytes);
    uint32_t known = ms_bpe_table_get(&trainer->texts, hash);
    ms_status status = MS_OK;
    *out = known == MS_BPE_ABSENT ? next : (int32_t)known;
    if (known == MS_BPE_ABSENT) {
        status = ms_tokenizer_set(tokenizer, next, bytes, size_bytes, MS_TOKEN_ORDINARY);
        if (status == MS_OK) status = ms_bpe_table_set(&trainer->texts, hash, (uint32_t)next);
    } else if (tokenizer->entries[known].size_bytes != size_bytes ||
               memcmp(tokenizer->entries[known].bytes, bytes, size_bytes) != 0) {
        status = MS_FAIL(MS_INTERNAL, "the texts of tokens %u and %d have the same 64-bit hash", known, next);
    }
    free(bytes);
    return status;
}

static ms_status learn(ms_bpe_trainer *trainer, ms_tokenizer *tokenizer) {
    MS_TRY(start(trainer, tokenizer));
    int32_t next = MS_BPE_SMALLEST_VOCAB;
    while (next < tokenizer->vocab_size) {
        if (trainer->n_heap == 0)
            return MS_FAIL(MS_INVALID,
                           "the text supports a vocabulary of %d tokens, not %d: give more text or ask for less", next,
                           tokenizer->vocab_size);
        candidate top = pop(trainer);
        uint32_t i_pair = ms_bpe_table_get(&trainer->index, ms_bpe_pair(top.left, top.right));
        pair_record *pair = &trainer->pairs[i_pair];
        bool is_stale = pair->count != top.count;
        pair->pushed = is_stale && pair->count >= 2 ? pair->count : 0;
        if (pair->pushed > 0) MS_TRY(push(trainer, pair));
        if (is_stale || pair->count < 2) continue;
        int32_t result = -1;
        MS_TRY(name_token(trainer, tokenizer, top, next, &result));
        if (result == next) next++;
        /* A pair that was joined before can come back, when another merge makes the text of one of its tokens. */
        if (ms_bpe_table_get(&tokenizer->merges.ranks, ms_bpe_pair(top.left, top.right)) == MS_BPE_ABSENT)
            MS_TRY(ms_bpe_merges_add(&tokenizer->merges, top.left, top.right, result));
        MS_TRY(join(trainer, i_pair, result));
    }
    return ms_tokenizer_seal(tokenizer);
}

ms_status ms_bpe_trainer_train(ms_bpe_trainer *trainer, int vocab_size, ms_tokenizer **out) {
    *out = NULL;
    if (vocab_size < MS_BPE_SMALLEST_VOCAB)
        return MS_FAIL(MS_INVALID, "a vocabulary of %d tokens: at least %d are needed", vocab_size,
                       MS_BPE_SMALLEST_VOCAB);
    ms_tokenizer *tokenizer;
    ms_pipeline pipeline = {0};
    MS_TRY(make_rules(trainer->split_digits, &pipeline.rules));
    MS_TRY(ms_tokenizer_create(vocab_size, &pipeline, &tokenizer));
    ms_status status = learn(trainer, tokenizer);
    if (status != MS_OK) {
        ms_tokenizer_close(tokenizer);
        return status;
    }
    *out = tokenizer;
    return MS_OK;
}
