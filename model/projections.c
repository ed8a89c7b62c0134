#include "model/projections.h"

#include <string.h>

const char *const ms_projection_names[] = {"q", "k", "v", "o", "up", "gate", "down", NULL};

int ms_projection_find(const char *text, int length) {
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    for (int i = 0; i < MS_N_PROJECTIONS; i++)
        if (strlen(ms_projection_names[i]) == size && memcmp(ms_projection_names[i], text, size) == 0) return i;
    return -1;
}

ms_status ms_projections_parse(const char *text, uint32_t *out) {
    static const char between[] = ", ";
    *out = 0;
    if (strcmp(text, "all") == 0) {
        *out = (1u << MS_N_PROJECTIONS) - 1;
        return MS_OK;
    }
    for (const char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
        int length = (int)strcspn(at, between), found = ms_projection_find(at, length);
        if (length == 3 && strncmp(at, "all", 3) == 0)
            return MS_FAIL(MS_INVALID, "'all' is every projection and stands alone: leave it or the others out");
        if (found < 0)
            return MS_FAIL(MS_INVALID, "'%.*s' is no projection; there are all, q, k, v, o, up, gate and down",
                           length > 40 ? 40 : length, at);
        *out |= 1u << found;
        at += length;
    }
    return *out ? MS_OK : MS_FAIL(MS_INVALID, "no projection is named; there are all, q, k, v, o, up, gate and down");
}
