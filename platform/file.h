/* Files: whole reads, read-only maps, logs, and writes that are complete or absent.  What is read is a regular file: a
   pipe, a socket or a device in its place is an error, without waiting for anybody.  What is written never goes through
   a symbolic link in the place of the file.  A path that is NULL is MS_INVALID.  Every function is thread-safe on
   distinct objects. */
#ifndef MS_PLATFORM_FILE_H
#define MS_PLATFORM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/path.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A read-only memory map of a whole file. */
typedef struct ms_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t size_bytes;
} ms_map;

/* Opens a regular file for reading; links are followed.  The caller closes the descriptor.  MS_NOT_FOUND.  MS_IO: also
   when it is no regular file. */
ms_status ms_file_open(const char *path, int *out_descriptor);

/* Maps `path` read-only.  The caller closes it.  Errors of ms_file_open. */
ms_status ms_map_open(const char *path, ms_map *out);
/* The same for an entry of an open directory, which must be no link; `shown` is its path, for messages. */
ms_status ms_map_open_entry(int directory, const char *name, const char *shown, ms_map *out);
void ms_map_close(ms_map *map);
/* Tells the system that these bytes of a map are not needed for now, so that they take no memory; they can still be
   read, from the file. */
void ms_map_release(const void *data, size_t size_bytes);

/* Reads a whole file into malloc'ed memory with a NUL after the last byte; the caller frees it.
   Errors of ms_file_open; MS_OUT_OF_MEMORY. */
ms_status ms_file_read(const char *path, char **out_data, size_t *out_size_bytes);

/* Opens a log for writing: created where missing, else emptied unless `append`.  The caller closes the stream.  MS_IO:
   also when a link, or anything but a regular file, is in its place. */
ms_status ms_file_open_log(const char *path, bool append, FILE **out);

/* Opens a file of a folder that is itself unfinished, at its end, to be written and closed by the caller: a new one, or
   with keep_bytes > 0 one that is there, cut to these first bytes.  MS_IO: also when a link, or anything but a regular
   file, is in its place, or a file where a new one is wanted.  MS_CORRUPT: it has fewer bytes. */
ms_status ms_file_open_part(const char *path, int64_t keep_bytes, FILE **out);

/* Writes what a stream holds back, and waits until the disk has the file.  MS_NO_SPACE, MS_IO. */
ms_status ms_file_sync(FILE *stream, const char *path);

/* MS_IO: the file that `log` writes to is no longer at `path`: it was removed, renamed or replaced. */
ms_status ms_file_check_log(FILE *log, const char *path);

/* A file being written under a temporary name (platform/temporary.h); `path` appears only at commit. */
typedef struct ms_writer {
    FILE *stream;    /* write here with ms_writer_write, or with stdio */
    char *path;      /* for messages, owned; NULL: not open */
    int directory;   /* descriptor of the folder that it stays in, whatever takes that folder's name; owned */
    char *name;      /* final name there, owned */
    char *temporary; /* name there until commit, owned */
} ms_writer;

/* Opens a writer.  MS_NOT_FOUND: no such folder.  MS_IO names path and reason: also when another writer, of any
   process, has this path open, or when the path is a device, a pipe, a directory or a link to one or to a descriptor
   (/dev/stdout): nothing is written then. */
ms_status ms_writer_open(const char *path, ms_writer *out);
/* The same for an entry of an open directory; `shown` is its path, for messages. */
ms_status ms_writer_open_entry(int directory, const char *name, const char *shown, ms_writer *out);
/* MS_NO_SPACE when the disk is full, else MS_IO. */
ms_status ms_writer_write(ms_writer *writer, const void *data, size_t size_bytes);
ms_status ms_writer_printf(ms_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes, syncs to disk, renames over `path` (a link there is replaced, not followed) and syncs the directory.  On
   failure the old file stays and the temporary is removed.  Frees the writer either way. */
ms_status ms_writer_commit(ms_writer *writer);
/* Drops the temporary file.  A zeroed writer is fine. */
void ms_writer_abort(ms_writer *writer);

/* ms_writer_open, write, commit in one call. */
ms_status ms_file_write(const char *path, const void *data, size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
