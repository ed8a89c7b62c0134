/* Files of weights in formats that are not read here, by their first bytes and their names. */
#ifndef MS_MODEL_FOREIGN_REFUSAL_H
#define MS_MODEL_FOREIGN_REFUSAL_H

#include <stdbool.h>

#include "platform/status.h"

/* Whether a name ends like one of weights in another format. */
bool ms_is_refused_name(const char *name);

/* MS_UNSUPPORTED where the file at `path` is of a known other format, with what to do about it; else MS_OK.  MS_IO,
   MS_NOT_FOUND: it cannot be read. */
ms_status ms_refuse_other_format(const char *path);

#endif
