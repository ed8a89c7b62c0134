#include "model/data/shard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Shards are mapped, not converted. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token shards are little-endian");

ms_status ms_shard_open(const char *path, ms_shard *out) {
    *out = (ms_shard){0};
    ms_map map;
    MS_TRY_NOTE(ms_map_open(path, &map), "shard");
    ms_status status = MS_OK;
    int32_t header[3] = {0};
    if (map.size_bytes < MS_SHARD_HEADER_BYTES) {
        status = MS_FAIL(MS_CORRUPT, "%s: %zu bytes are too few for a shard's header of %d", path, map.size_bytes,
                         MS_SHARD_HEADER_BYTES);
    } else {
        memcpy(header, map.data, sizeof header);
        uint64_t expected = MS_SHARD_HEADER_BYTES + 2 * (uint64_t)(uint32_t)header[2];
        if (header[0] != MS_SHARD_MAGIC) {
            status = MS_FAIL(MS_CORRUPT, "%s: not a token shard: its magic number is %d, not %d", path, header[0],
                             MS_SHARD_MAGIC);
        } else if (header[1] != MS_SHARD_VERSION) {
            status = MS_FAIL(MS_UNSUPPORTED, "%s: shard version %d is not supported (%d is)", path, header[1],
                             MS_SHARD_VERSION);
        } else if (header[2] < 0 || map.size_bytes != expected) {
            status = MS_FAIL(MS_CORRUPT, "%s: the header says %d tokens, %llu bytes; the file has %zu bytes", path,
                             header[2], (unsigned long long)expected, map.size_bytes);
        }
    }
    if (status != MS_OK) {
        ms_map_close(&map);
        return status;
    }
    out->map = map;
    out->tokens = (const uint16_t *)(const void *)(map.data + MS_SHARD_HEADER_BYTES);
    out->n_tokens = header[2];
    return MS_OK;
}

void ms_shard_close(ms_shard *shard) {
    ms_map_close(&shard->map);
    *shard = (ms_shard){0};
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
    uint16_t block[4096];
    for (int64_t begin = 0; begin < n; begin += 4096) {
        int64_t size = n - begin < 4096 ? n - begin : 4096;
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
