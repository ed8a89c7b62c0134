#include "cli/data_inputs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/directory.h"
#include "platform/path.h"

enum { MOST_FILES = 100000, MOST_DEPTH = 64 };

ms_status ms_data_inputs_add_file(ms_data_inputs *inputs, const char *path) {
    if (inputs->n == MOST_FILES) return MS_FAIL(MS_INVALID, "%s: more than %d files", path, MOST_FILES);
    if (inputs->n == inputs->capacity) {
        int capacity = inputs->capacity ? 2 * inputs->capacity : 64;
        char **larger = realloc(inputs->paths, (size_t)capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the names of %d files", capacity);
        inputs->paths = larger;
        inputs->capacity = capacity;
    }
    if (!(inputs->paths[inputs->n] = strdup(path))) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    inputs->n++;
    return MS_OK;
}

static bool is_link(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0 && S_ISLNK(about.st_mode);
}

static ms_status add_folder(ms_data_inputs *inputs, const char *folder, int depth) {
    if (depth == MOST_DEPTH) return MS_FAIL(MS_INVALID, "%s: folders within folders, %d deep", folder, depth);
    ms_listing names;
    MS_TRY(ms_listing_read(folder, &names));
    ms_status status = MS_OK;
    for (size_t i = 0; i < names.n && status == MS_OK; i++) {
        if (names.names[i][0] == '.') continue;
        char *path = ms_path_join(folder, names.names[i]);
        if (!path)
            status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path in %s", folder);
        else if (!ms_is_directory(path))
            status = ms_data_inputs_add_file(inputs, path);
        else if (!is_link(path))
            status = add_folder(inputs, path, depth + 1);
        free(path);
    }
    ms_listing_finish(&names);
    return status;
}

ms_status ms_data_inputs_add(ms_data_inputs *inputs, const char *path) {
    if (!ms_is_directory(path)) return ms_data_inputs_add_file(inputs, path);
    int before = inputs->n;
    MS_TRY(add_folder(inputs, path, 0));
    if (inputs->n == before) return MS_FAIL(MS_INVALID, "the folder %s has no files", path);
    return MS_OK;
}

void ms_data_inputs_finish(ms_data_inputs *inputs) {
    for (int i = 0; i < inputs->n; i++) free(inputs->paths[i]);
    free(inputs->paths);
    *inputs = (ms_data_inputs){0};
}
