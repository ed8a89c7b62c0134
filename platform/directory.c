#include "platform/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

static int compare_names(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool append_name(ms_listing *listing, size_t *capacity, const char *name) {
    if (listing->n == *capacity) {
        size_t grown = *capacity ? 2 * *capacity : 16;
        char **moved = realloc(listing->names, grown * sizeof *moved);
        if (!moved) return false;
        listing->names = moved;
        *capacity = grown;
    }
    char *copy = strdup(name);
    if (!copy) return false;
    listing->names[listing->n++] = copy;
    return true;
}

ms_status ms_listing_read(const char *path, ms_listing *out) {
    *out = (ms_listing){0};
    DIR *directory = opendir(path);
    if (!directory) return ms_status_from_errno(errno, "cannot open directory", path);
    ms_status status = MS_OK;
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry) {
            if (errno != 0) status = ms_status_from_errno(errno, "cannot read directory", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (!append_name(out, &capacity, entry->d_name)) {
            status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory to list %s", path);
            break;
        }
    }
    closedir(directory);
    if (status != MS_OK)
        ms_listing_finish(out);
    else if (out->n > 0)
        qsort(out->names, out->n, sizeof *out->names, compare_names);
    return status;
}

void ms_listing_finish(ms_listing *listing) {
    for (size_t i = 0; i < listing->n; i++) free(listing->names[i]);
    free(listing->names);
    *listing = (ms_listing){0};
}
