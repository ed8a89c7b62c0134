/* Messages for people: to stderr and, when one is attached, to a log file with time and level.  Library code that
   returns an ms_status does not log its errors: the caller that gives up prints them, once. */
#ifndef MS_PLATFORM_LOG_H
#define MS_PLATFORM_LOG_H

#include "platform/status.h"

typedef enum ms_log_level { MS_LOG_DEBUG, MS_LOG_INFO, MS_LOG_WARNING, MS_LOG_ERROR } ms_log_level;

/* "debug", "info", "warning", "error".  Static. */
const char *ms_log_level_name(ms_log_level level);

typedef struct ms_logger ms_logger;

/* A logger that writes messages of at least `terminal_level` to stderr.  The caller destroys it.  MS_OUT_OF_MEMORY. */
ms_status ms_logger_create(ms_log_level terminal_level, ms_logger **out);
/* Closes the file.  NULL is fine. */
void ms_logger_destroy(ms_logger *logger);

/* Also appends every message, whatever its level, to the file `path`, as "<UTC time> <level> <message>": those from
   before, with the time of then, first (of more than 64 KiB of them the first).  Errors of ms_file_open_log
   (platform/file.h); MS_INVALID when a file is attached already. */
ms_status ms_logger_attach(ms_logger *logger, const char *path);

/* One message, one line: what could break it is escaped, and the middle of what is longer than 2047
   bytes left out (platform/escape.h).  Warnings and errors
   are marked on stderr; a progress line there is erased first.  Logging never fails its caller: a file that cannot be
   written (disk full) is reported once on stderr and kept open, and ms_logger_file_status tells.  Thread-safe.  A NULL
   logger drops the message. */
void ms_logger_write(ms_logger *logger, ms_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As ms_logger_write at level info, to the file alone: what the terminal shows in another form. */
void ms_logger_file_only(ms_logger *logger, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* MS_IO: the attached file is no longer at its path (ms_file_check_log).  Thread-safe. */
ms_status ms_logger_check_file(ms_logger *logger);

/* MS_OK, or the first failure to write the file. */
ms_status ms_logger_file_status(ms_logger *logger);

#endif
