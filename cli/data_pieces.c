#include "cli/data_pieces.h"

#include <string.h>

enum { REASON_MOST = 1000 };
#define GIVES_UP UINT32_MAX

ms_status ms_pieces_open(ms_pieces *out) {
    *out = (ms_pieces){0};
    return ms_stream_open("-", &out->stream);
}

void ms_pieces_close(ms_pieces *pieces) { ms_stream_close(&pieces->stream); }

static ms_status read_whole(ms_pieces *pieces, const char *path, void *out, size_t size_bytes) {
    for (size_t at = 0, n; at < size_bytes; at += n) {
        MS_TRY_NOTE(ms_stream_read(&pieces->stream, (char *)out + at, size_bytes - at, &n), "%s", path);
        if (n == 0)
            return MS_FAIL(MS_CORRUPT, "%s: standard input ends before its end: the program that writes it has stopped",
                           path);
    }
    return MS_OK;
}

static ms_status read_length(ms_pieces *pieces, const char *path, uint32_t *out) {
    unsigned char bytes[4];
    MS_TRY(read_whole(pieces, path, bytes, sizeof bytes));
    *out = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    return MS_OK;
}

static ms_status fail_with_reason(ms_pieces *pieces, const char *path) {
    char reason[REASON_MOST + 1];
    uint32_t n;
    MS_TRY(read_length(pieces, path, &n));
    if (n > REASON_MOST) n = REASON_MOST;
    MS_TRY(read_whole(pieces, path, reason, n));
    reason[n] = '\0';
    return MS_FAIL(MS_INVALID, "%s", reason);
}

ms_status ms_pieces_read(void *context, const char *path, void *out, size_t capacity, size_t *out_n) {
    ms_pieces *pieces = context;
    *out_n = 0;
    if (pieces->n_left == 0) MS_TRY(read_length(pieces, path, &pieces->n_left));
    if (pieces->n_left == GIVES_UP) return fail_with_reason(pieces, path);
    size_t n = pieces->n_left < capacity ? pieces->n_left : capacity;
    MS_TRY(read_whole(pieces, path, out, n));
    pieces->n_left -= (uint32_t)n;
    *out_n = n;
    return MS_OK;
}
