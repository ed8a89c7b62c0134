/* Errors are values: every function that can fail returns an ms_status and leaves a one-line message that names the
   thing and the numbers.  The message is per thread: read it only right after a call returned something other than
   MS_OK.  Thread-safe. */
#ifndef MS_PLATFORM_STATUS_H
#define MS_PLATFORM_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(code, text): what went wrong, and what a caller may do about it. */
#define MS_STATUS_CODES(X)                                                                                             \
    X(OK, "ok")                       /* nothing to do */                                                              \
    X(INVALID, "invalid argument")    /* the caller's input is wrong: correct it */                                    \
    X(USAGE, "usage")                 /* the command line is wrong: exit status 2 */                                   \
    X(NOT_FOUND, "not found")         /* a file, device, key or tensor does not exist: name another */                 \
    X(IO, "input or output error")    /* the operating system refused: see the message, retry may help */              \
    X(NO_SPACE, "no space left")      /* disk full, or a limit reached: free space and resume */                       \
    X(CORRUPT, "corrupt data")        /* a file is truncated or foreign: restore or rebuild it */                      \
    X(MISMATCH, "mismatch")           /* two inputs do not belong together: shapes, hashes, versions */                \
    X(OUT_OF_MEMORY, "out of memory") /* reduce the batch or the model */                                              \
    X(UNSUPPORTED, "unsupported")     /* this device or build cannot do it: choose another */                          \
    X(NUMERIC, "non-finite number")   /* a loss or gradient is NaN or infinite: the run cannot go on */                \
    X(DEVICE_LOST, "device lost")     /* reopen the device and resume from the last checkpoint */                      \
    X(INTERRUPTED, "interrupted")     /* a signal asked to stop: state was saved */                                    \
    X(INTERNAL, "internal error")     /* a bug here: report it */

typedef enum ms_status {
#define X(code, text) MS_##code,
    MS_STATUS_CODES(X)
#undef X
} ms_status;

/* The short text of a code, e.g. "no space left".  Borrowed, static. */
const char *ms_status_text(ms_status status);

/* The calling thread's last message, without a trailing newline.  Borrowed: valid until the thread's next failure. */
const char *ms_status_message(void);

/* Sets the calling thread's message and returns `status`.  Use MS_FAIL.  A message is one line whatever its arguments
   are: control characters are escaped, and of what is longer than 1023 bytes the middle is left out
   (platform/escape.h). */
ms_status ms_status_set(ms_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<note>: " before the calling thread's message and returns `status`.  Use MS_TRY_NOTE. */
ms_status ms_status_note(ms_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* return MS_FAIL(MS_INVALID, "rope: head size %d is odd", d); */
#define MS_FAIL(status, ...) ms_status_set((status), __VA_ARGS__)

/* Returns from the calling function when `call` is not MS_OK. */
#define MS_TRY(call)                                                                                                   \
    do {                                                                                                               \
        ms_status ms_try_status_ = (call);                                                                             \
        if (ms_try_status_ != MS_OK) return ms_try_status_;                                                            \
    } while (0)

/* As MS_TRY, with a note put before the message. */
#define MS_TRY_NOTE(call, ...)                                                                                         \
    do {                                                                                                               \
        ms_status ms_try_status_ = (call);                                                                             \
        if (ms_try_status_ != MS_OK) return ms_status_note(ms_try_status_, __VA_ARGS__);                               \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
