/* The shards of a folder while they are written: of each split the last one is open. */
#ifndef MS_MODEL_DATA_DATASET_SHARDS_H
#define MS_MODEL_DATA_DATASET_SHARDS_H

#include <jansson.h>
#include <stdbool.h>

#include "model/data/dataset_sidecar.h"
#include "model/data/shard.h"
#include "platform/status.h"

/* The caller sets the first four fields, and the rest to zero; in the end it commits or aborts. */
typedef struct ms_dataset_shards {
    const char *directory; /* which has a temporary name, borrowed */
    const char *name;      /* of the files: <name>_train_000000.bin, ...; borrowed */
    int64_t shard_tokens;  /* a document begins a new shard where the open one would get more */
    ms_sidecar *sidecar;   /* gets an entry for each shard that is complete; borrowed */
    ms_shard_writer writers[MS_N_SPLITS];
    bool is_open[MS_N_SPLITS];
} ms_dataset_shards;

/* Adds the n ids of a document.  MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY; MS_INTERRUPTED: a signal came. */
ms_status ms_dataset_shards_add(ms_dataset_shards *shards, int split, const int32_t *ids, int64_t n);

/* Completes the open shard of a split, where there is one.  Errors likewise. */
ms_status ms_dataset_shards_commit(ms_dataset_shards *shards, int split);

/* Closes what is open; the files stay. */
void ms_dataset_shards_abort(ms_dataset_shards *shards);

/* The sidecar as JSON, with the open shards, after the disk has all that it says.  The caller owns *out. */
ms_status ms_dataset_shards_save(ms_dataset_shards *shards, json_t **out);

/* Makes sidecar and folder what they were when `saved` was made: shards that were open are again, cut to what they had;
   later files are removed, but `kept`.  MS_CORRUPT: a shard is missing, or is not what it was; MS_IO, MS_NO_SPACE. */
ms_status ms_dataset_shards_restore(ms_dataset_shards *shards, const json_t *saved, const char *kept);

#endif
