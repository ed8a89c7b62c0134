/* Directories.  Those that are made, emptied or locked are opened by descriptor, and no symbolic link below them is
   followed.  A path that is NULL is MS_INVALID.  Every function is thread-safe. */
#ifndef MS_PLATFORM_DIRECTORY_H
#define MS_PLATFORM_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names in a directory without "." and "..", sorted by byte. */
typedef struct ms_listing {
    char **names; /* owned, [n] */
    size_t n;     /* how many names */
} ms_listing;

/* Lists a directory.  The caller finishes `out`.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_listing_read(const char *path, ms_listing *out);
/* The same for an open directory, which stays open; `shown` is its path, for messages. */
ms_status ms_listing_read_opened(int directory, const char *shown, ms_listing *out);
void ms_listing_finish(ms_listing *listing); /* a zeroed one is fine */

/* Opens a directory, to work on its entries whatever takes its name meanwhile.  The caller closes the descriptor.
   MS_NOT_FOUND.  MS_IO: also when it is a link, which is not followed, or no directory. */
ms_status ms_directory_open(const char *path, int *out_descriptor);
/* The same for an entry of an open directory; `shown` is its path, for messages. */
ms_status ms_directory_open_entry(int parent, const char *name, const char *shown, int *out_descriptor);

bool ms_is_directory(const char *path); /* follows links */

/* Creates a directory and its parents; an existing one, or a link to one, is fine.  MS_IO with the path that was
   refused. */
ms_status ms_directory_create(const char *path);

/* Creates one directory where it is missing; its parent is there.  MS_IO: also when a link or a file is in its place,
   which the message names. */
ms_status ms_directory_require(const char *path);

/* Removes a directory with all it holds; a missing one is fine.  Never leaves the directory: a link in it, or in its
   place, is removed itself, and what it leads to is not touched.  MS_IO names what could not be removed: also a file in
   place of the directory, and a directory that another file system is mounted on. */
ms_status ms_directory_remove(const char *path);
/* The same for an entry of an open directory, or for a file; `shown` is its path, for messages. */
ms_status ms_directory_remove_entry(int parent, const char *name, const char *shown);

/* Removes a file, a link, or a directory that holds nothing.  False: it was not removed, or is none. */
bool ms_remove_one(const char *path);

/* A directory that this process has locked. */
typedef struct ms_directory_locked {
    int directory; /* descriptor; -1: not locked */
    int file;      /* descriptor of the file "lock" in it; -1: there is none */
} ms_directory_locked;

#define MS_DIRECTORY_UNLOCKED ((ms_directory_locked){-1, -1})

/* Removes a directory that is no longer wanted after `status`, and returns that status with its message, or the failure
   to remove it where `status` is MS_OK.  What stays behind is named. */
ms_status ms_directory_clear_away(ms_status status, const char *path);
/* The same for an entry of an open directory; `shown` is its path, for messages. */
ms_status ms_directory_clear_away_entry(ms_status status, int parent, const char *name, const char *shown);

/* Opens an existing directory and locks it (flock(2) on the directory;
   on the file "lock" in it where the file system cannot lock directories, as NFS).  The caller unlocks.  MS_NOT_FOUND.
   MS_IO: also when another process holds it. */
ms_status ms_directory_lock(const char *path, ms_directory_locked *out);
void ms_directory_unlock(ms_directory_locked *locked); /* an unlocked one is fine */

/* Whether a process, this one too, holds the lock of a directory.  False also for what is no directory, or cannot be
   looked at.  Changes nothing. */
bool ms_directory_is_locked(const char *path);

/* Whether `path` still names the directory that is locked: it was neither removed nor replaced. */
bool ms_directory_is_there(const ms_directory_locked *locked, const char *path);

#ifdef __cplusplus
}
#endif

#endif
