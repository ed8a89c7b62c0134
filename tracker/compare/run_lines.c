#include "tracker/compare/run_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json_lines.h"
#include "tracker/run_log.h"

/* The subjects of the lines of one step. */
struct seen_lines {
    uint64_t *hashes; /* [n] */
    size_t n, capacity;
};

static ms_status add_subject(struct seen_lines *seen, uint64_t hash, bool *out_is_new) {
    *out_is_new = true;
    for (size_t i = 0; i < seen->n && *out_is_new; i++) *out_is_new = seen->hashes[i] != hash;
    if (!*out_is_new) return MS_OK;
    if (seen->n == seen->capacity) {
        size_t capacity = seen->capacity ? 2 * seen->capacity : 64;
        uint64_t *larger = realloc(seen->hashes, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu lines of a step", seen->n);
        seen->hashes = larger;
        seen->capacity = capacity;
    }
    seen->hashes[seen->n++] = hash;
    return MS_OK;
}

static bool get_line(json_t *object, int64_t last_step, ms_run_line *out) {
    const json_t *step = json_object_get(object, "step"), *tokens = json_object_get(object, "tokens");
    if (!json_is_integer(step) || !json_is_integer(tokens)) return false;
    *out = (ms_run_line){object, json_integer_value(step), (double)json_integer_value(tokens)};
    return out->step >= 0 && out->tokens >= 0 && out->step >= last_step;
}

/* out->object: NULL for a line that is not good.  *last_step is that of the last good one. */
static ms_status read_line(json_t *value, int64_t *last_step, struct seen_lines *seen, ms_run_line *out) {
    bool is_new = true;
    if (!get_line(value, *last_step, out)) {
        out->object = NULL;
        return MS_OK;
    }
    if (out->step > *last_step) seen->n = 0;
    ms_status status = add_subject(seen, ms_run_log_subject(out->object), &is_new);
    if (status == MS_OK && is_new)
        *last_step = out->step;
    else
        out->object = NULL;
    return status;
}

ms_status ms_run_lines_read(const char *folder, const char *file,
                            ms_status (*visit)(void *context, const ms_run_line *line), void *context,
                            ms_run_line_faults *faults) {
    char *path = ms_path_join(folder, file), *text = NULL;
    size_t size_bytes = 0;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a path");
    ms_status status = ms_file_exists(path) ? ms_file_read(path, &text, &size_bytes)
                                            : MS_OK; /* not mapped: the run may be writing it */
    free(path);
    struct seen_lines seen = {0};
    int64_t last_step = -1;
    ms_json_lines lines = {.data = text, .size_bytes = size_bytes};
    while (status == MS_OK && ms_json_lines_next(&lines)) {
        ms_run_line line = {0};
        status = read_line(lines.value, &last_step, &seen, &line);
        if (status == MS_OK && line.object) status = visit(context, &line);
        if (status == MS_OK && !line.object && faults->n_bad++ == 0)
            snprintf(faults->first_bad, sizeof faults->first_bad, "%s line %lld", file, lines.number);
    }
    if (status == MS_OK) faults->n_partial += lines.is_partial;
    ms_json_lines_finish(&lines);
    free(seen.hashes);
    free(text);
    return status;
}
