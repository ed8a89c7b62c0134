#include "tests/cuda_host/report.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "tests/cuda_host/block.h"

namespace ms_cuda_host {
namespace {

/* One write, so that lines of several threads do not mix; no allocation, since a signal handler comes here. */
void print_line(const char *where, const char *format, va_list arguments) {
    char text[1024], line[1400];
    vsnprintf(text, sizeof text, format, arguments);
    int length = snprintf(line, sizeof line, "cuda-host: %s%s\n", where, text);
    for (ssize_t n = 0, i = 0; i < length; i += n) {
        n = write(STDERR_FILENO, line + i, static_cast<size_t>(length - i));
        if (n <= 0) return;
    }
}

} // namespace

void fatal(const char *format, ...) {
    char where[256];
    describe_running_thread(where, sizeof where);
    va_list arguments;
    va_start(arguments, format);
    print_line(where, format, arguments);
    va_end(arguments);
    abort();
}

void explain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line("", format, arguments);
    va_end(arguments);
}

} // namespace ms_cuda_host
