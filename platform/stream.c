#include "platform/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/signals.h"

ms_status ms_stream_open(const char *path, ms_stream *out) {
    *out = (ms_stream){NULL, -1};
    bool is_standard = strcmp(path, "-") == 0;
    /* O_NONBLOCK: who writes to a named pipe is waited for where it is read. */
    int file = is_standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return ms_status_from_errno(errno, "cannot open", path);
    *out = (ms_stream){strdup(is_standard ? "standard input" : path), file};
    if (out->name) return MS_OK;
    if (!is_standard) close(file);
    return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to read %s", path);
}

void ms_stream_close(ms_stream *stream) {
    if (stream->name && stream->file != STDIN_FILENO) close(stream->file);
    free(stream->name);
    *stream = (ms_stream){NULL, -1};
}

/* poll(2), unlike read(2), is not taken up again after a signal; and its time limit finds one that came just before. */
static ms_status await(const ms_stream *stream) {
    enum { MILLISECONDS = 100 };
    struct pollfd file = {stream->file, POLLIN, 0};
    for (;;) {
        int number = ms_signals_received();
        if (number) return MS_FAIL(MS_INTERRUPTED, "%s: reading %s was stopped", ms_signal_name(number), stream->name);
        int n = poll(&file, 1, MILLISECONDS);
        if (n > 0) return MS_OK;
        if (n < 0 && errno != EINTR) return ms_status_from_errno(errno, "cannot read", stream->name);
    }
}

ms_status ms_stream_read(ms_stream *stream, void *out, size_t capacity, size_t *out_n) {
    ssize_t n;
    *out_n = 0;
    do {
        MS_TRY(await(stream));
        n = read(stream->file, out, capacity);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0) return ms_status_from_errno(errno, "cannot read", stream->name);
    *out_n = (size_t)n;
    return MS_OK;
}
