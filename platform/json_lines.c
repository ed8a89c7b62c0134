#include "platform/json_lines.h"

#include <string.h>

#include "platform/output.h"

bool ms_json_lines_next(ms_json_lines *lines) {
    ms_json_lines_finish(lines);
    size_t left = lines->size_bytes - lines->position;
    if (left == 0) return false;
    const char *begin = lines->data + lines->position, *end = memchr(begin, '\n', left);
    lines->is_partial = !end;
    if (!end) return false;
    lines->text = begin;
    lines->text_bytes = (size_t)(end - begin) + 1;
    lines->position += lines->text_bytes;
    lines->number++;
    lines->value = json_loadb(begin, lines->text_bytes - 1, 0, &lines->error);
    return true;
}

void ms_json_lines_finish(ms_json_lines *lines) {
    json_decref(lines->value);
    lines->value = NULL;
}

ms_status ms_json_bad_lines_add(ms_json_bad_lines *bad, const char *path, const ms_json_lines *lines) {
    if (json_error_code(&lines->error) == json_error_out_of_memory)
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s line %lld: no memory", path, lines->number);
    if (bad->n++ == 0)
        snprintf(bad->first, sizeof bad->first, "%s line %lld: %s", path, lines->number, lines->error.text);
    return MS_OK;
}

void ms_json_bad_lines_print(const ms_json_bad_lines *bad, FILE *stream) {
    if (bad->n == 1) ms_print_line(stream, "warning: %s: the line is left out", bad->first);
    if (bad->n > 1)
        ms_print_line(stream, "warning: %s: it and %lld more lines that are no JSON are left out", bad->first,
                      bad->n - 1);
}
