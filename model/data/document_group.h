/* Documents between the files that they come from and the shards that they go to, some of them at a time: a group is
   filled by one thread, encoded by any, and written in its turn.  What becomes of a document depends on it alone, so
   the shards do not depend on the number of threads. */
#ifndef MS_MODEL_DATA_DOCUMENT_GROUP_H
#define MS_MODEL_DATA_DOCUMENT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data/corpus.h"
#include "model/data/text_normalize.h"
#include "model/data/tokenizer.h"
#include "platform/status.h"

/* What becomes of a document when it is encoded. */
typedef enum ms_document_fate {
    MS_DOCUMENT_TAKEN,
    MS_DOCUMENT_MENDED, /* taken, after characters that have no token were replaced */
    MS_DOCUMENT_LEFT_OUT
} ms_document_fate;

typedef struct ms_group_document {
    uint64_t i_line; /* as ms_document's */
    bool is_ids;
    size_t offset, n; /* its bytes in the group's text, or its ids in the group's ids */
    /* From encoding: */
    ms_document_fate fate;
    int split;       /* MS_SPLIT_TRAIN or MS_SPLIT_VAL */
    size_t n_tokens; /* in the group's tokens, behind those of the documents before it; 0: left out */
    int64_t n_bytes; /* of text */
} ms_group_document;

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_document_group {
    int i_file;                   /* that all of it is of */
    bool ends_file;               /* the file ends with it */
    bool is_cut;                  /* reading failed in it: position and counts are of no document */
    ms_corpus_position position;  /* behind it, in the file */
    uint64_t n_file_bytes_read;   /* of the file itself, compressed where it is, to the group's end */
    ms_record_counts counts;      /* records of the file left out and mended while reading, to the group's end */
    ms_group_document *documents; /* [n] */
    size_t n, capacity;
    ms_text text;       /* of documents that are texts, one after the other */
    ms_tokens ids;      /* of documents that are ids */
    int fixed_split;    /* of all of them; -1: each has its own */
    ms_tokens tokens;   /* of all documents that are taken, each with the token before it */
    size_t n_encoded;   /* documents that were, before the first that cannot be */
    ms_status status;   /* of that one; MS_OK: all were */
    char message[1024]; /* of that status */
} ms_document_group;

/* Makes it as if zeroed, but keeps what memory it has, as long as that is not much. */
void ms_document_group_clear(ms_document_group *group);
void ms_document_group_finish(ms_document_group *group);

/* Adds a copy of a document.  MS_OUT_OF_MEMORY. */
ms_status ms_document_group_add(ms_document_group *group, const ms_document *document);

/* Bytes of memory that its documents take before they are encoded: of short ones, more than their texts and ids. */
size_t ms_document_group_bytes(const ms_document_group *group);

/* How documents are encoded, and by one thread. */
typedef struct ms_document_encoder {
    ms_tokenizer *tokenizer; /* of this thread, borrowed */
    int32_t end_of_text;     /* token before each document; below 0: none */
    ms_on_error on_error;    /* what becomes of a document with a byte that has no token */
    double validation_fraction;
    uint64_t seed;
    ms_text mended; /* working memory, owned */
} ms_document_encoder;

/* Encodes all documents of a group.  A failure stays in the group, for the thread that takes it.  Thread-safe on
   distinct groups and encoders. */
void ms_document_group_encode(ms_document_group *group, ms_document_encoder *encoder);

#endif
