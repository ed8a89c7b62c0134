/* Whether this process was started as one of several, by mpirun or srun, and joining them. */
#ifndef MS_TRAIN_PARALLEL_LAUNCH_H
#define MS_TRAIN_PARALLEL_LAUNCH_H

#include "train/parallel/group.h"

/* Joins the ranks that a launcher of MPI has started.  how: NULL or "auto": where there is more than one; "mpi": also
   where nothing says so; "none": not at all.  *out is NULL where this process is alone.
   MS_USAGE: another `how`.  MS_UNSUPPORTED: there are others, but no module muonscope-mpi.so, or one that was built for
   another MPI.  *out_is_silent: rank 0 has the same error, and says it. */
ms_status ms_launch_join(const char *how, double timeout_seconds, ms_group **out, bool *out_is_silent);

#endif
