#include "platform/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform/escape.h"

static _Thread_local char message[1024];

const char *ms_status_text(ms_status status) {
    static const char *const texts[] = {
#define X(code, text) text,
        MS_STATUS_CODES(X)
#undef X
    };
    if ((unsigned)status >= sizeof texts / sizeof *texts) return "unknown status";
    return texts[status];
}

const char *ms_status_message(void) { return message; }

ms_status ms_status_set(ms_status status, const char *format, ...) {
    /* Formatted aside first: an argument may be the old message itself. */
    char text[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    ms_escape_format(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof message);
    return status;
}

ms_status ms_status_note(ms_status status, const char *format, ...) {
    char note[512];
    va_list arguments;
    va_start(arguments, format);
    ms_escape_format(note, sizeof note, format, arguments);
    va_end(arguments);
    return ms_status_set(status, "%s: %s", note, message);
}
