/* Byte-level BPE tokenizer, read from and written to Hugging Face `tokenizer.json`.
   Sources: Sennrich et al. 2016 (BPE), Radford et al. 2019 (bytes, pattern), Hugging Face tokenizers (file format,
   order of merges, matching of added tokens, normalizers, pre-tokenizers).  Ids are those that the Hugging Face library
   gives without the special tokens that a post-processor puts around a text, for characters that the Unicode versions
   of PCRE2, utf8proc and that library all know. */
#ifndef MS_MODEL_DATA_TOKENIZER_H
#define MS_MODEL_DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The token that separates documents. */
#define MS_END_OF_TEXT "<|endoftext|>"

typedef struct ms_tokenizer ms_tokenizer;

/* A growing list of token ids.  Zeroed is empty; the owner finishes it. */
typedef struct ms_tokens {
    int32_t *ids; /* [n] */
    size_t n;
    size_t capacity;
} ms_tokens;

/* Adds one id.  MS_OUT_OF_MEMORY: the list is as before. */
ms_status ms_tokens_append(ms_tokens *tokens, int32_t id);
/* Adds n ids, likewise. */
ms_status ms_tokens_append_all(ms_tokens *tokens, const int32_t *ids, size_t n);
void ms_tokens_finish(ms_tokens *tokens);

/* What the text of a special token, such as "<|endoftext|>", becomes when it occurs in text to encode. */
typedef enum ms_special {
    MS_SPECIAL_PARSE,  /* the special token: for prompts; what Hugging Face tokenizers do */
    MS_SPECIAL_AS_TEXT /* ordinary tokens: for corpora, where text must not forge the end of a document */
} ms_special;

/* Opens a tokenizer.json, with a byte-order mark or without: byte-level BPE (GPT-2, Llama 3, Qwen 2 and 3, DeepSeek,
   Phi, SmolLM, Mistral's Tekken, nanochat).  Normalizers: NFC, NFD, NFKC, NFKD; pre-tokenizers: Split, Digits,
   ByteLevel. The caller closes it.  MS_NOT_FOUND, MS_IO; MS_CORRUPT: not JSON, a missing key, a merge of unknown
   tokens; MS_UNSUPPORTED names a normalizer, pre-tokenizer, pattern, post-processor, model or option that would change
   ids and is none of these. */
ms_status ms_tokenizer_open(const char *path, ms_tokenizer **out);
void ms_tokenizer_close(ms_tokenizer *tokenizer);

/* Another tokenizer on the vocabulary of `tokenizer`, which must outlive it, with working memory of its own (about 2
   MiB): for one more thread that encodes.  The caller closes it.  MS_OUT_OF_MEMORY. */
ms_status ms_tokenizer_share(const ms_tokenizer *tokenizer, ms_tokenizer **out);

/* Writes a tokenizer.json that Hugging Face tokenizers read, complete or not at all.  MS_IO, MS_NO_SPACE. */
ms_status ms_tokenizer_save(const ms_tokenizer *tokenizer, const char *path);

/* Appends the ids of `text` to out.  Not thread-safe on one tokenizer (it keeps a cache of pieces).
   MS_INVALID names the byte offset: text is not UTF-8, or holds a byte that this vocabulary has no token for;
   MS_OUT_OF_MEMORY.  On failure out may hold part of the ids. */
ms_status ms_tokenizer_encode(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_special special,
                              ms_tokens *out);

/* The bytes of n ids, malloc'ed, with a NUL after the last; the caller frees them.  They need not be UTF-8: a character
   may span tokens.  skip_special: special tokens give nothing.  Thread-safe. MS_INVALID names the first id that the
   vocabulary lacks; MS_OUT_OF_MEMORY. */
ms_status ms_tokenizer_decode(const ms_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                              char **out_text, size_t *out_size_bytes);

/* The bytes of one token, borrowed until close.  Thread-safe.  MS_INVALID: no such id. */
ms_status ms_tokenizer_token(const ms_tokenizer *tokenizer, int32_t id, const uint8_t **out_bytes,
                             size_t *out_size_bytes);

/* Highest id plus one. */
int ms_tokenizer_vocab_size(const ms_tokenizer *tokenizer);

/* Id of an added token by its text, or -1; *out_special: it is special. */
int32_t ms_tokenizer_added_token(const ms_tokenizer *tokenizer, const char *content, bool *out_special);

/* The first special tokens, as far as they fit, for messages: "<|a|>, <|b|>, ...", or "none". */
void ms_tokenizer_special_names(const ms_tokenizer *tokenizer, char *out, size_t size);

/* Id of MS_END_OF_TEXT, or -1. */
int32_t ms_tokenizer_end_of_text(const ms_tokenizer *tokenizer);

/* Identity: SHA-256, 64 hexadecimal digits, over vocabulary, added tokens, merges, normalizers and pre-tokenizers in
   canonical order.
   The same for two files that give the same ids, however they are laid out.  Borrowed until close. */
const char *ms_tokenizer_sha256(const ms_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif

#endif
