#include "platform/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ms_status ms_status_from_errno(int error, const char *what, const char *path) {
    ms_status status = MS_IO;
    if (error == ENOSPC || error == EDQUOT) status = MS_NO_SPACE;
    if (error == ENOENT) status = MS_NOT_FOUND;
    return MS_FAIL(status, "%s %s: %s", what, path, strerror(error));
}

char *ms_path_join(const char *directory, const char *name) {
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", directory, name);
    return path;
}

ms_status ms_map_open(const char *path, ms_map *out) {
    *out = (ms_map){0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return ms_status_from_errno(errno, "cannot open", path);
    struct stat information;
    if (fstat(file, &information) != 0) {
        int error = errno;
        close(file);
        return ms_status_from_errno(error, "cannot stat", path);
    }
    if (!S_ISREG(information.st_mode)) {
        close(file);
        return MS_FAIL(MS_IO, "cannot map %s: not a regular file", path);
    }
    out->size_bytes = (size_t)information.st_size;
    if (out->size_bytes > 0) {
        void *data = mmap(NULL, out->size_bytes, PROT_READ, MAP_PRIVATE, file, 0);
        int error = errno;
        if (data == MAP_FAILED) {
            close(file);
            *out = (ms_map){0};
            return ms_status_from_errno(error, "cannot map", path);
        }
        out->data = data;
    }
    close(file);
    return MS_OK;
}

void ms_map_close(ms_map *map) {
    if (map->data) munmap((void *)map->data, map->size_bytes);
    *map = (ms_map){0};
}

ms_status ms_file_read(const char *path, char **out_data, size_t *out_size_bytes) {
    *out_data = NULL;
    *out_size_bytes = 0;
    ms_map map;
    MS_TRY(ms_map_open(path, &map));
    char *data = malloc(map.size_bytes + 1);
    if (!data) {
        size_t size_bytes = map.size_bytes;
        ms_map_close(&map);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %zu bytes", path, size_bytes);
    }
    if (map.size_bytes > 0) memcpy(data, map.data, map.size_bytes);
    data[map.size_bytes] = '\0';
    *out_data = data;
    *out_size_bytes = map.size_bytes;
    ms_map_close(&map);
    return MS_OK;
}

bool ms_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool ms_is_directory(const char *path) {
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
}

ms_status ms_directory_create(const char *path) {
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

ms_status ms_directory_remove(const char *path) {
    DIR *directory = opendir(path);
    if (!directory) return errno == ENOENT ? MS_OK : ms_status_from_errno(errno, "cannot open directory", path);
    ms_status status = MS_OK;
    struct dirent *entry;
    while (status == MS_OK && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *child = ms_path_join(path, entry->d_name);
        struct stat information;
        if (!child) {
            status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", path);
        } else if (lstat(child, &information) == 0 && S_ISDIR(information.st_mode)) {
            status = ms_directory_remove(child);
        } else if (unlink(child) != 0) {
            status = ms_status_from_errno(errno, "cannot remove", child);
        }
        free(child);
    }
    closedir(directory);
    if (status == MS_OK && rmdir(path) != 0) status = ms_status_from_errno(errno, "cannot remove directory", path);
    return status;
}

/* Opens the temporary file, whole if its writer was killed, and locks it, so that two writers never share one.  By the
   time of the lock another writer may have renamed or removed the file: then *out is -1. */
static ms_status open_locked(const char *path, const char *temporary, int *out) {
    struct stat locked, named;
    int file = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    *out = -1;
    if (file < 0) return ms_status_from_errno(errno, "cannot write", temporary);
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) { /* some file systems have no locks */
        close(file);
        return MS_FAIL(MS_IO, "cannot write %s: another writer is at work on it", path);
    }
    bool same = fstat(file, &locked) == 0 && stat(temporary, &named) == 0 && locked.st_dev == named.st_dev &&
                locked.st_ino == named.st_ino;
    if (!same) {
        close(file);
        return MS_OK;
    }
    if (ftruncate(file, 0) != 0) {
        ms_status status = ms_status_from_errno(errno, "cannot write", temporary);
        close(file);
        return status;
    }
    *out = file;
    return MS_OK;
}

ms_status ms_writer_open(const char *path, ms_writer *out) {
    *out = (ms_writer){0};
    size_t size = strlen(path) + sizeof ".tmp";
    char *temporary = malloc(size);
    if (!temporary) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    snprintf(temporary, size, "%s.tmp", path);
    int file = -1;
    ms_status status = MS_OK;
    while (status == MS_OK && file < 0) status = open_locked(path, temporary, &file);
    if (status != MS_OK) {
        free(temporary);
        return status;
    }
    out->temporary = temporary;
    out->path = strdup(path);
    out->stream = fdopen(file, "wb");
    if (out->path && out->stream) return MS_OK;
    if (!out->stream) close(file);
    ms_writer_abort(out);
    return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
}

ms_status ms_writer_write(ms_writer *writer, const void *data, size_t size_bytes) {
    if (size_bytes > 0 && fwrite(data, 1, size_bytes, writer->stream) != size_bytes)
        return ms_status_from_errno(errno, "cannot write", writer->path);
    return MS_OK;
}

ms_status ms_writer_printf(ms_writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(writer->stream, format, arguments);
    va_end(arguments);
    return length < 0 ? ms_status_from_errno(errno, "cannot write", writer->path) : MS_OK;
}

ms_status ms_sync_parent(const char *path) {
    char *parent = strdup(path);
    if (!parent) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    const char *name = slash ? parent : ".";
    int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ms_status status = MS_OK;
    if (directory < 0) {
        status = ms_status_from_errno(errno, "cannot open directory", name);
    } else {
        /* Some file systems do not sync directories: EINVAL there is not a loss. */
        if (fsync(directory) != 0 && errno != EINVAL) status = ms_status_from_errno(errno, "cannot sync", name);
        close(directory);
    }
    free(parent);
    return status;
}

ms_status ms_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) return ms_status_from_errno(errno, "cannot rename to", to);
    return ms_sync_parent(to);
}

/* The name changes while the lock is held: until the stream is closed. */
ms_status ms_writer_commit(ms_writer *writer) {
    ms_status status = MS_OK;
    if (fflush(writer->stream) != 0 || ferror(writer->stream) || fsync(fileno(writer->stream)) != 0)
        status = ms_status_from_errno(errno, "cannot write", writer->path);
    if (status == MS_OK) status = ms_rename(writer->temporary, writer->path);
    if (status == MS_OK) {
        free(writer->temporary);
        writer->temporary = NULL;
    }
    ms_writer_abort(writer);
    return status;
}

void ms_writer_abort(ms_writer *writer) {
    if (writer->temporary) unlink(writer->temporary);
    if (writer->stream) fclose(writer->stream);
    free(writer->temporary);
    free(writer->path);
    *writer = (ms_writer){0};
}

ms_status ms_file_write(const char *path, const void *data, size_t size_bytes) {
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    ms_status status = ms_writer_write(&writer, data, size_bytes);
    if (status != MS_OK) {
        ms_writer_abort(&writer);
        return status;
    }
    return ms_writer_commit(&writer);
}
