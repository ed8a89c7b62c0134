/* From text, or from token ids, to a folder of token shards. */
#ifndef MS_MODEL_DATA_DATASET_PREPARE_H
#define MS_MODEL_DATA_DATASET_PREPARE_H

#include "model/data/dataset_sidecar.h"
#include "model/data/prepare_options.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

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
