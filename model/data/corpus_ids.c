/* Token ids as a stream of documents: binary files of one width, with a header or without, and JSONL of lists. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus_impl.h"
#include "model/data/shard.h"

enum { MOST_IDS = (int)(MS_CORPUS_DOCUMENT_MAX / sizeof(int32_t)), HEADER_MOST = 1 << 16 };

/* What comes next in the stream. */
typedef enum next_kind { NEXT_ID, NEXT_BOUNDARY, NEXT_END } next_kind;

/* ---- headers ---- */

static const char *start_of(const ms_corpus *corpus) { return corpus->buffer + corpus->begin; }

static ms_status begin_shard(ms_corpus *corpus, bool is_32) {
    int32_t header[3];
    MS_TRY(ms_corpus_fill(corpus, MS_SHARD_HEADER_BYTES));
    if (corpus->end - corpus->begin < MS_SHARD_HEADER_BYTES)
        return MS_FAIL(MS_CORRUPT, "%s: %zu bytes are too few for a shard's header of %d", ms_corpus_name(corpus),
                       corpus->end - corpus->begin, MS_SHARD_HEADER_BYTES);
    memcpy(header, start_of(corpus), sizeof header);
    int32_t version = is_32 ? MS_SHARD_VERSION_32 : MS_SHARD_VERSION;
    if (header[1] != version || header[2] < 0)
        return MS_FAIL(MS_CORRUPT, "%s: a shard of version %d with %d tokens: version %d is read, and 0 tokens or more",
                       ms_corpus_name(corpus), header[1], header[2], version);
    corpus->id_bytes = is_32 ? 4 : 2;
    corpus->n_ids_left = header[2];
    corpus->offset_bytes += MS_SHARD_HEADER_BYTES;
    corpus->begin += MS_SHARD_HEADER_BYTES;
    return MS_OK;
}

/* The value of a key in .npy's header, a Python dictionary as numpy/lib/format.py writes it; NULL: it is not there. */
static const char *npy_value(const char *header, const char *key) {
    const char *at = strstr(header, key);
    if (!at) return NULL;
    at += strlen(key);
    return at + strspn(at, " ");
}

static ms_status begin_npy_with(ms_corpus *corpus, const char *header) {
    static const struct {
        const char *descr;
        int bytes;
    } types[] = {{"'<u2'", 2}, {"'<u4'", 4}, {"'<i4'", 4}, {"'<i8'", 8}, {"'<u8'", 8}};
    const char *descr = npy_value(header, "'descr':"), *shape = npy_value(header, "'shape':");
    corpus->id_bytes = 0;
    for (size_t i = 0; descr && i < sizeof types / sizeof *types; i++)
        if (strncmp(descr, types[i].descr, 5) == 0) corpus->id_bytes = types[i].bytes;
    if (!descr || !shape || corpus->id_bytes == 0)
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s: an array of %.*s: ids are uint16, uint32, int32, int64 or uint64 in "
                       "little-endian order; numpy.save(FILE, ids.astype(\"<u4\")) makes one",
                       ms_corpus_name(corpus), descr ? (int)strcspn(descr, ",") : 7, descr ? descr : "no type");
    int64_t n;
    int used = 0;
    if (sscanf(shape, "(%" SCNd64 " ,)%n", &n, &used) != 1 || used == 0 || n < 0)
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s: an array of shape %.*s): ids in one row are read; numpy.save(FILE, "
                       "ids.ravel()) makes one",
                       ms_corpus_name(corpus), (int)strcspn(shape, ")"), shape);
    corpus->n_ids_left = n;
    return MS_OK;
}

static ms_status begin_npy(ms_corpus *corpus) {
    MS_TRY(ms_corpus_fill(corpus, 12));
    const unsigned char *start = (const unsigned char *)start_of(corpus);
    size_t have = corpus->end - corpus->begin;
    bool is_long = have >= 12 && start[6] > 1;
    size_t before = is_long ? 12 : 10, n = 0;
    if (have >= 12)
        n = (size_t)start[8] | (size_t)start[9] << 8 |
            (is_long ? (size_t)start[10] << 16 | (size_t)start[11] << 24 : 0);
    if (n == 0 || n > HEADER_MOST)
        return MS_FAIL(MS_CORRUPT, "%s: a NumPy header of %zu bytes: 1 to %d are read", ms_corpus_name(corpus), n,
                       HEADER_MOST);
    MS_TRY(ms_corpus_fill(corpus, before + n));
    if (corpus->end - corpus->begin < before + n)
        return MS_FAIL(MS_CORRUPT, "%s: ends within its NumPy header", ms_corpus_name(corpus));
    char *header = strndup(start_of(corpus) + before, n);
    if (!header) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its header", ms_corpus_name(corpus));
    ms_status status = begin_npy_with(corpus, header);
    free(header);
    corpus->begin += before + n;
    corpus->offset_bytes += before + n;
    return status;
}

ms_status ms_corpus_begin_ids(ms_corpus *corpus, bool *out_is_ids) {
    MS_TRY(ms_corpus_fill(corpus, MS_INPUT_FORMAT_BYTES));
    ms_corpus_format format = corpus->options.format;
    size_t have = corpus->end - corpus->begin;
    uint32_t magic = 0;
    if (have >= sizeof magic) memcpy(&magic, start_of(corpus), sizeof magic);
    bool is_shard = magic == MS_SHARD_MAGIC || magic == MS_SHARD_MAGIC_32;
    bool is_npy = have >= 6 && memcmp(start_of(corpus), "\x93NUMPY", 6) == 0;
    *out_is_ids = format >= MS_CORPUS_LLMC || (format == MS_CORPUS_AUTO && (is_shard || is_npy));
    if (!*out_is_ids) return MS_OK;
    corpus->n_ids_left = -1;
    if (format == MS_CORPUS_IDS) {
        corpus->is_jsonl = true;
        return MS_OK;
    }
    if (format == MS_CORPUS_UINT16 || format == MS_CORPUS_UINT32) {
        if (is_shard || is_npy)
            return MS_FAIL(MS_INVALID, "%s has a header: it is %s, not ids alone; --format %s reads it",
                           ms_corpus_name(corpus), is_npy ? "a NumPy array" : "a shard of llm.c",
                           is_npy ? "npy" : "llmc");
        corpus->id_bytes = format == MS_CORPUS_UINT16 ? 2 : 4;
        return MS_OK;
    }
    if ((format == MS_CORPUS_NPY && !is_npy) || (format == MS_CORPUS_LLMC && !is_shard))
        return MS_FAIL(MS_INVALID,
                       "%s is no %s: its first bytes are 0x%08x; --format uint16 reads ids without a header",
                       ms_corpus_name(corpus), format == MS_CORPUS_NPY ? "NumPy array" : "shard of llm.c", magic);
    return is_npy ? begin_npy(corpus) : begin_shard(corpus, magic == MS_SHARD_MAGIC_32);
}

/* ---- one id after the other ---- */

static ms_status next_binary(ms_corpus *corpus, int64_t *out, next_kind *out_kind) {
    size_t width = (size_t)corpus->id_bytes;
    if (corpus->end - corpus->begin < width) MS_TRY(ms_corpus_fill(corpus, width));
    size_t have = corpus->end - corpus->begin;
    *out_kind = NEXT_END;
    if (corpus->n_ids_left == 0 && have > 0)
        return MS_FAIL(MS_CORRUPT, "%s: bytes follow the %" PRIu64 " ids that its header promises",
                       ms_corpus_name(corpus), corpus->i_id);
    if (corpus->n_ids_left <= 0 && have == 0) return MS_OK;
    if (corpus->n_ids_left > 0 && have < width)
        return MS_FAIL(MS_CORRUPT, "%s: ends after %" PRIu64 " ids; its header promises %" PRId64 " more",
                       ms_corpus_name(corpus), corpus->i_id, corpus->n_ids_left);
    if (have < width)
        return MS_FAIL(MS_CORRUPT, "%s: %zu bytes are left after %" PRIu64 " ids of %zu bytes: is it truncated?",
                       ms_corpus_name(corpus), have, corpus->i_id, width);
    uint64_t bits = 0;
    memcpy(&bits, start_of(corpus), width); /* little-endian: shard.c asserts that the processor is */
    /* What is too large for a vocabulary is negative here or above it, as uint64 and int64 alike. */
    *out = (int64_t)bits;
    *out_kind = NEXT_ID;
    corpus->begin += width;
    corpus->offset_bytes += width;
    if (corpus->n_ids_left > 0) corpus->n_ids_left--;
    return MS_OK;
}

/* Parses the next line that is not blank and not left out; corpus->line == NULL at the end. */
static ms_status next_line(ms_corpus *corpus) {
    size_t size;
    json_decref(corpus->line);
    corpus->line = NULL;
    corpus->i_in_line = 0;
    while (!corpus->line) {
        MS_TRY(ms_corpus_size_record(corpus, &size));
        if (size == 0) return MS_OK;
        if (size == MS_CORPUS_TOO_LONG) {
            MS_TRY(ms_corpus_pass_too_long(corpus));
            continue;
        }
        const char *text = start_of(corpus);
        json_error_t error;
        if (!ms_corpus_is_blank(text, size)) {
            corpus->line = json_loadb(text, size, 0, &error);
            const json_t *list = ms_corpus_field(corpus, corpus->line);
            ms_record_fault fault = corpus->line ? MS_RECORD_NO_TEXT : MS_RECORD_NOT_JSON;
            bool good = json_is_array(list);
            for (size_t i = 0; good && i < json_array_size(list); i++) good = json_is_integer(json_array_get(list, i));
            if (!good && ms_corpus_leave_out(corpus, fault) != MS_OK)
                return MS_FAIL(MS_INVALID, "%s, line %" PRIu64 ": %s%s%s" MS_CORPUS_WAY_ON, ms_corpus_name(corpus),
                               corpus->i_line, corpus->line ? "no list of integers under the key \"" : error.text,
                               corpus->line ? corpus->options.field : "", corpus->line ? "\"" : "");
            if (!good) json_decref(corpus->line);
            if (!good) corpus->line = NULL;
        }
        corpus->i_line_lent = corpus->i_line;
        corpus->offset_lent = corpus->offset_bytes;
        ms_corpus_consume(corpus, size);
    }
    return MS_OK;
}

ms_status ms_corpus_go_to_id(ms_corpus *corpus, const ms_corpus_position *position) {
    corpus->i_id = position->i_id;
    if (corpus->n_ids_left >= 0) {
        if ((uint64_t)corpus->n_ids_left < position->i_id)
            return MS_FAIL(MS_CORRUPT, "%s: its header promises %" PRId64 " ids, and %" PRIu64 " were read before",
                           ms_corpus_name(corpus), corpus->n_ids_left, position->i_id);
        corpus->n_ids_left -= (int64_t)position->i_id;
    }
    if (!corpus->is_jsonl || position->i_in_line == 0) return MS_OK;
    MS_TRY(next_line(corpus));
    corpus->i_in_line = (size_t)position->i_in_line;
    return MS_OK;
}

static ms_status next_listed(ms_corpus *corpus, int64_t *out, next_kind *out_kind) {
    const json_t *list = corpus->line ? ms_corpus_field(corpus, corpus->line) : NULL;
    if (corpus->i_in_line < json_array_size(list)) {
        *out = json_integer_value(json_array_get(list, corpus->i_in_line++));
        *out_kind = NEXT_ID;
        return MS_OK;
    }
    MS_TRY(next_line(corpus));
    *out_kind = corpus->line ? NEXT_BOUNDARY : NEXT_END;
    return MS_OK;
}

static ms_status next_id(ms_corpus *corpus, int64_t *out, next_kind *out_kind) {
    *out = 0;
    MS_TRY(corpus->is_jsonl ? next_listed(corpus, out, out_kind) : next_binary(corpus, out, out_kind));
    corpus->i_id += *out_kind == NEXT_ID;
    return MS_OK;
}

/* ---- documents ---- */

static ms_status append(ms_corpus *corpus, size_t n, int32_t id) {
    if (n == corpus->ids_capacity) {
        size_t capacity = n ? 2 * n : 1 << 14;
        int32_t *larger = realloc(corpus->ids, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu ids", ms_corpus_name(corpus), capacity);
        corpus->ids = larger;
        corpus->ids_capacity = capacity;
    }
    corpus->ids[n] = id;
    return MS_OK;
}

/* Where an id stands: the file's line, and its index in the line; without lines its index in the file. */
typedef struct id_place {
    uint64_t i_line, i_id;
} id_place;

/* A document in which something is wrong: MS_OK when it is left out. */
static ms_status refuse(ms_corpus *corpus, ms_record_fault fault, id_place at, int64_t wrong) {
    char place[64] = "";
    if (ms_corpus_leave_out(corpus, fault) == MS_OK) return MS_OK;
    if (corpus->is_jsonl) snprintf(place, sizeof place, ", line %" PRIu64, at.i_line);
    if (fault == MS_RECORD_TOO_LONG)
        return MS_FAIL(MS_INVALID,
                       "%s%s: more than %d ids from id %" PRIu64 " on without the token between documents; "
                       "--document_end TOKEN names another, or none" MS_CORPUS_WAY_ON,
                       ms_corpus_name(corpus), place, MOST_IDS, at.i_id);
    return MS_FAIL(MS_INVALID,
                   "%s%s: id %" PRIu64 " is %" PRId64 ", outside the tokenizer's %d tokens" MS_CORPUS_WAY_ON,
                   ms_corpus_name(corpus), place, at.i_id, wrong, corpus->options.vocab_size);
}

/* The ids up to the next boundary, and where the first is; *out_n == 0: none, or they were left out. */
static ms_status read_ids(ms_corpus *corpus, size_t *out_n, id_place *out_first, next_kind *out_kind) {
    const ms_corpus_options *options = &corpus->options;
    id_place at_wrong = {0};
    int64_t id, wrong = 0;
    int fault = -1;
    for (*out_n = 0;; ++*out_n) {
        MS_TRY(next_id(corpus, &id, out_kind));
        /* What ends a line has begun the next one. */
        id_place at = {corpus->i_line_lent, (corpus->is_jsonl ? corpus->i_in_line : corpus->i_id) - 1};
        if (*out_n == 0) *out_first = at;
        if (*out_kind != NEXT_ID || (options->end_id >= 0 && id == options->end_id)) break;
        if (fault < 0 && (id < 0 || id >= options->vocab_size)) {
            fault = MS_RECORD_NO_ID;
            at_wrong = at;
            wrong = id;
        }
        if (fault < 0 && *out_n == MOST_IDS) {
            fault = MS_RECORD_TOO_LONG;
            at_wrong = *out_first;
        }
        if (fault < 0) MS_TRY(append(corpus, *out_n, (int32_t)id));
        if (options->end_id < 0 && *out_n + 1 == options->chunk_ids) {
            ++*out_n;
            break;
        }
    }
    if (fault < 0) return MS_OK;
    *out_n = 0;
    return refuse(corpus, (ms_record_fault)fault, at_wrong, wrong);
}

ms_status ms_corpus_next_ids(ms_corpus *corpus, ms_document *out) {
    size_t n = 0;
    for (next_kind kind = NEXT_ID; n == 0 && kind != NEXT_END;) {
        uint64_t offset_bytes = corpus->offset_bytes;
        id_place first = {0};
        MS_TRY(read_ids(corpus, &n, &first, &kind));
        if (n > 0)
            *out = (ms_document){.ids = corpus->ids,
                                 .n_ids = n,
                                 .offset_bytes = offset_bytes,
                                 .i_line = corpus->is_jsonl ? first.i_line : 0};
    }
    return MS_OK;
}
