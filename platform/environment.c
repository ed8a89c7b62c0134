#include "platform/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ; /* POSIX leaves its declaration to the program */

#define PREFIX "MUONSCOPE_"

static const ms_environment_row rows[] = {
#define X(name, argument, help) {PREFIX #name, argument, help},
#include "platform/environment.def"
#undef X
};

const ms_environment_row *ms_environment_get_row(ms_environment variable) { return &rows[variable]; }

const char *ms_environment_text(ms_environment variable) {
    const char *value = getenv(rows[variable].name);
    return value && *value ? value : NULL;
}

bool ms_environment_is_on(ms_environment variable) {
    const char *value = ms_environment_text(variable);
    return value && strcmp(value, "0") != 0;
}

uint64_t ms_environment_number(ms_environment variable) {
    const char *value = ms_environment_text(variable);
    if (!value) return 0;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    return *end == '\0' && errno == 0 ? number : 0;
}

static bool is_known(const char *name, size_t length) {
    for (int i = 0; i < MS_ENVIRONMENT_COUNT; i++)
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0) return true;
    return false;
}

const char *ms_environment_unknown(int i, char *out, int size) {
    for (char **entry = environ; entry && *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        if (strncmp(*entry, PREFIX, sizeof PREFIX - 1) != 0 || is_known(*entry, length)) continue;
        if (i-- > 0) continue;
        snprintf(out, (size_t)size, "%.*s", (int)length, *entry);
        return out;
    }
    return NULL;
}
