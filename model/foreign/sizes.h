/* Sizes of a model from the config.json that lies beside its weights, as Hugging Face's transformers writes it. */
#ifndef MS_MODEL_FOREIGN_SIZES_H
#define MS_MODEL_FOREIGN_SIZES_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_MODEL_SIZE_MAX = 1 << 24 };

/* 0: the file does not say. */
typedef struct ms_model_sizes {
    bool has_config; /* there is such a file */
    char type[64];   /* "llama"; "" */
    int64_t heads, kv_heads, head_size;
    int64_t latent;              /* channels of the latent vector of keys and values (kv_lora_rank) */
    int64_t not_rotated, values; /* of a head, where there is one: the part of a key that is not rotated; a value */
    bool is_conv1d; /* matrices lie as [inputs, outputs]; not of the file: the caller says (ms_foreign_open) */
} ms_model_sizes;

/* Reads `path`; a missing file gives zeros.  Values in "text_config" count where the file itself has none.  Sizes are
   whole numbers of 1 to MS_MODEL_SIZE_MAX; kv_heads is heads and head_size is hidden_size / heads where nothing else is
   said. MS_CORRUPT: not a JSON object, or a size that is none; *out is then as for a missing file.  MS_IO,
   MS_OUT_OF_MEMORY. */
ms_status ms_model_sizes_read(const char *path, ms_model_sizes *out);

#ifdef __cplusplus
}
#endif

#endif
