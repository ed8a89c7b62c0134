/* Reading JSON lines, as a run writes them: one object a line.  Whoever reads decides what a line that is no JSON
   means. Thread-safe on distinct objects. */
#ifndef MS_PLATFORM_JSON_LINES_H
#define MS_PLATFORM_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "platform/status.h"

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

/* Lines that are no JSON and were left out.  Zeroed is none. */
typedef struct ms_json_bad_lines {
    long long n;
    char first[512]; /* "PATH line 7: what is wrong with it" */
} ms_json_bad_lines;

/* Counts the line that `lines` is at, whose value is NULL.  MS_OUT_OF_MEMORY: that is why it is. */
ms_status ms_json_bad_lines_add(ms_json_bad_lines *bad, const char *path, const ms_json_lines *lines);
/* One warning line; nothing where there are none. */
void ms_json_bad_lines_print(const ms_json_bad_lines *bad, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
