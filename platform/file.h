/* Files: whole reads, read-only maps, and writes that are complete or absent.  Every function is thread-safe on
   distinct objects. */
#ifndef MS_PLATFORM_FILE_H
#define MS_PLATFORM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A read-only memory map of a whole file. */
typedef struct ms_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t size_bytes;
} ms_map;

/* Maps `path` read-only.  The caller closes it.  MS_NOT_FOUND, MS_IO. */
ms_status ms_map_open(const char *path, ms_map *out);
void ms_map_close(ms_map *map);

/* Reads a whole file into malloc'ed memory with a NUL after the last byte; the caller frees it.
   MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_file_read(const char *path, char **out_data, size_t *out_size_bytes);

bool ms_file_exists(const char *path);
bool ms_is_directory(const char *path);

/* Creates a directory and its parents; an existing one is fine.  MS_IO with the path that was refused. */
ms_status ms_directory_create(const char *path);

/* Removes a directory with all it holds; a missing one is fine.  Does not follow links.  MS_IO. */
ms_status ms_directory_remove(const char *path);

/* A file being written under the name "<path>.tmp", which is locked (flock) meanwhile; `path` appears only at commit. A
   "<path>.tmp" that a killed process left is taken over. */
typedef struct ms_writer {
    FILE *stream;    /* write here with ms_writer_write, or with stdio */
    char *path;      /* final name, owned */
    char *temporary; /* name until commit, owned */
} ms_writer;

/* Opens a writer.  MS_IO names path and reason: also when another writer, of any process, has this path open. */
ms_status ms_writer_open(const char *path, ms_writer *out);
/* MS_NO_SPACE when the disk is full, else MS_IO. */
ms_status ms_writer_write(ms_writer *writer, const void *data, size_t size_bytes);
ms_status ms_writer_printf(ms_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes, syncs to disk, renames over `path` and syncs the directory.  On failure the old file stays and the temporary
   is removed.  Frees the writer either way. */
ms_status ms_writer_commit(ms_writer *writer);
/* Drops the temporary file.  A zeroed writer is fine. */
void ms_writer_abort(ms_writer *writer);

/* ms_writer_open, write, commit in one call. */
ms_status ms_file_write(const char *path, const void *data, size_t size_bytes);

/* Renames a file or directory and syncs the parent directory.  MS_IO. */
ms_status ms_rename(const char *from, const char *to);

/* Syncs the directory that holds `path`: a new name is durable only after that.  MS_IO. */
ms_status ms_sync_parent(const char *path);

/* Joins with '/', into malloc'ed memory that the caller frees; NULL when out of memory. */
char *ms_path_join(const char *directory, const char *name);

/* A status from errno: ENOSPC and EDQUOT give MS_NO_SPACE, ENOENT MS_NOT_FOUND, the rest MS_IO; message
   "<what> <path>: <strerror>". */
ms_status ms_status_from_errno(int error, const char *what, const char *path);

#ifdef __cplusplus
}
#endif

#endif
