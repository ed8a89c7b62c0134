/* Whether this process was started as one of several, by mpirun or srun, and joining them. */
#ifndef MS_TRAIN_PARALLEL_LAUNCH_H
#define MS_TRAIN_PARALLEL_LAUNCH_H

#include "train/parallel/group.h"

/* What a launcher of MPI has told this process. */
typedef struct ms_launch {
    const char *launcher; /* "srun"; NULL: none has started it as one of several */
    long size, rank;      /* of all; 1 and 0 without a launcher */
} ms_launch;

/* Asks the environment; joins nobody.  Under MUONSCOPE_PARALLEL=none each process is for itself, and no launcher is
   found.  MS_USAGE: another value; *out is what the launcher said. */
ms_status ms_launch_find(ms_launch *out);

/* For a rank that leaves an error to rank 0, before it exits: launchers end a job when its first process fails, and
   rank 0 must have said why by then.  Takes a second. */
void ms_launch_let_rank_0_speak(void);

/* Joins the ranks that a launcher of MPI has started.  how: "auto": where there is more than one; "mpi": also where
   nothing says so; "none": not at all; NULL: "auto", but as MUONSCOPE_PARALLEL has it.  *out is NULL where this process
   is alone.
   MS_USAGE: another `how`.  MS_UNSUPPORTED: there are others, but no module muonscope-mpi.so, or one that was built for
   another MPI.  *out_is_silent: rank 0 has the same error, and says it. */
ms_status ms_launch_join(const char *how, double timeout_seconds, ms_group **out, bool *out_is_silent);

#endif
