/* Reads files in order, as batches of groups of documents. */
#ifndef MS_MODEL_DATA_DOCUMENT_READER_H
#define MS_MODEL_DATA_DOCUMENT_READER_H

#include "model/data/corpus.h"
#include "model/data/document_group.h"
#include "platform/status.h"

/* Groups that are encoded together.  The owner finishes it. */
typedef struct ms_document_batch {
    ms_document_group *groups; /* [n_most]; of these n are filled */
    int n, n_most;
    bool is_last;       /* no file has more */
    ms_status status;   /* what ended the reading behind these documents, or MS_OK */
    char message[1024]; /* of that status */
} ms_document_batch;

/* An empty batch of at most n_most groups.  MS_OUT_OF_MEMORY. */
ms_status ms_document_batch_init(int n_most, ms_document_batch *out);
void ms_document_batch_finish(ms_document_batch *batch); /* a zeroed one is fine */

/* Where the reading is.  The caller sets the fields up to `counts`, and the rest to zero, and closes it. */
typedef struct ms_document_reader {
    const char *const *paths; /* [n_paths] */
    int n_paths;
    const char *validation_path; /* read after them: all its documents are of the val split, and theirs are of the train
                                    split; NULL: none, and each document has its own split */
    ms_corpus_options options;
    int i_file;                  /* being read, or to be opened next */
    bool is_amid;                /* the file that is opened next is not read from its beginning, but ... */
    ms_corpus_position position; /* ... from here, with ... */
    ms_record_counts counts;     /* ... these counts up to there */
    ms_corpus *corpus;           /* open, or NULL */
} ms_document_reader;

/* Replaces what is in the batch by the next documents.  Memory is bounded by the longest document and about 64 KiB a
   group.  A failure (of ms_corpus_open and ms_corpus_next) stays in the batch, behind the documents before it. */
void ms_document_reader_fill(ms_document_reader *reader, ms_document_batch *batch);
void ms_document_reader_close(ms_document_reader *reader);

#endif
