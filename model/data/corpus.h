/* Reading text, JSONL and files of token ids, plain or compressed with gzip or zstd, as a stream of documents. */
#ifndef MS_MODEL_DATA_CORPUS_H
#define MS_MODEL_DATA_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data/record_faults.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a document of a text file ends.  JSONL files have a document a line. */
typedef enum ms_documents {
    MS_DOCUMENTS_CHUNK, /* every so many bytes, at the end of a line: documents of equal weight whatever the file */
    MS_DOCUMENTS_BLANK, /* at a line that is empty or only white space */
    MS_DOCUMENTS_FILE   /* at the end of the file */
} ms_documents;

typedef enum ms_corpus_format {
    MS_CORPUS_AUTO, /* JSONL when the first line or most of the first 32 are JSON objects, or the name ends in .jsonl or
                       .ndjson; a shard of llm.c or a NumPy array by its first bytes; else text */
    MS_CORPUS_TEXT,
    MS_CORPUS_JSONL,
    MS_CORPUS_LLMC,   /* from here on token ids: a shard of llm.c (model/data/shard.h) */
    MS_CORPUS_NPY,    /* NumPy's .npy, one row of integers (numpy/lib/format.py) */
    MS_CORPUS_UINT16, /* ids alone, little-endian, as nanoGPT's train.bin */
    MS_CORPUS_UINT32,
    MS_CORPUS_IDS /* JSONL with a list of ids under the key */
} ms_corpus_format;

/* Longest line of JSONL, and longest document. */
#define MS_CORPUS_DOCUMENT_MAX ((size_t)256 << 20)

/* What gives the bytes of files that this program does not open itself. */
typedef struct ms_corpus_source {
    /* Reads up to `capacity` bytes of the file named `path`, and waits for the first; *out_n == 0 at its end alone.
       Each file is read to its end before the next one; one thread calls at a time.  An error that it returns ends the
       work. */
    ms_status (*read)(void *context, const char *path, void *out, size_t capacity, size_t *out_n);
    void *context;
} ms_corpus_source;

typedef struct ms_corpus_options {
    ms_corpus_format format;
    ms_documents documents; /* of text files */
    size_t chunk_bytes;     /* MS_DOCUMENTS_CHUNK: longest document; 0: 8192 */
    const char *field;      /* JSONL: the key of the text, or of the ids; NULL: "text", or "input_ids".  Where an object
                               has no such key, "a.b" is the key b of the object under the key a */
    ms_on_error on_error;   /* what becomes of a record that is wrong */
    bool accepts_ids;       /* false: a file of token ids is refused, and the rest is not used */
    int32_t end_id;         /* of token ids: they are cut where this one stands, which may be before documents, behind
                               them or between; below 0: there is none */
    int vocab_size;         /* of token ids: an id is below it */
    size_t chunk_ids;       /* of token ids where end_id is below 0: how many make a document; > 0 */
    /* Of the bytes of every file, whose path is only its name; NULL: files are opened. */
    const ms_corpus_source *source;
} ms_corpus_options;

/* One document, a text or its token ids; they are borrowed until the next call. */
typedef struct ms_document {
    const char *text;      /* UTF-8, checked; not ended by a NUL, and may hold one; NULL: ids */
    size_t size_bytes;     /* of the text, > 0 */
    uint64_t offset_bytes; /* of its first byte, or of its JSONL line, in the decompressed file */
    uint64_t i_line;       /* of its first byte, from 1; 0: of a file without lines */
    const int32_t *ids;    /* [n_ids] within the vocabulary, without the token between documents; NULL: a text */
    size_t n_ids;
} ms_document;

/* The values by their names in options: "chunk", "blank", "file"; "auto", "text", "jsonl", "llmc", "npy", "uint16",
   "uint32", "ids".  False: no such name. */
bool ms_documents_from_name(const char *name, ms_documents *out);
bool ms_corpus_format_from_name(const char *name, ms_corpus_format *out);
const char *ms_documents_name(ms_documents documents); /* borrowed, static, as the next */
const char *ms_corpus_format_name(ms_corpus_format format);

typedef struct ms_corpus ms_corpus;

/* Opens one file, which may be a pipe, or standard input for "-", or begins to read one of the options' source; what
   the options point to must outlive it.  The caller closes it.  Memory is bounded by the longest document, at most
   MS_CORPUS_DOCUMENT_MAX.  Not thread-safe on one object. MS_NOT_FOUND, MS_IO; MS_INVALID: chunk_bytes below 64, no
   such format, documents or on_error, ids that are not accepted. */
ms_status ms_corpus_open(const char *path, const ms_corpus_options *options, ms_corpus **out);
void ms_corpus_close(ms_corpus *corpus);

/* The path, or "standard input".  Borrowed until close. */
const char *ms_corpus_name(const ms_corpus *corpus);

/* The next document that is not only white space and has an id; text and ids are NULL at the end.  A byte-order mark at
   the start is left out.  MS_INVALID names file, line and byte: a record that is not UTF-8, not JSON, without the key,
   too long, or with an id outside the vocabulary, where on_error says stop; or a file that is not of the format named;
   MS_UNSUPPORTED names a format that is none of these, and the way out; MS_CORRUPT: damaged compressed data, or ids
   that are not as many as a header says; MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_corpus_next(ms_corpus *corpus, ms_document *out);

/* A place between two documents of a file. */
typedef struct ms_corpus_position {
    uint64_t offset_bytes; /* of what comes next, in the decompressed file */
    uint64_t i_line;       /* of that byte, from 1 */
    uint64_t i_id;         /* of token ids: of the next one, from 0 */
    uint64_t i_in_line;    /* of JSONL with lists of ids: of the next one in the line that begins there */
} ms_corpus_position;

/* Where the next document begins. */
ms_corpus_position ms_corpus_position_of(const ms_corpus *corpus);

/* Goes to a place of this file, before the first document is read, with the counts that there were at that place.  A
   compressed file is decompressed up to there.  MS_CORRUPT: the file ends before it; errors of ms_corpus_next. */
ms_status ms_corpus_go_to(ms_corpus *corpus, const ms_corpus_position *position, const ms_record_counts *counts);

/* Bytes of the decompressed file read so far. */
uint64_t ms_corpus_bytes_read(const ms_corpus *corpus);

/* Bytes of the file itself that were read so far, compressed where it is, and somewhat ahead of the documents. */
uint64_t ms_corpus_file_bytes_read(const ms_corpus *corpus);

/* Records left out and mended so far.  Borrowed until close. */
const ms_record_counts *ms_corpus_counts(const ms_corpus *corpus);

#ifdef __cplusplus
}
#endif

#endif
