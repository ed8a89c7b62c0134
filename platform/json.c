#include "platform/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/utf8.h"

static ms_status no_memory(const char *what) { return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its JSON", what); }

ms_status ms_json_check_text(const char *what, const char *text) {
    if (!text) return MS_FAIL(MS_INVALID, "%s is NULL, must be a text", what);
    size_t size = strlen(text);
    if (ms_utf8_check(text, size) == size) return MS_OK;
    return MS_FAIL(MS_INVALID, "%s \"%s\" is not UTF-8: JSON cannot hold it", what, text);
}

/* Goes over the arguments of json_pack as it does, and fails at the first text that is not UTF-8. */
static ms_status check_texts(const char *what, const char *format, va_list arguments) {
    const char *before = NULL; /* the last text: of a value in an object, the key */
    for (; *format; format++) {
        const char *text;
        switch (*format) {
        case 's':
            text = va_arg(arguments, const char *);
            MS_TRY_NOTE(ms_json_check_text(before ? before : "the text", text), "%s", what);
            before = text;
            break;
        case 'b':
        case 'i':
            (void)va_arg(arguments, int);
            break;
        case 'I':
            (void)va_arg(arguments, json_int_t);
            break;
        case 'f':
            (void)va_arg(arguments, double);
            break;
        case 'o':
        case 'O':
            (void)va_arg(arguments, json_t *);
            break;
        default: /* brackets, separators, n */
            break;
        }
    }
    return MS_OK;
}

ms_status ms_json_pack(json_t **out, const char *what, const char *format, ...) {
    json_error_t error;
    va_list arguments;
    va_start(arguments, format);
    *out = json_vpack_ex(&error, 0, format, arguments);
    va_end(arguments);
    if (*out) return MS_OK;
    va_start(arguments, format);
    ms_status status = check_texts(what, format, arguments);
    va_end(arguments);
    MS_TRY(status);
    if (json_error_code(&error) == json_error_numeric_overflow)
        return MS_FAIL(MS_INVALID, "%s: JSON cannot hold it: %s", what, error.text);
    return no_memory(what);
}

ms_status ms_json_append(json_t *array, const char *what, json_t *value) {
    return json_array_append_new(array, value) == 0 ? MS_OK : no_memory(what);
}

ms_status ms_json_set(json_t *object, const char *what, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) == 0) return MS_OK;
    MS_TRY_NOTE(ms_json_check_text("the key", key), "%s", what);
    return no_memory(what);
}

ms_status ms_json_set_text(json_t *object, const char *what, const char *key, const char *text) {
    MS_TRY_NOTE(ms_json_check_text(key, text), "%s", what);
    return ms_json_set(object, what, key, json_string(text));
}

ms_status ms_json_text(const json_t *value, const char *what, size_t flags, char **out) {
    *out = json_dumps(value, flags);
    return *out ? MS_OK : no_memory(what);
}

ms_status ms_json_print(const json_t *value, const char *what, size_t flags, FILE *stream) {
    char *text;
    MS_TRY(ms_json_text(value, what, flags, &text));
    fprintf(stream, "%s\n", text);
    free(text);
    return MS_OK;
}

ms_status ms_json_write(const json_t *value, const char *what, size_t flags, const char *path) {
    char *text;
    MS_TRY(ms_json_text(value, what, flags, &text));
    ms_status status = ms_file_write(path, text, strlen(text));
    free(text);
    return status;
}
