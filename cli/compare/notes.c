#include "cli/compare/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ms_status ms_notes_add(ms_notes *notes, const char *format, ...) {
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (notes->n == notes->capacity) {
        size_t capacity = notes->capacity ? 2 * notes->capacity : 16;
        char **larger = realloc(notes->lines, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu notes", capacity);
        notes->lines = larger;
        notes->capacity = capacity;
    }
    char *copy = strdup(text);
    if (!copy) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a note");
    notes->lines[notes->n++] = copy;
    return MS_OK;
}

void ms_notes_finish(ms_notes *notes) {
    for (size_t i = 0; i < notes->n; i++) free(notes->lines[i]);
    free(notes->lines);
    *notes = (ms_notes){0};
}
