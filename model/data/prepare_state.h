/* `progress.json` in a folder that `data prepare` has not finished: what it is made of, and how far, so that the same
   command can go on.  */
#ifndef MS_MODEL_DATA_PREPARE_STATE_H
#define MS_MODEL_DATA_PREPARE_STATE_H

#include <jansson.h>

#include "model/data/dataset_shards.h"
#include "model/data/prepare_options.h"

#define MS_PREPARE_STATE_NAME "progress.json"

/* How far the files are written. */
typedef struct ms_prepare_state {
    int i_file;                  /* which file comes next */
    bool is_amid;                /* some of it is written: up to ... */
    ms_corpus_position position; /* ... here, with ... */
    ms_record_counts counts;     /* ... these records left out and mended */
    int64_t n_documents_before;  /* of the files before it */
    int64_t n_read;              /* bytes of all files */
    int64_t n_read_before;       /* bytes of the files before it */
} ms_prepare_state;

/* What the shards follow from: the options, the tokenizer's hash wherever its file lies, and of each file of documents
   path, size and time of last change; of `sidecar` the tokenizer's fields count.  The caller owns *out, which is NULL
   where a file is a pipe: that is not read twice.  MS_OUT_OF_MEMORY. */
ms_status ms_prepare_identity(const ms_prepare_options *options, const ms_sidecar *sidecar, json_t **out);

/* Writes the file into the folder of `shards`, complete or not at all, after the disk has what it says. */
ms_status ms_prepare_state_save(const ms_prepare_state *state, const json_t *identity, ms_dataset_shards *shards);

/* Reads the file from the folder of `shards`, and restores them.  identity == NULL is another one.  MS_MISMATCH names
   what is another identity; MS_CORRUPT, MS_IO; the folder is changed only where all of it fits. */
ms_status ms_prepare_state_restore(const json_t *identity, ms_dataset_shards *shards, ms_prepare_state *out);

#endif
