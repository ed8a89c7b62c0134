#include "platform/choice.h"

#include <stdio.h>

ms_status ms_choice_check(const char *what, int value, const char *const *names) {
    int n = 0;
    while (names[n]) n++;
    if (value >= 0 && value < n) return MS_OK;
    char allowed[256] = "";
    size_t used = 0;
    for (int i = 0; i < n && used < sizeof allowed; i++)
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%d (%s)",
                                 i == 0      ? ""
                                 : i < n - 1 ? ", "
                                             : " or ",
                                 i, names[i]);
    return MS_FAIL(MS_INVALID, "%s is %d, must be %s", what, value, allowed);
}
