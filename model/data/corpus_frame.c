/* Where records begin and end. */
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus_impl.h"

enum { READ_BYTES = 1 << 16 };

/* Reads on until `wanted` unused bytes are there, or the file ends. */
ms_status ms_corpus_fill(ms_corpus *corpus, size_t wanted) {
    if (corpus->end - corpus->begin >= wanted || corpus->at_end) return MS_OK;
    if (corpus->begin > 0) {
        memmove(corpus->buffer, corpus->buffer + corpus->begin, corpus->end - corpus->begin);
        corpus->end -= corpus->begin;
        corpus->begin = 0;
    }
    if (corpus->capacity < wanted) {
        size_t capacity = corpus->capacity ? corpus->capacity : READ_BYTES;
        while (capacity < wanted) capacity *= 2;
        char *larger = realloc(corpus->buffer, capacity);
        if (!larger)
            return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu bytes", ms_input_name(corpus->input), capacity);
        corpus->buffer = larger;
        corpus->capacity = capacity;
    }
    while (corpus->end < wanted && !corpus->at_end) {
        size_t n = 0;
        MS_TRY(ms_input_read(corpus->input, corpus->buffer + corpus->end, corpus->capacity - corpus->end, &n));
        corpus->at_end = n == 0;
        corpus->end += n;
    }
    return MS_OK;
}

ms_status ms_corpus_find_line(ms_corpus *corpus, size_t from, size_t *out_size) {
    *out_size = 0;
    size_t searched = from;
    for (;;) {
        size_t have = corpus->end - corpus->begin;
        char *start = corpus->buffer + corpus->begin;
        char *newline = have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        if (newline || corpus->at_end) {
            *out_size = newline ? (size_t)(newline - start) + 1 - from : have - from;
            if (from + *out_size > MS_CORPUS_DOCUMENT_MAX) *out_size = MS_CORPUS_TOO_LONG;
            return MS_OK;
        }
        if (have > MS_CORPUS_DOCUMENT_MAX) {
            *out_size = MS_CORPUS_TOO_LONG;
            return MS_OK;
        }
        searched = have;
        MS_TRY(ms_corpus_fill(corpus, have + READ_BYTES));
    }
}

bool ms_corpus_is_blank(const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        if (!strchr(" \t\r\n\v\f", text[i]) || text[i] == '\0') return false;
    return true;
}

/* Size of a document of at most chunk_bytes: up to the last end of a line; without one, the last space; without one,
   the last character. */
static ms_status size_chunk(ms_corpus *corpus, size_t *out_size) {
    size_t limit = corpus->options.chunk_bytes;
    MS_TRY(ms_corpus_fill(corpus, limit + 1));
    *out_size = corpus->end - corpus->begin;
    if (*out_size <= limit) return MS_OK;
    const char *text = corpus->buffer + corpus->begin;
    static const char ends[] = "\n ";
    for (size_t i = 0; i < 2; i++) {
        for (*out_size = limit; *out_size > 0; --*out_size)
            if (text[*out_size - 1] == ends[i]) return MS_OK;
    }
    *out_size = limit;
    while (*out_size > limit - 4 && ((uint8_t)text[*out_size] & 0xc0) == 0x80) --*out_size;
    return MS_OK;
}

/* Size of a document that ends at a blank line, with that line. */
static ms_status size_paragraph(ms_corpus *corpus, size_t *out_size) {
    *out_size = 0;
    for (;;) {
        size_t line;
        MS_TRY(ms_corpus_find_line(corpus, *out_size, &line));
        if (line == 0) return MS_OK;
        if (line == MS_CORPUS_TOO_LONG) {
            *out_size = line;
            return MS_OK;
        }
        bool blank = ms_corpus_is_blank(corpus->buffer + corpus->begin + *out_size, line);
        *out_size += line;
        if (blank) return MS_OK;
    }
}

static ms_status size_file(ms_corpus *corpus, size_t *out_size) {
    size_t have = corpus->end - corpus->begin;
    for (; !corpus->at_end && have <= MS_CORPUS_DOCUMENT_MAX; have = corpus->end - corpus->begin)
        MS_TRY(ms_corpus_fill(corpus, have + READ_BYTES));
    *out_size = have > MS_CORPUS_DOCUMENT_MAX ? MS_CORPUS_TOO_LONG : have;
    return MS_OK;
}

ms_status ms_corpus_size_record(ms_corpus *corpus, size_t *out_size) {
    *out_size = 0;
    if (corpus->is_jsonl) return ms_corpus_find_line(corpus, 0, out_size);
    if (corpus->options.documents == MS_DOCUMENTS_CHUNK) return size_chunk(corpus, out_size);
    return corpus->options.documents == MS_DOCUMENTS_BLANK ? size_paragraph(corpus, out_size)
                                                           : size_file(corpus, out_size);
}

void ms_corpus_consume(ms_corpus *corpus, size_t size) {
    const char *at = corpus->buffer + corpus->begin, *end = at + size;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        corpus->i_line++;
        at++;
    }
    corpus->begin += size;
    corpus->offset_bytes += size;
}

static ms_status discard_line(ms_corpus *corpus) {
    for (;;) {
        const char *start = corpus->buffer + corpus->begin;
        size_t have = corpus->end - corpus->begin;
        const char *newline = have > 0 ? memchr(start, '\n', have) : NULL;
        ms_corpus_consume(corpus, newline ? (size_t)(newline - start) + 1 : have);
        if (newline || corpus->at_end) return MS_OK;
        MS_TRY(ms_corpus_fill(corpus, READ_BYTES));
    }
}

static ms_status discard_paragraph(ms_corpus *corpus) {
    for (;;) {
        size_t line;
        MS_TRY(ms_corpus_find_line(corpus, 0, &line));
        if (line == 0) return MS_OK;
        if (line == MS_CORPUS_TOO_LONG) {
            MS_TRY(discard_line(corpus));
            continue;
        }
        bool blank = ms_corpus_is_blank(corpus->buffer + corpus->begin, line);
        ms_corpus_consume(corpus, line);
        if (blank) return MS_OK;
    }
}

static ms_status discard_file(ms_corpus *corpus) {
    for (;;) {
        ms_corpus_consume(corpus, corpus->end - corpus->begin);
        if (corpus->at_end) return MS_OK;
        MS_TRY(ms_corpus_fill(corpus, READ_BYTES));
    }
}

ms_status ms_corpus_discard_record(ms_corpus *corpus) {
    if (corpus->is_jsonl) return discard_line(corpus);
    return corpus->options.documents == MS_DOCUMENTS_BLANK ? discard_paragraph(corpus) : discard_file(corpus);
}
