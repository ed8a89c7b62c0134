/* The projections of a layer by name. */
#ifndef MS_MODEL_PROJECTIONS_H
#define MS_MODEL_PROJECTIONS_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_N_PROJECTIONS = 7 };
/* "q", "k", "v", "o", "up", "gate", "down"; ends with NULL. */
extern const char *const ms_projection_names[];

/* Index of the name that the first `length` bytes of text are (-1: up to its end); -1: no projection. */
int ms_projection_find(const char *text, int length);

/* A list of names, "q,k" or "q k": bit i stands for ms_projection_names[i].  "all": every one.
   MS_INVALID names what is no projection, or says that the list is empty. */
ms_status ms_projections_parse(const char *text, uint32_t *out);

#ifdef __cplusplus
}
#endif

#endif
