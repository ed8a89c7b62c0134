/* Pre-tokenisation: cuts text into the pieces that BPE merges never cross, by a list of patterns, each applied to the
   pieces that the one before it left (Split, Digits and ByteLevel's own pattern in Hugging Face tokenizers).  The
   classes of characters are those of the Unicode version in the linked PCRE2. */
#ifndef MS_MODEL_DATA_BPE_SPLIT_H
#define MS_MODEL_DATA_BPE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

/* What becomes of the text that a pattern matches.  The names in files are those of ms_split_behavior_name. */
typedef enum ms_split_behavior {
    MS_SPLIT_ISOLATED, /* a piece of its own */
    MS_SPLIT_REMOVED,  /* left out */
    MS_SPLIT_MERGED_WITH_PREVIOUS,
    MS_SPLIT_MERGED_WITH_NEXT,
    MS_SPLIT_CONTIGUOUS, /* matches beside each other are one piece */
    MS_N_SPLIT_BEHAVIORS
} ms_split_behavior;

/* "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous".  Borrowed, static. */
const char *ms_split_behavior_name(ms_split_behavior behavior);

typedef struct ms_split_rule {
    char *pattern;    /* as tokenizer.json has it, for Oniguruma: see model/data/bpe_pattern.h; owned */
    bool is_literal;  /* the pattern is the text itself */
    bool is_inverted; /* what lies between matches counts as matched */
    ms_split_behavior behavior;
} ms_split_rule;

/* Zeroed is empty: the text is one piece.  The owner finishes it. */
typedef struct ms_split_rules {
    ms_split_rule *rules; /* [n] */
    size_t n;
} ms_split_rules;

/* Most rules of a list. */
#define MS_SPLIT_RULES_MAX 64

/* Adds a rule with a copy of its pattern.  MS_UNSUPPORTED: an empty pattern, or too many rules; MS_OUT_OF_MEMORY. */
ms_status ms_split_rules_add(ms_split_rules *rules, ms_split_rule rule);
void ms_split_rules_finish(ms_split_rules *rules);

/* Digits (every character of the classes Nd, Nl and No): each alone, or joined to their neighbours. */
ms_status ms_split_rules_add_digits(ms_split_rules *rules, bool individual);
/* GPT-2's pattern (Radford et al. 2019), which is ByteLevel's. */
ms_status ms_split_rules_add_gpt2(ms_split_rules *rules);

/* 0: GPT-2's pattern alone; 1: individual digits, then GPT-2's pattern (SmolLM's); -1: any other list. */
int ms_split_rules_family(const ms_split_rules *rules);

typedef struct ms_bpe_splitter ms_bpe_splitter;

/* Compiles the rules, which may go afterwards.  The caller destroys it.  MS_UNSUPPORTED names the pattern that PCRE2
   cannot read alike; MS_OUT_OF_MEMORY.  Not thread-safe on one object. */
ms_status ms_bpe_splitter_create(const ms_split_rules *rules, ms_bpe_splitter **out);
void ms_bpe_splitter_destroy(ms_bpe_splitter *splitter);

/* Takes the piece text[begin, end), begin < end.  What it returns other than MS_OK ends the work. */
typedef ms_status (*ms_piece_sink)(void *context, size_t begin, size_t end);

/* Gives all pieces of text[0, size_bytes) in order.  The text must be well-formed UTF-8 (ms_utf8_check).
   MS_UNSUPPORTED: a pattern that takes too long on this text. */
ms_status ms_bpe_splitter_run(ms_bpe_splitter *splitter, const char *text, size_t size_bytes, ms_piece_sink sink,
                              void *context);

#endif
