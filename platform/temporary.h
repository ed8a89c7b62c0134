/* Files and folders that have a temporary name until they are complete: "<name>.<16 random digits>.tmp" beside their
   final name.  They are new (O_EXCL, O_NOFOLLOW), nobody can foresee the name, and they are locked (flock(2)) as long
   as their descriptor is open.  So one writer at a time has one final name, and what a killed process left is known by
   its lock being free: the next one with the same final name removes it, or goes on
   with it.  Where a file system has no locks, two writers do not see each other, and the last one's file is what stays.
   Thread-safe. */
#ifndef MS_PLATFORM_TEMPORARY_H
#define MS_PLATFORM_TEMPORARY_H

#include <stdbool.h>

#include "platform/status.h"

/* Creates the file or folder that will become the entry `name` of an open folder; `shown` is its path, for messages.
   The caller closes the descriptor (which ends the lock), frees the temporary name, and renames or removes what it
   made.  MS_IO: also when another writer, of any process, is at work on it.  MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_temporary_file_entry(int parent, const char *name, const char *shown, int *out_descriptor,
                                  char **out_name);
ms_status ms_temporary_directory_entry(int parent, const char *name, const char *shown, int *out_descriptor,
                                       char **out_name);

/* The same for a folder that will become `path`, with the missing folders above it; the caller frees *out_path. */
ms_status ms_temporary_directory(const char *path, int *out_descriptor, char **out_path);

/* Goes on with a folder that a killed process left of `path`: one that is unlocked and holds the file `mark`.  Locks
   it, and removes what else was left.  *out_path == NULL: there is none.  The caller closes the descriptor and frees
   *out_path. MS_IO: also when another writer is at work on it.  MS_OUT_OF_MEMORY. */
ms_status ms_temporary_directory_adopt(const char *path, const char *mark, int *out_descriptor, char **out_path);

enum { MS_TEMPORARY_NAME_SIZE = 256 }; /* with the NUL */

/* A new temporary name of `final`, for what gets it by renaming: it is not locked.  MS_IO: no random numbers. */
ms_status ms_temporary_name(const char *final, char out[MS_TEMPORARY_NAME_SIZE]);

/* Whether `name` is a temporary name of the file or folder that will be called `final`; both without a folder. */
bool ms_temporary_is_of(const char *name, const char *final);

#endif
