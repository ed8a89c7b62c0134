#include <stdlib.h>
#include <string.h>

#include "backend/ir/graph.h"
#include "platform/choice.h"

struct ms_variables {
    ms_variable *list;
    int count, capacity;
};

ms_status ms_variables_create(ms_variables **out) {
    *out = calloc(1, sizeof **out);
    return *out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "variables: no memory");
}

void ms_variables_destroy(ms_variables *variables) {
    if (!variables) return;
    for (int i = 0; i < variables->count; i++) free(variables->list[i].name);
    free(variables->list);
    free(variables);
}

ms_status ms_variables_add(ms_variables *variables, const char *name, ms_variable_kind kind, ms_dtype dtype,
                           ms_shape shape, int *out) {
    *out = -1;
    char text[64];
    if (!name || !*name) return MS_FAIL(MS_INVALID, "variable: empty name");
    if (ms_variables_find(variables, name) >= 0) return MS_FAIL(MS_INVALID, "variable %s: name is taken", name);
    static const char *const kinds[] = {"parameter", "state", "gradient", "input", "constant", "output", NULL};
    MS_TRY_NOTE(ms_choice_check("kind", (int)kind, kinds), "variable %s", name);
    MS_TRY_NOTE(ms_choice_check("dtype", (int)dtype, ms_dtype_names), "variable %s", name);
    bool valid = shape.rank >= 1 && shape.rank <= MS_MAX_RANK;
    for (int i = 0; valid && i < shape.rank; i++) valid = shape.dim[i] >= 1;
    if (!valid)
        return MS_FAIL(MS_INVALID, "variable %s: shape %s, rank must be 1 to 4 and every dimension positive", name,
                       ms_shape_text(&shape, text, sizeof text));
    if (variables->count == variables->capacity) {
        int capacity = variables->capacity ? 2 * variables->capacity : 32;
        ms_variable *list = realloc(variables->list, (size_t)capacity * sizeof *list);
        if (!list) return MS_FAIL(MS_OUT_OF_MEMORY, "variable %s: no memory", name);
        variables->list = list;
        variables->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy) return MS_FAIL(MS_OUT_OF_MEMORY, "variable %s: no memory", name);
    variables->list[variables->count] = (ms_variable){copy, kind, dtype, shape};
    *out = variables->count++;
    return MS_OK;
}

int ms_variables_count(const ms_variables *variables) { return variables->count; }

const ms_variable *ms_variables_get(const ms_variables *variables, int index) { return &variables->list[index]; }

int ms_variables_find(const ms_variables *variables, const char *name) {
    for (int i = 0; i < variables->count; i++)
        if (strcmp(variables->list[i].name, name) == 0) return i;
    return -1;
}
