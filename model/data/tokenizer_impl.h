/* What the tokenizer's files share: the object behind ms_tokenizer.  Not for users of model/data/tokenizer.h. */
#ifndef MS_MODEL_DATA_TOKENIZER_IMPL_H
#define MS_MODEL_DATA_TOKENIZER_IMPL_H

#include "model/data/bpe_merge.h"
#include "model/data/bpe_split.h"
#include "model/data/tokenizer.h"

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
    bool normalized; /* added tokens: matched after those that are not (both before pre-tokenisation) */
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
    bool split_digits;
    ms_bpe_splitter *splitter;
    int32_t *added; /* [n_added] ids of added and special tokens, ascending */
    size_t n_added;
    bool starts_added[256]; /* bytes with which an added token starts */
    ms_bpe_scratch scratch;
    int32_t *symbols; /* [symbols_capacity] the piece being merged */
    size_t symbols_capacity;
    ms_piece_slot *cache; /* [MS_PIECE_SLOTS] */
    char sha256[65];
};

/* An empty tokenizer with room for vocab_size ids.  MS_OUT_OF_MEMORY, MS_INVALID: vocab_size not in 1..2^24. */
ms_status ms_tokenizer_create(int vocab_size, bool split_digits, ms_tokenizer **out);

/* Sets the entry `id` (copies the bytes).  MS_CORRUPT: id out of range, or another token has it, or no bytes. */
ms_status ms_tokenizer_set(ms_tokenizer *tokenizer, int32_t id, const void *bytes, size_t size_bytes,
                           ms_token_kind kind);

/* After all entries and merges are set: finds byte tokens, added tokens and the identity, and makes the tokenizer
   ready. */
ms_status ms_tokenizer_seal(ms_tokenizer *tokenizer);

#endif
