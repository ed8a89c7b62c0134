#include "platform/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform/path.h"

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

/* Closes `directory`. */
static ms_status list(DIR *directory, const char *path, ms_listing *out) {
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

ms_status ms_listing_read(const char *path, ms_listing *out) {
    *out = (ms_listing){0};
    MS_TRY(ms_path_check(path));
    DIR *directory = opendir(path);
    return directory ? list(directory, path, out) : ms_status_from_errno(errno, "cannot open directory", path);
}

/* Opened again: a copy of the descriptor would share its place in the directory. */
ms_status ms_listing_read_opened(int directory, const char *shown, ms_listing *out) {
    *out = (ms_listing){0};
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again >= 0 ? fdopendir(again) : NULL;
    if (stream) return list(stream, shown, out);
    ms_status status = ms_status_from_errno(errno, "cannot open directory", shown);
    ms_descriptor_close(again);
    return status;
}

void ms_listing_finish(ms_listing *listing) {
    for (size_t i = 0; i < listing->n; i++) free(listing->names[i]);
    free(listing->names);
    *listing = (ms_listing){0};
}

bool ms_is_directory(const char *path) {
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
}

ms_status ms_directory_open_entry(int parent, const char *name, const char *shown, int *out_descriptor) {
    *out_descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    if (*out_descriptor >= 0) return MS_OK;
    if (ms_entry_kind_of(parent, name) != MS_ENTRY_LINK)
        return ms_status_from_errno(error, "cannot open directory", shown);
    return MS_FAIL(MS_IO, "cannot open directory %s: a symbolic link is in the way", shown);
}

ms_status ms_directory_open(const char *path, int *out_descriptor) {
    int parent;
    char *name;
    *out_descriptor = -1;
    MS_TRY(ms_path_open_parent(path, &parent, &name));
    ms_status status = ms_directory_open_entry(parent, name, path, out_descriptor);
    close(parent);
    free(name);
    return status;
}

/* ---- making ---- */

ms_status ms_directory_create(const char *path) {
    MS_TRY(ms_path_check(path));
    char *partial = strdup(path);
    if (!partial) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    for (char *cursor = partial + 1;; cursor++) {
        char ended = *cursor;
        if (ended != '/' && ended != '\0') continue;
        *cursor = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            ms_status status = ms_status_from_errno(errno, "cannot create directory", partial);
            free(partial);
            return status;
        }
        *cursor = ended;
        if (ended == '\0') break;
    }
    free(partial);
    if (!ms_is_directory(path)) return MS_FAIL(MS_IO, "cannot create directory %s: a file is in the way", path);
    return MS_OK;
}

ms_status ms_directory_require(const char *path) {
    MS_TRY(ms_path_check(path));
    if (mkdir(path, 0777) == 0) return MS_OK;
    struct stat information;
    if (errno != EEXIST || lstat(path, &information) != 0)
        return ms_status_from_errno(errno, "cannot create directory", path);
    if (S_ISDIR(information.st_mode)) return MS_OK;
    return MS_FAIL(MS_IO, "cannot create directory %s: %s is in the way", path,
                   S_ISLNK(information.st_mode) ? "a symbolic link" : "a file");
}

/* ---- removing ---- */

static ms_status remove_tree(int parent, const char *name, const char *shown, dev_t device);

/* A tree is removed where the directory itself is on `device`. */
static ms_status remove_entry(int parent, const char *name, const char *shown, dev_t device) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return MS_OK;
    /* EISDIR is Linux's word for a directory; EPERM is a file that may not be removed. */
    return errno == EISDIR ? remove_tree(parent, name, shown, device)
                           : ms_status_from_errno(errno, "cannot remove", shown);
}

static ms_status empty(int directory, const char *shown, dev_t device) {
    ms_listing names;
    MS_TRY(ms_listing_read_opened(directory, shown, &names));
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < names.n; i++) {
        char *path = ms_path_join(shown, names.names[i]);
        status = path ? remove_entry(directory, names.names[i], path, device)
                      : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", shown);
        free(path);
    }
    ms_listing_finish(&names);
    return status;
}

static ms_status remove_tree(int parent, const char *name, const char *shown, dev_t device) {
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) return ms_status_from_errno(errno, "cannot remove", shown);
    struct stat information;
    bool is_there = fstat(directory, &information) == 0 && information.st_dev == device;
    ms_status status = is_there ? empty(directory, shown, device)
                                : MS_FAIL(MS_IO, "cannot remove %s: another file system is mounted there", shown);
    close(directory);
    MS_TRY(status);
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return ms_status_from_errno(errno, "cannot remove directory", shown);
    return MS_OK;
}

ms_status ms_directory_remove_entry(int parent, const char *name, const char *shown) {
    struct stat information;
    if (fstat(parent, &information) != 0) return ms_status_from_errno(errno, "cannot remove", shown);
    return remove_entry(parent, name, shown, information.st_dev);
}

ms_status ms_directory_remove(const char *path) {
    struct stat information;
    MS_TRY(ms_path_check(path));
    if (lstat(path, &information) != 0)
        return errno == ENOENT ? MS_OK : ms_status_from_errno(errno, "cannot remove directory", path);
    if (!S_ISDIR(information.st_mode) && !S_ISLNK(information.st_mode))
        return MS_FAIL(MS_IO, "cannot remove directory %s: it is a file", path);
    int parent;
    char *name;
    MS_TRY(ms_path_open_parent(path, &parent, &name));
    ms_status status = ms_directory_remove_entry(parent, name, path);
    close(parent);
    free(name);
    return status;
}

static ms_status first_failure(ms_status status, const char *message, ms_status removed, const char *path) {
    if (status == MS_OK) return removed;
    if (removed != MS_OK) return MS_FAIL(status, "%s; %s stays behind", message, path);
    return MS_FAIL(status, "%s", message);
}

ms_status ms_directory_clear_away(ms_status status, const char *path) {
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    return first_failure(status, message, ms_directory_remove(path), path);
}

ms_status ms_directory_clear_away_entry(ms_status status, int parent, const char *name, const char *shown) {
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    return first_failure(status, message, ms_directory_remove_entry(parent, name, shown), shown);
}

bool ms_remove_one(const char *path) { return remove(path) == 0; }

/* ---- locking ---- */

/* ms_directory_is_locked takes a shared lock for some microseconds: what is locked to it alone comes free at once. */
static bool lock_alone(int descriptor) {
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; flock(descriptor, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == 5) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static ms_status lock_file_in(int directory, const char *path, int *out) {
    *out = openat(directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*out < 0) return ms_status_from_errno(errno, "cannot write to folder", path);
    if (lock_alone(*out)) return MS_OK;
    if (errno == EWOULDBLOCK) return MS_FAIL(MS_IO, "folder %s is being written by another process", path);
    return ms_status_from_errno(errno, "cannot lock", path);
}

static ms_status lock(const char *path, ms_directory_locked *out) {
    out->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->directory < 0) return ms_status_from_errno(errno, "cannot open directory", path);
    if (!lock_alone(out->directory)) {
        if (errno == EWOULDBLOCK) return MS_FAIL(MS_IO, "folder %s is being written by another process", path);
        MS_TRY(lock_file_in(out->directory, path, &out->file));
    }
    if (ms_directory_is_there(out, path)) return MS_OK;
    return MS_FAIL(MS_IO, "folder %s was removed or replaced by another process", path);
}

ms_status ms_directory_lock(const char *path, ms_directory_locked *out) {
    *out = MS_DIRECTORY_UNLOCKED;
    MS_TRY(ms_path_check(path));
    ms_status status = lock(path, out);
    if (status != MS_OK) ms_directory_unlock(out);
    return status;
}

void ms_directory_unlock(ms_directory_locked *locked) {
    ms_descriptor_close(locked->file);
    ms_descriptor_close(locked->directory);
    *locked = MS_DIRECTORY_UNLOCKED;
}

/* Whether another description of the file holds its lock; *out_locks: the file system can lock it. */
static bool is_locked(int descriptor, bool *out_locks) {
    int result = flock(descriptor, LOCK_SH | LOCK_NB); /* the descriptor is closed at once */
    *out_locks = result == 0 || errno == EWOULDBLOCK;
    return result != 0 && errno == EWOULDBLOCK;
}

bool ms_directory_is_locked(const char *path) {
    bool locks = false, locked = false;
    int directory = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0) return false;
    locked = is_locked(directory, &locks);
    if (!locks) { /* then the file "lock" is locked in its place */
        int file = openat(directory, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        locked = file >= 0 && is_locked(file, &locks);
        ms_descriptor_close(file);
    }
    close(directory);
    return locked;
}

bool ms_directory_is_there(const ms_directory_locked *locked, const char *path) {
    struct stat opened, named;
    return fstat(locked->directory, &opened) == 0 && stat(path, &named) == 0 && opened.st_nlink > 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}
