/* Checkpoints: all that a run needs to go on bit-exactly, complete or absent.
   One checkpoint is the directory <checkpoints>/step_<8 or more digits>/ with

       model.safetensors      parameters
       optimizer.safetensors  momenta, second moments
       state.json             step, tokens, data position, seed, ...; size and SHA-256 of the two files, and of itself

   It is written under a temporary name that nobody can foresee (platform/temporary.h), each file synced, then renamed:
   a crash at any moment leaves the last good one.  An entry with the name of a checkpoint that is no directory is none,
   and a link to one is MS_CORRUPT when it is opened.
   What writes or removes follows no link in the place of the checkpoint folder (MS_IO), and stays in it.  What is
   removed, or replaced, there and is a symbolic link goes alone: nothing behind it is touched.
   One process writes to a checkpoint folder at a time (the run folder's lock sees to that); reading is thread-safe. */
#ifndef MS_MODEL_CHECKPOINT_CHECKPOINT_H
#define MS_MODEL_CHECKPOINT_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/checkpoint_info.h"
#include "model/checkpoint/safetensors.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the checkpoint of info->step below `checkpoints` (made where it is missing, with its parents, unless
   info->folder_exists: MS_NOT_FOUND then).  One of the same step is replaced in one atomic exchange.  On failure
   nothing that was there changes and the partial directory is removed.  MS_INVALID: bad tensors, negative counts, bad
   entries; MS_NO_SPACE; MS_IO; MS_OUT_OF_MEMORY; MS_UNSUPPORTED: one of the same step is there and the file system
   cannot exchange directories. */
ms_status ms_checkpoint_write(const char *checkpoints, const ms_checkpoint_info *info, const ms_safetensor *model,
                              size_t n_model, const ms_safetensor *optimizer, size_t n_optimizer);

/* The step of the newest checkpoint.  Unfinished ones (.tmp) and what is no directory are ignored; no other is skipped:
   if the newest one has an unreadable state or a file that is missing or of the wrong size, that is the error, with
   *out_step its step, and the user may name an older one (ms_checkpoint_newest_intact). MS_NOT_FOUND: there is none;
   MS_CORRUPT names what is damaged; MS_MISMATCH: another version of the format; MS_IO. */
ms_status ms_checkpoint_latest(const char *checkpoints, int64_t *out_step);

typedef struct ms_checkpoint ms_checkpoint; /* an open one */

/* Opens the checkpoint of a step and verifies all of it: state, sizes, SHA-256 of both files, their structure.  The
   caller closes it.  MS_NOT_FOUND: no such step, or it is no directory; MS_CORRUPT, MS_MISMATCH, MS_IO as above. */
ms_status ms_checkpoint_open(const char *checkpoints, int64_t step, ms_checkpoint **out);
void ms_checkpoint_close(ms_checkpoint *checkpoint); /* NULL is fine */

/* What is in it.  Borrowed: valid until it is closed. */
const ms_checkpoint_info *ms_checkpoint_get_info(const ms_checkpoint *checkpoint);
const ms_safetensors *ms_checkpoint_model(const ms_checkpoint *checkpoint);
const ms_safetensors *ms_checkpoint_optimizer(const ms_checkpoint *checkpoint);

/* The entry of a key and kind.  Borrowed.  MS_NOT_FOUND; MS_MISMATCH: it is of another kind. */
ms_status ms_checkpoint_find(const ms_checkpoint *checkpoint, const char *key, ms_checkpoint_kind kind,
                             const ms_checkpoint_entry **out);

/* The newest checkpoint before the step `before` that ms_checkpoint_open opens: reads each until one is whole.
   MS_NOT_FOUND: none is; MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_newest_intact(const char *checkpoints, int64_t before, int64_t *out_step);

/* As ms_checkpoint_open; step -1: the newest.  Where that one is there but cannot be used (damaged, of another version,
   a pipe in the place of a file), the message goes on with the newest intact one before it: "...; the newest intact one
   is of step 40: <option> 40". */
ms_status ms_checkpoint_open_or_name(const char *checkpoints, int64_t step, const char *option, ms_checkpoint **out);

/* How many checkpoints ms_checkpoint_remove_later would remove.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_count_later(const char *checkpoints, int64_t step, int *out_n);
/* Removes the checkpoints of steps after `step`, newest first, each as ms_checkpoint_prune does; *out_n: how many.
   MS_IO. */
ms_status ms_checkpoint_remove_later(const char *checkpoints, int64_t step, int *out_n);

/* Removes all but the newest `keep` (>= 1) checkpoints, oldest first, and leftovers of unfinished ones.  Each gets a
   temporary name first, so that a crash leaves no half of one.  What is neither directory nor link is left alone.  A
   missing folder is fine.  MS_INVALID, MS_IO. */
ms_status ms_checkpoint_prune(const char *checkpoints, int keep);

/* How many entries have the name of a checkpoint but are no directory, and the name of the first; "" for none.  A
   missing folder has none.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_count_others(const char *checkpoints, int *out_n, char out_first[MS_CHECKPOINT_NAME_SIZE]);

/* The hash that the program prints for parameters and for optimizer state: SHA-256 over the tensors sorted by name
   (byte order), for each: name, NUL, dtype, NUL, the shape as decimal numbers separated by commas (nothing for a
   scalar), NUL, then the raw little-endian bytes.  Writes 64 hexadecimal digits and a NUL.  The order of `tensors` does
   not matter. MS_INVALID: a bad tensor or a name given twice; MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_tensors_sha256(const ms_safetensor *tensors, size_t n_tensors, char out_hexadecimal[65]);

#ifdef __cplusplus
}
#endif

#endif
