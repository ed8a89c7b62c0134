/* Reading JSON lines, as a run writes them: one object a line.  Whoever reads decides what a line that is no JSON
   means. Thread-safe on distinct objects. */
#ifndef MS_PLATFORM_JSON_LINES_H
#define MS_PLATFORM_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place in a text; begin with {.data, .size_bytes}. */
typedef struct ms_json_lines {
    const char *data; /* borrowed, need not end with a NUL */
    size_t size_bytes, position;
    const char *text;   /* the line, with its line break; within data */
    size_t text_bytes;  /* with the line break */
    long long number;   /* of the line, from 1 */
    json_t *value;      /* valid until the next call; NULL: the line is no JSON, or memory ended */
    json_error_t error; /* why, where value is NULL */
    bool is_partial;    /* at the end: the text ends within a line, which is not read: its run goes on, or was killed */
} ms_json_lines;

/* Goes to the next complete line.  False: there is none, and nothing is left to free. */
bool ms_json_lines_next(ms_json_lines *lines);

/* Frees the value of a line at which reading ends early; legal at any time. */
void ms_json_lines_finish(ms_json_lines *lines);

#ifdef __cplusplus
}
#endif

#endif
