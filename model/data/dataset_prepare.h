/* From text, or from token ids, to a folder of token shards. */
#ifndef MS_MODEL_DATA_DATASET_PREPARE_H
#define MS_MODEL_DATA_DATASET_PREPARE_H

#include <stdint.h>

#include "model/data/corpus.h"
#include "model/data/dataset_sidecar.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As ms_prepare_options.document_end. */
#define MS_NO_DOCUMENT_END "none"

/* How far the work is. */
typedef struct ms_prepare_progress {
    const char *file; /* being read */
    int i_file, n_files;
    int64_t n_bytes;   /* of text so far, all files */
    int64_t n_tokens;  /* so far */
    int64_t n_read;    /* bytes of all files so far, compressed where they are */
    int64_t n_to_read; /* bytes of all files; -1: one of them is a pipe */
} ms_prepare_progress;

/* Zero is usable where "0:" or "NULL:" says so. */
typedef struct ms_prepare_options {
    const char *tokenizer_path; /* tokenizer.json */
    const char *document_end;   /* text of the special token before each document; NULL: MS_END_OF_TEXT;
                                   MS_NO_DOCUMENT_END: there is none */
    const char *directory;      /* to make; must not exist, or be empty */
    const char *name;           /* files are <name>_train_000000.bin, ...; NULL: "data" */
    const char *const *files;   /* [n_files] text, JSONL or token ids */
    int n_files;
    const char *validation_file; /* all of it is the val split, and no document of `files`; NULL: none */
    ms_corpus_options corpus;    /* how to read them; which ids there are is not asked here, but of the tokenizer */
    double validation_fraction; /* in [0, 1): share of the documents, chosen by a hash of seed and text; not used with a
                                   validation_file */
    uint64_t seed;              /* below 2^63 */
    int64_t shard_tokens;       /* where a new shard begins, 0: 100 million */
    int n_threads;              /* that encode, at most 1024; with more than one, one more reads; 0: all processors */
    void (*report)(void *context,
                   const ms_prepare_progress *progress); /* called about every 64 KiB of text; NULL: never */
    void *report_context;
} ms_prepare_options;

/* Reads the files, writes shards, dataset.json and a copy of tokenizer.json into a folder with a temporary name
   (platform/temporary.h), and renames that to `directory`: it is complete or absent.  Each document is preceded by the
   end-of-text token, as in llm.c; special tokens' texts inside documents are ordinary text.  Memory is bounded by the
   longest document.  Documents of token ids are cut at the same token, wherever it stands, and are counted in bytes of
   the text that they decode to; that text chooses the split, so that the ids of a text give the shards of that text.
   A program that has documents elsewhere gives them as JSONL, through corpus.source or a pipe that is one of the files,
   and gets the shards of a file of these lines.  *out describes the result; the caller finishes it.  Deterministic: the
   same input gives the same bytes, for any number of threads.  MS_INVALID: options, a name that is not UTF-8, or a
   document (names file and offset), or a split that gets no document; MS_UNSUPPORTED: the tokenizer has too many tokens
   or no end of text; MS_NOT_FOUND, MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY; MS_INTERRUPTED: a signal came
   (platform/signals.h).  Not thread-safe on one folder. */
ms_status ms_dataset_prepare(const ms_prepare_options *options, ms_sidecar *out);

#ifdef __cplusplus
}
#endif

#endif
