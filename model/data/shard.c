#include "model/data/shard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token shards are little-endian");

enum { SPAN_TOKENS = 4096 };

static int32_t token_bytes_for(int vocab_size) { return vocab_size > MS_SHARD_VOCAB_16 ? 4 : 2; }

static ms_status read_header(ms_shard *shard) {
    const ms_reader *reader = &shard->reader;
    int32_t header[3];
    if (reader->size_bytes < MS_SHARD_HEADER_BYTES)
        return MS_FAIL(MS_CORRUPT, "%s: %lld bytes are too few for a shard's header of %d", reader->path,
                       (long long)reader->size_bytes, MS_SHARD_HEADER_BYTES);
    MS_TRY(ms_reader_read(reader, 0, sizeof header, header));
    bool is_32 = header[0] == MS_SHARD_MAGIC_32;
    if (header[0] != MS_SHARD_MAGIC && !is_32)
        return MS_FAIL(MS_CORRUPT, "%s: not a token shard: its magic number is %d, not %d or %d", reader->path,
                       header[0], MS_SHARD_MAGIC, MS_SHARD_MAGIC_32);
    int32_t version = is_32 ? MS_SHARD_VERSION_32 : MS_SHARD_VERSION;
    if (header[1] != version)
        return MS_FAIL(MS_UNSUPPORTED, "%s: shard version %d is not supported (%d is)", reader->path, header[1],
                       version);
    shard->token_bytes = is_32 ? 4 : 2;
    int64_t expected = MS_SHARD_HEADER_BYTES + shard->token_bytes * (int64_t)header[2];
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
    int64_t at = MS_SHARD_HEADER_BYTES + shard->token_bytes * begin;
    if (shard->token_bytes == 4) {
        MS_TRY(ms_reader_read(&shard->reader, at, 4 * (size_t)n, out));
        for (int64_t i = 0; i < n; i++)
            if (out[i] < 0)
                return MS_FAIL(MS_CORRUPT, "%s: token %lld has the id %u, outside every vocabulary", shard->reader.path,
                               (long long)(begin + i), (unsigned)out[i]);
        return MS_OK;
    }
    uint16_t span[SPAN_TOKENS];
    for (int64_t done = 0; done < n; done += SPAN_TOKENS) {
        int64_t size = n - done < SPAN_TOKENS ? n - done : SPAN_TOKENS;
        MS_TRY(ms_reader_read(&shard->reader, at + 2 * done, 2 * (size_t)size, span));
        for (int64_t i = 0; i < size; i++) out[done + i] = span[i];
    }
    return MS_OK;
}

static ms_status write_bytes(ms_shard_writer *shard, const void *data, size_t size_bytes) {
    if (size_bytes > 0 && fwrite(data, 1, size_bytes, shard->stream) != size_bytes)
        return ms_status_from_errno(errno, "cannot write", shard->path);
    return MS_OK;
}

static ms_status write_header(ms_shard_writer *shard) {
    bool is_32 = shard->token_bytes == 4;
    int32_t header[MS_SHARD_HEADER_BYTES / 4] = {is_32 ? MS_SHARD_MAGIC_32 : MS_SHARD_MAGIC,
                                                 is_32 ? MS_SHARD_VERSION_32 : MS_SHARD_VERSION,
                                                 (int32_t)shard->n_tokens};
    return write_bytes(shard, header, sizeof header);
}

static ms_status begin(const char *path, int vocab_size, int64_t keep_bytes, ms_shard_writer *out) {
    *out = (ms_shard_writer){.token_bytes = token_bytes_for(vocab_size)};
    MS_TRY(ms_file_open_part(path, keep_bytes, &out->stream));
    out->path = strdup(path);
    if (out->path) return MS_OK;
    fclose(out->stream);
    *out = (ms_shard_writer){0};
    return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
}

ms_status ms_shard_writer_open(const char *path, int vocab_size, ms_shard_writer *out) {
    MS_TRY(begin(path, vocab_size, 0, out));
    ms_status status = write_header(out);
    if (status != MS_OK) ms_shard_writer_abort(out);
    return status;
}

ms_status ms_shard_writer_reopen(const char *path, int vocab_size, int64_t n_tokens, ms_shard_writer *out) {
    MS_TRY(begin(path, vocab_size, MS_SHARD_HEADER_BYTES + token_bytes_for(vocab_size) * n_tokens, out));
    out->n_tokens = n_tokens;
    return MS_OK;
}

ms_status ms_shard_writer_add(ms_shard_writer *shard, const int32_t *ids, int64_t n) {
    if (shard->n_tokens + n > INT32_MAX)
        return MS_FAIL(MS_INVALID, "%s: a shard holds at most 2147483647 tokens", shard->path);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || (shard->token_bytes == 2 && ids[i] >= MS_SHARD_VOCAB_16))
            return MS_FAIL(MS_INVALID, "%s: token id %d is not a uint%d", shard->path, ids[i], 8 * shard->token_bytes);
    if (shard->token_bytes == 4) MS_TRY(write_bytes(shard, ids, 4 * (size_t)n));
    uint16_t span[SPAN_TOKENS];
    for (int64_t begin = 0; shard->token_bytes == 2 && begin < n; begin += SPAN_TOKENS) {
        int64_t size = n - begin < SPAN_TOKENS ? n - begin : SPAN_TOKENS;
        for (int64_t i = 0; i < size; i++) span[i] = (uint16_t)ids[begin + i];
        MS_TRY(write_bytes(shard, span, 2 * (size_t)size));
    }
    shard->n_tokens += n;
    return MS_OK;
}

ms_status ms_shard_writer_sync(ms_shard_writer *shard) { return ms_file_sync(shard->stream, shard->path); }

ms_status ms_shard_writer_commit(ms_shard_writer *shard) {
    ms_status status = MS_OK;
    if (fseek(shard->stream, 0, SEEK_SET) != 0) status = ms_status_from_errno(errno, "cannot write", shard->path);
    if (status == MS_OK) status = write_header(shard);
    if (status == MS_OK) status = ms_shard_writer_sync(shard);
    ms_shard_writer_abort(shard);
    return status;
}

void ms_shard_writer_abort(ms_shard_writer *shard) {
    if (shard->stream) fclose(shard->stream);
    free(shard->path);
    *shard = (ms_shard_writer){0};
}
