#include "platform/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ; /* POSIX leaves its declaration to the program */

#define PREFIX "MUONSCOPE_"

static const ms_environment_row rows[] = {
#define X(name, argument, help) {PREFIX #name, argument, help, 0, 0},
#define NUMBER(name, argument, lowest, highest, help) {PREFIX #name, argument, help, lowest, highest},
#include "platform/environment.def"
#undef X
#undef NUMBER
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

ms_status ms_environment_number(ms_environment variable, uint64_t *out) {
    *out = 0;
    const ms_environment_row *row = &rows[variable];
    const char *value = ms_environment_text(variable);
    if (!value) return MS_OK;
    errno = 0;
    unsigned long long number = strtoull(value, NULL, 10);
    bool is_number =
        value[strspn(value, "0123456789")] == '\0' && errno == 0; /* no sign, no space, no more than fits */
    if (is_number && number >= row->lowest && number <= row->highest) {
        *out = number;
        return MS_OK;
    }
    if (row->lowest == row->highest)
        return MS_FAIL(MS_INVALID, "%s is \"%s\", must be %llu", row->name, value, (unsigned long long)row->lowest);
    return MS_FAIL(MS_INVALID, "%s is \"%s\", must be a whole number from %llu to %llu", row->name, value,
                   (unsigned long long)row->lowest, (unsigned long long)row->highest);
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
