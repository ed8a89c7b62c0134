#include "model/data/corpus.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/choice.h"
#include "platform/file.h"
#include "platform/utf8.h"

enum { DEFAULT_CHUNK_BYTES = 8192, READ_BYTES = 1 << 16 };

struct ms_corpus {
    char *path;
    FILE *stream;
    ms_corpus_options options;
    bool is_jsonl;
    bool at_end;  /* of the file */
    char *buffer; /* [capacity]; bytes [begin, end) are read and not used yet */
    size_t capacity;
    size_t begin, end;
    uint64_t offset_bytes; /* of buffer[begin] in the file */
    uint64_t i_line;       /* lines of JSONL begun, for messages */
    json_t *line;          /* the JSONL line whose text was lent, or NULL */
};

static const char *const documents_names[] = {"chunk", "blank", "file", NULL};
static const char *const format_names[] = {"auto", "text", "jsonl", NULL};

static bool find_name(const char *const *names, const char *name, int *out) {
    for (*out = 0; names[*out]; ++*out)
        if (strcmp(names[*out], name) == 0) return true;
    return false;
}

bool ms_documents_from_name(const char *name, ms_documents *out) {
    int i;
    bool found = find_name(documents_names, name, &i);
    *out = found ? (ms_documents)i : MS_DOCUMENTS_CHUNK;
    return found;
}

bool ms_corpus_format_from_name(const char *name, ms_corpus_format *out) {
    int i;
    bool found = find_name(format_names, name, &i);
    *out = found ? (ms_corpus_format)i : MS_CORPUS_AUTO;
    return found;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

ms_status ms_corpus_open(const char *path, const ms_corpus_options *options, ms_corpus **out) {
    *out = NULL;
    MS_TRY(ms_choice_check("corpus: documents", (int)options->documents, documents_names));
    MS_TRY(ms_choice_check("corpus: format", (int)options->format, format_names));
    if (options->chunk_bytes != 0 && options->chunk_bytes < 64)
        return MS_FAIL(MS_INVALID, "documents of %zu bytes: at least 64 are needed", options->chunk_bytes);
    ms_corpus *corpus = calloc(1, sizeof *corpus);
    if (corpus) corpus->path = strdup(path);
    if (!corpus || !corpus->path) {
        free(corpus);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to read %s", path);
    }
    corpus->options = *options;
    if (!corpus->options.key) corpus->options.key = "text";
    if (corpus->options.chunk_bytes == 0) corpus->options.chunk_bytes = DEFAULT_CHUNK_BYTES;
    corpus->is_jsonl = options->format == MS_CORPUS_JSONL ||
                       (options->format == MS_CORPUS_AUTO && (ends_with(path, ".jsonl") || ends_with(path, ".ndjson")));
    corpus->stream = fopen(path, "rbe");
    if (!corpus->stream) {
        ms_status status = ms_status_from_errno(errno, "cannot open", path);
        ms_corpus_close(corpus);
        return status;
    }
    *out = corpus;
    return MS_OK;
}

void ms_corpus_close(ms_corpus *corpus) {
    if (!corpus) return;
    if (corpus->stream) fclose(corpus->stream);
    json_decref(corpus->line);
    free(corpus->buffer);
    free(corpus->path);
    free(corpus);
}

uint64_t ms_corpus_bytes_read(const ms_corpus *corpus) { return corpus->offset_bytes; }

/* Reads on until `wanted` unused bytes are there, or the file ends. */
static ms_status fill(ms_corpus *corpus, size_t wanted) {
    if (corpus->begin > 0) {
        memmove(corpus->buffer, corpus->buffer + corpus->begin, corpus->end - corpus->begin);
        corpus->end -= corpus->begin;
        corpus->begin = 0;
    }
    if (corpus->capacity < wanted) {
        size_t capacity = corpus->capacity ? corpus->capacity : READ_BYTES;
        while (capacity < wanted) capacity *= 2;
        char *larger = realloc(corpus->buffer, capacity);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu bytes", corpus->path, capacity);
        corpus->buffer = larger;
        corpus->capacity = capacity;
    }
    while (corpus->end < wanted && !corpus->at_end) {
        size_t n = fread(corpus->buffer + corpus->end, 1, corpus->capacity - corpus->end, corpus->stream);
        if (n == 0 && ferror(corpus->stream)) return ms_status_from_errno(errno, "cannot read", corpus->path);
        corpus->at_end = n == 0;
        corpus->end += n;
    }
    return MS_OK;
}

/* Size of the next line with its end, 0 at the end of the file. Looks on from `from` unused bytes, which hold whole
   lines. */
static ms_status find_line(ms_corpus *corpus, size_t from, size_t *out_size) {
    *out_size = 0;
    size_t searched = from;
    for (;;) {
        size_t have = corpus->end - corpus->begin;
        char *start = corpus->buffer + corpus->begin;
        char *newline = have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        if (newline) {
            *out_size = (size_t)(newline - start) + 1 - from;
            return MS_OK;
        }
        if (corpus->at_end) {
            *out_size = have - from;
            return MS_OK;
        }
        if (have > MS_CORPUS_DOCUMENT_MAX)
            return MS_FAIL(MS_INVALID, "%s, byte %llu: a line or document is longer than %zu bytes", corpus->path,
                           (unsigned long long)corpus->offset_bytes, MS_CORPUS_DOCUMENT_MAX);
        searched = have;
        MS_TRY(fill(corpus, have + READ_BYTES));
    }
}

static bool is_space(const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        if (!strchr(" \t\r\n\v\f", text[i]) || text[i] == '\0') return false;
    return true;
}

/* Size of a document of at most chunk_bytes: up to the last end of a line; without one, the last space; without one,
   the last character. */
static ms_status size_chunk(ms_corpus *corpus, size_t *out_size) {
    size_t limit = corpus->options.chunk_bytes;
    MS_TRY(fill(corpus, limit + 1));
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
        MS_TRY(find_line(corpus, *out_size, &line));
        if (line == 0) return MS_OK;
        bool blank = is_space(corpus->buffer + corpus->begin + *out_size, line);
        *out_size += line;
        if (blank) return MS_OK;
    }
}

static ms_status size_file(ms_corpus *corpus, size_t *out_size) {
    *out_size = 0;
    while (!corpus->at_end) {
        size_t have = corpus->end - corpus->begin;
        if (have > MS_CORPUS_DOCUMENT_MAX)
            return MS_FAIL(MS_INVALID, "%s: longer than %zu bytes, too long for one document", corpus->path,
                           MS_CORPUS_DOCUMENT_MAX);
        MS_TRY(fill(corpus, have + READ_BYTES));
    }
    *out_size = corpus->end - corpus->begin;
    return MS_OK;
}

static ms_status parse_line(ms_corpus *corpus, const char *text, size_t size_bytes, ms_document *out) {
    json_error_t error;
    json_decref(corpus->line);
    corpus->line = json_loadb(text, size_bytes, JSON_ALLOW_NUL, &error);
    unsigned long long i_line = (unsigned long long)corpus->i_line;
    if (!corpus->line)
        return MS_FAIL(MS_INVALID, "%s, line %llu, column %d: %s", corpus->path, i_line, error.column, error.text);
    const json_t *value = json_object_get(corpus->line, corpus->options.key);
    if (!json_is_string(value))
        return MS_FAIL(MS_INVALID, "%s, line %llu: no string under the key \"%s\"", corpus->path, i_line,
                       corpus->options.key);
    out->text = json_string_value(value);
    out->size_bytes = json_string_length(value);
    return MS_OK;
}

/* The next document, even a blank one; text == NULL at the end. */
static ms_status next_raw(ms_corpus *corpus, ms_document *out) {
    *out = (ms_document){0};
    if (corpus->offset_bytes == 0) {
        MS_TRY(fill(corpus, 3));
        if (corpus->end >= 3 && memcmp(corpus->buffer, "\xef\xbb\xbf", 3) == 0)
            corpus->begin = corpus->offset_bytes = 3;
    }
    size_t size = 0;
    if (corpus->is_jsonl) {
        corpus->i_line++;
        MS_TRY(find_line(corpus, 0, &size));
    } else if (corpus->options.documents == MS_DOCUMENTS_CHUNK) {
        MS_TRY(size_chunk(corpus, &size));
    } else if (corpus->options.documents == MS_DOCUMENTS_BLANK) {
        MS_TRY(size_paragraph(corpus, &size));
    } else {
        MS_TRY(size_file(corpus, &size));
    }
    if (size == 0) return MS_OK;
    const char *text = corpus->buffer + corpus->begin;
    size_t valid = ms_utf8_check(text, size);
    if (valid < size)
        return MS_FAIL(MS_INVALID, "%s: byte %llu is 0x%02x, which is not UTF-8", corpus->path,
                       (unsigned long long)(corpus->offset_bytes + valid), (uint8_t)text[valid]);
    *out = (ms_document){text, size, corpus->offset_bytes};
    if (corpus->is_jsonl && !is_space(text, size)) MS_TRY(parse_line(corpus, text, size, out));
    corpus->begin += size;
    corpus->offset_bytes += size;
    return MS_OK;
}

ms_status ms_corpus_next(ms_corpus *corpus, ms_document *out) {
    do {
        MS_TRY(next_raw(corpus, out));
    } while (out->text && is_space(out->text, out->size_bytes));
    return MS_OK;
}
