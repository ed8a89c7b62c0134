/* Weights that other programs wrote: a safetensors file, or a folder with one or with the shards that an index lists.

       model.safetensors                              one file, under this name or as the only one in its folder
       model.safetensors.index.json                   {"weight_map": {"<tensor>": "<file in this folder>", ...}, ...}
       config.json                                    beside them, wanted for fused matrices alone
   (model/foreign/sizes.h)

   Files are mapped, not read.  A shard that cannot be opened, or lacks a tensor of the index, is a fault of that shard:
   the tensors of the others are there. */
#ifndef MS_MODEL_FOREIGN_FOREIGN_H
#define MS_MODEL_FOREIGN_FOREIGN_H

#include <stddef.h>

#include "model/checkpoint/safetensors.h"
#include "model/foreign/sizes.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_foreign ms_foreign; /* open weights */

/* Something that is not there as it should be. */
typedef struct ms_foreign_fault {
    char *name;    /* of the shard, the tensor, or config.json */
    char *message; /* one line */
} ms_foreign_fault;

/* Opens a safetensors file, an index, or a folder.  The caller closes it; the files must not be truncated meanwhile.
   MS_NOT_FOUND: no such path, no weights in the folder, or none of the shards is there.  MS_UNSUPPORTED: a file, or a
   folder with nothing but files, of another format: PyTorch's (the message has a command that converts it), GGUF,
   NumPy, HDF5, ONNX, ....  MS_INVALID: the folder has several safetensors files and no index: name one.  MS_CORRUPT: a
   single file is damaged, or the index is none: among others where it names a shard by a path.  MS_IO,
   MS_OUT_OF_MEMORY. */
ms_status ms_foreign_open(const char *path, ms_foreign **out);
void ms_foreign_close(ms_foreign *weights); /* NULL is fine */

/* How many tensors there are. */
size_t ms_foreign_count(const ms_foreign *weights);

/* Tensor i, in the order of their names, numbers in them by value: layer 2 before layer 10.  Its data may be unaligned.
   Borrowed: valid until the weights are closed. */
const ms_safetensor *ms_foreign_at(const ms_foreign *weights, size_t i);

/* The tensor of a name; NULL: there is none. */
const ms_safetensor *ms_foreign_find(const ms_foreign *weights, const char *name);

/* Sizes from config.json, and whether matrices lie as GPT-2's do: where a tensor "...attn.c_attn.weight" has more
   columns than rows.  Borrowed. */
const ms_model_sizes *ms_foreign_sizes(const ms_foreign *weights);

/* What could not be used, *out_n of them.  Borrowed. */
const ms_foreign_fault *ms_foreign_faults(const ms_foreign *weights, size_t *out_n);

#ifdef __cplusplus
}
#endif

#endif
