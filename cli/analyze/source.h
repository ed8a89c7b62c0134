/* What `muonscope analyze` opens: weights of any program, and runs of muonscope. */
#ifndef MS_CLI_ANALYZE_SOURCE_H
#define MS_CLI_ANALYZE_SOURCE_H

#include "model/foreign/foreign.h"
#include "platform/status.h"

/* Opens a file or folder as ms_foreign_open does; of a run's folder, or of its folder of checkpoints, the newest
   checkpoint.  The caller closes it.  Errors of ms_foreign_open and ms_checkpoint_latest. */
ms_status ms_analyze_open(const char *path, ms_foreign **out);

#endif
