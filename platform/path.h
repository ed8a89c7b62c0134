/* Paths: what they name, their parts, renaming, and errors that name one.  Thread-safe. */
#ifndef MS_PLATFORM_PATH_H
#define MS_PLATFORM_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MS_INVALID where the path is NULL: what all that opens, makes or removes files and folders begins with. */
ms_status ms_path_check(const char *path);

bool ms_file_exists(const char *path); /* follows links */
/* Whether a folder has an entry of that name; follows links.  False also where there is no memory for its path. */
bool ms_folder_has(const char *folder, const char *name);
bool ms_is_link(const char *path); /* a symbolic link, whether it leads anywhere or not */

/* A number that changes when a file, links followed, is written to or replaced: of its size, its identity and the time
   of its last change.  0: there is none, or it cannot be looked at. */
uint64_t ms_file_stamp(const char *path);

/* What tells one version of a file from the next. */
typedef struct ms_file_version {
    int64_t size_bytes;
    int64_t changed_ns; /* when it was last written to, in nanoseconds since 1970 */
} ms_file_version;

/* The version of a regular file, links followed.  False: there is none; a pipe or a device is none. */
bool ms_file_version_of(const char *path, ms_file_version *out);

/* Whether `name` can only name an entry of the folder it is looked for in: not empty, no '/', neither "." nor "..". */
bool ms_is_plain_name(const char *name);

/* Whether a name ends in `ending` and has something before it: "a.json" in ".json", ".json" not. */
bool ms_name_ends_with(const char *name, const char *ending);

/* Renames a file or directory and syncs the parent directory.  MS_IO. */
ms_status ms_rename(const char *from, const char *to);
/* The same for an entry of an open directory, which keeps its place there; `shown` is the path of `to`, for
   messages. */
ms_status ms_rename_entry(int directory, const char *from, const char *to, const char *shown);

/* What an entry of a directory is; no link is followed. */
typedef enum ms_entry_kind { MS_ENTRY_NONE, MS_ENTRY_DIRECTORY, MS_ENTRY_LINK, MS_ENTRY_OTHER } ms_entry_kind;

/* MS_ENTRY_NONE also for what cannot be looked at. */
ms_entry_kind ms_entry_kind_of(int directory, const char *name);

/* Whether the entry is what `opened` has open: it was neither removed nor renamed nor replaced, by a link neither. */
bool ms_entry_is_opened(int directory, const char *name, int opened);

/* Syncs the directory that holds `path`: a new name is durable only after that.  MS_IO. */
ms_status ms_sync_parent(const char *path);
/* Syncs an open directory; `shown` is the path of an entry of it, for messages.  MS_IO. */
ms_status ms_sync_directory(int directory, const char *shown);

/* Opens the directory that holds the last part of `path`, and copies that part without the slashes at its end.  The
   caller closes the descriptor and frees the name.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY; MS_INVALID: no such part. */
ms_status ms_path_open_parent(const char *path, int *out_descriptor, char **out_name);

/* Joins with '/', into malloc'ed memory that the caller frees; NULL when out of memory. */
char *ms_path_join(const char *directory, const char *name);

/* A status from errno: ENOSPC, EDQUOT and EFBIG give MS_NO_SPACE, ENOENT MS_NOT_FOUND, the rest MS_IO; message
   "<what> <path>: <strerror>". */
ms_status ms_status_from_errno(int error, const char *what, const char *path);

void ms_descriptor_close(int descriptor); /* a negative one is fine */

#ifdef __cplusplus
}
#endif

#endif
