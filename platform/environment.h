/* The MUONSCOPE_* variables: one table, platform/environment.def.  No other code reads one. */
#ifndef MS_PLATFORM_ENVIRONMENT_H
#define MS_PLATFORM_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

typedef enum ms_environment {
#define X(name, argument, help) MS_ENVIRONMENT_##name,
#define NUMBER(name, argument, lowest, highest, help) MS_ENVIRONMENT_##name,
#include "platform/environment.def"
#undef X
#undef NUMBER
    MS_ENVIRONMENT_COUNT
} ms_environment;

/* One row of the table.  Strings are static. */
typedef struct ms_environment_row {
    const char *name;         /* "MUONSCOPE_CUDA_MODULE" */
    const char *argument;     /* what its value is, e.g. "FILE" or "1" */
    const char *help;         /* one sentence without a full stop */
    uint64_t lowest, highest; /* of a number; both 0: it is none */
} ms_environment_row;
const ms_environment_row *ms_environment_get_row(ms_environment variable);

/* The value, NULL where it is unset or empty.  Borrowed from the environment.  These three are thread-safe while nobody
   changes the environment. */
const char *ms_environment_text(ms_environment variable);
/* Whether it is set, and not to 0. */
bool ms_environment_is_on(ms_environment variable);
/* The number it is set to; 0: unset or empty.  MS_INVALID names variable, value and range: not a whole number in
   decimal digits, or outside the row's range. */
ms_status ms_environment_number(ms_environment variable, uint64_t *out);

/* Name number `i`, from 0, of the set variables that begin with MUONSCOPE_ and are not in the table, up to the '=';
   NULL past the last.  Cut at size - 1 bytes. */
const char *ms_environment_unknown(int i, char *out, int size);

#endif
