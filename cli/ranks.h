/* What `muonscope train` does where mpirun or srun has started it as one of several ranks. */
#ifndef MS_CLI_RANKS_H
#define MS_CLI_RANKS_H

#include <stdbool.h>

#include "cli/config/config.h"
#include "train/parallel/launch.h"

typedef struct ms_ranks {
    ms_group *group; /* NULL: this process is alone */
    bool is_silent;  /* an error of the start is said by rank 0 */
} ms_ranks;

/* Joins the others (train/parallel/launch.h), who must be the same version and agree that all is well so far: `status`
   is how this rank has fared, with its message.  MS_MISMATCH: another version. */
ms_status ms_ranks_join(const char *how, ms_status status, ms_ranks *out);
/* Whether this rank follows rank 0, and has no run folder. */
bool ms_ranks_follows(const ms_ranks *ranks);
/* All fare well, or all return the same error.  Alone: status. */
ms_status ms_ranks_agree(const ms_ranks *ranks, ms_status status);
/* The text of rank 0, or NULL, replaces that of the others, which is allocated; the caller frees it.  Alone: nothing.
   MS_OUT_OF_MEMORY. */
ms_status ms_ranks_share_text(const ms_ranks *ranks, char **text);
/* parallel.shares and parallel.timeout. */
ms_status ms_ranks_configure(const ms_ranks *ranks, const ms_config *config);
/* Whether this rank leaves the error to rank 0; *out_exit_status is then what it exits with. */
bool ms_ranks_is_silent(const ms_ranks *ranks, ms_status status, int *out_exit_status);
/* After an error was said: ends the others, and does not return, where they cannot know of it. */
void ms_ranks_abort_if_lost(const ms_ranks *ranks, ms_status status);
/* Leaves the group. */
void ms_ranks_leave(ms_ranks *ranks, ms_status status);

#endif
