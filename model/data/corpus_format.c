/* What a corpus is: its contents decide, then its name. */
#include <string.h>

#include "model/data/corpus_impl.h"
#include "platform/utf8.h"

/* True when the name ends so, but for the ending of a compressed file. */
static bool ends_with(const char *name, const char *end) {
    static const char *const compressed[] = {".gz", ".zst", ".zstd", ""};
    size_t n = strlen(name), m = strlen(end);
    for (size_t i = 0; i < sizeof compressed / sizeof *compressed; i++) {
        size_t k = strlen(compressed[i]);
        if (n >= m + k && strcmp(name + n - k, compressed[i]) == 0 && strncmp(name + n - k - m, end, m) == 0)
            return true;
    }
    return false;
}

/* The first unused byte from *at on that is no white space, at *at; '\0': there is none within what is buffered. */
static char first_byte(const ms_corpus *corpus, size_t *at) {
    for (; corpus->begin + *at < corpus->end; ++*at) {
        char c = corpus->buffer[corpus->begin + *at];
        if (!ms_corpus_is_blank(&c, 1)) return c;
    }
    return '\0';
}

/* True when the line that begins at `from` unused bytes is one JSON object. */
static ms_status is_object(ms_corpus *corpus, size_t from, bool *out) {
    size_t size;
    *out = false;
    MS_TRY(ms_corpus_find_line(corpus, from, &size));
    if (size == MS_CORPUS_TOO_LONG) return MS_OK;
    json_t *line = json_loadb(corpus->buffer + corpus->begin + from, size, JSON_ALLOW_NUL, NULL);
    *out = json_is_object(line);
    json_decref(line);
    return MS_OK;
}

/* True when most of the first lines are JSON objects: a comment before them, or one that is wrong, does not make a text
   of them.  Blank lines do not count; neither does what follows a line that begins no object and has no end nearby. */
static ms_status is_mostly_objects(ms_corpus *corpus, bool *out) {
    enum { N_LINES = 32, N_BYTES = 1 << 16 };
    int n_objects = 0, n_lines = 0;
    *out = false;
    MS_TRY(ms_corpus_fill(corpus, N_BYTES));
    for (size_t at = 0, size; n_lines < N_LINES && at < N_BYTES; at += size, n_lines++) {
        char first = first_byte(corpus, &at);
        const char *line = corpus->buffer + corpus->begin + at;
        bool object = false;
        if (first == '\0' || (first != '{' && !memchr(line, '\n', corpus->end - corpus->begin - at))) break;
        if (first == '{') MS_TRY(is_object(corpus, at, &object));
        n_objects += object;
        MS_TRY(ms_corpus_find_line(corpus, at, &size));
        if (size == MS_CORPUS_TOO_LONG) break;
    }
    *out = 2 * n_objects > n_lines;
    return MS_OK;
}

/* nanoGPT's train.bin and its like have no first bytes of their own. */
static ms_status refuse_ids_alone(const ms_corpus *corpus) {
    enum { LONGEST_CHARACTER = 4 };
    const char *text = corpus->buffer + corpus->begin;
    size_t size = corpus->end - corpus->begin, valid = ms_utf8_check(text, size);
    const char *name = ms_input_name(corpus->input);
    bool is_text = !memchr(text, '\0', size) && (valid == size || valid + LONGEST_CHARACTER > size);
    if (is_text || !corpus->options.accepts_ids || !ends_with(name, ".bin")) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED,
                   "%s is no text: if it holds token ids without a header, --format uint16 or uint32 reads them", name);
}

static ms_status choose_format(ms_corpus *corpus) {
    const char *name = ms_input_name(corpus->input);
    size_t at = 0;
    char first = first_byte(corpus, &at);
    bool objects = false, is_json = ends_with(name, ".json");
    if (first == '{') MS_TRY(is_object(corpus, at, &objects));
    if (!objects) MS_TRY(is_mostly_objects(corpus, &objects));
    corpus->is_jsonl = objects || ends_with(name, ".jsonl") || ends_with(name, ".ndjson");
    if (objects) return MS_OK;
    if (first == '{' && is_json)
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s is JSON, but its first line is not a record: `jq -c . FILE` makes JSONL of records over "
                       "several lines; --format jsonl reads it as it is",
                       name);
    at++;
    if (first == '[' && (is_json || first_byte(corpus, &at) == '{'))
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s is a JSON array, not a record a line: `jq -c '.[]' FILE` makes JSONL of it; --format text "
                       "reads it as text",
                       name);
    return MS_OK;
}

ms_status ms_corpus_begin(ms_corpus *corpus) {
    MS_TRY(ms_corpus_fill(corpus, MS_INPUT_FORMAT_BYTES));
    if (corpus->end == 0) return MS_OK;
    if (corpus->options.accepts_ids) MS_TRY(ms_corpus_begin_ids(corpus, &corpus->is_ids));
    if (corpus->is_ids) return MS_OK;
    if (corpus->options.format == MS_CORPUS_AUTO) MS_TRY(refuse_ids_alone(corpus));
    MS_TRY(ms_input_check_format(corpus->input, corpus->buffer, corpus->end));
    if (corpus->end >= 3 && memcmp(corpus->buffer, "\xef\xbb\xbf", 3) == 0) ms_corpus_consume(corpus, 3);
    corpus->is_jsonl = corpus->options.format == MS_CORPUS_JSONL;
    return corpus->options.format == MS_CORPUS_AUTO ? choose_format(corpus) : MS_OK;
}
