/* The names in a folder of checkpoints.  For the checkpoint, and for who reads its files as those of other programs.

       step_00000040                        a checkpoint: a folder; what else has such a name is none
       step_00000040.0123456789abcdef.tmp   one that is being written or removed, or what a killed process left of it
       step_00000040.tmp                    the same, of an older version */
#ifndef MS_MODEL_CHECKPOINT_CHECKPOINT_NAMES_H
#define MS_MODEL_CHECKPOINT_CHECKPOINT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/checkpoint/checkpoint_info.h"
#include "platform/directory.h"
#include "platform/status.h"

#define MS_CHECKPOINT_STATE_NAME "state.json"

/* step >= 0 */
void ms_checkpoint_name(int64_t step, char out[MS_CHECKPOINT_NAME_SIZE]);
/* Whether it is the name of a checkpoint, and of which step. */
bool ms_checkpoint_parse_name(const char *name, int64_t *out_step);
/* Whether it is the name of one that is not finished. */
bool ms_checkpoint_name_is_unfinished(const char *name);

/* <checkpoints>/<its name>; the caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_path(const char *checkpoints, int64_t step, char **out);

/* The steps that `names` has checkpoints of by their names, ascending, malloc'ed: the caller frees it; those alone for
   which `wanted` says so.  folder: for the message.  MS_OUT_OF_MEMORY. */
ms_status ms_checkpoint_steps(const char *folder, const ms_listing *names,
                              bool (*wanted)(const void *context, const char *name), const void *context,
                              int64_t **out_steps, size_t *out_n);

#endif
