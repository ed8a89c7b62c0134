#define _DEFAULT_SOURCE /* madvise, realpath */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/temporary.h"

static const char *kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

static ms_status check_regular(int file, const char *what, const char *path) {
    struct stat information;
    if (fstat(file, &information) != 0) return ms_status_from_errno(errno, what, path);
    if (S_ISREG(information.st_mode)) return MS_OK;
    return MS_FAIL(MS_IO, "%s %s: it is %s, not a regular file", what, path, kind_of(information.st_mode));
}

/* More descriptors, where the system allows them. */
static bool raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* O_NONBLOCK: opening a pipe waits for its other end. */
static ms_status open_to_read(int directory, const char *name, int flags, const char *path, int *out_descriptor) {
    static const char what[] = "cannot read";
    *out_descriptor = -1;
    flags |= O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int file = openat(directory, name, flags);
    if (file < 0 && errno == EMFILE) {
        if (raise_limit())
            file = openat(directory, name, flags);
        else
            errno = EMFILE;
    }
    if (file < 0 && errno == ELOOP && (flags & O_NOFOLLOW))
        return MS_FAIL(MS_IO, "%s %s: it is a symbolic link", what, path);
    if (file < 0 && errno == ENXIO) return MS_FAIL(MS_IO, "%s %s: it is not a regular file", what, path);
    if (file < 0) return ms_status_from_errno(errno, "cannot open", path);
    ms_status status = check_regular(file, what, path);
    if (status != MS_OK) {
        close(file);
        return status;
    }
    *out_descriptor = file;
    return MS_OK;
}

ms_status ms_file_open(const char *path, int *out_descriptor) {
    *out_descriptor = -1;
    MS_TRY(ms_path_check(path));
    return open_to_read(AT_FDCWD, path, 0, path, out_descriptor);
}

ms_status ms_file_open_log(const char *path, bool append, FILE **out) {
    static const char what[] = "cannot write";
    *out = NULL;
    MS_TRY(ms_path_check(path));
    int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int file = open(path, flags | O_APPEND | (append ? 0 : O_TRUNC), 0666);
    if (file < 0 && errno == ELOOP) return MS_FAIL(MS_IO, "%s %s: it is a symbolic link; remove it", what, path);
    if (file < 0 && errno == ENXIO) return MS_FAIL(MS_IO, "%s %s: it is not a regular file", what, path);
    if (file < 0) return ms_status_from_errno(errno, what, path);
    ms_status status = check_regular(file, what, path);
    if (status == MS_OK && !(*out = fdopen(file, "ab"))) status = ms_status_from_errno(errno, what, path);
    if (status != MS_OK) close(file);
    return status;
}

/* Cuts an open file and goes to its end. */
static ms_status keep_first(int file, int64_t keep_bytes, const char *path) {
    struct stat information;
    MS_TRY(check_regular(file, "cannot write", path));
    if (fstat(file, &information) != 0) return ms_status_from_errno(errno, "cannot write", path);
    if (information.st_size < keep_bytes)
        return MS_FAIL(MS_CORRUPT, "%s has %lld bytes, and had %lld", path, (long long)information.st_size,
                       (long long)keep_bytes);
    if (ftruncate(file, keep_bytes) != 0 || lseek(file, 0, SEEK_END) < 0)
        return ms_status_from_errno(errno, "cannot write", path);
    return MS_OK;
}

ms_status ms_file_open_part(const char *path, int64_t keep_bytes, FILE **out) {
    *out = NULL;
    MS_TRY(ms_path_check(path));
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int file = open(path, flags | (keep_bytes > 0 ? 0 : O_CREAT | O_EXCL), 0666);
    if (file < 0) return ms_status_from_errno(errno, "cannot write", path);
    ms_status status = keep_first(file, keep_bytes, path);
    if (status == MS_OK && !(*out = fdopen(file, "r+b"))) status = ms_status_from_errno(errno, "cannot write", path);
    if (status != MS_OK) close(file);
    return status;
}

ms_status ms_file_sync(FILE *stream, const char *path) {
    if (fflush(stream) != 0 || ferror(stream) || fsync(fileno(stream)) != 0)
        return ms_status_from_errno(errno, "cannot write", path);
    return MS_OK;
}

ms_status ms_file_check_log(FILE *log, const char *path) {
    if (ms_entry_is_opened(AT_FDCWD, path, fileno(log))) return MS_OK;
    return MS_FAIL(MS_IO, "%s was removed, renamed or replaced while it was being written", path);
}

/* Closes `file`. */
static ms_status map_file(int file, const char *path, ms_map *out) {
    struct stat information;
    ms_status status = MS_OK;
    void *data = NULL;
    if (fstat(file, &information) != 0) {
        status = ms_status_from_errno(errno, "cannot stat", path);
    } else if (information.st_size > 0) {
        data = mmap(NULL, (size_t)information.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) status = ms_status_from_errno(errno, "cannot map", path);
    }
    close(file);
    if (status == MS_OK) *out = (ms_map){data, (size_t)information.st_size};
    return status;
}

ms_status ms_map_open(const char *path, ms_map *out) {
    int file;
    *out = (ms_map){0};
    MS_TRY(ms_file_open(path, &file));
    return map_file(file, path, out);
}

ms_status ms_map_open_entry(int directory, const char *name, const char *shown, ms_map *out) {
    int file;
    *out = (ms_map){0};
    MS_TRY(open_to_read(directory, name, O_NOFOLLOW, shown, &file));
    return map_file(file, shown, out);
}

void ms_map_close(ms_map *map) {
    if (map->data) munmap((void *)map->data, map->size_bytes);
    *map = (ms_map){0};
}

/* Whole pages alone: what shares a page with other data stays. */
void ms_map_release(const void *data, size_t size_bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t skipped = (page - (uintptr_t)data % page) % page;
    if (size_bytes < skipped + page) return;
    (void)madvise((char *)(uintptr_t)data + skipped, (size_bytes - skipped) / page * page, MADV_DONTNEED);
}

/* Reads up to capacity bytes; fewer at the end of the file. */
static ms_status read_some(int file, const char *path, char *data, size_t capacity, size_t *out_size) {
    for (*out_size = 0; *out_size < capacity;) {
        ssize_t n = read(file, data + *out_size, capacity - *out_size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ms_status_from_errno(errno, "cannot read", path);
        if (n == 0) break;
        *out_size += (size_t)n;
    }
    return MS_OK;
}

ms_status ms_file_read(const char *path, char **out_data, size_t *out_size_bytes) {
    *out_data = NULL;
    *out_size_bytes = 0;
    int file;
    MS_TRY(ms_file_open(path, &file));
    struct stat information;
    ms_status status = MS_OK;
    char *data = NULL;
    if (fstat(file, &information) != 0) {
        status = ms_status_from_errno(errno, "cannot stat", path);
    } else if (!(data = malloc((size_t)information.st_size + 1))) {
        status = MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for %lld bytes", path, (long long)information.st_size);
    } else {
        status = read_some(file, path, data, (size_t)information.st_size, out_size_bytes);
    }
    close(file);
    if (status != MS_OK) {
        free(data);
        *out_size_bytes = 0;
        return status;
    }
    data[*out_size_bytes] = '\0';
    *out_data = data;
    return MS_OK;
}

/* Whether a link, or one that it leads to, lies in /proc: /dev/stdout and /dev/fd/N do, whatever the descriptor is. */
static bool leads_to_descriptor(int directory, const char *name) {
    enum { MOST_LINKS = 40 };
    char at[PATH_MAX], target[PATH_MAX], folder[PATH_MAX];
    if (snprintf(at, sizeof at, "/proc/self/fd/%d/%s", directory, name) >= (int)sizeof at) return false;
    for (int i = 0; i < MOST_LINKS; i++) {
        ssize_t n = readlink(at, target, sizeof target - 1);
        if (n < 0) return false;
        target[n] = '\0';
        char *slash = strrchr(at, '/');
        slash[slash == at] = '\0';
        if (!realpath(at, folder)) return false;
        if (strncmp(folder, "/proc/", 6) == 0) return true;
        int length =
            target[0] == '/' ? snprintf(at, sizeof at, "%s", target) : snprintf(at, sizeof at, "%s/%s", folder, target);
        if (length >= (int)sizeof at) return false;
    }
    return false;
}

/* Renaming would put a file in the place of /dev/null, or of the link /dev/stdout. */
static ms_status check_replaceable(int directory, const char *name, const char *shown) {
    struct stat itself, target;
    if (fstatat(directory, name, &itself, AT_SYMLINK_NOFOLLOW) != 0 || S_ISREG(itself.st_mode)) return MS_OK;
    if (!S_ISLNK(itself.st_mode))
        return MS_FAIL(MS_IO, "cannot write %s: it is %s, not a regular file", shown, kind_of(itself.st_mode));
    if (fstatat(directory, name, &target, 0) == 0 && !S_ISREG(target.st_mode))
        return MS_FAIL(MS_IO, "cannot write %s: it is a link to %s, not to a regular file", shown,
                       kind_of(target.st_mode));
    if (leads_to_descriptor(directory, name))
        return MS_FAIL(MS_IO, "cannot write %s: it is a link to a descriptor of a process, not to a regular file",
                       shown);
    return MS_OK;
}

ms_status ms_writer_open_entry(int directory, const char *name, const char *shown, ms_writer *out) {
    *out = (ms_writer){0};
    MS_TRY(check_replaceable(directory, name, shown));
    ms_writer writer = {.directory = fcntl(directory, F_DUPFD_CLOEXEC, 0)};
    if (writer.directory < 0) return ms_status_from_errno(errno, "cannot write", shown);
    int file = -1;
    writer.path = strdup(shown);
    writer.name = strdup(name);
    ms_status status = MS_OK;
    if (!writer.path || !writer.name) status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", shown);
    if (status == MS_OK) status = ms_temporary_file_entry(directory, name, shown, &file, &writer.temporary);
    if (status == MS_OK && !(writer.stream = fdopen(file, "wb")))
        status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory to write %s", shown);
    if (status == MS_OK) {
        *out = writer;
        return MS_OK;
    }
    if (!writer.path) close(writer.directory); /* what ms_writer_abort takes for a writer that was never opened */
    ms_writer_abort(&writer);
    ms_descriptor_close(file);
    return status;
}

ms_status ms_writer_open(const char *path, ms_writer *out) {
    int parent;
    char *name;
    *out = (ms_writer){0};
    MS_TRY(ms_path_check(path));
    MS_TRY_NOTE(ms_path_open_parent(path, &parent, &name), "cannot write %s", path);
    ms_status status = ms_writer_open_entry(parent, name, path, out);
    close(parent);
    free(name);
    return status;
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

/* The name changes while the temporary file is locked: until the stream is closed. */
ms_status ms_writer_commit(ms_writer *writer) {
    ms_status status = ms_file_sync(writer->stream, writer->path);
    if (status == MS_OK) status = ms_rename_entry(writer->directory, writer->temporary, writer->name, writer->path);
    if (status == MS_OK) {
        free(writer->temporary);
        writer->temporary = NULL;
    }
    ms_writer_abort(writer);
    return status;
}

void ms_writer_abort(ms_writer *writer) {
    if (writer->temporary) unlinkat(writer->directory, writer->temporary, 0);
    if (writer->stream) fclose(writer->stream);
    if (writer->path) close(writer->directory);
    free(writer->temporary);
    free(writer->name);
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
