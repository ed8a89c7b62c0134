/* Values of enumerations that a caller chose. */
#ifndef MS_PLATFORM_CHOICE_H
#define MS_PLATFORM_CHOICE_H

#include "platform/status.h"

/* MS_INVALID unless `value` is an index of names, which end with NULL: "WHAT is 99, must be 0 (relu2) or 1 (swiglu)".
   Thread-safe. */
ms_status ms_choice_check(const char *what, int value, const char *const *names);

#endif
