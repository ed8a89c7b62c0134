#include "model/data/bpe_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

struct ms_bpe_splitter {
    pcre2_code *code;
    pcre2_match_data *match;
};

/* Unicode's White_Space, which is what \s means to Hugging Face tokenizers; PCRE2's own \s also has U+180E. */
#define SPACE                                                                                                          \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"

static const char gpt2_pattern[] = CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+"
                                                "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

/* Splitting at digits first and then by the pattern above, in one pass: a digit ends white space like the end of
   text. */
static const char digits_pattern[] = "\\p{N}|" CONTRACTIONS "| ?\\p{L}+| ?[^" SPACE "\\p{L}\\p{N}]+"
                                     "|[" SPACE "]+(?![^" SPACE "\\p{N}])|[" SPACE "]+";

ms_status ms_bpe_splitter_create(bool split_digits, ms_bpe_splitter **out) {
    *out = NULL;
    ms_bpe_splitter *splitter = calloc(1, sizeof *splitter);
    if (!splitter) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the pre-tokeniser");
    const char *pattern = split_digits ? digits_pattern : gpt2_pattern;
    int error = 0;
    PCRE2_SIZE offset = 0;
    splitter->code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_NO_START_OPTIMIZE, &error, &offset, NULL);
    if (!splitter->code) {
        free(splitter);
        PCRE2_UCHAR text[128];
        pcre2_get_error_message(error, text, sizeof text);
        return MS_FAIL(MS_INTERNAL, "pre-tokeniser pattern, offset %zu: %s", (size_t)offset, (const char *)text);
    }
    /* A PCRE2 built without JIT refuses here and interprets the pattern: slower, the same pieces. */
    (void)pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE);
    splitter->match = pcre2_match_data_create(1, NULL);
    if (!splitter->match) {
        ms_bpe_splitter_destroy(splitter);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the pre-tokeniser");
    }
    *out = splitter;
    return MS_OK;
}

void ms_bpe_splitter_destroy(ms_bpe_splitter *splitter) {
    if (!splitter) return;
    pcre2_match_data_free(splitter->match);
    pcre2_code_free(splitter->code);
    free(splitter);
}

ms_status ms_bpe_splitter_next(ms_bpe_splitter *splitter, const char *text, size_t size_bytes, size_t begin,
                               size_t *out_end) {
    int n = pcre2_match(splitter->code, (PCRE2_SPTR)text, size_bytes, begin, PCRE2_NO_UTF_CHECK, splitter->match, NULL);
    if (n < 1) {
        PCRE2_UCHAR message[128];
        pcre2_get_error_message(n, message, sizeof message);
        return MS_FAIL(MS_INTERNAL, "pre-tokeniser, byte %zu of %zu: %s", begin, size_bytes, (const char *)message);
    }
    *out_end = pcre2_get_ovector_pointer(splitter->match)[1];
    return MS_OK;
}
