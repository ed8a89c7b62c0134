#include "platform/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/escape.h"
#include "platform/file.h"
#include "platform/output.h"

struct ms_logger {
    pthread_mutex_t mutex;
    ms_log_level terminal_level;
    bool terminal_is_tty;
    FILE *file;    /* NULL: none attached */
    FILE *pending; /* what is written before one is, in memory; NULL: nothing yet */
    char *pending_text;
    size_t pending_size;
    char *path;     /* of the file */
    int file_error; /* errno of the first failed write, 0: none */
};

const char *ms_log_level_name(ms_log_level level) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return (unsigned)level < sizeof names / sizeof *names ? names[level] : "unknown";
}

ms_status ms_logger_create(ms_log_level terminal_level, ms_logger **out) {
    *out = NULL;
    ms_logger *logger = calloc(1, sizeof *logger);
    if (!logger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a logger");
    if (pthread_mutex_init(&logger->mutex, NULL) != 0) {
        free(logger);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a logger's lock");
    }
    logger->terminal_level = terminal_level;
    logger->terminal_is_tty = isatty(STDERR_FILENO);
    *out = logger;
    return MS_OK;
}

void ms_logger_destroy(ms_logger *logger) {
    if (!logger) return;
    if (logger->file) fclose(logger->file);
    if (logger->pending) fclose(logger->pending);
    free(logger->pending_text);
    free(logger->path);
    pthread_mutex_destroy(&logger->mutex);
    free(logger);
}

/* Flushes the file, after something was written to it or could not be. */
static void flush_file(ms_logger *logger, bool written) {
    if (written && fflush(logger->file) == 0) return;
    int error = errno ? errno : EIO;
    clearerr(logger->file);
    if (logger->file_error) return;
    logger->file_error = error;
    ms_print_line(stderr, "muonscope: warning: cannot write %s: %s", logger->path, strerror(error));
}

static bool print_entry(FILE *stream, ms_log_level level, const char *text) {
    char now[32];
    return fprintf(stream, "%s %-7s %s\n", ms_clock_utc(now, sizeof now), ms_log_level_name(level), text) >= 0;
}

/* A logger without a file keeps the first messages, and no more than these: it may never get one. */
static void keep_pending(ms_logger *logger, ms_log_level level, const char *text) {
    enum { PENDING_MAX = 65536 };
    if (!logger->pending) logger->pending = open_memstream(&logger->pending_text, &logger->pending_size);
    if (!logger->pending || logger->pending_size > PENDING_MAX) return;
    (void)print_entry(logger->pending, level, text);
    (void)fflush(logger->pending);
}

static void write_file(ms_logger *logger, ms_log_level level, const char *text) {
    errno = 0;
    if (logger->file)
        flush_file(logger, print_entry(logger->file, level, text));
    else
        keep_pending(logger, level, text);
}

static void write_pending(ms_logger *logger) {
    if (!logger->pending) return;
    errno = 0;
    flush_file(logger, fwrite(logger->pending_text, 1, logger->pending_size, logger->file) == logger->pending_size);
    fclose(logger->pending);
    logger->pending = NULL;
}

ms_status ms_logger_attach(ms_logger *logger, const char *path) {
    if (logger->file) return MS_FAIL(MS_INVALID, "cannot log to %s: %s is attached", path, logger->path);
    char *copy = strdup(path);
    if (!copy) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for path %s", path);
    FILE *file;
    ms_status status = ms_file_open_log(path, true, &file);
    if (status != MS_OK) {
        free(copy);
        return status;
    }
    setvbuf(file, NULL, _IOLBF, 0); /* a line is on its way before the next step starts */
    logger->file = file;
    logger->path = copy;
    write_pending(logger);
    return MS_OK;
}

static void emit(ms_logger *logger, ms_log_level level, bool terminal, const char *format, va_list arguments) {
    char text[2048];
    ms_escape_format(text, sizeof text, format, arguments);
    pthread_mutex_lock(&logger->mutex);
    if (terminal && level >= logger->terminal_level) {
        const char *erase = logger->terminal_is_tty ? "\r\033[K" : "";
        if (level >= MS_LOG_WARNING)
            fprintf(stderr, "%s%s: %s\n", erase, ms_log_level_name(level), text);
        else
            fprintf(stderr, "%s%s\n", erase, text);
    }
    write_file(logger, level, text);
    pthread_mutex_unlock(&logger->mutex);
}

void ms_logger_write(ms_logger *logger, ms_log_level level, const char *format, ...) {
    if (!logger) return;
    va_list arguments;
    va_start(arguments, format);
    emit(logger, level, true, format, arguments);
    va_end(arguments);
}

void ms_logger_file_only(ms_logger *logger, const char *format, ...) {
    if (!logger) return;
    va_list arguments;
    va_start(arguments, format);
    emit(logger, MS_LOG_INFO, false, format, arguments);
    va_end(arguments);
}

ms_status ms_logger_check_file(ms_logger *logger) {
    pthread_mutex_lock(&logger->mutex);
    ms_status status = logger->file ? ms_file_check_log(logger->file, logger->path) : MS_OK;
    pthread_mutex_unlock(&logger->mutex);
    return status;
}

ms_status ms_logger_file_status(ms_logger *logger) {
    pthread_mutex_lock(&logger->mutex);
    int error = logger->file_error;
    pthread_mutex_unlock(&logger->mutex);
    return error ? ms_status_from_errno(error, "cannot write", logger->path) : MS_OK;
}
