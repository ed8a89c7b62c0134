#include "tracker/tracked_matrix.h"

#include <string.h>

bool ms_tracked_matrices_have(const ms_tracked_matrix *matrices, int n, const json_t *line) {
    json_int_t layer = json_integer_value(json_object_get(line, "layer"));
    const char *projection = json_string_value(json_object_get(line, "projection"));
    for (int i = 0; i < n; i++)
        if (matrices[i].layer == layer && strcmp(matrices[i].projection, projection) == 0) return true;
    return false;
}
