#include "tracker/tracked_matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t ms_tracked_matrix_elements(const ms_tracked_matrix *matrix) {
    return (size_t)matrix->rows * (size_t)matrix->cols;
}

int ms_tracked_whole_rows(const ms_tracked_matrix *matrices, int n, int i) {
    int id = matrices[i].whole, rows = matrices[i].rows;
    for (i++; id != 0 && i < n && matrices[i].whole == id; i++) rows += matrices[i].rows;
    return rows;
}

void ms_tracked_largest_sides(const ms_tracked_matrix *matrices, int n, bool of_wholes, int *out_smaller,
                              int *out_longer) {
    *out_smaller = *out_longer = 0;
    for (int i = 0; i < n; i++) {
        int cols = matrices[i].cols, rows = of_wholes ? ms_tracked_whole_rows(matrices, n, i) : matrices[i].rows;
        int smaller = rows < cols ? rows : cols, longer = rows < cols ? cols : rows;
        if (smaller > *out_smaller) *out_smaller = smaller;
        if (longer > *out_longer) *out_longer = longer;
    }
}

bool ms_tracked_matrices_have(const ms_tracked_matrix *matrices, int n, const json_t *line) {
    json_int_t layer = json_integer_value(json_object_get(line, "layer"));
    const char *projection = json_string_value(json_object_get(line, "projection"));
    for (int i = 0; i < n; i++)
        if (matrices[i].layer == layer && strcmp(matrices[i].projection, projection) == 0) return true;
    return false;
}

/* ---- a copy ---- */

size_t ms_tracked_matrices_bytes(int n) {
    return (size_t)n * (sizeof(ms_tracked_matrix) + MS_TRACKED_NAME_SIZE + sizeof(int));
}

/* Insertion sort: n is a few hundred. */
static void put_in_order(ms_tracked_matrices *tracked, int i) {
    size_t size = ms_tracked_matrix_elements(&tracked->matrices[i]);
    int j = i;
    for (; j > 0 && ms_tracked_matrix_elements(&tracked->matrices[tracked->order[j - 1]]) < size; j--)
        tracked->order[j] = tracked->order[j - 1];
    tracked->order[j] = i;
}

ms_status ms_tracked_matrices_init(const ms_tracked_matrix *matrices, int n, ms_tracked_matrices *out) {
    *out = (ms_tracked_matrices){.matrices = calloc((size_t)n, sizeof *out->matrices),
                                 .names = calloc((size_t)n, sizeof *out->names),
                                 .order = calloc((size_t)n, sizeof *out->order),
                                 .n = n};
    if (!out->matrices || !out->names || !out->order)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for the names of %d matrices", n);
    for (int i = 0; i < n; i++) {
        const char *projection = matrices[i].projection;
        char *name = out->names[i];
        out->matrices[i] = matrices[i];
        snprintf(name, MS_TRACKED_NAME_SIZE, "layer %d %s", matrices[i].layer, projection);
        out->matrices[i].projection = name + strlen(name) - strlen(projection);
        put_in_order(out, i);
    }
    return MS_OK;
}

void ms_tracked_matrices_finish(ms_tracked_matrices *tracked) {
    free(tracked->matrices);
    free(tracked->names);
    free(tracked->order);
    *tracked = (ms_tracked_matrices){NULL};
}
