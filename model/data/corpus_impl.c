#include "model/data/corpus_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/text_mend.h"
#include "platform/choice.h"
#include "platform/utf8.h"

enum { DEFAULT_CHUNK_BYTES = 8192 };

static const char *const documents_names[] = {"chunk", "blank", "file", NULL};
static const char *const format_names[] = {"auto", "text", "jsonl", "llmc", "npy", "uint16", "uint32", "ids", NULL};

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

const char *ms_documents_name(ms_documents documents) { return documents_names[documents]; }
const char *ms_corpus_format_name(ms_corpus_format format) { return format_names[format]; }

ms_status ms_corpus_open(const char *path, const ms_corpus_options *options, ms_corpus **out) {
    *out = NULL;
    MS_TRY(ms_choice_check("corpus: documents", (int)options->documents, documents_names));
    MS_TRY(ms_choice_check("corpus: format", (int)options->format, format_names));
    MS_TRY(ms_choice_check("corpus: on_error", (int)options->on_error, ms_on_error_names));
    if (options->chunk_bytes != 0 && options->chunk_bytes < 64)
        return MS_FAIL(MS_INVALID, "documents of %zu bytes: at least 64 are needed", options->chunk_bytes);
    if (options->format >= MS_CORPUS_LLMC && !options->accepts_ids)
        return MS_FAIL(MS_INVALID, "%s: --format %s is of token ids, and a text is wanted", path,
                       format_names[options->format]);
    ms_corpus *corpus = calloc(1, sizeof *corpus);
    if (!corpus) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to read %s", path);
    corpus->options = *options;
    corpus->i_line = 1;
    if (!corpus->options.field) corpus->options.field = options->format == MS_CORPUS_IDS ? "input_ids" : "text";
    if (corpus->options.chunk_bytes == 0) corpus->options.chunk_bytes = DEFAULT_CHUNK_BYTES;
    ms_status status = ms_input_open(path, options->source, &corpus->input);
    if (status != MS_OK) {
        ms_corpus_close(corpus);
        return status;
    }
    *out = corpus;
    return MS_OK;
}

void ms_corpus_close(ms_corpus *corpus) {
    if (!corpus) return;
    ms_input_close(corpus->input);
    json_decref(corpus->line);
    ms_text_finish(&corpus->mended);
    ms_text_finish(&corpus->mended_json);
    free(corpus->ids);
    free(corpus->buffer);
    free(corpus);
}

uint64_t ms_corpus_bytes_read(const ms_corpus *corpus) { return corpus->offset_bytes; }

uint64_t ms_corpus_file_bytes_read(const ms_corpus *corpus) { return ms_input_bytes_used(corpus->input); }

const char *ms_corpus_name(const ms_corpus *corpus) { return ms_input_name(corpus->input); }

const ms_record_counts *ms_corpus_counts(const ms_corpus *corpus) { return &corpus->counts; }

ms_status ms_corpus_leave_out(ms_corpus *corpus, ms_record_fault fault) {
    if (corpus->options.on_error == MS_ON_ERROR_STOP) return MS_INVALID;
    corpus->counts.skipped[fault]++;
    return MS_OK;
}

const json_t *ms_corpus_field(const ms_corpus *corpus, const json_t *line) {
    const char *at = corpus->options.field;
    const json_t *value = json_object_get(line, at);
    if (value) return value;
    for (const char *dot; (dot = strchr(at, '.')) != NULL; at = dot + 1)
        if (!(line = json_object_getn(line, at, (size_t)(dot - at)))) return NULL;
    return at == corpus->options.field ? NULL : json_object_get(line, at);
}

/* Where the work stops, for messages: the record is at the start of what is unused, `byte` within it. */
static uint64_t line_of(const ms_corpus *corpus, const char *text, size_t byte) {
    uint64_t line = corpus->i_line;
    for (size_t i = 0; i < byte; i++) line += text[i] == '\n';
    return line;
}

/* Makes a record that is not UTF-8 into one that is; *text == NULL: it is left out. */
static ms_status mend_utf8(ms_corpus *corpus, const char **text, size_t *size, bool *out_mended) {
    size_t valid = ms_utf8_check(*text, *size);
    *out_mended = valid < *size;
    if (!*out_mended) return MS_OK;
    if (corpus->options.on_error == MS_ON_ERROR_REPLACE) {
        MS_TRY(ms_mend_utf8(*text, *size, &corpus->mended));
        *text = corpus->mended.bytes;
        *size = corpus->mended.n;
        return MS_OK;
    }
    if (ms_corpus_leave_out(corpus, MS_RECORD_NOT_UTF8) != MS_OK)
        return MS_FAIL(MS_INVALID,
                       "%s, line %" PRIu64 ": byte %" PRIu64 " is 0x%02x, which is not UTF-8" MS_CORPUS_WAY_ON,
                       ms_corpus_name(corpus), line_of(corpus, *text, valid), corpus->offset_bytes + valid,
                       (uint8_t)(*text)[valid]);
    *text = NULL;
    return MS_OK;
}

/* Parses a line; its text is lent by corpus->line.  out->text == NULL: it is left out. */
static ms_status parse_line(ms_corpus *corpus, const char *text, size_t size, ms_document *out, bool *out_mended) {
    json_error_t error;
    json_decref(corpus->line);
    corpus->line = json_loadb(text, size, JSON_ALLOW_NUL, &error);
    bool is_lone = !corpus->line && ms_has_lone_surrogate(text, size);
    if (is_lone && corpus->options.on_error == MS_ON_ERROR_REPLACE) {
        MS_TRY(ms_mend_surrogates(text, size, &corpus->mended_json));
        corpus->line = json_loadb(corpus->mended_json.bytes, corpus->mended_json.n, JSON_ALLOW_NUL, &error);
        *out_mended = corpus->line != NULL;
    }
    out->text = NULL;
    if (!corpus->line) {
        if (ms_corpus_leave_out(corpus, is_lone ? MS_RECORD_LONE_SURROGATE : MS_RECORD_NOT_JSON) == MS_OK) return MS_OK;
        return MS_FAIL(MS_INVALID, "%s, line %" PRIu64 ", column %d: %s%s" MS_CORPUS_WAY_ON, ms_corpus_name(corpus),
                       corpus->i_line, error.column, is_lone ? "half of a surrogate pair: " : "", error.text);
    }
    const json_t *value = ms_corpus_field(corpus, corpus->line);
    if (!json_is_string(value)) {
        if (ms_corpus_leave_out(corpus, MS_RECORD_NO_TEXT) == MS_OK) return MS_OK;
        return MS_FAIL(MS_INVALID, "%s, line %" PRIu64 ": no string under the key \"%s\"" MS_CORPUS_WAY_ON,
                       ms_corpus_name(corpus), corpus->i_line, corpus->options.field);
    }
    out->text = json_string_value(value);
    out->size_bytes = json_string_length(value);
    return MS_OK;
}

/* Reads the record at the start of what is unused; out->text == NULL: it is blank, or left out. */
static ms_status read_record(ms_corpus *corpus, size_t size, ms_document *out) {
    const char *text = corpus->buffer + corpus->begin;
    bool was_not_utf8, was_lone = false;
    MS_TRY(mend_utf8(corpus, &text, &size, &was_not_utf8));
    if (!text || ms_corpus_is_blank(text, size)) return MS_OK;
    *out =
        (ms_document){.text = text, .size_bytes = size, .offset_bytes = corpus->offset_bytes, .i_line = corpus->i_line};
    if (corpus->is_jsonl) MS_TRY(parse_line(corpus, text, size, out, &was_lone));
    if (!out->text) return MS_OK;
    if (was_not_utf8) corpus->counts.replaced[MS_RECORD_NOT_UTF8]++;
    if (was_lone) corpus->counts.replaced[MS_RECORD_LONE_SURROGATE]++;
    if (ms_corpus_is_blank(out->text, out->size_bytes)) out->text = NULL;
    return MS_OK;
}

ms_status ms_corpus_pass_too_long(ms_corpus *corpus) {
    if (ms_corpus_leave_out(corpus, MS_RECORD_TOO_LONG) != MS_OK)
        return MS_FAIL(MS_INVALID, "%s, line %" PRIu64 ": a line or document is longer than %zu bytes" MS_CORPUS_WAY_ON,
                       ms_corpus_name(corpus), corpus->i_line, MS_CORPUS_DOCUMENT_MAX);
    return ms_corpus_discard_record(corpus);
}

static ms_status begin_once(ms_corpus *corpus) {
    if (!corpus->has_begun) MS_TRY(ms_corpus_begin(corpus));
    corpus->has_begun = true;
    return MS_OK;
}

ms_corpus_position ms_corpus_position_of(const ms_corpus *corpus) {
    ms_corpus_position position = {corpus->offset_bytes, corpus->i_line, corpus->i_id, 0};
    if (!corpus->is_ids || !corpus->line) return position;
    /* A line of ids is held until all of it is read. */
    position.offset_bytes = corpus->offset_lent;
    position.i_line = corpus->i_line_lent;
    position.i_in_line = corpus->i_in_line;
    return position;
}

ms_status ms_corpus_go_to(ms_corpus *corpus, const ms_corpus_position *position, const ms_record_counts *counts) {
    MS_TRY(begin_once(corpus));
    while (corpus->offset_bytes < position->offset_bytes) {
        MS_TRY(ms_corpus_fill(corpus, 1));
        uint64_t n = corpus->end - corpus->begin, wanted = position->offset_bytes - corpus->offset_bytes;
        if (n == 0)
            return MS_FAIL(MS_CORRUPT, "%s: ends at byte %" PRIu64 ", before byte %" PRIu64 ", up to which it was read",
                           ms_corpus_name(corpus), corpus->offset_bytes, position->offset_bytes);
        if (n > wanted) n = wanted;
        corpus->begin += (size_t)n;
        corpus->offset_bytes += n;
    }
    corpus->i_line = position->i_line;
    corpus->counts = *counts;
    return corpus->is_ids ? ms_corpus_go_to_id(corpus, position) : MS_OK;
}

ms_status ms_corpus_next(ms_corpus *corpus, ms_document *out) {
    *out = (ms_document){0};
    MS_TRY(begin_once(corpus));
    if (corpus->is_ids) return ms_corpus_next_ids(corpus, out);
    while (!out->text) {
        size_t size;
        MS_TRY(ms_corpus_size_record(corpus, &size));
        if (size == 0) return MS_OK;
        if (size == MS_CORPUS_TOO_LONG) {
            MS_TRY(ms_corpus_pass_too_long(corpus));
            continue;
        }
        MS_TRY(read_record(corpus, size, out));
        ms_corpus_consume(corpus, size);
    }
    return MS_OK;
}
