/* What ms_dataset_prepare is told, and what it tells meanwhile. */
#ifndef MS_MODEL_DATA_PREPARE_OPTIONS_H
#define MS_MODEL_DATA_PREPARE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/data/corpus.h"

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
    int64_t checkpoint_bytes;   /* of text between two places that the work can go on from; 0: 256 MiB */
    bool anew;                  /* what was left of `directory` is removed, and not gone on with */
    const char *program_version; /* another one does not go on; NULL: not asked */
    int n_threads;               /* that encode, at most 1024; with more than one, one more reads; 0: all processors */
    void (*report)(void *context, const ms_prepare_progress *progress); /* called first, and about every 64 KiB of text;
                NULL: never */
    void *report_context;
} ms_prepare_options;

#ifdef __cplusplus
}
#endif

#endif
