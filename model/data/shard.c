#include "model/data/shard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token shards are little-endian");

enum { BLOCK_TOKENS = 4096 };

static ms_status read_header(ms_shard *shard) {
    const ms_reader *reader = &shard->reader;
    int32_t header[3];
    if (reader->size_bytes < MS_SHARD_HEADER_BYTES)
        return MS_FAIL(MS_CORRUPT, "%s: %lld bytes are too few for a shard's header of %d", reader->path,
                       (long long)reader->size_bytes, MS_SHARD_HEADER_BYTES);
    MS_TRY(ms_reader_read(reader, 0, sizeof header, header));
    int64_t expected = MS_SHARD_HEADER_BYTES + 2 * (int64_t)header[2];
    if (header[0] != MS_SHARD_MAGIC)
        return MS_FAIL(MS_CORRUPT, "%s: not a token shard: its magic number is %d, not %d", reader->path, header[0],
                       MS_SHARD_MAGIC);
    if (header[1] != MS_SHARD_VERSION)
        return MS_FAIL(MS_UNSUPPORTED, "%s: shard version %d is not supported (%d is)", reader->path, header[1],
                       MS_SHARD_VERSION);
    if (header[2] < 0 || reader->size_bytes != expected)
        return MS_FAIL(MS_CORRUPT, "%s: the header says %d tokens, %lld bytes; the file has %lld bytes", reader->path,
                       header[2], (long long)expected, (long long)reader->size_bytes);
    shard->n_tokens = header[2];
    return MS_OK;
}

ms_status ms_shard_open(const char *path, ms_shard *out) {
    *out = (ms_shard){0};
    MS_TRY_NOTE(ms_reader_open(path, &out->reader), "shard");
    ms_status status = read_header(out);
    if (status != MS_OK) ms_shard_close(out);
    return status;
}

void ms_shard_close(ms_shard *shard) {
    ms_reader_close(&shard->reader);
    *shard = (ms_shard){0};
}

ms_status ms_shard_read(const ms_shard *shard, int64_t begin, int64_t n, int32_t *out) {
    uint16_t block[BLOCK_TOKENS];
    for (int64_t done = 0; done < n; done += BLOCK_TOKENS) {
        int64_t size = n - done < BLOCK_TOKENS ? n - done : BLOCK_TOKENS;
        MS_TRY(ms_reader_read(&shard->reader, MS_SHARD_HEADER_BYTES + 2 * (begin + done), 2 * (size_t)size, block));
        for (int64_t i = 0; i < size; i++) out[done + i] = block[i];
    }
    return MS_OK;
}

static ms_status write_header(ms_shard_writer *shard) {
    int32_t header[MS_SHARD_HEADER_BYTES / 4] = {MS_SHARD_MAGIC, MS_SHARD_VERSION, (int32_t)shard->n_tokens};
    return ms_writer_write(&shard->writer, header, sizeof header);
}

ms_status ms_shard_writer_open(const char *path, ms_shard_writer *out) {
    *out = (ms_shard_writer){0};
    MS_TRY(ms_writer_open(path, &out->writer));
    ms_status status = write_header(out);
    if (status != MS_OK) ms_shard_writer_abort(out);
    return status;
}

ms_status ms_shard_writer_add(ms_shard_writer *shard, const int32_t *ids, int64_t n) {
    if (shard->n_tokens + n > INT32_MAX)
        return MS_FAIL(MS_INVALID, "%s: a shard holds at most 2147483647 tokens", shard->writer.path);
    uint16_t block[BLOCK_TOKENS];
    for (int64_t begin = 0; begin < n; begin += BLOCK_TOKENS) {
        int64_t size = n - begin < BLOCK_TOKENS ? n - begin : BLOCK_TOKENS;
        for (int64_t i = 0; i < size; i++) {
            int32_t id = ids[begin + i];
            if (id < 0 || id >= MS_SHARD_VOCAB_MAX)
                return MS_FAIL(MS_INVALID, "%s: token id %d is not a uint16", shard->writer.path, id);
            block[i] = (uint16_t)id;
        }
        MS_TRY(ms_writer_write(&shard->writer, block, (size_t)size * sizeof *block));
    }
    shard->n_tokens += n;
    return MS_OK;
}

ms_status ms_shard_writer_commit(ms_shard_writer *shard) {
    ms_status status = MS_OK;
    if (fseek(shard->writer.stream, 0, SEEK_SET) != 0)
        status = ms_status_from_errno(errno, "cannot write", shard->writer.path);
    if (status == MS_OK) status = write_header(shard);
    if (status == MS_OK) {
        status = ms_writer_commit(&shard->writer);
    } else {
        ms_writer_abort(&shard->writer);
    }
    *shard = (ms_shard_writer){0};
    return status;
}

void ms_shard_writer_abort(ms_shard_writer *shard) {
    ms_writer_abort(&shard->writer);
    *shard = (ms_shard_writer){0};
}
