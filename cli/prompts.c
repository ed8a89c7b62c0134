#include "cli/prompts.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/path.h"
#include "platform/stream.h"

/* Longest file of prompts: it is read whole. */
#define MOST_BYTES ((size_t)256 << 20)

static const char ids_key[] = "input_ids";

/* Adds a copy of it, but for its ids: those it takes, unless it fails. */
static ms_status add(ms_prompts *prompts, const ms_text_prompt *prompt) {
    if (prompts->n == prompts->capacity) {
        int64_t capacity = prompts->capacity > 0 ? 2 * prompts->capacity : 16;
        ms_text_prompt *larger = realloc(prompts->items, (size_t)capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for %lld prompts", (long long)capacity);
        prompts->items = larger;
        prompts->capacity = capacity;
    }
    char *place = strdup(prompt->place), *text = malloc(prompt->size_bytes + 1);
    if (!place || !text) {
        free(place);
        free(text);
        return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for a prompt of %zu bytes", prompt->size_bytes);
    }
    memcpy(text, prompt->text, prompt->size_bytes);
    text[prompt->size_bytes] = '\0';
    prompts->items[prompts->n++] = (ms_text_prompt){place, text, prompt->size_bytes, prompt->ids, prompt->n_ids};
    return MS_OK;
}

ms_status ms_prompts_add(ms_prompts *prompts, const char *place, const char *text, size_t size_bytes) {
    return add(prompts, &(ms_text_prompt){.place = place, .text = text, .size_bytes = size_bytes});
}

void ms_prompts_finish(ms_prompts *prompts) {
    for (int64_t i = 0; i < prompts->n; i++) {
        free((char *)prompts->items[i].place);
        free((char *)prompts->items[i].text);
        free((int32_t *)prompts->items[i].ids);
    }
    free(prompts->items);
    *prompts = (ms_prompts){0};
}

/* ---- lines of a file ---- */

/* All of a stream, malloc'ed. */
static ms_status read_all(ms_stream *stream, char **out, size_t *out_n) {
    size_t capacity = 0, n = 0, n_here = 1;
    char *text = NULL;
    ms_status status = MS_OK;
    while (status == MS_OK && n_here > 0) {
        if (n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 1 << 16;
            char *larger = capacity <= MOST_BYTES ? realloc(text, capacity) : NULL;
            if (!larger) {
                status = MS_FAIL(MS_OUT_OF_MEMORY, "more than %zu bytes of prompts: cut it into several files", n);
                break;
            }
            text = larger;
        }
        status = ms_stream_read(stream, text + n, capacity - n, &n_here);
        n += n_here;
    }
    *out = text;
    *out_n = n;
    return status;
}

static json_t *parse(const char *line, size_t n, json_error_t *error) {
    return json_loadb(line, n, JSON_ALLOW_NUL, error);
}

ms_status ms_prompts_check_format(const char *format) {
    if (strcmp(format, "auto") == 0 || strcmp(format, "text") == 0 || strcmp(format, "jsonl") == 0) return MS_OK;
    return MS_FAIL(MS_USAGE, "--format %s: auto, text or jsonl is needed", format);
}

/* format: one of these. */
static bool is_jsonl(const char *format, const char *name, const char *text, size_t n) {
    if (strcmp(format, "auto") != 0) return strcmp(format, "jsonl") == 0;
    const char *end = memchr(text, '\n', n);
    json_error_t error;
    json_t *first = parse(text, end ? (size_t)(end - text) : n, &error);
    bool is = json_is_object(first) || ms_name_ends_with(name, ".jsonl") || ms_name_ends_with(name, ".ndjson");
    json_decref(first);
    return is;
}

static ms_status take_ids(const json_t *list, int32_t **out) {
    size_t n = json_array_size(list);
    int32_t *ids = calloc(n, sizeof *ids);
    if (!ids) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for %zu ids", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        json_int_t id = json_integer_value(one);
        if (!json_is_integer(one) || id < 0 || id > INT32_MAX) {
            free(ids);
            return MS_FAIL(MS_INVALID, "number %zu under the key \"%s\" is no token id: whole numbers from 0 on are",
                           i + 1, ids_key);
        }
        ids[i] = (int32_t)id;
    }
    *out = ids;
    return MS_OK;
}

static ms_status add_object(ms_prompts *prompts, const char *place, const json_t *object, const char *field) {
    const json_t *text = json_object_get(object, field), *list = json_object_get(object, ids_key);
    if (json_is_string(text)) return ms_prompts_add(prompts, place, json_string_value(text), json_string_length(text));
    if (json_array_size(list) == 0)
        return MS_FAIL(MS_INVALID, "no string under the key \"%s\", nor token ids under \"%s\": --field names the key",
                       field, ids_key);
    int32_t *ids = NULL;
    MS_TRY(take_ids(list, &ids));
    ms_status status = add(prompts, &(ms_text_prompt){place, "", 0, ids, json_array_size(list)});
    if (status != MS_OK) free(ids);
    return status;
}

/* field: the key of JSONL, NULL: the line is a text. */
static ms_status add_line(ms_prompts *prompts, const char *place, const char *line, size_t n, const char *field) {
    if (n > 0 && line[n - 1] == '\r') n--;
    if (n == 0)
        return MS_FAIL(MS_INVALID, "an empty line: leave it out; an empty prompt is {\"prompt\": \"\"} in JSONL, or "
                                   "--prompt \"\"");
    if (!field) return ms_prompts_add(prompts, place, line, n);
    json_error_t error;
    json_t *object = parse(line, n, &error);
    if (!object) return MS_FAIL(MS_INVALID, "not JSON: %s", error.text);
    ms_status status = json_is_object(object)
                           ? add_object(prompts, place, object, field)
                           : MS_FAIL(MS_INVALID, "not a JSON object: {\"%s\": \"...\"} is one", field);
    json_decref(object);
    return status;
}

static ms_status add_lines(ms_prompts *prompts, const char *name, const char *text, size_t n, const char *field) {
    long long i_line = 0;
    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - text) - at : n - at;
        char place[512];
        snprintf(place, sizeof place, "%.400s, line %lld", name, ++i_line);
        MS_TRY_NOTE(add_line(prompts, place, text + at, length, field), "%s", place);
        at += length + 1;
    }
    return i_line > 0 ? MS_OK : MS_FAIL(MS_INVALID, "%s: no prompts in it", name);
}

ms_status ms_prompts_read(ms_prompts *prompts, const char *path, const char *format, const char *field) {
    ms_stream stream;
    char *text = NULL;
    size_t n = 0;
    MS_TRY(ms_prompts_check_format(format));
    MS_TRY_NOTE(ms_stream_open(path, &stream), "--prompts");
    ms_status status = read_all(&stream, &text, &n);
    if (status != MS_OK) status = ms_status_note(status, "%s", stream.name);
    size_t begin = status == MS_OK && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (status == MS_OK)
        status = add_lines(prompts, stream.name, text + begin, n - begin,
                           is_jsonl(format, stream.name, text + begin, n - begin) ? field : NULL);
    ms_stream_close(&stream);
    free(text);
    return status;
}
