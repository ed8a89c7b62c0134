#include "platform/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/hash.h"

ms_status ms_status_from_errno(int error, const char *what, const char *path) {
    ms_status status = MS_IO;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) status = MS_NO_SPACE;
    if (error == ENOENT) status = MS_NOT_FOUND;
    struct rlimit limit;
    if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0)
        return MS_FAIL(status, "%s %s: %s: this process may have %llu; raise the limit (ulimit -n)", what, path,
                       strerror(error), (unsigned long long)limit.rlim_cur);
    return MS_FAIL(status, "%s %s: %s", what, path, strerror(error));
}

ms_status ms_path_check(const char *path) {
    return path ? MS_OK : MS_FAIL(MS_INVALID, "the path is NULL, must name a file or a folder");
}

char *ms_path_join(const char *directory, const char *name) {
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", directory, name);
    return path;
}

bool ms_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool ms_folder_has(const char *folder, const char *name) {
    char *path = ms_path_join(folder, name);
    bool has = path && ms_file_exists(path);
    free(path);
    return has;
}

bool ms_is_link(const char *path) {
    struct stat information;
    return lstat(path, &information) == 0 && S_ISLNK(information.st_mode);
}

uint64_t ms_file_stamp(const char *path) {
    struct stat found;
    if (!path || stat(path, &found) != 0) return 0;
    int64_t parts[] = {(int64_t)found.st_dev, (int64_t)found.st_ino, (int64_t)found.st_size,
                       (int64_t)found.st_mtim.tv_sec, (int64_t)found.st_mtim.tv_nsec};
    uint64_t stamp = ms_hash_append(MS_HASH_EMPTY, parts, sizeof parts);
    return stamp ? stamp : 1;
}

bool ms_file_version_of(const char *path, ms_file_version *out) {
    struct stat found;
    *out = (ms_file_version){0};
    if (stat(path, &found) != 0 || !S_ISREG(found.st_mode)) return false;
    *out = (ms_file_version){(int64_t)found.st_size,
                             (int64_t)found.st_mtim.tv_sec * 1000000000 + (int64_t)found.st_mtim.tv_nsec};
    return true;
}

bool ms_is_plain_name(const char *name) {
    return *name != '\0' && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool ms_name_ends_with(const char *name, const char *ending) {
    size_t n = strlen(name), n_ending = strlen(ending);
    return n > n_ending && strcmp(name + n - n_ending, ending) == 0;
}

ms_status ms_path_open_parent(const char *path, int *out_descriptor, char **out_name) {
    *out_descriptor = -1;
    *out_name = NULL;
    MS_TRY(ms_path_check(path));
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    if (begin == end) return MS_FAIL(MS_INVALID, "\"%s\" names no file", path);
    char *parent = begin > 0 ? strndup(path, begin) : strdup("."), *name = strndup(path + begin, end - begin);
    ms_status status = MS_OK;
    if (!parent || !name)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    else if ((*out_descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        status = ms_status_from_errno(errno, "cannot open directory", parent);
    free(parent);
    if (status == MS_OK)
        *out_name = name;
    else
        free(name);
    return status;
}

/* Some file systems do not sync directories: EINVAL there is not a loss. */
ms_status ms_sync_directory(int directory, const char *shown) {
    if (fsync(directory) == 0 || errno == EINVAL) return MS_OK;
    return ms_status_from_errno(errno, "cannot sync the directory of", shown);
}

ms_status ms_sync_parent(const char *path) {
    int parent;
    char *name;
    MS_TRY(ms_path_open_parent(path, &parent, &name));
    ms_status status = ms_sync_directory(parent, path);
    close(parent);
    free(name);
    return status;
}

ms_status ms_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) return ms_status_from_errno(errno, "cannot rename to", to);
    return ms_sync_parent(to);
}

ms_status ms_rename_entry(int directory, const char *from, const char *to, const char *shown) {
    if (renameat(directory, from, directory, to) != 0) return ms_status_from_errno(errno, "cannot rename to", shown);
    return ms_sync_directory(directory, shown);
}

ms_entry_kind ms_entry_kind_of(int directory, const char *name) {
    struct stat information;
    if (fstatat(directory, name, &information, AT_SYMLINK_NOFOLLOW) != 0) return MS_ENTRY_NONE;
    if (S_ISDIR(information.st_mode)) return MS_ENTRY_DIRECTORY;
    return S_ISLNK(information.st_mode) ? MS_ENTRY_LINK : MS_ENTRY_OTHER;
}

bool ms_entry_is_opened(int directory, const char *name, int opened) {
    struct stat now, named;
    return fstat(opened, &now) == 0 && fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == named.st_dev && now.st_ino == named.st_ino;
}

void ms_descriptor_close(int descriptor) {
    if (descriptor >= 0) close(descriptor);
}
