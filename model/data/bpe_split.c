#include "model/data/bpe_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_pattern.h"

static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
static const char digit_pattern[] = "\\p{N}";

/* Machine stack of a match: what PCRE2 begins with, and at most. */
enum { STACK_BYTES = 32 << 10, STACK_BYTES_MAX = 16 << 20 };

enum { MATCH_STEPS = 10000000, MATCH_STEPS_A_BYTE = 16 };

typedef struct compiled_rule {
    pcre2_code *code;
    pcre2_match_data *match;
    bool is_inverted;
    ms_split_behavior behavior;
} compiled_rule;

struct ms_bpe_splitter {
    compiled_rule *rules; /* [n] */
    size_t n;
    pcre2_compile_context *compile;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

const char *ms_split_behavior_name(ms_split_behavior behavior) {
    static const char *const names[MS_N_SPLIT_BEHAVIORS] = {"Isolated", "Removed", "MergedWithPrevious",
                                                            "MergedWithNext", "Contiguous"};
    return names[behavior];
}

ms_status ms_split_rules_add(ms_split_rules *rules, ms_split_rule rule) {
    if (*rule.pattern == '\0') return MS_FAIL(MS_UNSUPPORTED, "an empty pattern is not supported");
    if (rules->n == MS_SPLIT_RULES_MAX)
        return MS_FAIL(MS_UNSUPPORTED, "more than %d steps of pre-tokenisation are not supported", MS_SPLIT_RULES_MAX);
    ms_split_rule *larger = realloc(rules->rules, (rules->n + 1) * sizeof *larger);
    if (larger) rules->rules = larger;
    rule.pattern = strdup(rule.pattern);
    if (!larger || !rule.pattern) {
        free(rule.pattern);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a pattern");
    }
    rules->rules[rules->n++] = rule;
    return MS_OK;
}

void ms_split_rules_finish(ms_split_rules *rules) {
    for (size_t i = 0; i < rules->n; i++) free(rules->rules[i].pattern);
    free(rules->rules);
    *rules = (ms_split_rules){0};
}

ms_status ms_split_rules_add_digits(ms_split_rules *rules, bool individual) {
    return ms_split_rules_add(rules, (ms_split_rule){.pattern = (char *)digit_pattern,
                                                     .behavior = individual ? MS_SPLIT_ISOLATED : MS_SPLIT_CONTIGUOUS});
}

ms_status ms_split_rules_add_gpt2(ms_split_rules *rules) {
    return ms_split_rules_add(rules, (ms_split_rule){.pattern = (char *)gpt2_pattern});
}

static bool isolates(const ms_split_rule *rule, const char *pattern) {
    return rule->behavior == MS_SPLIT_ISOLATED && !rule->is_literal && !rule->is_inverted &&
           strcmp(rule->pattern, pattern) == 0;
}

int ms_split_rules_family(const ms_split_rules *rules) {
    if (rules->n == 1 && isolates(&rules->rules[0], gpt2_pattern)) return 0;
    if (rules->n == 2 && isolates(&rules->rules[0], digit_pattern) && isolates(&rules->rules[1], gpt2_pattern))
        return 1;
    return -1;
}

/* What PCRE2 says of a pattern, and where; of the pattern as it was written, if PCRE2 cannot read that either. */
static ms_status fail_to_compile(const ms_bpe_splitter *splitter, const char *pattern, const char *written,
                                 uint32_t options) {
    const char *const patterns[] = {written, pattern};
    for (int i = 0; i < 2; i++) {
        int error = 0;
        PCRE2_SIZE offset = 0;
        PCRE2_UCHAR text[128];
        pcre2_code *code =
            pcre2_compile((PCRE2_SPTR)patterns[i], PCRE2_ZERO_TERMINATED, options, &error, &offset, splitter->compile);
        pcre2_code_free(code);
        if (code) continue;
        pcre2_get_error_message(error, text, sizeof text);
        return MS_FAIL(MS_UNSUPPORTED, "PCRE2 cannot read it: %s, at byte %zu of \"%s\"", (const char *)text,
                       (size_t)offset, patterns[i]);
    }
    return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a pattern");
}

/* Compiles a pattern that PCRE2 reads; written: as it was before it was rewritten for that. */
static ms_status compile(const ms_bpe_splitter *splitter, const char *pattern, const char *written, uint32_t options,
                         compiled_rule *out) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    out->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, splitter->compile);
    if (!out->code) return fail_to_compile(splitter, pattern, written, options);
    /* A PCRE2 built without JIT refuses here and interprets the pattern: slower, the same pieces. */
    (void)pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE);
    out->match = pcre2_match_data_create(1, NULL);
    return out->match ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a pattern");
}

static ms_status compile_rule(const ms_bpe_splitter *splitter, const ms_split_rule *rule, compiled_rule *out) {
    out->is_inverted = rule->is_inverted;
    out->behavior = rule->behavior;
    if (rule->is_literal) return compile(splitter, rule->pattern, rule->pattern, PCRE2_UTF | PCRE2_LITERAL, out);
    char *pattern;
    MS_TRY_NOTE(ms_bpe_pattern(rule->pattern, &pattern), "pre_tokenizer Split");
    ms_status status = compile(splitter, pattern, rule->pattern,
                               PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_START_OPTIMIZE, out);
    free(pattern);
    return status == MS_OK ? MS_OK : ms_status_note(status, "pre_tokenizer Split");
}

ms_status ms_bpe_splitter_create(const ms_split_rules *rules, ms_bpe_splitter **out) {
    *out = NULL;
    ms_bpe_splitter *splitter = calloc(1, sizeof *splitter);
    if (!splitter) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the pre-tokenizer");
    splitter->rules = calloc(rules->n + 1, sizeof *splitter->rules);
    splitter->compile = pcre2_compile_context_create(NULL);
    splitter->context = pcre2_match_context_create(NULL);
    splitter->stack = pcre2_jit_stack_create(STACK_BYTES, STACK_BYTES_MAX, NULL);
    ms_status status = MS_OK;
    if (!splitter->rules || !splitter->compile || !splitter->context || !splitter->stack) {
        status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the pre-tokenizer");
    } else {
        pcre2_set_newline(splitter->compile, PCRE2_NEWLINE_LF);
        pcre2_jit_stack_assign(splitter->context, NULL, splitter->stack);
    }
    for (; status == MS_OK && splitter->n < rules->n; splitter->n++)
        status = compile_rule(splitter, &rules->rules[splitter->n], &splitter->rules[splitter->n]);
    if (status == MS_OK) {
        *out = splitter;
    } else {
        ms_bpe_splitter_destroy(splitter);
    }
    return status;
}

void ms_bpe_splitter_destroy(ms_bpe_splitter *splitter) {
    if (!splitter) return;
    for (size_t i = 0; splitter->rules && i < splitter->n; i++) {
        pcre2_match_data_free(splitter->rules[i].match);
        pcre2_code_free(splitter->rules[i].code);
    }
    pcre2_jit_stack_free(splitter->stack);
    pcre2_match_context_free(splitter->context);
    pcre2_compile_context_free(splitter->compile);
    free(splitter->rules);
    free(splitter);
}

/* The work of one rule on one piece. */
typedef struct cutting {
    ms_bpe_splitter *splitter;
    size_t i_rule;
    const char *text;  /* all of it */
    size_t begin, end; /* the piece that this rule cuts */
    ms_piece_sink sink;
    void *context;
    /* The part that waits for its neighbour. */
    size_t part_begin, part_end;
    bool has_part, part_is_match;
} cutting;

static ms_status cut(cutting *work);

/* A part is complete: the next rule cuts it. */
static ms_status give(cutting *work) {
    if (!work->has_part || work->part_begin == work->part_end) return MS_OK;
    cutting next = {.splitter = work->splitter,
                    .i_rule = work->i_rule + 1,
                    .text = work->text,
                    .begin = work->part_begin,
                    .end = work->part_end,
                    .sink = work->sink,
                    .context = work->context};
    return cut(&next);
}

/* True when the part that waits takes the next one in. */
static bool joins(const cutting *work, bool is_match) {
    if (!work->has_part) return false;
    switch (work->splitter->rules[work->i_rule].behavior) {
    case MS_SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !work->part_is_match;
    case MS_SPLIT_MERGED_WITH_NEXT:
        return !is_match && work->part_is_match;
    case MS_SPLIT_CONTIGUOUS:
        return is_match == work->part_is_match;
    default:
        return false;
    }
}

/* Takes the next part of the piece: a match, or what lies before one. */
static ms_status take(cutting *work, size_t begin, size_t end, bool is_match) {
    const compiled_rule *rule = &work->splitter->rules[work->i_rule];
    is_match ^= rule->is_inverted;
    if (rule->behavior == MS_SPLIT_REMOVED && is_match) return MS_OK;
    bool joined = joins(work, is_match);
    if (!joined) {
        MS_TRY(give(work));
        work->part_begin = begin;
    }
    work->part_end = end;
    work->has_part = true;
    work->part_is_match = is_match;
    return MS_OK;
}

static size_t next_character(const char *text, size_t at, size_t size_bytes) {
    do {
        at++;
    } while (at < size_bytes && ((unsigned char)text[at] & 0xc0) == 0x80);
    return at;
}

/* All parts of the piece.  The pattern sees the piece alone: what is before it does not count as before.  Of two empty
   matches at one place the second is none; this is how Hugging Face tokenizers go on. */
static ms_status cut(cutting *work) {
    ms_bpe_splitter *splitter = work->splitter;
    if (work->i_rule == splitter->n) return work->sink(work->context, work->begin, work->end);
    const compiled_rule *rule = &splitter->rules[work->i_rule];
    const char *subject = work->text + work->begin;
    size_t size = work->end - work->begin, from = 0, done = 0;
    bool matched = false; /* a match ends at `done` */
    while (from <= size) {
        int n = pcre2_match(rule->code, (PCRE2_SPTR)subject, size, from, PCRE2_NO_UTF_CHECK, rule->match,
                            splitter->context);
        if (n == PCRE2_ERROR_NOMATCH) break;
        if (n < 0) {
            PCRE2_UCHAR message[128];
            pcre2_get_error_message(n, message, sizeof message);
            return MS_FAIL(MS_UNSUPPORTED, "step %zu of pre-tokenisation, byte %zu of the text: %s", work->i_rule,
                           work->begin + from, (const char *)message);
        }
        const PCRE2_SIZE *range = pcre2_get_ovector_pointer(rule->match);
        size_t begin = range[0], end = range[1];
        if (begin == end && matched && end == done) {
            from = next_character(subject, from, size);
            continue;
        }
        if (begin > done) MS_TRY(take(work, work->begin + done, work->begin + begin, false));
        MS_TRY(take(work, work->begin + begin, work->begin + end, true));
        from = done = end;
        matched = true;
    }
    if (done < size) MS_TRY(take(work, work->begin + done, work->end, false));
    return give(work);
}

ms_status ms_bpe_splitter_run(ms_bpe_splitter *splitter, const char *text, size_t size_bytes, ms_piece_sink sink,
                              void *context) {
    if (size_bytes == 0) return MS_OK;
    /* Steps of one match: a long piece takes some per character, a pattern that never ends takes more. */
    uint64_t limit = MATCH_STEPS + MATCH_STEPS_A_BYTE * (uint64_t)size_bytes;
    pcre2_set_match_limit(splitter->context, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    cutting work = {.splitter = splitter, .text = text, .end = size_bytes, .sink = sink, .context = context};
    return cut(&work);
}
