#include "cli/report/notes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "platform/escape.h"
#include "platform/json.h"
#include "platform/utf8.h"

ms_status ms_report_note(json_t *notes, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    ms_escape_format(text, sizeof text, format, arguments);
    va_end(arguments);
    return ms_json_append(notes, "a note", json_string(text));
}

json_t *ms_report_text(const char *bytes, size_t size_bytes, size_t most) {
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t left = size_bytes < most ? size_bytes : most, n = 0;
    char *text = malloc(3 * left + 1);
    if (!text) return NULL;
    for (size_t at = 0; at < left;) {
        size_t length = ms_utf8_length(bytes + at, left - at);
        memcpy(text + n, length ? bytes + at : replacement, length ? length : 3);
        n += length ? length : 3;
        at += length ? length : 1;
    }
    json_t *value = json_stringn(text, n);
    free(text);
    return value;
}
