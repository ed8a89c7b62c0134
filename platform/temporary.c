#include "platform/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/path.h"

#define ENDING ".tmp"

/* A name has 255 bytes on most file systems: a longer stem is cut. */
enum {
    DIGITS = 16,
    NAME_SIZE = MS_TEMPORARY_NAME_SIZE,
    STEM_MAX = NAME_SIZE - 1 - DIGITS - 1 - (int)sizeof ENDING,
    MAX_TRIES = 100
};

ms_status ms_temporary_name(const char *stem, char out[NAME_SIZE]) {
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return MS_FAIL(MS_IO, "no random numbers for a temporary name: %s", strerror(errno));
    snprintf(out, NAME_SIZE, "%.*s.%0*" PRIx64 ENDING, STEM_MAX, stem, (int)DIGITS, number);
    return MS_OK;
}

bool ms_temporary_is_of(const char *name, const char *final) {
    size_t n = strnlen(final, STEM_MAX);
    return strncmp(name, final, n) == 0 && name[n] == '.' && strspn(name + n + 1, "0123456789abcdef") == DIGITS &&
           strcmp(name + n + 1 + DIGITS, ENDING) == 0;
}

static int create_new(int parent, const char *name, bool folder) {
    if (!folder) return openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (mkdirat(parent, name, 0777) != 0) return -1;
    int made = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (made >= 0) return made;
    int error = errno;
    unlinkat(parent, name, AT_REMOVEDIR);
    errno = error == ENOENT ? EEXIST : error; /* another writer took it for a leftover: another name is tried */
    return -1;
}

/* Creates and locks.  *out -1: another process took the new one for a leftover before it was locked. */
static ms_status create_locked(int parent, const char *name, bool folder, const char *path, int *out) {
    *out = -1;
    int file = create_new(parent, name, folder);
    if (file < 0 && errno == EEXIST) return MS_OK;
    if (file < 0) return ms_status_from_errno(errno, "cannot write", path);
    bool taken = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; /* some file systems have no locks */
    struct stat named;
    if (taken || fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) != 0)
        close(file);
    else
        *out = file;
    return MS_OK;
}

/* Bytes of `path` before its last part, with the slash between them; 0: it has one part. */
static size_t parent_size(const char *path) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') end--;
    while (end > 0 && path[end - 1] != '/') end--;
    return end;
}

/* Removes the leftovers of `stem` but `own`; `path` is for messages.  *out_busy: one of them is locked, that is, being
   written. */
static ms_status sweep(int parent, const char *stem, const char *own, const char *path, bool *out_busy) {
    *out_busy = false;
    ms_listing names;
    char folder[1024] = "."; /* no message is longer */
    size_t n_folder = parent_size(path);
    if (n_folder > 0) snprintf(folder, sizeof folder, "%.*s", (int)n_folder, path);
    MS_TRY_NOTE(ms_listing_read_opened(parent, folder, &names), "cannot write %s", path);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.names[i];
        if (!ms_temporary_is_of(name, stem) || strcmp(name, own) == 0) continue;
        int file = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (file < 0) continue;
        if (flock(file, LOCK_EX | LOCK_NB) == 0)
            (void)ms_directory_remove_entry(parent, name, name);
        else if (errno == EWOULDBLOCK)
            *out_busy = true;
        close(file);
    }
    ms_listing_finish(&names);
    return MS_OK;
}

static ms_status create_in(int parent, const char *stem, bool folder, const char *path, char name[NAME_SIZE],
                           int *out) {
    *out = -1;
    for (int i = 0; *out < 0 && i < MAX_TRIES; i++) {
        MS_TRY(ms_temporary_name(stem, name));
        MS_TRY(create_locked(parent, name, folder, path, out));
    }
    if (*out < 0) return MS_FAIL(MS_IO, "cannot write %s: %d temporary names were taken", path, (int)MAX_TRIES);
    bool busy;
    ms_status status = sweep(parent, stem, name, path, &busy);
    if (status == MS_OK && busy) status = MS_FAIL(MS_IO, "cannot write %s: another writer is at work on it", path);
    if (status == MS_OK) return MS_OK;
    unlinkat(parent, name, folder ? AT_REMOVEDIR : 0);
    close(*out);
    *out = -1;
    return status;
}

static ms_status create_entry(int parent, const char *stem, bool folder, const char *shown, int *out_descriptor,
                              char **out_name) {
    *out_descriptor = -1;
    *out_name = NULL;
    char *name = malloc(NAME_SIZE);
    if (!name) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", shown);
    ms_status status = create_in(parent, stem, folder, shown, name, out_descriptor);
    if (status == MS_OK)
        *out_name = name;
    else
        free(name);
    return status;
}

ms_status ms_temporary_file_entry(int parent, const char *name, const char *shown, int *out_descriptor,
                                  char **out_name) {
    return create_entry(parent, name, false, shown, out_descriptor, out_name);
}

ms_status ms_temporary_directory_entry(int parent, const char *name, const char *shown, int *out_descriptor,
                                       char **out_name) {
    return create_entry(parent, name, true, shown, out_descriptor, out_name);
}

/* The path of an entry beside `path`; the caller frees it. */
static ms_status path_beside(const char *path, const char *name, char **out) {
    size_t n_parent = parent_size(path);
    *out = malloc(n_parent + NAME_SIZE);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    memcpy(*out, path, n_parent);
    strcpy(*out + n_parent, name);
    return MS_OK;
}

static ms_status create(const char *path, int *out_descriptor, char **out_path) {
    char name[NAME_SIZE], *stem;
    int parent;
    MS_TRY_NOTE(ms_path_open_parent(path, &parent, &stem), "cannot write %s", path);
    ms_status status = create_in(parent, stem, true, path, name, out_descriptor);
    if (status == MS_OK) {
        status = path_beside(path, name, out_path);
        if (status != MS_OK) {
            unlinkat(parent, name, AT_REMOVEDIR);
            close(*out_descriptor);
            *out_descriptor = -1;
        }
    }
    close(parent);
    free(stem);
    return status;
}

/* Opens and locks the folder `name` if it is unlocked and holds `mark`; else -1. */
static int adopt_entry(int parent, const char *name, const char *mark) {
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return -1;
    bool locked = flock(folder, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; /* some file systems have no locks */
    if (locked && ms_entry_kind_of(folder, mark) == MS_ENTRY_OTHER && ms_entry_is_opened(parent, name, folder))
        return folder;
    close(folder);
    return -1;
}

static ms_status adopt_in(int parent, const char *stem, const char *mark, const char *path, char name[NAME_SIZE],
                          int *out) {
    ms_listing names;
    bool busy;
    *out = -1;
    MS_TRY_NOTE(ms_listing_read_opened(parent, path, &names), "cannot write %s", path);
    for (size_t i = 0; i < names.n && *out < 0; i++) {
        if (!ms_temporary_is_of(names.names[i], stem)) continue;
        snprintf(name, NAME_SIZE, "%s", names.names[i]);
        *out = adopt_entry(parent, name, mark);
    }
    ms_listing_finish(&names);
    if (*out < 0) return MS_OK;
    ms_status status = sweep(parent, stem, name, path, &busy);
    if (status == MS_OK && busy) status = MS_FAIL(MS_IO, "cannot write %s: another writer is at work on it", path);
    return status;
}

ms_status ms_temporary_directory_adopt(const char *path, const char *mark, int *out_descriptor, char **out_path) {
    char name[NAME_SIZE], *stem;
    int parent;
    *out_path = NULL;
    *out_descriptor = -1;
    if (ms_path_open_parent(path, &parent, &stem) != MS_OK) return MS_OK;
    ms_status status = adopt_in(parent, stem, mark, path, name, out_descriptor);
    if (status == MS_OK && *out_descriptor >= 0) status = path_beside(path, name, out_path);
    if (status != MS_OK) {
        ms_descriptor_close(*out_descriptor);
        *out_descriptor = -1;
    }
    close(parent);
    free(stem);
    return status;
}

/* Creates the folders above `path`. */
static ms_status create_parents(const char *path) {
    size_t size = parent_size(path);
    if (size == 0) return MS_OK;
    char *parents = strndup(path, size);
    ms_status status =
        parents ? ms_directory_create(parents) : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    free(parents);
    return status;
}

ms_status ms_temporary_directory(const char *path, int *out_descriptor, char **out_path) {
    *out_path = NULL;
    *out_descriptor = -1;
    MS_TRY_NOTE(create_parents(path), "cannot write %s", path);
    return create(path, out_descriptor, out_path);
}
