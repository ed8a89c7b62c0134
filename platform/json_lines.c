#include "platform/json_lines.h"

#include <string.h>

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
