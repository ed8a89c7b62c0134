/* state.json of a checkpoint: what model/checkpoint/checkpoint.c writes last and reads first.  Internal to the
   checkpoint.

   {"format": "muonscope-checkpoint", "version": 1, "step": .., "tokens": .., "data_position": .., "seed": ..,
    "adamw_step": .., "config_hash": "..", "entries": {key: text, integer or real},
    "files": {name: {"size_bytes": .., "sha256": ".."}}, "state_sha256": ".."}

   state_sha256 is the SHA-256 of the rest of the object as JSON without spaces and with sorted keys. */
#ifndef MS_MODEL_CHECKPOINT_CHECKPOINT_STATE_H
#define MS_MODEL_CHECKPOINT_CHECKPOINT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/checkpoint_info.h"
#include "platform/file.h"
#include "platform/status.h"

enum { MS_CHECKPOINT_N_FILES = 2 };

/* The files beside state.json: model.safetensors, optimizer.safetensors. */
extern const char *const ms_checkpoint_file_names[MS_CHECKPOINT_N_FILES];

/* What state.json says of one file. */
typedef struct ms_checkpoint_file {
    int64_t size_bytes; /* of the whole file */
    char sha256[65];    /* 64 lower-case hexadecimal digits and a NUL */
} ms_checkpoint_file;

/* A state that was read. */
typedef struct ms_checkpoint_state {
    struct json_t *root;                             /* owned; lends every text of `info` */
    ms_checkpoint_entry *entries;                    /* owned, [info.n_entries] */
    ms_checkpoint_info info;                         /* borrows from root and entries */
    ms_checkpoint_file files[MS_CHECKPOINT_N_FILES]; /* in the order of ms_checkpoint_file_names */
} ms_checkpoint_state;

/* Writes it into an open writer, which the caller commits or aborts.  MS_INVALID: a negative count, a text that is not
   UTF-8, a key given twice, a real that is not finite; MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_state_write(ms_writer *writer, const ms_checkpoint_info *info,
                                    const ms_checkpoint_file files[MS_CHECKPOINT_N_FILES]);

/* Reads and checks `path`.  The caller finishes `out`.  MS_NOT_FOUND, MS_IO, MS_CORRUPT, MS_MISMATCH (another version),
   MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_state_read(const char *path, ms_checkpoint_state *out);
void ms_checkpoint_state_finish(ms_checkpoint_state *state); /* a zeroed one is fine */

#endif
