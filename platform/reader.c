#include "platform/reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/sha256.h"
#include "platform/signals.h"

enum { BLOCK_BYTES = 1 << 20 };

ms_status ms_reader_open(const char *path, ms_reader *out) {
    int file;
    struct stat information;
    *out = (ms_reader){0};
    MS_TRY(ms_file_open(path, &file));
    ms_status status = MS_OK;
    if (fstat(file, &information) != 0) status = ms_status_from_errno(errno, "cannot stat", path);
    char *copy = status == MS_OK ? strdup(path) : NULL;
    if (status == MS_OK && !copy) status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    if (status != MS_OK) {
        close(file);
        return status;
    }
    *out = (ms_reader){copy, file, (int64_t)information.st_size};
    return MS_OK;
}

void ms_reader_close(ms_reader *reader) {
    if (reader->path) close(reader->file);
    free(reader->path);
    *reader = (ms_reader){0};
}

static ms_status fail_short(const ms_reader *reader, int64_t wanted) {
    struct stat information;
    long long found = fstat(reader->file, &information) == 0 ? (long long)information.st_size : -1;
    return MS_FAIL(MS_CORRUPT, "%s: %lld bytes are wanted, the file has %lld (it had %lld when it was opened)",
                   reader->path, (long long)wanted, found, (long long)reader->size_bytes);
}

ms_status ms_reader_read(const ms_reader *reader, int64_t offset, size_t size_bytes, void *out) {
    char *to = out;
    for (size_t done = 0; done < size_bytes;) {
        ssize_t n = pread(reader->file, to + done, size_bytes - done, (off_t)(offset + (int64_t)done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ms_status_from_errno(errno, "cannot read", reader->path);
        if (n == 0) return fail_short(reader, offset + (int64_t)size_bytes);
        done += (size_t)n;
    }
    return MS_OK;
}

static ms_status hash_blocks(const ms_reader *reader, ms_sha256 *hash, void *block) {
    for (int64_t at = 0; at < reader->size_bytes; at += BLOCK_BYTES) {
        size_t size = reader->size_bytes - at < BLOCK_BYTES ? (size_t)(reader->size_bytes - at) : BLOCK_BYTES;
        MS_TRY(ms_signals_check("the check of the data"));
        MS_TRY(ms_reader_read(reader, at, size, block));
        MS_TRY(ms_sha256_update(hash, block, size));
    }
    return MS_OK;
}

ms_status ms_reader_sha256(const ms_reader *reader, char out_hexadecimal[65]) {
    ms_sha256 *hash;
    void *block = malloc(BLOCK_BYTES);
    out_hexadecimal[0] = '\0';
    if (!block) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to read %s", reader->path);
    ms_status status = ms_sha256_create(&hash);
    if (status == MS_OK) {
        status = hash_blocks(reader, hash, block);
        if (status == MS_OK)
            status = ms_sha256_finish(hash, out_hexadecimal);
        else
            ms_sha256_destroy(hash);
    }
    free(block);
    return status;
}
