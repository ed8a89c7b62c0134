/* What the tokenizer's files share: the object behind ms_tokenizer.  Not for users of model/data/tokenizer.h. */
#ifndef MS_MODEL_DATA_TOKENIZER_IMPL_H
#define MS_MODEL_DATA_TOKENIZER_IMPL_H

#include "model/data/bpe_merge.h"
#include "model/data/bpe_split.h"
#include "model/data/text_normalize.h"
#include "model/data/tokenizer.h"

/* Most normalizers, one after the other. */
enum { MS_NORMALIZERS_MAX = 8 };

/* What happens to text before merges are applied. */
typedef struct ms_pipeline {
    ms_normal_form forms[MS_NORMALIZERS_MAX]; /* [n_forms] */
    size_t n_forms;
    ms_split_rules rules;
    bool ignore_merges;          /* a piece that is a token as it stands is that token */
    const char *needs_all_bytes; /* an option of the file that has no effect when every byte has a token; or NULL */
} ms_pipeline;

/* What an entry of the vocabulary is. */
typedef enum ms_token_kind {
    MS_TOKEN_ABSENT = 0, /* a hole in the numbering */
    MS_TOKEN_ORDINARY,   /* made by merges, or a byte */
    MS_TOKEN_LITERAL,    /* in the vocabulary, but not as text of the byte alphabet: decoded as is, never encoded */
    MS_TOKEN_ADDED,      /* matched in the text before pre-tokenisation */
    MS_TOKEN_SPECIAL     /* added, and left out of decoded text on request */
} ms_token_kind;

typedef struct ms_token_entry {
    uint8_t *bytes; /* malloc'ed, NUL after the last */
    size_t size_bytes;
    ms_token_kind kind;
    bool in_vocab; /* added tokens: the model's vocabulary lists it too */
    /* Of added tokens: */
    bool normalized;     /* matched in normalized text, after those that are not; both before pre-tokenisation */
    bool single_word;    /* matched only where no letter, mark, digit or connector touches it */
    bool lstrip, rstrip; /* takes the white space before it, after it */
    uint8_t *match;      /* malloc'ed: the normalized text to look for; NULL: the bytes */
    size_t match_bytes;
} ms_token_entry;

/* Longest piece, and most tokens, that the cache of pieces holds. */
enum { MS_PIECE_BYTES = 31, MS_PIECE_TOKENS = 8, MS_PIECE_SLOTS = 1 << 15 };

/* One slot of the cache: the piece last seen with this hash.  Common words repeat; merging them once is enough. */
typedef struct ms_piece_slot {
    uint8_t size_bytes; /* 0: empty */
    char bytes[MS_PIECE_BYTES];
    uint8_t n;
    int32_t ids[MS_PIECE_TOKENS];
} ms_piece_slot;

struct ms_tokenizer {
    ms_token_entry *entries; /* [vocab_size] */
    int vocab_size;
    int32_t byte_ids[256]; /* id of each byte's token, -1: none */
    ms_bpe_merges merges;
    ms_bpe_table pieces; /* with ignore_merges: hash of an ordinary token's bytes -> id */
    ms_pipeline pipeline;
    ms_bpe_splitter *splitter;
    ms_text normalized[2]; /* the text after the last normalizer, and before it */
    int32_t *added;        /* [n_added] ids of added and special tokens, ascending */
    size_t n_added;
    bool starts_added[256]; /* bytes with which the match of an added token starts */
    ms_bpe_scratch scratch;
    int32_t *symbols; /* [symbols_capacity] the piece being merged */
    size_t symbols_capacity;
    ms_piece_slot *cache; /* [MS_PIECE_SLOTS] */
    char sha256[65];
    bool is_shared; /* vocabulary, merges, pieces, pipeline and `added` belong to another one */
};

/* Frees what it holds and zeroes it. */
void ms_pipeline_finish(ms_pipeline *pipeline);

/* An empty tokenizer with room for vocab_size ids.  Takes what the pipeline holds, also on failure, and zeroes it.
   MS_INVALID: vocab_size not in 1..2^24; MS_UNSUPPORTED: a pattern that PCRE2 cannot read; MS_OUT_OF_MEMORY. */
ms_status ms_tokenizer_create(int vocab_size, ms_pipeline *pipeline, ms_tokenizer **out);

/* Sets the entry `id` (copies the bytes).  MS_CORRUPT: id out of range, or another token has it, or no bytes. */
ms_status ms_tokenizer_set(ms_tokenizer *tokenizer, int32_t id, const void *bytes, size_t size_bytes,
                           ms_token_kind kind);

/* The bytes that an entry stands for in text to merge, at most entry->size_bytes of them; false: it is no such
   token. */
bool ms_token_piece(const ms_token_entry *entry, uint8_t *out, size_t *out_size_bytes);

/* After all entries and merges are set: finds byte tokens, added tokens and the identity, and makes the tokenizer
   ready.  MS_UNSUPPORTED: needs_all_bytes, and a byte has no token. */
ms_status ms_tokenizer_seal(ms_tokenizer *tokenizer);

#endif
