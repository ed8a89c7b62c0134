/* Checking a folder of token shards from end to end. */
#ifndef MS_MODEL_DATA_DATASET_CHECK_H
#define MS_MODEL_DATA_DATASET_CHECK_H

#include "model/data/dataset_sidecar.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads dataset.json, tokenizer.json and every shard of a folder, and checks that they belong together: identity and
   size of the tokenizer, headers, sizes and SHA-256 of the shards, every token id, and one end-of-text token a
   document, where there is such a token.  *out describes the folder; the caller finishes it.  Thread-safe.
   MS_NOT_FOUND, MS_IO; MS_CORRUPT: names the file and what is wrong with it; MS_MISMATCH: another tokenizer. */
ms_status ms_dataset_check(const char *directory, ms_sidecar *out);

#ifdef __cplusplus
}
#endif

#endif
