#include "model/checkpoint/checkpoint_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/path.h"
#include "platform/temporary.h"

void ms_checkpoint_name(int64_t step, char out[MS_CHECKPOINT_NAME_SIZE]) {
    snprintf(out, MS_CHECKPOINT_NAME_SIZE, "step_%08" PRId64, step);
}

bool ms_checkpoint_parse_name(const char *name, int64_t *out_step) {
    if (strncmp(name, "step_", 5) != 0) return false;
    const char *digits = name + 5;
    size_t n_digits = strspn(digits, "0123456789");
    if (n_digits < 8 || n_digits > 18 || (n_digits > 8 && digits[0] == '0')) return false;
    *out_step = strtoll(digits, NULL, 10);
    return digits[n_digits] == '\0';
}

bool ms_checkpoint_name_is_unfinished(const char *name) {
    char finished[MS_CHECKPOINT_NAME_SIZE];
    int64_t step;
    size_t n = strcspn(name, ".");
    if (n >= sizeof finished) return false;
    memcpy(finished, name, n);
    finished[n] = '\0';
    return ms_checkpoint_parse_name(finished, &step) &&
           (strcmp(name + n, ".tmp") == 0 || ms_temporary_is_of(name, finished));
}

ms_status ms_checkpoint_path(const char *checkpoints, int64_t step, char **out) {
    char name[MS_CHECKPOINT_NAME_SIZE];
    ms_checkpoint_name(step, name);
    *out = ms_path_join(checkpoints, name);
    return *out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", checkpoints);
}

static int compare_steps(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

ms_status ms_checkpoint_steps(const char *folder, const ms_listing *names,
                              bool (*wanted)(const void *context, const char *name), const void *context,
                              int64_t **out_steps, size_t *out_n) {
    *out_n = 0;
    int64_t *steps = *out_steps = calloc(names->n + 1, sizeof *steps);
    if (!steps) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the names in %s", folder);
    for (size_t i = 0; i < names->n; i++)
        if (ms_checkpoint_parse_name(names->names[i], &steps[*out_n]) && wanted(context, names->names[i])) (*out_n)++;
    qsort(steps, *out_n, sizeof *steps, compare_steps);
    return MS_OK;
}
