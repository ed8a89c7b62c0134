#include "platform/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "platform/escape.h"
#include "platform/path.h"

static atomic_int first_error; /* errno of the first write to standard output that failed; 0: none is known */

static void note_failure(int error) {
    int none = 0;
    if (error != 0) atomic_compare_exchange_strong(&first_error, &none, error);
}

ms_status ms_output_begin(void) {
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        /* The lowest free descriptor is this one. */
        if (open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0)
            return ms_status_from_errno(errno, "cannot open", "/dev/null");
    }
    return MS_OK;
}

static ms_status output_status(bool failed) {
    int error = atomic_load(&first_error);
    if (error != 0) return ms_status_from_errno(error, "cannot write", "standard output");
    return failed ? MS_FAIL(MS_IO, "cannot write standard output") : MS_OK;
}

void ms_print_flush(FILE *stream) {
    errno = 0;
    if (fflush(stream) != 0 && stream == stdout) note_failure(errno);
}

ms_status ms_output_flush(void) {
    ms_print_flush(stdout);
    bool failed = ferror(stdout) != 0;
    /* stdio's own writes do not tell why they failed; one more byte asks again, after text that is not whole anyway. */
    if (failed && atomic_load(&first_error) == 0 && write(STDOUT_FILENO, "\n", 1) < 0) note_failure(errno);
    return output_status(failed);
}

ms_status ms_output_end(void) {
    bool failed = ms_output_flush() != MS_OK;
    errno = 0;
    if (fclose(stdout) != 0) {
        note_failure(errno);
        failed = true;
    }
    return output_status(failed);
}

static void put(FILE *stream, const void *text, size_t size) {
    errno = 0;
    if (fwrite(text, 1, size, stream) != size && stream == stdout) note_failure(errno);
}

void ms_print_line(FILE *stream, const char *format, ...) {
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    ms_escape_format(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    size_t length = strlen(line);
    line[length] = '\n';
    put(stream, line, length + 1);
}

void ms_print_text(FILE *stream, const void *text, size_t size_bytes) {
    if (!isatty(fileno(stream))) {
        put(stream, text, size_bytes);
        return;
    }
    const uint8_t *bytes = text;
    for (size_t i = 0; i < size_bytes; i++) {
        static _Thread_local uint8_t before;
        /* C1 controls are 0xC2 and 0x80 to 0x9F: the second byte is what is not let through. */
        bool is_c1 = before == 0xc2 && bytes[i] >= 0x80 && bytes[i] < 0xa0;
        bool is_c0 = (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7f;
        before = bytes[i];
        if (is_c0 || is_c1) {
            char escaped[8];
            snprintf(escaped, sizeof escaped, "\\x%02X", (unsigned)bytes[i]);
            put(stream, escaped, 4);
        } else {
            put(stream, &bytes[i], 1);
        }
    }
}
