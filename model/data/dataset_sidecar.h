/* `dataset.json`, the sidecar of a folder of token shards: which tokenizer made them, and what belongs to which
   split. */
#ifndef MS_MODEL_DATA_DATASET_SIDECAR_H
#define MS_MODEL_DATA_DATASET_SIDECAR_H

#include <stddef.h>
#include <stdint.h>

#include "model/data/record_faults.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MS_SIDECAR_NAME "dataset.json"
#define MS_SIDECAR_TOKENIZER "tokenizer.json"

/* One shard. */
typedef struct ms_sidecar_shard {
    char *file; /* name in the folder */
    int64_t n_tokens;
    char sha256[65]; /* of the whole file */
} ms_sidecar_shard;

/* One of the two splits, "train" or "val". */
typedef struct ms_sidecar_split {
    ms_sidecar_shard *shards; /* [n_shards] in order */
    size_t n_shards;
    int64_t n_tokens; /* with one end-of-text token before each document, where there is such a token */
    int64_t n_documents;
    int64_t n_bytes; /* of UTF-8 text */
} ms_sidecar_split;

/* One input file. */
typedef struct ms_sidecar_source {
    char *path;      /* as it was given */
    int64_t n_bytes; /* decompressed */
    int64_t n_documents;
} ms_sidecar_source;

enum { MS_SPLIT_TRAIN, MS_SPLIT_VAL, MS_N_SPLITS };

/* Name of a split in files and options: "train", "val".  Borrowed, static. */
const char *ms_split_name(int split);

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_sidecar {
    char tokenizer_sha256[65]; /* ms_tokenizer_sha256 */
    int vocab_size;
    int32_t end_of_text; /* id; -1: documents are not kept apart */
    uint64_t seed;       /* of the split */
    double validation_fraction;
    ms_sidecar_split splits[MS_N_SPLITS];
    ms_sidecar_source *sources; /* [n_sources] */
    size_t n_sources;
    ms_on_error on_error;
    ms_record_counts counts; /* of records left out and mended, all sources */
} ms_sidecar;

/* Adds copies.  MS_OUT_OF_MEMORY. */
ms_status ms_sidecar_add_shard(ms_sidecar *sidecar, int split, const char *file, int64_t n_tokens, const char *sha256);
ms_status ms_sidecar_add_source(ms_sidecar *sidecar, const char *path, int64_t n_bytes, int64_t n_documents);

/* Writes directory/dataset.json, complete or not at all.  MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_sidecar_write(const ms_sidecar *sidecar, const char *directory);

/* Reads directory/dataset.json.  The caller finishes *out.
   MS_NOT_FOUND, MS_IO; MS_CORRUPT: not JSON, or a key is missing or has no sense; MS_UNSUPPORTED: another version. */
ms_status ms_sidecar_read(const char *directory, ms_sidecar *out);

/* The same as a JSON value of jansson, which the caller owns, and back.  Errors as above, but those of files. */
struct json_t;
ms_status ms_sidecar_to_json(const ms_sidecar *sidecar, struct json_t **out);
ms_status ms_sidecar_from_json(const struct json_t *root, ms_sidecar *out);

/* Counts under the keys "skipped" and "replaced" of an object, by reason; those of 0 are left out. */
ms_status ms_record_counts_to_json(const ms_record_counts *counts, struct json_t *object);
ms_status ms_record_counts_from_json(const struct json_t *object, ms_record_counts *out);

/* Frees what it holds and zeroes it. */
void ms_sidecar_finish(ms_sidecar *sidecar);

#ifdef __cplusplus
}
#endif

#endif
