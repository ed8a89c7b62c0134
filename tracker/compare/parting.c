#include "tracker/compare/parting.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/compare/series.h"

/* The lines of one run's hashes.jsonl. */
struct hash_lines {
    struct hash_line {
        int64_t step;
        json_t *hashes; /* by name of the tensor; owned */
    } * lines;          /* [n] ascending by step */
    size_t n, capacity;
};

static ms_status keep_line(void *context, const ms_run_line *line) {
    struct hash_lines *kept = context;
    json_t *hashes = json_object_get(line->object, "sha256");
    if (!json_is_object(hashes)) return MS_OK;
    if (kept->n == kept->capacity) {
        size_t capacity = kept->capacity ? 2 * kept->capacity : 64;
        struct hash_line *larger = realloc(kept->lines, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu lines of hashes", capacity);
        kept->lines = larger;
        kept->capacity = capacity;
    }
    kept->lines[kept->n++] = (struct hash_line){line->step, json_incref(hashes)};
    return MS_OK;
}

static void free_lines(struct hash_lines *lines) {
    for (size_t i = 0; i < lines->n; i++) json_decref(lines->lines[i].hashes);
    free(lines->lines);
}

static void note_tensor(const char *name, ms_parting *out) {
    if (out->n_unlike++ == 0) snprintf(out->tensor, sizeof out->tensor, "%s", name);
}

/* Counts the tensors that differ, and names the first. */
static void compare_hashes(json_t *a, json_t *b, ms_parting *out) {
    const char *name;
    json_t *hash;
    out->n_tensors = (int)json_object_size(a);
    json_object_foreach(a, name, hash) if (!json_equal(hash, json_object_get(b, name))) note_tensor(name, out);
    json_object_foreach(b, name, hash) {
        if (json_object_get(a, name)) continue;
        out->n_tensors++;
        note_tensor(name, out);
    }
}

static void compare_lines(const struct hash_lines *a, const struct hash_lines *b, ms_parting *out) {
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        int64_t step = a->lines[i].step, other = b->lines[k].step;
        if (step == other) {
            out->n_compared++;
            compare_hashes(a->lines[i].hashes, b->lines[k].hashes, out);
            if (out->n_unlike > 0) {
                out->first_unlike = step;
                return;
            }
            out->last_same = step;
        }
        i += step <= other;
        k += other <= step;
    }
}

static ms_status compare_losses(const char *folder_a, const char *folder_b, ms_parting *out) {
    ms_series_metric metric;
    ms_series series[2] = {{0}, {0}};
    ms_run_line_faults faults;
    const ms_series_selection all = {NULL, NULL};
    MS_TRY(ms_series_metric_find("loss", &metric));
    ms_status status = ms_series_read(folder_a, &metric, 1, &all, &series[0], &faults);
    if (status == MS_OK) status = ms_series_read(folder_b, &metric, 1, &all, &series[1], &faults);
    for (size_t i = 0, k = 0; i < series[0].n && k < series[1].n && out->loss_first_unlike < 0;) {
        const ms_series_point *a = &series[0].points[i], *b = &series[1].points[k];
        if (a->step == b->step && a->value != b->value) out->loss_first_unlike = a->step;
        if (a->step == b->step && a->value == b->value) out->loss_last_same = a->step;
        i += a->step <= b->step;
        k += b->step <= a->step;
    }
    ms_series_finish(&series[0]);
    ms_series_finish(&series[1]);
    return status;
}

ms_status ms_parting_find(const char *folder_a, const char *folder_b, ms_parting *out) {
    static const char file[] = "hashes.jsonl";
    struct hash_lines a = {0}, b = {0};
    *out = (ms_parting){.last_same = -1, .first_unlike = -1, .loss_last_same = -1, .loss_first_unlike = -1};
    ms_status status = ms_run_lines_read(folder_a, file, keep_line, &a, &out->faults);
    if (status == MS_OK) status = ms_run_lines_read(folder_b, file, keep_line, &b, &out->faults);
    if (status == MS_OK) compare_lines(&a, &b, out);
    free_lines(&a);
    free_lines(&b);
    return status == MS_OK && out->n_compared > 0 ? compare_losses(folder_a, folder_b, out) : status;
}
